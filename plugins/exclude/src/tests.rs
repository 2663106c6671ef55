//! The plugin in the SDK's harness, with every size of batches.

use tidegate_plugin::glob::{DEFAULT_EXCLUDES, ExcludeSettings};
use tidegate_plugin::testing::{TestArtifact, canonical, sync};

use super::Exclude;

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

fn published(settings: &str) -> Vec<String> {
    sync::<Exclude>(settings, &TestArtifact::new().objects(SITE)).unwrap().published().into_keys().collect()
}

#[test]
fn defaults_exclude_files_of_operating_systems_and_editors() {
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
    assert_eq!(published("{}"), expected);
}

/// What the templates of github.com/github/gitignore list, each with a name that it matches. Names that a site may need
/// must not match: installers are listed there, too.
#[test]
fn defaults_are_those_of_the_gitignore_templates() {
    let litter = [
        "Icon\r",
        "a/Icon\r",
        "._index.html",
        ".localized",
        ".DocumentRevisions-V100/x",
        ".HFS+ Private Directory Data\r/x",
        ".disk_label_2x",
        "Temporary Items/folders/x",
        ".quota.ops.user",
        "Thumbs.db:encryptable",
        "Desktop.ini",
        "$RECYCLE.BIN/x",
        "bash.exe.stackdump",
        "docs/Manual.lnk",
        ".fuse_hidden0000123400000001",
        ".directory",
        ".Trash-1000/files/x",
        "a/.nfs000000000123",
        "nohup.out",
        ".git",
        "module/.git",
        ".git/config",
        ".gitmodules",
        "index.tmp~",
        ".#index.html",
        "#index.html#",
        ".index.html.swp",
    ];
    let wanted = [
        ".nojekyll",
        ".well-known/apple-app-site-association",
        "Icon",
        "Icon.png",
        "app.msi",
        "app.msix",
        "app.cab",
        "files/index.html",
        "git/index.html",
        "link.html",
        "tags",
        "lost/found",
        "desktop.init.js",
    ];
    let artifact = TestArtifact::new().objects(wanted);
    assert_eq!(sync::<Exclude>("{}", &artifact).unwrap().published().len(), wanted.len());
    let mut list = ExcludeSettings::default().into_list().unwrap();
    for name in litter {
        assert!(list.excludes(name).is_some(), "{name:?}");
    }
    let mut sorted = DEFAULT_EXCLUDES.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), DEFAULT_EXCLUDES.len());
}

#[test]
fn the_documentation_lists_the_defaults() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plugins/exclude.md")).unwrap();
    let (_, table) = page.split_once("The default patterns").unwrap();
    let (table, _) = table.split_once("Those of the systems").unwrap();
    let mut documented: Vec<String> = table
        .split('|')
        .filter(|cell| cell.contains('`'))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(|text| text.replace("\\r", "\r"))
        .collect();
    documented.retain(|text| text != "globs" && text != "*.tmp~" && !text.starts_with("\"!"));
    assert_eq!(documented, DEFAULT_EXCLUDES);
}

#[test]
fn excludes_nothing_without_defaults_and_globs() {
    assert_eq!(published(r#"{"defaults":false}"#).len(), SITE.len());
}

#[test]
fn the_last_match_decides() {
    let settings = r#"{"globs":["*.map","drafts/","!drafts/keep.html"]}"#;
    let published = published(settings);
    assert!(!published.contains(&"app.js.map".to_owned()));
    assert!(
        !published.contains(&"vendor/lib.map/readme.txt".to_owned()),
        "a pattern that matches a folder matches everything in it"
    );
    assert!(!published.contains(&"drafts/a.html".to_owned()));
    assert!(published.contains(&"drafts/keep.html".to_owned()));
}

#[test]
fn an_exception_overrides_a_default() {
    let published = published(r#"{"globs":["!Thumbs.db"]}"#);
    assert!(published.contains(&"Thumbs.db".to_owned()));
    assert!(!published.contains(&".DS_Store".to_owned()));
}

#[test]
fn every_decision_names_its_rule() {
    let answer = sync::<Exclude>(r#"{"globs":["nothing","*.map"]}"#, &TestArtifact::new().objects(SITE)).unwrap();
    let decided = &answer.decided["app.js.map"];
    assert_eq!((decided.rule.as_str(), decided.reason.as_str()), ("/globs/1", "matches `*.map`"));
    let decided = &answer.decided["about/.DS_Store"];
    assert_eq!((decided.rule.as_str(), decided.reason.as_str()), ("/defaults", "matches `.DS_Store`, a default"));
}

#[test]
fn accepts_an_empty_result_and_an_empty_source() {
    assert!(published(r#"{"globs":["*"]}"#).is_empty());
    assert!(sync::<Exclude>("{}", &TestArtifact::new()).unwrap().published().is_empty());
}

#[test]
fn settings_have_a_canonical_form() {
    assert_eq!(canonical::<ExcludeSettings>("{}").unwrap(), r#"{"globs":[],"defaults":true}"#);
    let written = canonical::<ExcludeSettings>(r#"{ "defaults": false, "globs": ["a", "!b/"] }"#).unwrap();
    assert_eq!(written, r#"{"globs":["a","!b/"],"defaults":false}"#);
}

#[test]
fn issues_point_at_wrong_settings() {
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
fn large_sites_do_not_depend_on_batches() {
    let keys: Vec<String> =
        (0..2_500).map(|at| format!("{}/page-{at}.{}", at % 7, ["html", "map", "swp"][at % 3])).collect();
    let artifact = TestArtifact::new().objects(keys.iter().map(String::as_str));
    let answer = sync::<Exclude>(r#"{"globs":["*.map","!3/"]}"#, &artifact).unwrap();
    let expected = keys.iter().filter(|key| key.ends_with(".html") || key.starts_with("3/")).count();
    assert_eq!(answer.published().len(), expected);
}
