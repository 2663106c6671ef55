//! A scenario: an artifact, a configuration and what the site holds before, small enough to be read in one line.

use std::collections::BTreeMap;
use std::fmt;

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use tidegate_tests::{SiteObject, SourceKind, SourceObject, Sources, body};

/// Where the site is; keys beside it belong to others.
pub(crate) const PREFIX: &str = "p/";

/// Keys of others, each of which some rule of prefixes might catch by mistake.
pub(crate) const OTHERS: [&str; 5] = ["p", "p-", "p-/a", "p2/a", "a"];

/// Bytes that are described by their number and a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bytes {
    size: u64,
    seed: u64,
}

/// What the site holds under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// An object of any tool, with `max-age` of so many seconds.
    Plain(Bytes, u32),
    /// The same under SSE-KMS: its ETag says nothing.
    Kms(Bytes, u32),
    /// The same, uploaded in parts: its ETag says nothing.
    Parts(Bytes, u32),
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
    /// `max-age` for names of which one segment ends in `-`.
    pub(crate) age: u32,
    pub(crate) artifact: BTreeMap<String, Bytes>,
    /// Redirects by rule; the key is followed by `.r`.
    pub(crate) redirects: Vec<String>,
    pub(crate) site: BTreeMap<String, Held>,
}

/// What the model says of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) digest: String,
    pub(crate) cache: Option<String>,
    pub(crate) redirect: Option<String>,
}

/// Few letters, so that names collide; `-` sorts before `/`, and `.` between the two.
fn key() -> impl Strategy<Value = String> {
    "[a-]{1,2}(/[a-]{1,2}){0,2}(\\.r)?"
}

fn bytes() -> impl Strategy<Value = Bytes> {
    // From 4,096 bytes on, a renamed file is copied.
    (prop::sample::select(vec![0, 1, 7, 4096]), 0_u64..2)
        .prop_map(|(size, seed)| Bytes { size, seed: if size == 0 { 0 } else { seed } })
}

fn held() -> impl Strategy<Value = Held> {
    let age = || prop::sample::select(vec![1_u32, 3, 5]);
    prop_oneof![
        6 => (bytes(), age()).prop_map(|(bytes, age)| Held::Plain(bytes, age)),
        1 => (bytes(), age()).prop_map(|(bytes, age)| Held::Kms(bytes, age)),
        1 => (bytes(), age()).prop_map(|(bytes, age)| Held::Parts(bytes, age)),
        2 => prop::sample::select(vec!["/x", "/index.html"]).prop_map(|to| Held::Redirect(to.to_owned())),
        1 => Just(Held::Marker),
    ]
}

impl Scenario {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let kind = prop::sample::select(vec![SourceKind::Directory, SourceKind::Prefix]);
        let redirects = btree_set("[a-]{1,2}(/[a-]{1,2}){0,1}", 0..3);
        (kind, any::<bool>(), 1_u32..4, btree_map(key(), bytes(), 0..6), redirects, btree_map(key(), held(), 0..7))
            .prop_map(|(kind, delete, age, artifact, redirects, site)| {
                Self { kind, delete, age, artifact, redirects: redirects.into_iter().collect(), site }.possible()
            })
    }

    /// Takes out what cannot be: a file that is a folder, a redirect over an object, a marker without its slash.
    fn possible(mut self) -> Self {
        if self.kind == SourceKind::Directory {
            let names: Vec<String> = self.artifact.keys().cloned().collect();
            self.artifact.retain(|key, _| !names.iter().any(|other| other.starts_with(&format!("{key}/"))));
        }
        let artifact = &self.artifact;
        self.redirects.retain(|key| !artifact.contains_key(&format!("{key}.r")));
        self.site = std::mem::take(&mut self.site)
            .into_iter()
            .map(|(key, held)| {
                let bare = key.trim_end_matches('/').to_owned();
                (if held == Held::Marker { bare + "/" } else { bare }, held)
            })
            .collect();
        self
    }

    /// The configuration that says what the model says.
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

    /// What the bucket holds before, with the objects of others.
    pub(crate) fn seeds(&self) -> Vec<SiteObject> {
        let others = OTHERS.iter().map(|key| SiteObject::text(key, "theirs"));
        others.chain(self.site.iter().map(|(key, held)| held.seed(&format!("{PREFIX}{key}")))).collect()
    }

    /// What the site must be afterwards, without the prefix.
    pub(crate) fn model(&self) -> BTreeMap<String, Expected> {
        let mut model = BTreeMap::new();
        for (key, held) in &self.site {
            if !self.delete || *held == Held::Marker {
                model.insert(key.clone(), held.expected());
            }
        }
        for (key, bytes) in &self.artifact {
            let age = if key.split('/').any(|segment| segment.ends_with('-')) { self.age } else { 5 };
            model.insert(key.clone(), bytes.expected(age));
        }
        for key in &self.redirects {
            model.insert(format!("{key}.r"), Held::Redirect("/index.html".to_owned()).expected());
        }
        model
    }

    /// Keys that are what they should be, and whose ETag shows it: nothing may be written there.
    pub(crate) fn settled(&self) -> Vec<String> {
        let model = self.model();
        let settled = self.site.iter().filter(|(key, held)| {
            matches!(held, Held::Plain(..) | Held::Redirect(_)) && model.get(*key) == Some(&held.expected())
        });
        settled.map(|(key, _)| key.clone()).collect()
    }
}

impl Bytes {
    fn expected(self, age: u32) -> Expected {
        let digest = body::digest(&body::pattern(self.size, self.seed));
        Expected { digest, cache: Some(format!("max-age={age}")), redirect: None }
    }
}

impl Held {
    fn expected(&self) -> Expected {
        match self {
            Self::Plain(bytes, age) | Self::Kms(bytes, age) | Self::Parts(bytes, age) => bytes.expected(*age),
            Self::Redirect(to) => Expected { digest: body::digest(b""), cache: None, redirect: Some(to.clone()) },
            Self::Marker => Expected { digest: body::digest(b""), cache: None, redirect: None },
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
                // An empty body has no parts.
                parts: (matches!(self, Self::Parts(..)) && bytes.size > 0).then_some(4),
                ..object
            },
            Self::Redirect(to) => SiteObject { redirect: Some(to.clone()), ..object },
            Self::Marker => object,
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.size, self.seed)
    }
}

impl fmt::Display for Held {
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
        self.site.iter().try_for_each(|(key, held)| write!(f, " {key}:{held}"))
    }
}

/// A failure shows what can be pasted.
impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Scenario {
    /// Reads what `Display` writes.
    pub(crate) fn parse(text: &str) -> Self {
        let sections: Vec<Vec<&str>> = text.split('|').map(|section| section.split_whitespace().collect()).collect();
        let [options, artifact, redirects, site] = sections.as_slice() else { panic!("four sections: {text}") };
        let [kind, delete, age] = options.as_slice() else { panic!("three options: {text}") };
        let bytes = |text: &str| {
            let (size, seed) = text.split_once('.').unwrap();
            Bytes { size: size.parse().unwrap(), seed: seed.parse().unwrap() }
        };
        let held = |text: &str| match text.split(':').collect::<Vec<_>>().as_slice() {
            ["marker"] => Held::Marker,
            ["redirect", to] => Held::Redirect((*to).to_owned()),
            ["plain", of, age] => Held::Plain(bytes(of), age.parse().unwrap()),
            ["kms", of, age] => Held::Kms(bytes(of), age.parse().unwrap()),
            ["parts", of, age] => Held::Parts(bytes(of), age.parse().unwrap()),
            other => panic!("no object: {other:?}"),
        };
        let pair = |text: &&str| text.split_once(':').map(|(key, rest)| (key.to_owned(), rest.to_owned())).unwrap();
        Self {
            kind: if *kind == "directory" { SourceKind::Directory } else { SourceKind::Prefix },
            delete: *delete == "delete",
            age: age.parse().unwrap(),
            artifact: artifact.iter().map(pair).map(|(key, rest)| (key, bytes(&rest))).collect(),
            redirects: redirects.iter().map(|key| (*key).to_owned()).collect(),
            site: site.iter().map(pair).map(|(key, rest)| (key, held(&rest))).collect(),
        }
    }
}
