//! The plugin through the SDK's harness, in every cut of batches.

use tidegate_plugin::testing::{TestArtifact, canonical, sync};

use super::{Exclude, ExcludeSettings};

const SITE: [&str; 20] = [
    ".DS_Store",
    ".git/config",
    ".nojekyll",
    ".well-known/security.txt",
    "#notes#",
    "Thumbs.db",
    "__MACOSX/._index.html",
    "__MACOSX/index.html",
    "about/.DS_Store",
    "about/index.html",
    "app.js",
    "app.js.map",
    "backup.html~",
    "drafts/a.html",
    "drafts/keep.html",
    "images/été 1.png",
    "index.html",
    "lib/.svn/entries",
    "notes.swp",
    "vendor/lib.map/readme.txt",
];

fn left(settings: &str) -> Vec<String> {
    sync::<Exclude>(settings, &TestArtifact::new().objects(SITE)).unwrap().published().into_keys().collect()
}

#[test]
fn defaults_leave_out_what_is_never_part_of_a_site() {
    let expected = [
        ".nojekyll",
        ".well-known/security.txt",
        "about/index.html",
        "app.js",
        "app.js.map",
        "drafts/a.html",
        "drafts/keep.html",
        "images/été 1.png",
        "index.html",
        "vendor/lib.map/readme.txt",
    ];
    assert_eq!(left("{}"), expected);
}

#[test]
fn without_defaults_and_globs_everything_stays() {
    assert_eq!(left(r#"{"defaults":false}"#).len(), SITE.len());
}

#[test]
fn globs_follow_gitignore_and_the_last_match_decides() {
    let settings = r#"{"globs":["*.map","drafts/","!drafts/keep.html"]}"#;
    let left = left(settings);
    assert!(!left.contains(&"app.js.map".to_owned()));
    assert!(!left.contains(&"vendor/lib.map/readme.txt".to_owned()), "a pattern for a folder is one for all in it");
    assert!(!left.contains(&"drafts/a.html".to_owned()));
    assert!(left.contains(&"drafts/keep.html".to_owned()));
}

#[test]
fn an_exception_brings_back_what_a_default_leaves_out() {
    let left = left(r#"{"globs":["!Thumbs.db"]}"#);
    assert!(left.contains(&"Thumbs.db".to_owned()));
    assert!(!left.contains(&".DS_Store".to_owned()));
}

#[test]
fn every_answer_names_its_rule() {
    let answer = sync::<Exclude>(r#"{"globs":["nothing","*.map"]}"#, &TestArtifact::new().objects(SITE)).unwrap();
    let decided = &answer.decided["app.js.map"];
    assert_eq!((decided.rule.as_str(), decided.reason.as_str()), ("/globs/1", "matches `*.map`"));
    let decided = &answer.decided["about/.DS_Store"];
    assert_eq!((decided.rule.as_str(), decided.reason.as_str()), ("/defaults", "matches `.DS_Store`, a default"));
}

#[test]
fn all_can_be_left_out_and_nothing_is_no_error() {
    assert!(left(r#"{"globs":["*"]}"#).is_empty());
    assert!(sync::<Exclude>("{}", &TestArtifact::new()).unwrap().published().is_empty());
}

#[test]
fn settings_have_a_canonical_form() {
    assert_eq!(canonical::<ExcludeSettings>("{}").unwrap(), r#"{"globs":[],"defaults":true}"#);
    let written = canonical::<ExcludeSettings>(r#"{ "defaults": false, "globs": ["a", "!b/"] }"#).unwrap();
    assert_eq!(written, r#"{"globs":["a","!b/"],"defaults":false}"#);
}

#[test]
fn wrong_settings_are_pointed_at() {
    let table = [
        (r#"{"globs":["a","b[c"]}"#, "/globs/1"),
        ("{\"globs\":[\"# comment\"]}", "/globs/0"),
        (r#"{"globs":[""]}"#, "/globs/0"),
        (r#"{"globs":"a"}"#, "/globs"),
        (r#"{"default":true}"#, "/default"),
    ];
    for (settings, pointer) in table {
        assert_eq!(canonical::<ExcludeSettings>(settings).unwrap_err()[0].0, pointer, "{settings}");
    }
}

#[test]
fn large_sites_are_decided_alike_however_batches_are_cut() {
    let keys: Vec<String> =
        (0..2_500).map(|at| format!("{}/page-{at}.{}", at % 7, ["html", "map", "swp"][at % 3])).collect();
    let artifact = TestArtifact::new().objects(keys.iter().map(String::as_str));
    let answer = sync::<Exclude>(r#"{"globs":["*.map","!3/"]}"#, &artifact).unwrap();
    let expected = keys.iter().filter(|key| key.ends_with(".html") || key.starts_with("3/")).count();
    assert_eq!(answer.published().len(), expected);
}
