//! The patterns that act on a listing are those of the plugins that follow it: filtering first and running the plugins on the
//! rest gives what the plugins alone give.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic here is a failed test and names its location")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_core::config::PluginUse;
use tidegate_core::listing_filter::{ListingExclusions, ListingFilter};
use tidegate_core::location::Prefix;
use tidegate_plugin::testing::{TestArtifact, sync};
use tidegate_plugin_exclude::Exclude;

#[path = "support/globs.rs"]
mod globs;

use globs::{glob, segment};

fn used(plugin: &str, settings: Value) -> PluginUse {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    PluginUse::new(plugin.to_owned().try_into().unwrap(), settings)
}

/// What is left of names, and the paths of what was left out.
fn listed<'a>(plugins: &[PluginUse], names: &[&'a str]) -> (Vec<&'a str>, Vec<String>) {
    let mut exclusions = ListingExclusions::new(ListingFilter::new(plugins, &Prefix::default()));
    let left = names.iter().copied().filter(|name| !exclusions.excludes(name)).collect();
    (left, exclusions.finish().into_iter().map(|excluded| excluded.path).collect())
}

#[test]
fn acts_before_plugins_that_may_rename_or_add() {
    let names = ["drafts/a.html", "index.html", "x~"];
    let exclude = || used("exclude", json!({ "globs": ["drafts/"] }));
    let other = |plugin: &str| used(plugin, json!({}));
    let both = ["drafts/", "x~"].map(str::to_owned).to_vec();
    let table = [
        (vec![], vec![]),
        (vec![exclude()], both.clone()),
        (vec![other("mime"), exclude()], both.clone()),
        (vec![exclude(), other("rewrite")], both.clone()),
        (vec![other("rewrite"), exclude()], vec![]),
        (vec![other("headers"), exclude()], vec![]),
        (vec![other("./plugins/mime.wasm"), exclude()], vec![]),
        (vec![other("exclude"), other("headers"), exclude()], vec!["x~".to_owned()]),
        (vec![used("exclude", json!({ "defaults": false })), exclude()], both),
        // The plugin refuses these settings, or knows them better.
        (vec![used("exclude", json!({ "globs": ["a["] })), exclude()], vec![]),
        (vec![used("exclude", json!({ "future": true })), exclude()], vec![]),
    ];
    for (plugins, expected) in table {
        assert_eq!(listed(&plugins, &names).1, expected, "{plugins:?}");
    }
}

#[test]
fn names_the_outermost_folder_and_the_rule() {
    let plugins = [used("exclude", json!({ "globs": ["*.map", "a/b/", "!a/b/keep.html"] }))];
    let mut exclusions = ListingExclusions::new(ListingFilter::new(&plugins, &Prefix::default()));
    for name in ["a/b/c/x", "a/b/c/d/y", "a/b/z", "x.map", ".git/config", ".git//odd", "/.git/rooted", "./y.map"] {
        assert!(exclusions.excludes(name), "{name}");
    }
    assert!(!exclusions.excludes("a/b/keep.html") && !exclusions.excludes("index.html"));
    assert!(exclusions.excludes_folder("a/b/c") && !exclusions.excludes_folder("a/b"));
    let exclusions = exclusions.finish();
    let records: Vec<_> =
        exclusions.iter().map(|found| (&*found.path, &*found.rule.rule, &*found.rule.reason)).collect();
    let git = "matches `.git`, a default";
    let expected = [
        (".git/", "/defaults", git),
        ("a/b/c/", "/globs/1", "matches `a/b/`"),
        ("a/b/z", "/globs/1", "matches `a/b/`"),
        ("x.map", "/globs/0", "matches `*.map`"),
        ("y.map", "/globs/0", "matches `*.map`"),
    ];
    assert_eq!(records, expected);
    let covering = |path| exclusions.iter().find(|found| found.covers(path)).map(|found| found.path.as_str());
    assert_eq!(covering(".git/never/listed"), Some(".git/"));
    assert_eq!((covering(".git"), covering(".gitx"), covering("x.map/y")), (Some(".git/"), None, None));
}

#[test]
fn files_of_the_system_are_shown_on_one_line() {
    let mut exclusions = ListingExclusions::new(ListingFilter::new(&[used("exclude", json!({}))], &Prefix::default()));
    assert!(exclusions.excludes("Icon\r"));
    let found = exclusions.finish().remove(0);
    assert_eq!((found.to_string(), &*found.rule.reason), ("Icon\\r".to_owned(), "matches `Icon\\r`, a default"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn filtering_first_changes_no_result(
        lists in prop::collection::vec((any::<bool>(), prop::collection::vec(glob(), 0..5)), 0..3),
        keys in prop::collection::btree_set(prop::collection::vec(segment(), 1..5), 1..10),
    ) {
        let keys: BTreeSet<String> = keys.iter().map(|segments| segments.join("/")).collect();
        let names: Vec<&str> = keys.iter().map(String::as_str).collect();
        let settings: Vec<Value> =
            lists.iter().map(|(defaults, globs)| json!({ "defaults": defaults, "globs": globs })).collect();
        let published = |names: &[&str]| {
            let mut left: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            for settings in &settings {
                let artifact = TestArtifact::new().objects(left.iter().map(String::as_str));
                left = sync::<Exclude>(&settings.to_string(), &artifact).unwrap().published().into_keys().collect();
            }
            left
        };
        let plugins: Vec<PluginUse> = settings.iter().map(|settings| used("exclude", settings.clone())).collect();
        let (left, _) = listed(&plugins, &names);
        prop_assert_eq!(&published(&left), &published(&names));
        // Nothing is left for the plugins.
        prop_assert_eq!(left, published(&names));
    }
}

#[test]
fn patterns_match_names_without_the_stripped_folder() {
    let plugins = [used("exclude", json!({ "globs": ["/drafts/", "*.map"] }))];
    let base = Prefix::new("dist/site").unwrap();
    let mut exclusions = ListingExclusions::new(ListingFilter::new(&plugins, &base));
    assert!(!exclusions.excludes_folder("dist") && !exclusions.excludes_folder("dist/site"));
    assert!(exclusions.excludes_folder("dist/site/drafts") && exclusions.excludes("dist/site/a/x.map"));
    assert!(!exclusions.excludes("dist/site/index.html"));
    let mut filter = ListingFilter::new(&plugins, &base);
    assert!(filter.excludes("dist/site/drafts/x.html") && !filter.excludes("drafts/x.html"));
    assert!(!filter.excludes("dist/site/index.html") && !filter.excludes("dist/site"));
    // What is outside of the folder is not published anyway.
    assert!(!exclusions.excludes("dist/x.map") && !exclusions.excludes_folder("drafts"));
    let paths: Vec<String> = exclusions.finish().into_iter().map(|excluded| excluded.path).collect();
    assert_eq!(paths, ["a/x.map", "drafts/"]);
}
