//! Generated `_headers` files: each object gets the headers that Cloudflare Pages gives its addresses, except for the
//! differences that `docs/plugins/headers.md` documents. A table has one example of each.
//!
//! `scripts/servers install cloudflare` installs Cloudflare's parser and asset server.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, and must name its place"
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tidegate_plugin::testing::{TestArtifact, sync_in_batches};
use tidegate_plugin_headers::HeadersPlugin;

#[path = "../../testing/oracle.rs"]
mod oracle;

const FILES: usize = 300;

const SETTINGS: &str = r#"{"presets":{"fingerprinted":null,"pages":null,"others":null}}"#;

/// Objects that are no pages: each has one address.
const FILE_KEYS: [&str; 7] = ["a b/x.js", "a.js", "blog/a.css", "café/x.js", "favicon.ico", "js/a/x.js", "js/x.js"];

/// Paths that match the same files on both hosts.
const FILE_PATHS: [&str; 14] = [
    "/*",
    "/*",
    "/*.js",
    "/:folder/x.js",
    "/a b/x.js",
    "/a.js",
    "/blog/:name",
    "/caf%C3%A9/*",
    "/favicon*",
    "/js/*",
    "/js/*.js",
    "/js/:file",
    "/js/x*",
    "/none",
];

const NAMES: [&str; 9] = [
    "Cache-Control",
    "Cache-Control",
    "Content-Type",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Expires",
    "X-Amz-Meta-Tag",
    "X-Frame-Options",
];

const VALUES: [&str; 7] = ["public", "max-age=5", "no-store ,max-age=0", "a,b=c", "one", "two/2", "three three"];

/// Objects with pages, for which a path is one of several addresses.
const KEYS: [&str; 18] = [
    "a",
    "a b/x.js",
    "a.html",
    "a/a.js",
    "a/b",
    "a/b/c/x.js",
    "about.html",
    "ab/index.html",
    "b/a/index.html",
    "b/b.html",
    "blog/a-b.html",
    "blog/a/b.html",
    "blog/index.html",
    "café/index.html",
    "favicons/a.png",
    "index.html",
    "js/x.js.map",
    "x.js",
];

const SEGMENTS: [&str; 20] = [
    ":slug",
    ":x",
    "*-b.html",
    "*.html",
    "*.js",
    "*b",
    "a",
    "a b",
    "a*",
    "about",
    "b",
    "b*",
    "blog",
    "café",
    "favicon*",
    "index.*",
    "index.html",
    "js",
    "x*s",
    "x.js*",
];

/// What Cloudflare answers for a path.
#[derive(Debug, serde::Deserialize)]
struct CloudflareAnswer {
    /// The headers that the file changes.
    headers: BTreeMap<String, String>,
}

/// Runs Cloudflare's parser and asset server; `None` if they are not installed.
fn cloudflare_answers<T: AsRef<str>>(
    test: &str,
    texts: &[T],
    keys: &[&str],
    paths: &[String],
) -> Option<Vec<Vec<CloudflareAnswer>>> {
    let case = |text: &T| serde_json::json!({ "headers": text.as_ref(), "keys": keys, "paths": paths });
    let cases: Vec<_> = texts.iter().map(case).collect();
    oracle::run("cloudflare", "testing/cloudflare.mjs", test, &cases)
}

/// The headers of each key.
fn headers(text: &str, keys: &[&str]) -> Vec<BTreeMap<String, String>> {
    let artifact = TestArtifact::new().object("_headers", text).objects(keys.iter().copied());
    let answer = sync_in_batches::<HeadersPlugin>(SETTINGS, &artifact, 7).unwrap();
    let site = answer.published();
    let all = keys.iter().map(|key| {
        let entry = &site[*key];
        let headers = entry.headers.iter().map(|header| (header.name.clone(), header.value.clone()));
        let metadata = entry.metadata.iter().map(|entry| (format!("x-amz-meta-{}", entry.name), entry.value.clone()));
        headers.chain(metadata).collect()
    });
    all.collect()
}

fn generate<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// A value with one space after each comma. Cloudflare leaves it as it is written.
fn spaced(value: &str) -> String {
    value.split(',').map(str::trim).collect::<Vec<_>>().join(", ")
}

fn header_line() -> impl Strategy<Value = String> {
    let set = (select(&NAMES[..]), select(&VALUES[..]), select(&["", "  ", "\t", "\u{a0} "][..]))
        .prop_map(|(name, value, indent)| format!("{indent}{name}: {value}\n"));
    let detach = select(&NAMES[..]).prop_map(|name| format!("  ! {name}\n"));
    prop_oneof![5 => set, 1 => detach]
}

#[test]
fn files_get_the_headers_that_cloudflare_gives_except_for_documented_differences() {
    let block = (select(&FILE_PATHS[..]), vec(header_line(), 1..5));
    let files = generate(&vec(block, 1..6), FILES);
    let text = |blocks: &Vec<(&str, Vec<String>)>| {
        // Of two blocks with the same path, Cloudflare drops the first.
        let mut paths = BTreeSet::new();
        let blocks = blocks.iter().filter(|(path, _)| paths.insert(*path));
        blocks.map(|(path, lines)| format!("{path}\n{}", lines.concat())).collect::<String>()
    };
    let texts: Vec<String> = files.iter().map(text).collect();
    let paths: Vec<String> = FILE_KEYS.iter().map(|key| format!("/{key}")).collect();
    let test = "files_get_the_headers_that_cloudflare_gives_except_for_documented_differences";
    let Some(expected) = cloudflare_answers(test, &texts, &FILE_KEYS, &paths) else { return };
    let (mut same, mut joined) = (0, 0);
    for (text, answers) in texts.iter().zip(&expected) {
        for ((key, found), there) in FILE_KEYS.iter().zip(headers(text, &FILE_KEYS)).zip(answers) {
            let stored = |name: &&String| *name != "x-frame-options";
            let names: Vec<&String> = there.headers.keys().filter(stored).collect();
            assert_eq!(found.keys().collect::<Vec<_>>(), names, "`{key}` with\n{text}");
            for (name, value) in &found {
                let there = spaced(&there.headers[name]);
                if *value == there {
                    same += 1;
                } else {
                    // Cloudflare joins the values of all blocks, and all values of one block. Here the last block applies,
                    // and the last value of a header that is no list.
                    assert!(there.ends_with(&format!(", {value}")), "`{key}` {name}: {value}, {there} with\n{text}");
                    joined += 1;
                }
            }
        }
    }
    assert!(same > FILES * 5 && joined > FILES, "{same} same, {joined} joined");
}

/// The addresses of an object: as a file and as a page, with and without a `/` at the end.
fn addresses(key: &str) -> Vec<String> {
    let page = match key.strip_suffix("index.html") {
        Some(folder) => folder.trim_end_matches('/'),
        None => key.strip_suffix(".html").unwrap_or(key),
    };
    [format!("/{key}"), format!("/{page}")].into_iter().flat_map(|path| [format!("{path}/"), path]).collect()
}

#[test]
fn paths_match_as_on_cloudflare_with_any_address_of_an_object() {
    // A `*` as a segment only at the end: elsewhere it also matches no folder here.
    let path = (vec(select(&SEGMENTS[..]), 0..4), select(&["", "/", "/*"][..]), any::<bool>());
    let path = path.prop_map(|(segments, end, encoded)| {
        let path = format!("/{}{end}", segments.join("/"));
        let path = path.replace("//", "/");
        if encoded { path.replace(' ', "%20").replace('é', "%C3%A9") } else { path }
    });
    let files = generate(&path, FILES);
    let texts: Vec<String> = files.iter().map(|path| format!("{path}\nX-Amz-Meta-Tag: met\n")).collect();
    let paths: Vec<String> = KEYS.iter().flat_map(|key| addresses(key)).collect();
    let test = "paths_match_as_on_cloudflare_with_any_address_of_an_object";
    let Some(expected) = cloudflare_answers(test, &texts, &KEYS, &paths) else { return };
    let (mut met, mut twice) = (0, 0);
    for ((path, text), answers) in files.iter().zip(&texts).zip(&expected) {
        // Cloudflare leaves out a block with several `*`, or with one name twice.
        let is_twice = [":slug", ":x", "*"].iter().any(|name| path.matches(name).count() > 1);
        let ends_with_name =
            path.rsplit('/').find(|segment| !segment.is_empty()).is_some_and(|last| last.starts_with(':'));
        for ((key, found), answers) in KEYS.iter().zip(headers(text, &KEYS)).zip(answers.chunks(4)) {
            // `/blog/:slug` is not the index of `/blog/`.
            let answers = if ends_with_name && key.ends_with("index.html") { &answers[2..] } else { answers };
            let there = answers.iter().any(|answer| !answer.headers.is_empty());
            if is_twice {
                assert!(!there, "{path} and {key}");
                twice += usize::from(!found.is_empty());
            } else {
                assert_eq!(!found.is_empty(), there, "{path} and {key}: {answers:?}");
                met += usize::from(there);
            }
        }
    }
    assert!(met > FILES / 2 && twice > FILES / 10, "{met} met, {twice} not there");
}

/// File, object, one of its addresses, and the `Cache-Control` there and here.
type HeadersExample = (&'static str, &'static str, &'static str, Option<&'static str>, Option<&'static str>);

const EXAMPLES: [HeadersExample; 22] = [
    // Cloudflare's documented examples, with a header that storage keeps.
    ("# a comment\n/secure/page\n  Cache-Control: a\n", "secure/page", "/secure/page", Some("a"), Some("a")),
    ("/static/*\n  Cache-Control: a\n", "static/x/y.js", "/static/x/y.js", Some("a"), Some("a")),
    ("/*\nCache-Control: a\n/*.jpg\n! Cache-Control\n", "x/y.jpg", "/x/y.jpg", None, None),
    ("/*\nCache-Control: a\n/*.jpg\n! Cache-Control\n", "x/y.png", "/x/y.png", Some("a"), Some("a")),
    ("/x\nCache-Control: a\n/y\nCache-Control: b\n", "y", "/y", Some("b"), Some("b")),
    // The lines of a block are joined.
    ("/x\nCache-Control: a\nCache-Control: b\n", "x", "/x", Some("a, b"), Some("a, b")),
    // A block detaches first, and then sets.
    ("/*\nCache-Control: a\n/x\nCache-Control: b\n! Cache-Control\n", "x", "/x", Some("b"), Some("b")),
    // Several blocks.
    ("/*\nCache-Control: a\n/x\nCache-Control: b\n", "x", "/x", Some("a, b"), Some("b")),
    ("/x\nCache-Control: a\n/x\nContent-Language: en\n", "x", "/x", None, Some("a")),
    // Names in values.
    ("/m/:title\nCache-Control: a=\":title\"\n", "m/t", "/m/t", Some("a=\"t\""), Some("a=\":title\"")),
    ("/m/*\nCache-Control: a=:splat\n", "m/t", "/m/t", Some("a=t"), Some("a=:splat")),
    // Slashes and case.
    ("/x\nCache-Control: a\n", "x/index.html", "/x/", None, Some("a")),
    ("/x/*\nCache-Control: a\n", "x", "/x", None, Some("a")),
    ("/X\nCache-Control: a\n", "x", "/x", None, Some("a")),
    // Pages.
    ("/x.html\nCache-Control: a\n", "x.html", "/x", None, Some("a")),
    // `*` and placeholders.
    ("/*/x\nCache-Control: a\n", "x", "/x", None, Some("a")),
    ("/a*/b*\nCache-Control: a\n", "a1/b1", "/a1/b1", None, Some("a")),
    ("/:x/:x\nCache-Control: a\n", "a/b", "/a/b", None, Some("a")),
    ("/a-:x\nCache-Control: a\n", "a-1", "/a-1", Some("a"), None),
    // Encoding.
    ("/caf%c3%a9\nCache-Control: a\n", "café", "/café", None, Some("a")),
    // Hosts: here the header is left to the preset, which is off.
    ("https://site.example/*\nCache-Control: a\n", "x", "/x", Some("a"), None),
    ("/x\nCache-Control:\n", "x", "/x", None, None),
];

#[test]
fn documented_examples_of_cloudflare_have_the_documented_headers() {
    let mut wrong = Vec::new();
    for (text, key, path, there, here) in EXAMPLES {
        let test = "documented_examples_of_cloudflare_have_the_documented_headers";
        let Some(answers) = cloudflare_answers(test, &[text], &[key], &[path.to_owned()]) else { return };
        let found_there = answers[0][0].headers.get("cache-control").map(String::as_str);
        let all = headers(text, &[key]);
        let found_here = all[0].get("cache-control").map(String::as_str);
        if (found_there, found_here) != (there, here) {
            wrong.push(format!("{text:?} for {path}: there {found_there:?}, here {found_here:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn blocks_beyond_the_limit_of_cloudflare_apply() {
    let text: String = (0..102).map(|block| format!("/x{block}\nCache-Control: a\n")).collect();
    let (keys, paths) = (["x99", "x101"], ["/x99".to_owned(), "/x101".to_owned()]);
    let test = "blocks_beyond_the_limit_of_cloudflare_apply";
    let Some(answers) = cloudflare_answers(test, &[&text], &keys, &paths) else { return };
    let there: Vec<bool> = answers[0].iter().map(|answer| !answer.headers.is_empty()).collect();
    assert_eq!(there, [true, false]);
    assert!(headers(&text, &keys).iter().all(|headers| !headers.is_empty()));
}
