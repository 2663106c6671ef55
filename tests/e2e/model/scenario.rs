//! A scenario: an artifact, a configuration and the site before the publish, in a format that fits on one line.

use std::collections::BTreeMap;
use std::fmt;

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use tidegate_tests::{SiteObject, SourceKind, SourceObject, Sources, body};

/// The prefix of the site. Keys outside of it belong to others.
pub(crate) const PREFIX: &str = "p/";

/// Keys of others, each of which a wrong prefix comparison could match.
pub(crate) const OTHERS: [&str; 5] = ["p", "p-", "p-/a", "p2/a", "a"];

/// Content generated from a size and a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Content {
    size: u64,
    seed: u64,
}

/// An object on the site before the publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExistingObject {
    /// An object with `max-age` in seconds.
    Plain(Content, u32),
    /// An object under SSE-KMS, whose ETag proves nothing.
    Kms(Content, u32),
    /// A multipart object, whose ETag proves nothing.
    Parts(Content, u32),
    /// A redirect.
    Redirect(String),
    /// A directory marker.
    Marker,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) kind: SourceKind,
    /// Whether stale objects are deleted.
    pub(crate) delete: bool,
    /// `max-age` in seconds for keys with a segment that ends in `-`.
    pub(crate) age: u32,
    pub(crate) artifact: BTreeMap<String, Content>,
    /// Redirects by rule. Their keys get the suffix `.r`.
    pub(crate) redirects: Vec<String>,
    pub(crate) site: BTreeMap<String, ExistingObject>,
}

/// The object that the model predicts for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpectedObject {
    pub(crate) digest: String,
    pub(crate) cache: Option<String>,
    pub(crate) redirect: Option<String>,
}

/// A small alphabet makes names collide. `-` sorts before `/`, and `.` between the two.
fn key() -> impl Strategy<Value = String> {
    "[a-]{1,2}(/[a-]{1,2}){0,2}(\\.r)?"
}

fn bytes() -> impl Strategy<Value = Content> {
    // A renamed file is copied if it has at least 4,096 bytes.
    (prop::sample::select(vec![0, 1, 7, 4096]), 0_u64..2)
        .prop_map(|(size, seed)| Content { size, seed: if size == 0 { 0 } else { seed } })
}

fn existing() -> impl Strategy<Value = ExistingObject> {
    let age = || prop::sample::select(vec![1_u32, 3, 5]);
    prop_oneof![
        6 => (bytes(), age()).prop_map(|(bytes, age)| ExistingObject::Plain(bytes, age)),
        1 => (bytes(), age()).prop_map(|(bytes, age)| ExistingObject::Kms(bytes, age)),
        1 => (bytes(), age()).prop_map(|(bytes, age)| ExistingObject::Parts(bytes, age)),
        2 => prop::sample::select(vec!["/x", "/index.html"]).prop_map(|to| ExistingObject::Redirect(to.to_owned())),
        1 => Just(ExistingObject::Marker),
    ]
}

impl Scenario {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let kind = prop::sample::select(vec![SourceKind::Directory, SourceKind::Prefix]);
        let redirects = btree_set("[a-]{1,2}(/[a-]{1,2}){0,1}", 0..3);
        (kind, any::<bool>(), 1_u32..4, btree_map(key(), bytes(), 0..6), redirects, btree_map(key(), existing(), 0..7))
            .prop_map(|(kind, delete, age, artifact, redirects, site)| {
                Self { kind, delete, age, artifact, redirects: redirects.into_iter().collect(), site }
                    .without_conflicts()
            })
    }

    /// Removes impossible combinations: a file that is also a folder, a redirect on the key of a file, a directory
    /// marker without a slash.
    fn without_conflicts(mut self) -> Self {
        if self.kind == SourceKind::Directory {
            let names: Vec<String> = self.artifact.keys().cloned().collect();
            self.artifact.retain(|key, _| !names.iter().any(|other| other.starts_with(&format!("{key}/"))));
        }
        let artifact = &self.artifact;
        self.redirects.retain(|key| !artifact.contains_key(&format!("{key}.r")));
        self.site = std::mem::take(&mut self.site)
            .into_iter()
            .map(|(key, existing)| {
                let bare = key.trim_end_matches('/').to_owned();
                (if existing == ExistingObject::Marker { bare + "/" } else { bare }, existing)
            })
            .collect();
        self
    }

    /// The configuration of the site.
    pub(crate) fn configuration(&self) -> String {
        let rules: Vec<String> =
            self.redirects.iter().map(|key| format!("{{ from = \"/{key}.r\", to = \"/index.html\" }}")).collect();
        format!(
            r#"[[site]]
name = "docs"
target = "s3://site/{PREFIX}"
delete = {}

[[site.sync]]
plugin = "headers"
settings = {{ presets = {{ fingerprinted = "max-age=5", pages = "max-age=5", others = "max-age=5" }}, rules = [{{ glob = "*-", set = {{ cache-control = "max-age={}" }} }}] }}

[[site.sync]]
plugin = "rewrite"
settings = {{ redirects = [{}] }}

[[site.policy]]
plugin = "guard"
settings = {{ allow-empty = true }}
"#,
            self.delete,
            self.age,
            rules.join(", ")
        )
    }

    pub(crate) fn sources(&self) -> Sources {
        let objects = self.artifact.iter().map(|(key, bytes)| SourceObject::sized(key, bytes.size, bytes.seed));
        Sources { kind: self.kind, objects: objects.collect() }
    }

    /// The bucket before the publish, including the objects of others.
    pub(crate) fn seeds(&self) -> Vec<SiteObject> {
        let others = OTHERS.iter().map(|key| SiteObject::text(key, "theirs"));
        others.chain(self.site.iter().map(|(key, existing)| existing.seed(&format!("{PREFIX}{key}")))).collect()
    }

    /// The site after the publish, with keys relative to the prefix.
    pub(crate) fn model(&self) -> BTreeMap<String, ExpectedObject> {
        let mut model = BTreeMap::new();
        for (key, existing) in &self.site {
            if !self.delete || *existing == ExistingObject::Marker {
                model.insert(key.clone(), existing.expected());
            }
        }
        for (key, bytes) in &self.artifact {
            let age = if key.split('/').any(|segment| segment.ends_with('-')) { self.age } else { 5 };
            model.insert(key.clone(), bytes.expected(age));
        }
        for key in &self.redirects {
            // Visitors may add a slash.
            for key in [format!("{key}.r"), format!("{key}.r/index.html")] {
                model.insert(key, ExistingObject::Redirect("/index.html".to_owned()).expected());
            }
        }
        model
    }

    /// Keys that are up to date and whose ETag proves it. They must not be written.
    pub(crate) fn provably_unchanged(&self) -> Vec<String> {
        let model = self.model();
        let unchanged = self.site.iter().filter(|(key, existing)| {
            matches!(existing, ExistingObject::Plain(..) | ExistingObject::Redirect(_))
                && model.get(*key) == Some(&existing.expected())
        });
        unchanged.map(|(key, _)| key.clone()).collect()
    }
}

impl Content {
    fn expected(self, age: u32) -> ExpectedObject {
        let digest = body::digest(&body::pattern(self.size, self.seed));
        ExpectedObject { digest, cache: Some(format!("max-age={age}")), redirect: None }
    }
}

impl ExistingObject {
    fn expected(&self) -> ExpectedObject {
        match self {
            Self::Plain(bytes, age) | Self::Kms(bytes, age) | Self::Parts(bytes, age) => bytes.expected(*age),
            Self::Redirect(to) => ExpectedObject { digest: body::digest(b""), cache: None, redirect: Some(to.clone()) },
            Self::Marker => ExpectedObject { digest: body::digest(b""), cache: None, redirect: None },
        }
    }

    fn seed(&self, key: &str) -> SiteObject {
        let object = SiteObject { key: key.to_owned(), ..SiteObject::default() };
        match self {
            Self::Plain(bytes, age) | Self::Kms(bytes, age) | Self::Parts(bytes, age) => SiteObject {
                size: Some(bytes.size),
                seed: bytes.seed,
                cache_control: Some(format!("max-age={age}")),
                encryption: matches!(self, Self::Kms(..)).then(|| "aws:kms".to_owned()),
                // An empty body cannot be uploaded in parts.
                parts: (matches!(self, Self::Parts(..)) && bytes.size > 0).then_some(4),
                ..object
            },
            Self::Redirect(to) => SiteObject { redirect: Some(to.clone()), ..object },
            Self::Marker => object,
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.size, self.seed)
    }
}

impl fmt::Display for ExistingObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(bytes, age) => write!(f, "plain:{bytes}:{age}"),
            Self::Kms(bytes, age) => write!(f, "kms:{bytes}:{age}"),
            Self::Parts(bytes, age) => write!(f, "parts:{bytes}:{age}"),
            Self::Redirect(to) => write!(f, "redirect:{to}"),
            Self::Marker => f.write_str("marker"),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind == SourceKind::Directory { "directory" } else { "prefix" };
        write!(f, "{kind} {} {} |", if self.delete { "delete" } else { "keep" }, self.age)?;
        self.artifact.iter().try_for_each(|(key, bytes)| write!(f, " {key}:{bytes}"))?;
        f.write_str(" |")?;
        self.redirects.iter().try_for_each(|key| write!(f, " {key}"))?;
        f.write_str(" |")?;
        self.site.iter().try_for_each(|(key, existing)| write!(f, " {key}:{existing}"))
    }
}

/// A failure prints a line that can be pasted into the list of regressions.
impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Scenario {
    /// Parses the output of `Display`.
    pub(crate) fn parse(text: &str) -> Self {
        let sections: Vec<Vec<&str>> = text.split('|').map(|section| section.split_whitespace().collect()).collect();
        let [options, artifact, redirects, site] = sections.as_slice() else { panic!("four sections: {text}") };
        let [kind, delete, age] = options.as_slice() else { panic!("three options: {text}") };
        let bytes = |text: &str| {
            let (size, seed) = text.split_once('.').unwrap();
            Content { size: size.parse().unwrap(), seed: seed.parse().unwrap() }
        };
        let existing = |text: &str| match text.split(':').collect::<Vec<_>>().as_slice() {
            ["marker"] => ExistingObject::Marker,
            ["redirect", to] => ExistingObject::Redirect((*to).to_owned()),
            ["plain", of, age] => ExistingObject::Plain(bytes(of), age.parse().unwrap()),
            ["kms", of, age] => ExistingObject::Kms(bytes(of), age.parse().unwrap()),
            ["parts", of, age] => ExistingObject::Parts(bytes(of), age.parse().unwrap()),
            other => panic!("unknown object: {other:?}"),
        };
        let pair = |text: &&str| text.split_once(':').map(|(key, rest)| (key.to_owned(), rest.to_owned())).unwrap();
        Self {
            kind: if *kind == "directory" { SourceKind::Directory } else { SourceKind::Prefix },
            delete: *delete == "delete",
            age: age.parse().unwrap(),
            artifact: artifact.iter().map(pair).map(|(key, rest)| (key, bytes(&rest))).collect(),
            redirects: redirects.iter().map(|key| (*key).to_owned()).collect(),
            site: site.iter().map(pair).map(|(key, rest)| (key, existing(&rest))).collect(),
        }
    }
}
