//! Which paths a CDN has to forget after a plan was carried out.
//!
//! Owns the mapping from keys to paths and CloudFront's rules for them. Never speaks to a distribution.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::config::DistributionId;
use crate::location::Prefix;
use crate::plan::Operation;

/// Most single paths in progress for one distribution. Source: CloudFront developer guide, "Quotas", invalidations.
pub const MAX_PATHS: usize = 3000;

/// Most wildcard paths in progress for one distribution. Same source.
pub const MAX_WILDCARDS: usize = 15;

/// Longest path, in characters. Source: CloudFront developer guide, "What you need to know when invalidating files".
pub const MAX_PATH_CHARACTERS: usize = 4000;

/// Paths that are free each month, over all distributions of an account. Source: CloudFront pricing.
pub const FREE_PATHS: usize = 1000;

/// What CloudFront wants percent-encoded: everything outside ASCII, and what RFC 1738 calls unsafe. `*` is never encoded
/// here, since `%2A` names another file; `~` is encoded because CloudFront refuses it raw.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'~');

/// A path as CreateInvalidation takes it: starts with `/`, at most one `*` and only at its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(String);

impl Path {
    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many folders deep it reaches; a folder's wildcard counts as the folder.
    fn level(&self) -> usize {
        self.0.strip_suffix("/*").unwrap_or(&self.0).matches('/').count()
    }

    /// The wildcard of the folder that holds it.
    fn folder(&self) -> Self {
        let bare = self.0.strip_suffix("/*").unwrap_or(&self.0);
        Self(format!("{}/*", bare.rsplit_once('/').map_or("", |(folder, _)| folder)))
    }

    /// Whether it ends in the wildcard.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.ends_with('*')
    }
}

/// What one distribution is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The distribution.
    pub distribution: DistributionId,
    /// The paths.
    pub paths: Vec<Path>,
    /// The caller's reference.
    pub reference: String,
}

/// What may still be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Paths.
    pub paths: usize,
    /// Wildcards.
    pub wildcards: usize,
    /// Free paths.
    pub free: usize,
}

/// stand-in until the planner is merged
#[must_use]
pub fn batch<'a>(
    site: &str,
    release: &str,
    cdn: &crate::config::Cdn,
    target: &crate::location::Location,
    changed: impl Iterator<Item = &'a str>,
    _unchanged: impl Iterator<Item = &'a str>,
    room: Room,
) -> Option<Batch> {
    let below = cdn.visible_prefix(target);
    let mut all = BTreeSet::new();
    for key in changed {
        addresses(&below.join(key), &mut all);
    }
    let paths = fold(all, room.free.clamp(1, MAX_PATHS));
    if paths.is_empty() {
        return None;
    }
    let mut text = String::new();
    for path in &paths {
        text.push_str(path.as_str());
        text.push('\n');
    }
    let reference = format!("tidegate-{site}-{release}-{}", crate::identity::sha256(text.as_bytes()));
    Some(Batch { distribution: cdn.distribution.clone(), paths, reference })
}

/// The paths that cover every visible change: each changed, removed or redirected key, and the other addresses of an
/// index page. At most `budget` paths (and never more than CloudFront takes): beyond that, folders are folded into
/// wildcards from the bottom up, and at last everything into `/*`.
///
/// `below` is the part of the site's prefix that the distribution's origin path does not hide, so that keys become what
/// visitors ask for. Keys that are new are included: an error page for them may be cached.
#[must_use]
pub fn paths(operations: &[Operation], below: &Prefix, budget: usize) -> Vec<Path> {
    let mut all = BTreeSet::new();
    for operation in operations {
        let whole = below.join(operation.key.as_str());
        addresses(&whole, &mut all);
    }
    fold(all, budget.clamp(1, MAX_PATHS))
}

/// Every address under which a visitor may have a key cached.
fn addresses(key: &str, all: &mut BTreeSet<Path>) {
    let mut add = |key: &str| {
        all.insert(Path(escaped(key)));
    };
    add(key);
    if let Some(folder) = key.strip_suffix("index.html").filter(|folder| folder.is_empty() || folder.ends_with('/')) {
        add(folder);
        if let Some(bare) = folder.strip_suffix('/') {
            add(bare);
        }
    }
}

/// The path of one key. A key that ends in `*` cannot be written as a path of its own, since `*` at the end is the
/// wildcard: the wildcard is what is left, and it covers the key. A `*` elsewhere is refused by CloudFront, so the path
/// is cut before it, with the wildcard.
fn escaped(key: &str) -> String {
    let cut = key.split_once('*').map_or((key, ""), |(before, _)| (before, "*"));
    let path = format!("/{}{}", utf8_percent_encode(cut.0, UNSAFE), cut.1);
    if path.chars().count() <= MAX_PATH_CHARACTERS {
        return path;
    }
    // Too long for CloudFront: the longest folder that fits, with the wildcard.
    let mut folder = key;
    while let Some((parent, _)) = folder.rsplit_once('/') {
        let path = format!("/{}/*", utf8_percent_encode(parent, UNSAFE));
        if path.len() <= MAX_PATH_CHARACTERS && !parent.contains('*') {
            return path;
        }
        folder = parent;
    }
    "/*".to_owned()
}

/// Folds the deepest folders into wildcards until the budget holds.
fn fold(mut all: BTreeSet<Path>, budget: usize) -> Vec<Path> {
    let fits = |all: &BTreeSet<Path>| {
        all.len() <= budget && all.iter().filter(|path| path.is_wildcard()).count() <= MAX_WILDCARDS
    };
    drop_covered(&mut all);
    let mut level = all.iter().map(Path::level).max().unwrap_or(0);
    while !fits(&all) && level > 0 {
        let (deep, mut rest): (BTreeSet<Path>, BTreeSet<Path>) =
            all.into_iter().partition(|path| path.level() >= level);
        rest.extend(deep.iter().map(Path::folder));
        drop_covered(&mut rest);
        all = rest;
        level -= 1;
    }
    all.into_iter().collect()
}

/// Removes paths that a wildcard covers.
fn drop_covered(all: &mut BTreeSet<Path>) {
    let wildcards: Vec<String> =
        all.iter().filter(|path| path.is_wildcard()).map(|path| path.0.trim_end_matches('*').to_owned()).collect();
    all.retain(|path| {
        !wildcards.iter().any(|stem| path.0.starts_with(stem.as_str()) && path.0.trim_end_matches('*') != stem)
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::ETag;
    use crate::key::StoredKey;
    use crate::plan::{Action, Reason};

    fn deletes(keys: &[&str]) -> Vec<Operation> {
        keys.iter()
            .map(|key| Operation {
                key: StoredKey::new(key),
                reason: Reason::Stale,
                action: Action::Delete { size: 1, etag: ETag::new("x") },
            })
            .collect()
    }

    fn text(keys: &[&str], budget: usize) -> Vec<String> {
        paths(&deletes(keys), &Prefix::default(), budget).into_iter().map(|path| path.0).collect()
    }

    #[test]
    fn an_index_page_has_three_addresses() {
        assert_eq!(text(&["d/index.html"], 100), ["/d", "/d/", "/d/index.html"]);
        assert_eq!(text(&["index.html"], 100), ["/", "/index.html"]);
        assert_eq!(text(&["myindex.html"], 100), ["/myindex.html"]);
    }

    #[test]
    fn only_what_is_unsafe_is_encoded() {
        assert_eq!(text(&["a b/é+c'~(1).html"], 100), ["/a%20b/%C3%A9+c'%7E(1).html"]);
        assert_eq!(text(&["100%/x"], 100), ["/100%25/x"]);
    }

    #[test]
    fn a_literal_star_is_covered_and_never_encoded() {
        assert_eq!(text(&["a/x*"], 100), ["/a/x*"]);
        assert_eq!(text(&["a/*/b"], 100), ["/a/*"]);
    }

    #[test]
    fn a_budget_folds_from_the_bottom() {
        assert_eq!(text(&["a/b/1", "a/b/2", "a/b/3", "x"], 2), ["/a/b/*", "/x"]);
        assert_eq!(text(&["1", "2", "3"], 2), ["/*"]);
        assert_eq!(text(&[], 2), Vec::<String>::new());
    }

    fn covered(key: &str, paths: &[String]) -> bool {
        let raw = format!("/{}", utf8_percent_encode(key, UNSAFE));
        paths.iter().any(|path| match path.strip_suffix('*') {
            Some(stem) => raw.starts_with(stem),
            None => *path == raw,
        })
    }

    proptest! {
        #[test]
        fn every_change_is_covered_within_the_budget(
            keys in proptest::collection::btree_set("[ab*é ]{1,3}(/[ab~]{1,2}){0,3}(/index.html)?", 0..60),
            budget in 1usize..40,
        ) {
            let names: Vec<&str> = keys.iter().map(String::as_str).collect();
            let found = text(&names, budget);
            prop_assert!(found.len() <= budget);
            prop_assert!(found.iter().filter(|path| path.ends_with('*')).count() <= MAX_WILDCARDS);
            for path in &found {
                prop_assert!(path.starts_with('/') && path.is_ascii());
                prop_assert!(!path.trim_end_matches('*').contains('*') && !path.ends_with("**"));
            }
            for key in &names {
                prop_assert!(covered(key, &found), "{key:?} not in {found:?}");
                if let Some(folder) = key.strip_suffix("index.html") {
                    prop_assert!(covered(folder, &found), "{folder:?} not in {found:?}");
                }
            }
        }
    }
}
