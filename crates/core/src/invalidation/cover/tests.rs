//! Tests of tags that replace paths, by example and by property: every change is cleared.

use std::collections::BTreeSet;

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::super::{ChangedKeys, FREE_PATHS, InvalidationRequest, MAX_PATHS, MAX_WILDCARDS, PathFallback};
use super::*;
use crate::config::DistributionConfig;
use crate::location::Location;

const FULL: PathQuota = PathQuota { paths: MAX_PATHS, wildcards: MAX_WILDCARDS, free: FREE_PATHS };

/// A key, and the header value of its previous version, if there was one and it is known.
type Key<'a> = (&'a str, Option<&'a str>);

fn cdn(tags: bool) -> DistributionConfig {
    let more = if tags { "cache-tags = \"cache-tag\"" } else { "" };
    toml::from_str(&format!("distribution = \"E2EXAMPLE\"\n{more}")).unwrap()
}

fn keys<'a>(changed: &[Key<'a>], deleted: &[&str], unchanged: &[Key<'a>]) -> ChangedKeys<'a> {
    let mut copies = TaggedCopies::default();
    for (key, value) in changed {
        if let Some(value) = value {
            copies.changed(key, value, deleted.contains(key));
        }
    }
    unchanged.iter().filter_map(|(_, value)| *value).for_each(|value| copies.unchanged(value));
    let of = |keys: &[Key<'a>]| keys.iter().map(|(key, _)| *key).collect();
    ChangedKeys { changed: of(changed), unchanged: of(unchanged), copies }
}

fn request(cdn: &DistributionConfig, keys: ChangedKeys<'_>, quota: PathQuota) -> Option<InvalidationRequest> {
    let site = "docs".to_owned().try_into().unwrap();
    InvalidationRequest::new(&site, "r1", cdn, &"s3://bucket".parse::<Location>().unwrap(), keys, quota)
}

/// Rows: changed keys, which of them are deleted, unchanged keys, items, unchanged keys that are cleared.
#[test]
fn a_tag_replaces_paths_if_only_changed_objects_have_it() {
    type Row<'a> = (&'a [Key<'a>], &'a [&'a str], &'a [Key<'a>], &'a [&'a str], usize);
    let many: String = (0..51).map(|number| format!("t{number}")).collect::<Vec<_>>().join(",");
    let news = Some("news");
    let rows: [Row<'_>; 16] = [
        (
            &[("a/1", news), ("b/1", news), ("c/1", news)],
            &[],
            &[("a/2", None), ("b/2", None), ("c/2", None)],
            &["#news"],
            0,
        ),
        // Case and other tags do not matter.
        (&[("a/1", Some("News, x")), ("b/1", Some("y,NEWS"))], &[], &[("a/2", Some("x,y"))], &["#news"], 0),
        // The three addresses of an index page.
        (&[("d/index.html", news)], &[], &[("x", None)], &["#news"], 0),
        // A deleted page leaves the redirect to it.
        (&[("d/index.html", news)], &["d/index.html"], &[("x", None)], &["/d", "#news"], 0),
        // A new key has no cached copy with tags.
        (&[("a/1", news), ("b/1", news), ("c/1", None)], &[], &[("x", None)], &["/c/1", "#news"], 0),
        // An unchanged key has the tag too, or may have it.
        (&[("a/1", news), ("b/1", news)], &[], &[("c/1", news), ("x", None)], &["/a/1", "/b/1"], 0),
        (&[("a/1", news), ("b/1", news)], &[], &[("c/1", Some("a b,news")), ("x", None)], &["/a/1", "/b/1"], 0),
        // It is unknown what CloudFront stores of an invalid header.
        (&[("a/1", Some("news,")), ("b/1", news)], &[], &[("x", None)], &["/a/1", "/b/1"], 0),
        (&[("a/1", Some(&many)), ("b/1", Some("t1")), ("c/1", Some("t1"))], &[], &[("x", None)], &["/a/1", "#t1"], 0),
        // A tag in place of one path saves nothing.
        (&[("a/1", news)], &[], &[("x", None)], &["/a/1"], 0),
        (&[("a/1", news), ("a/2", news)], &[], &[("x", None)], &["/a/*"], 0),
        // A wildcard that clears as much as two tags.
        (&[("a/1", news), ("a/2", news), ("a/3", Some("x")), ("a/4", Some("x"))], &[], &[("x", None)], &["/a/*"], 0),
        // A wildcard and a tag: the tag covers the folder's own addresses.
        (&[("d/1", None), ("d/2", None), ("d/index.html", news)], &[], &[("x", None)], &["/d/*", "#news"], 0),
        // One tag that clears as much as two others.
        (
            &[("a/1", Some("all,x")), ("b/1", Some("all,x")), ("c/1", Some("all,y")), ("d/1", Some("all,y"))],
            &[],
            &[("x", None)],
            &["#all"],
            0,
        ),
        // A name that no path can express.
        (&[("~joe/1", Some("joe"))], &[], &[("x", None)], &["#joe"], 0),
        // Two keys with a common address: the tag of one does not clear copies of the other.
        (&[("d", None), ("d/index.html", news)], &[], &[("x", None)], &["/d", "#news"], 0),
    ];
    for (changed, deleted, unchanged, expected, also_cleared) in rows {
        let request = request(&cdn(true), keys(changed, deleted, unchanged), FULL).unwrap();
        assert_eq!(
            (request.items().collect::<Vec<_>>(), request.unchanged),
            (expected.iter().map(|item| (*item).to_owned()).collect(), also_cleared),
            "{changed:?}"
        );
    }
}

#[test]
fn tags_are_preferred_to_folders_with_unchanged_keys() {
    let names: Vec<(String, bool)> = (0..40).map(|number| (format!("blog/{number:02}"), number % 2 == 0)).collect();
    let keys_with = |is_even: bool| -> Vec<Key<'_>> {
        let value = if is_even { Some("even") } else { Some("odd") };
        names.iter().filter(|(_, even)| *even == is_even).map(|(name, _)| (name.as_str(), value)).collect()
    };
    let (changed, unchanged) = (keys_with(true), keys_with(false));
    for (quota, plain) in [(PathQuota { free: 5, ..FULL }, 20), (PathQuota { paths: 3, ..FULL }, 20), (FULL, 0)] {
        let paths = request(&cdn(false), keys(&changed, &[], &unchanged), quota).unwrap();
        assert_eq!(paths.unchanged, plain);
        let tags = request(&cdn(true), keys(&changed, &[], &unchanged), quota).unwrap();
        assert_eq!((tags.items().collect::<Vec<_>>(), tags.unchanged), (vec!["#even".to_owned()], 0));
        assert_eq!(tags.fallback, Some(PathFallback { paths: paths.paths, unchanged: plain }));
    }
    // A tag counts as a path, so without a quota for paths there are no tags.
    let quota = PathQuota { paths: 0, ..FULL };
    assert_eq!(
        request(&cdn(true), keys(&changed, &[], &unchanged), quota),
        request(&cdn(false), keys(&changed, &[], &unchanged), quota)
    );
}

#[test]
fn a_request_with_tags_can_be_stored_and_sent_without_them() {
    let changed = [("a/1", Some("news")), ("b/1", Some("news")), ("c~", None)];
    let request = request(&cdn(true), keys(&changed, &[], &[("cx", None), ("x", None)]), FULL).unwrap();
    assert_eq!(request.to_string(), "E2EXAMPLE: 1 path (1 wildcard), 1 cache tag, also clearing 1 unchanged key");
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<InvalidationRequest>(&text).unwrap(), request);
    let (one, two) = (request.clone().by_paths(), request.clone().by_paths());
    assert_eq!(one, two, "the same invalidation every time");
    assert!(one.reference != request.reference && one.reference.starts_with("docs.r1."), "{one:?}");
    assert_eq!(one.items().collect::<Vec<_>>(), ["/a/1", "/b/1", "/c*"]);
    assert_eq!((one.unchanged, one.clone().by_paths()), (1, one));
    // A request without tags has neither of the optional fields.
    let stored = r#"{"distribution":"E2EXAMPLE","paths":["/a"],"reference":"docs.r1.00","unchanged":0}"#;
    let read: InvalidationRequest = serde_json::from_str(stored).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), stored);
    assert_eq!(read.clone().by_paths(), read);
}

/// A change of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyChange {
    New,
    Changed,
    Deleted,
    Unchanged,
}

prop_compose! {
    fn quota()(paths in prop_oneof![0usize..6, 0usize..60, Just(MAX_PATHS)],
              wildcards in 0usize..=MAX_WILDCARDS,
              free in prop_oneof![0usize..6, 0usize..60, Just(FREE_PATHS)]) -> PathQuota {
        PathQuota { paths, wildcards, free }
    }
}

fn site() -> impl Strategy<Value = Vec<(String, KeyChange, Option<String>)>> {
    let name = prop_oneof![9 => "[abc]{1,2}", 1 => "[ab]?[*~][ab]?"];
    let key = (proptest::collection::vec(name, 1..4), any::<bool>())
        .prop_map(|(parts, index)| parts.join("/") + if index { "/index.html" } else { "" });
    let change = prop_oneof![
        1 => Just(KeyChange::New),
        2 => Just(KeyChange::Changed),
        1 => Just(KeyChange::Deleted),
        1 => Just(KeyChange::Unchanged),
    ];
    let tags = proptest::option::weighted(
        0.8,
        prop_oneof![
            12 => proptest::collection::vec("[s-zS]", 1..4).prop_map(|tags| tags.join(", ")),
            1 => Just("s t,u".to_owned()),
            1 => Just("s,,t".to_owned()),
        ],
    );
    proptest::collection::btree_map(key, (change, tags), 1..40)
        .prop_map(|keys| keys.into_iter().map(|(key, (change, tags))| (key, change, tags)).collect())
}

proptest! {
    #[test]
    fn every_change_is_cleared_by_a_path_or_a_tag_of_its_copies(site in site(), quota in quota()) {
        let before = |change: KeyChange, tags: &'_ Option<String>| tags.clone().filter(|_| change != KeyChange::New);
        let values: Vec<Option<String>> = site.iter().map(|(_, change, tags)| before(*change, tags)).collect();
        let all: Vec<(Key<'_>, KeyChange)> = (site.iter().zip(&values))
            .map(|((key, change, _), value)| ((key.as_str(), value.as_deref()), *change))
            .collect();
        let keys_with = |is_changed: bool| -> Vec<Key<'_>> {
            let matching = all.iter().filter(|(_, change)| (*change != KeyChange::Unchanged) == is_changed);
            matching.map(|(key, _)| *key).collect()
        };
        let (changed, unchanged) = (keys_with(true), keys_with(false));
        let deleted: Vec<&str> =
            all.iter().filter(|(_, change)| *change == KeyChange::Deleted).map(|((key, _), _)| *key).collect();
        let make = || request(&cdn(true), keys(&changed, &deleted, &unchanged), quota);
        let plain = request(&cdn(false), keys(&changed, &deleted, &unchanged), quota);
        let Some(made) = make() else {
            prop_assert!(changed.is_empty());
            return Ok(());
        };
        let plain = plain.unwrap();
        let again = make();
        prop_assert_eq!(Some(&made), again.as_ref(), "the same every time");
        prop_assert!(plain.tags.is_empty() && plain.fallback.is_none());

        // The naive rule: one path for each address of each change.
        let tags: BTreeSet<&str> = made.tags.iter().map(CacheTag::as_str).collect();
        let mut naive = BTreeSet::new();
        for (key, value) in &changed {
            let key_tags: Vec<String> = match value {
                Some(value) if value.split(',').all(|tag| tag.trim().len() == 1) => value.split(',').map(|tag| tag.trim().to_lowercase()).collect(),
                _ => Vec::new(),
            };
            let mut addresses = vec![((*key).to_owned(), true)];
            if let Some(folder) = key.strip_suffix("index.html").filter(|folder| folder.ends_with('/')) {
                addresses.push((folder.to_owned(), true));
                addresses.push((folder.trim_end_matches('/').to_owned(), !deleted.contains(key)));
            }
            for (address, tagged) in addresses {
                let address = format!("/{address}");
                let by_path = made.paths.iter().any(|path| path.clears(&address));
                let by_tag = tagged && key_tags.iter().any(|tag| tags.contains(tag.as_str()));
                prop_assert!(by_path || by_tag, "{:?} of {:?} is left by {:?}", address, key, made);
                prop_assert!(plain.paths.iter().any(|path| path.clears(&address)));
                naive.insert(address);
            }
        }
        prop_assert!(made.len() <= naive.len(), "{:?} for {:?}", made, naive);
        prop_assert!((made.unchanged, made.len()) <= (plain.unchanged, plain.len()));
        for (_, value) in &unchanged {
            let possible = value.unwrap_or_default().to_lowercase();
            prop_assert!(!possible.split(',').any(|tag| tags.contains(tag.trim())), "{:?} clears {:?}", made.tags, value);
        }
        let wildcards = made.paths.iter().filter(|path| path.is_wildcard()).count();
        let fits = made.len() - wildcards <= quota.paths && wildcards <= quota.wildcards && made.len() <= quota.free;
        prop_assert!(fits || made.len() == 1, "{:?} in {:?}", made, quota);
        let clears = |path: &CachePath, key: &str| path.is_wildcard() && path.clears(&format!("/{key}"));
        let cleared = unchanged.iter().filter(|(key, _)| made.paths.iter().any(|path| clears(path, key)));
        prop_assert_eq!(made.unchanged, cleared.count(), "every cleared unchanged key is counted");
        if tags.is_empty() {
            prop_assert_eq!(made, plain);
        } else {
            prop_assert_eq!(made.by_paths().paths, plain.paths);
        }
    }
}
