//! Random paths: no redirect off the site, no loop, no other release, one spelling.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use tidegate_core::edge::is_shared;

use super::engines::{self, Case, shown};

const PATHS: usize = 10_000;

fn path() -> impl Strategy<Value = String> {
    let part = select(vec![
        "/",
        "/",
        "/",
        "//",
        "a",
        "b",
        "..",
        ".",
        "%2e",
        "%2E%2E",
        "%2f",
        "%5c",
        "\\",
        "%00",
        "%0d%0a",
        "%",
        "%zz",
        "%ff",
        "é",
        "%C3%A9",
        "+",
        "%20",
        "%3f",
        "%23",
        ".r",
        ".p",
        ".%72",
        "r1",
        "r41",
        "index.html",
        "old",
        "go",
        "evil.example",
        ":",
        "@",
        "*",
        "~",
        "'",
        ";",
        "app.abcdef12.js",
        "x.css",
        "%F0%9F%98%80",
        "http:",
        "https://",
        "-",
        "{1}",
        "$1",
        "\u{0}",
    ]);
    vec(part, 0..9).prop_map(|parts| format!("/{}", parts.concat()))
}

fn keys() -> BTreeMap<String, String> {
    let pointer = r#"{"v":1,"n":42,"r":"r42","t":"add","x":1,"f":1,"a":["_a/"],"w":[["/go/*","/{1}","302"],["/go*","/{1}","302"],["/old/:a/*","/{1}/{2}","301!"],["/s/*","/{1}","200"]]}"#;
    BTreeMap::from([("docs".to_owned(), pointer.to_owned()), ("docs:/old".to_owned(), "- 301 /a".to_owned())])
}

#[test]
fn no_path_leaves_the_site_or_its_release() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let paths: Vec<String> = (0..PATHS).map(|_| path().new_tree(&mut runner).unwrap().current()).collect();
    let stores =
        [keys(), BTreeMap::from([("docs".to_owned(), r#"{"v":1,"n":1,"t":"strip"}"#.to_owned())]), BTreeMap::new()];
    let cases: Vec<Case> = paths
        .iter()
        .enumerate()
        .map(|(at, path)| {
            let mut case = Case::request(&stores[at % stores.len()], "/");
            case.event["request"]["uri"] = path.as_str().into();
            case
        })
        .collect();
    let answers = engines::node(&cases);
    let mut redirects = Vec::new();
    for ((case, answer), path) in cases.iter().zip(&answers).zip(&paths) {
        let text = shown(answer);
        assert!(text.is_ascii() && answer.reads <= 2, "{path}: {text}");
        match text.split_once(' ') {
            Some(("301" | "302", location)) => {
                assert!(
                    location.starts_with('/') && !location.starts_with("//") && !location.starts_with("/\\"),
                    "{path}: {text}"
                );
                assert!(!location.contains(['\\', '\r', '\n']), "{path}: {text}");
                redirects.push((case, path, location.to_owned()));
            }
            _ if text == "nothing" => {}
            _ => {
                let is_versioned = case.keys.get("docs").is_some_and(|pointer| pointer.contains("r42"));
                let shared = is_shared(text.trim_start_matches('/'), &[]) || text.starts_with("/_a/");
                let rest = if is_versioned && !shared {
                    text.strip_prefix("/.r/r42").unwrap_or_else(|| panic!("{path}: {text}"))
                } else {
                    &text
                };
                assert!(!rest.starts_with("/.r/") && !rest.starts_with("/.p/"), "{path}: {text}");
                assert!(
                    !rest.contains("//") && !rest.split('/').any(|part| matches!(part, "." | "..")),
                    "{path}: {text}"
                );
            }
        }
    }
    // A browser that follows redirects arrives.
    let mut open = redirects;
    assert!(open.len() > 100, "{}", open.len());
    for _ in 0..12 {
        let next: Vec<Case> = open.iter().map(|(case, _, location)| Case::request(&case.keys, location)).collect();
        let answers = engines::node(&next);
        let mut still = Vec::new();
        for ((case, path, _), answer) in open.iter().zip(&answers) {
            let text = shown(answer);
            if let Some(("301" | "302", location)) = text.split_once(' ') {
                still.push((*case, *path, location.to_owned()));
            }
        }
        open = still;
    }
    assert!(open.is_empty(), "loops: {:?}", open.iter().map(|(_, path, to)| (path, to)).take(5).collect::<Vec<_>>());
}

#[test]
fn engines_agree_about_random_paths() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let cases: Vec<Case> = (0..1_000)
        .map(|_| {
            let mut case = Case::request(&keys(), "/");
            case.event["request"]["uri"] = path().new_tree(&mut runner).unwrap().current().into();
            case
        })
        .collect();
    let quickjs = engines::quickjs(&cases);
    let others = [Some(engines::node(&cases)), engines::njs("engines_agree_about_random_paths", &cases)];
    for other in others.into_iter().flatten() {
        for ((quickjs, other), case) in quickjs.iter().zip(&other).zip(&cases) {
            assert_eq!(quickjs, other, "{}", case.event["request"]["uri"]);
        }
    }
}
