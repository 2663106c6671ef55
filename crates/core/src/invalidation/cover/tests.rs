//! Which tags take the place of paths, by example and by property: a change is never left in a cache.

use std::collections::BTreeSet;

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::super::{ChangedKeys, FREE_PATHS, InvalidationRequest, MAX_PATHS, MAX_WILDCARDS, PathFallback, batch};
use super::*;
use crate::config::DistributionConfig;
use crate::location::Location;

const ROOM: PathQuota = PathQuota { paths: MAX_PATHS, wildcards: MAX_WILDCARDS, free: FREE_PATHS };

/// A key and what the header says of its version before; nothing where there was none, or none that is known.
type Key<'a> = (&'a str, Option<&'a str>);

fn cdn(tags: bool) -> DistributionConfig {
    let more = if tags { "cache-tags = \"cache-tag\"" } else { "" };
    toml::from_str(&format!("distribution = \"E2EXAMPLE\"\n{more}")).unwrap()
}

fn keys<'a>(changed: &[Key<'a>], gone: &[&str], unchanged: &[Key<'a>]) -> ChangedKeys<'a> {
    let mut copies = TaggedCopies::default();
    for (key, value) in changed {
        if let Some(value) = value {
            copies.changed(key, value, gone.contains(key));
        }
    }
    unchanged.iter().filter_map(|(_, value)| *value).for_each(|value| copies.unchanged(value));
    let of = |keys: &[Key<'a>]| keys.iter().map(|(key, _)| *key).collect();
    ChangedKeys { changed: of(changed), unchanged: of(unchanged), copies }
}

fn made(cdn: &DistributionConfig, keys: ChangedKeys<'_>, room: PathQuota) -> Option<InvalidationRequest> {
    batch("docs", "r1", cdn, &"s3://bucket".parse::<Location>().unwrap(), keys, room)
}

/// Rows: changed, which of them are gone, unchanged, items, unchanged keys that are cleared as well.
#[test]
fn a_tag_takes_the_place_of_paths_where_only_changes_carry_it() {
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
        // Whatever the case, and whatever else they carry.
        (&[("a/1", Some("News, x")), ("b/1", Some("y,NEWS"))], &[], &[("a/2", Some("x,y"))], &["#news"], 0),
        // The three addresses of an index page.
        (&[("d/index.html", news)], &[], &[("x", None)], &["#news"], 0),
        // One that is gone leaves the answer that led on to it.
        (&[("d/index.html", news)], &["d/index.html"], &[("x", None)], &["/d", "#news"], 0),
        // What was not there before carries nothing.
        (&[("a/1", news), ("b/1", news), ("c/1", None)], &[], &[("x", None)], &["/c/1", "#news"], 0),
        // An unchanged key carries it too, or may.
        (&[("a/1", news), ("b/1", news)], &[], &[("c/1", news), ("x", None)], &["/a/1", "/b/1"], 0),
        (&[("a/1", news), ("b/1", news)], &[], &[("c/1", Some("a b,news")), ("x", None)], &["/a/1", "/b/1"], 0),
        // Nobody knows what CloudFront stores of a header that breaks the rules.
        (&[("a/1", Some("news,")), ("b/1", news)], &[], &[("x", None)], &["/a/1", "/b/1"], 0),
        (&[("a/1", Some(&many)), ("b/1", Some("t1")), ("c/1", Some("t1"))], &[], &[("x", None)], &["/a/1", "#t1"], 0),
        // Nothing is gained by a tag in the place of one path.
        (&[("a/1", news)], &[], &[("x", None)], &["/a/1"], 0),
        (&[("a/1", news), ("a/2", news)], &[], &[("x", None)], &["/a/*"], 0),
        // A wildcard that clears as much as two tags.
        (&[("a/1", news), ("a/2", news), ("a/3", Some("x")), ("a/4", Some("x"))], &[], &[("x", None)], &["/a/*"], 0),
        // A wildcard beside a tag: the folder's own addresses go for one tag.
        (&[("d/1", None), ("d/2", None), ("d/index.html", news)], &[], &[("x", None)], &["/d/*", "#news"], 0),
        // One tag that clears more than two others do.
        (
            &[("a/1", Some("all,x")), ("b/1", Some("all,x")), ("c/1", Some("all,y")), ("d/1", Some("all,y"))],
            &[],
            &[("x", None)],
            &["#all"],
            0,
        ),
        // A name that no path can say.
        (&[("~joe/1", Some("joe"))], &[], &[("x", None)], &["#joe"], 0),
        // Two keys on one address: the tag of one of them clears no copy of the other.
        (&[("d", None), ("d/index.html", news)], &[], &[("x", None)], &["/d", "#news"], 0),
    ];
    for (changed, gone, unchanged, expected, lost) in rows {
        let made = made(&cdn(true), keys(changed, gone, unchanged), ROOM).unwrap();
        assert_eq!(
            (made.items().collect::<Vec<_>>(), made.unchanged),
            (expected.iter().map(|item| (*item).to_owned()).collect(), lost),
            "{changed:?}"
        );
    }
}

#[test]
fn tags_come_before_folders_that_clear_what_did_not_change() {
    let names: Vec<(String, bool)> = (0..40).map(|number| (format!("blog/{number:02}"), number % 2 == 0)).collect();
    let of = |wanted: bool| -> Vec<Key<'_>> {
        let value = if wanted { Some("even") } else { Some("odd") };
        names.iter().filter(|(_, even)| *even == wanted).map(|(name, _)| (name.as_str(), value)).collect()
    };
    let (changed, unchanged) = (of(true), of(false));
    for (room, plain) in [(PathQuota { free: 5, ..ROOM }, 20), (PathQuota { paths: 3, ..ROOM }, 20), (ROOM, 0)] {
        let paths = made(&cdn(false), keys(&changed, &[], &unchanged), room).unwrap();
        assert_eq!(paths.unchanged, plain);
        let tags = made(&cdn(true), keys(&changed, &[], &unchanged), room).unwrap();
        assert_eq!((tags.items().collect::<Vec<_>>(), tags.unchanged), (vec!["#even".to_owned()], 0));
        assert_eq!(tags.instead, Some(PathFallback { paths: paths.paths, unchanged: plain }));
    }
    // A tag counts as a path: where there is no room for one, there is none for a tag.
    let room = PathQuota { paths: 0, ..ROOM };
    assert_eq!(
        made(&cdn(true), keys(&changed, &[], &unchanged), room),
        made(&cdn(false), keys(&changed, &[], &unchanged), room)
    );
}

#[test]
fn a_batch_with_tags_can_be_stored_and_sent_without_them() {
    let changed = [("a/1", Some("news")), ("b/1", Some("news")), ("c~", None)];
    let made = made(&cdn(true), keys(&changed, &[], &[("cx", None), ("x", None)]), ROOM).unwrap();
    assert_eq!(
        made.to_string(),
        "E2EXAMPLE: 1 paths, 1 of them wildcards, and 1 cache tags, which clear 1 unchanged keys as well"
    );
    let text = serde_json::to_string(&made).unwrap();
    assert_eq!(serde_json::from_str::<InvalidationRequest>(&text).unwrap(), made);
    let (one, two) = (made.clone().by_paths(), made.clone().by_paths());
    assert_eq!(one, two, "the same invalidation every time");
    assert!(one.reference != made.reference && one.reference.starts_with("docs.r1."), "{one:?}");
    assert_eq!(one.items().collect::<Vec<_>>(), ["/a/1", "/b/1", "/c*"]);
    assert_eq!((one.unchanged, one.clone().by_paths()), (1, one));
    // What was stored before there were tags is still read, and written as it was.
    let old = r#"{"distribution":"E2EXAMPLE","paths":["/a"],"reference":"docs.r1.00","unchanged":0}"#;
    let read: InvalidationRequest = serde_json::from_str(old).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), old);
    assert_eq!(read.clone().by_paths(), read);
}

/// What happened to a key, and what its version before carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    New,
    Changed,
    Gone,
    Unchanged,
}

prop_compose! {
    fn room()(paths in prop_oneof![0usize..6, 0usize..60, Just(MAX_PATHS)],
              wildcards in 0usize..=MAX_WILDCARDS,
              free in prop_oneof![0usize..6, 0usize..60, Just(FREE_PATHS)]) -> PathQuota {
        PathQuota { paths, wildcards, free }
    }
}

fn site() -> impl Strategy<Value = Vec<(String, Fate, Option<String>)>> {
    let name = prop_oneof![9 => "[abc]{1,2}", 1 => "[ab]?[*~][ab]?"];
    let key = (proptest::collection::vec(name, 1..4), any::<bool>())
        .prop_map(|(parts, index)| parts.join("/") + if index { "/index.html" } else { "" });
    let fate =
        prop_oneof![Just(Fate::New), Just(Fate::Changed), Just(Fate::Changed), Just(Fate::Gone), Just(Fate::Unchanged)];
    let tags = proptest::option::weighted(
        0.8,
        prop_oneof![
            12 => proptest::collection::vec("[s-zS]", 1..4).prop_map(|tags| tags.join(", ")),
            1 => Just("s t,u".to_owned()),
            1 => Just("s,,t".to_owned()),
        ],
    );
    proptest::collection::btree_map(key, (fate, tags), 1..40)
        .prop_map(|keys| keys.into_iter().map(|(key, (fate, tags))| (key, fate, tags)).collect())
}

proptest! {
    #[test]
    fn every_change_is_cleared_by_a_path_or_by_a_tag_that_its_copies_carry(site in site(), room in room()) {
        let before = |fate: Fate, tags: &'_ Option<String>| tags.clone().filter(|_| fate != Fate::New);
        let values: Vec<Option<String>> = site.iter().map(|(_, fate, tags)| before(*fate, tags)).collect();
        let all: Vec<(Key<'_>, Fate)> =
            site.iter().zip(&values).map(|((key, fate, _), value)| ((key.as_str(), value.as_deref()), *fate)).collect();
        let of = |wanted: bool| -> Vec<Key<'_>> {
            all.iter().filter(|(_, fate)| (*fate != Fate::Unchanged) == wanted).map(|(key, _)| *key).collect()
        };
        let (changed, unchanged) = (of(true), of(false));
        let gone: Vec<&str> = all.iter().filter(|(_, fate)| *fate == Fate::Gone).map(|((key, _), _)| *key).collect();
        let with = || made(&cdn(true), keys(&changed, &gone, &unchanged), room);
        let plain = made(&cdn(false), keys(&changed, &gone, &unchanged), room);
        let Some(made) = with() else {
            prop_assert!(changed.is_empty());
            return Ok(());
        };
        let plain = plain.unwrap();
        let again = with();
        prop_assert_eq!(Some(&made), again.as_ref(), "the same every time");
        prop_assert!(plain.tags.is_empty() && plain.instead.is_none());

        // The naive rule: one path for each address of each change.
        let tags: BTreeSet<&str> = made.tags.iter().map(CacheTag::as_str).collect();
        let mut naive = BTreeSet::new();
        for (key, value) in &changed {
            let carried: Vec<String> = match value {
                Some(value) if value.split(',').all(|tag| tag.trim().len() == 1) => value.split(',').map(|tag| tag.trim().to_lowercase()).collect(),
                _ => Vec::new(),
            };
            let mut addresses = vec![((*key).to_owned(), true)];
            if let Some(folder) = key.strip_suffix("index.html").filter(|folder| folder.ends_with('/')) {
                addresses.push((folder.to_owned(), true));
                addresses.push((folder.trim_end_matches('/').to_owned(), !gone.contains(key)));
            }
            for (address, answered) in addresses {
                let by_path = made.paths.iter().any(|path| path.clears(&address));
                let by_tag = answered && carried.iter().any(|tag| tags.contains(tag.as_str()));
                prop_assert!(by_path || by_tag, "{:?} of {:?} is left by {:?}", address, key, made);
                prop_assert!(plain.paths.iter().any(|path| path.clears(&address)));
                naive.insert(address);
            }
        }
        prop_assert!(made.len() <= naive.len(), "{:?} for {:?}", made, naive);
        prop_assert!((made.unchanged, made.len()) <= (plain.unchanged, plain.len()));
        for (_, value) in &unchanged {
            let may = value.unwrap_or_default().to_lowercase();
            prop_assert!(!may.split(',').any(|tag| tags.contains(tag.trim())), "{:?} clears {:?}", made.tags, value);
        }
        let wildcards = made.paths.iter().filter(|path| path.is_wildcard()).count();
        let fits = made.len() - wildcards <= room.paths && wildcards <= room.wildcards && made.len() <= room.free;
        prop_assert!(fits || made.len() == 1, "{:?} in {:?}", made, room);
        let lost = unchanged.iter().filter(|(key, _)| made.paths.iter().any(|path| path.is_wildcard() && path.clears(key)));
        prop_assert_eq!(made.unchanged, lost.count(), "what is cleared as well is never silent");
        if tags.is_empty() {
            prop_assert_eq!(made, plain);
        } else {
            prop_assert_eq!(made.by_paths().paths, plain.paths);
        }
    }
}
