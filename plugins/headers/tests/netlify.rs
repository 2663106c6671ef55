//! Generated `_headers` files: each object gets the headers that Netlify's own parser gives its paths.
//!
//! `scripts/servers install netlify` installs the parser. The differences are documented in `docs/plugins/headers.md`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, and must name its place"
)]

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tidegate_plugin::testing::{SyncAnswer, TestArtifact, sync_in_batches};
use tidegate_plugin_headers::HeadersPlugin;

#[path = "../../testing/oracle.rs"]
mod oracle;

const FILES: usize = 400;

const SETTINGS: &str = r#"{"presets":{"fingerprinted":null,"pages":null,"others":null}}"#;

const KEYS: [&str; 26] = [
    "a",
    "a b/x.js",
    "a.html",
    "a/a.js",
    "a/b",
    "a/b/c/x.js",
    "a/index.html",
    "ab",
    "ab/index.html",
    "about.html",
    "b.js",
    "b/a/index.html",
    "b/b.html",
    "blog/a-b.html",
    "blog/a/b.html",
    "blog/index.html",
    "blog/index.js",
    "café/index.html",
    "café/x.js",
    "favicon.ico",
    "favicons/a.png",
    "index.html",
    "js/a/x.js",
    "js/x.js",
    "js/x.js.map",
    "x.js",
];

const SEGMENTS: [&str; 26] = [
    "*",
    "*",
    ":slug",
    ":x",
    "*.html",
    "*.js",
    "*-b.*",
    "*b",
    "A",
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
    "x.js",
    "x.js*",
    "none",
    "a.html",
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

const LISTS: [&str; 4] = ["public", "max-age=5", "no-store ,max-age=0", "a,b=c"];
const SINGLES: [&str; 3] = ["one", "two/2", "three three"];
const INDENTS: [&str; 5] = ["", "  ", "\t", "\u{a0} ", "    "];
const ENDS: [&str; 4] = ["\n", "\r\n", " \t\n", "\n\n# a comment\n"];

/// A block of a file.
#[derive(Clone, Debug)]
struct Block {
    path: String,
    lines: Vec<String>,
}

fn path() -> impl Strategy<Value = String> {
    (vec(select(&SEGMENTS[..]), 0..4), any::<bool>(), any::<bool>()).prop_map(|(segments, slash, encoded)| {
        let path = format!("/{}{}", segments.join("/"), if slash && !segments.is_empty() { "/" } else { "" });
        if encoded { path.replace(' ', "%20").replace('é', "%C3%A9") } else { path }
    })
}

fn header() -> impl Strategy<Value = (usize, String)> {
    let parts = (0..NAMES.len(), 0..12_usize, select(&INDENTS[..]), select(&[":", ": ", " :\t"][..]));
    parts.prop_map(|(name, value, indent, colon)| {
        let is_list = matches!(NAMES[name], "Cache-Control" | "X-Amz-Meta-Tag");
        let value = if is_list { LISTS[value % LISTS.len()] } else { SINGLES[value % SINGLES.len()] };
        (name, format!("{indent}{}{colon}{value}", NAMES[name]))
    })
}

fn block() -> impl Strategy<Value = Block> {
    (path(), vec(header(), 1..5), any::<bool>()).prop_map(|(path, headers, lower)| {
        // Netlify joins names of the same case only.
        let case = |(name, line): (usize, String)| {
            if lower { line.replace(NAMES[name], &NAMES[name].to_lowercase()) } else { line }
        };
        Block { path, lines: headers.into_iter().map(case).collect() }
    })
}

fn file() -> impl Strategy<Value = (Vec<Block>, usize)> {
    (vec(block(), 1..6), 0..ENDS.len())
}

fn text(blocks: &[Block], end: &str) -> String {
    blocks.iter().map(|block| format!("{}{end}{}{end}", block.path, block.lines.join(end))).collect()
}

fn generate<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// What Netlify's parser makes of a file.
#[derive(serde::Deserialize)]
struct Expected {
    /// For each of the keys.
    objects: Vec<BTreeMap<String, String>>,
    /// By path of a block: whether it matches a key.
    met: BTreeMap<String, bool>,
}

/// Runs Netlify's parser; `None` if it is not installed.
fn netlify_answers(test: &str, texts: &[String]) -> Option<Vec<Expected>> {
    let cases: Vec<_> = texts.iter().map(|text| serde_json::json!({ "text": text, "keys": KEYS })).collect();
    oracle::run("netlify", "headers/tests/netlify.mjs", test, &cases)
}

fn answer(text: &str) -> SyncAnswer {
    sync_in_batches::<HeadersPlugin>(SETTINGS, &TestArtifact::new().object("_headers", text).objects(KEYS), 7).unwrap()
}

/// The headers of each key.
fn headers(answer: &SyncAnswer) -> Vec<BTreeMap<String, String>> {
    let site = answer.published();
    let all = KEYS.iter().map(|key| {
        let entry = &site[*key];
        let headers = entry.headers.iter().map(|header| (header.name.clone(), header.value.clone()));
        let metadata = entry.metadata.iter().map(|entry| (format!("x-amz-meta-{}", entry.name), entry.value.clone()));
        headers.chain(metadata).collect()
    });
    all.collect()
}

#[test]
fn objects_get_the_headers_that_netlify_gives() {
    let files = generate(&file(), FILES);
    let texts: Vec<String> = files.iter().map(|(blocks, end)| text(blocks, ENDS[*end])).collect();
    let Some(expected) = netlify_answers("objects_get_the_headers_that_netlify_gives", &texts) else { return };
    let (mut set, mut joined) = (0, 0);
    for ((text, expected), (blocks, _)) in texts.iter().zip(&expected).zip(&files) {
        let answer = answer(text);
        let found = headers(&answer);
        for ((key, found), expected) in KEYS.iter().zip(&found).zip(&expected.objects) {
            assert_eq!(found, expected, "`{key}` with\n{text}");
            set += found.len();
        }
        joined += usize::from(expected.objects.iter().flatten().any(|(_, value)| value.contains(", ")));
        // Every block applies to an object or is reported.
        let messages: Vec<&str> = answer.summary.findings.iter().map(|finding| finding.message.as_str()).collect();
        let reported: String = answer
            .summary
            .findings
            .iter()
            .filter(|finding| finding.code == "block-without-object")
            .map(|finding| finding.message.clone())
            .collect();
        let unmet = expected.met.values().filter(|met| !**met).count();
        assert_eq!(reported.is_empty(), unmet == 0, "{messages:?} for\n{text}");
        if unmet == 1 && blocks.len() == expected.met.len() {
            let (path, _) = expected.met.iter().find(|(_, met)| !**met).unwrap();
            assert!(reported.contains(&format!("`{path}` matches no object")), "{reported} for\n{text}");
        }
        let stored = blocks.iter().flat_map(|block| &block.lines).any(|line| line.to_lowercase().contains("x-frame"));
        assert_eq!(messages.iter().any(|message| message.contains("cannot store header")), stored, "{text}");
    }
    assert!(set > FILES * 10 && joined > FILES / 4, "{set} headers, {joined} joined");
}

#[test]
fn a_line_that_cannot_be_followed_leaves_the_header_to_the_preset() {
    let bad =
        select(&["Cache-Control:", "Cache-Control: caf\u{e9}", "Cache-Control no-cache", "\tcache-control=x"][..]);
    let files = generate(&(file(), path(), bad), FILES / 2);
    let with = |line: &str, ((blocks, end), path, _): &((Vec<Block>, usize), String, &str)| {
        format!("{}{path}\n{line}\n", text(blocks, ENDS[*end]))
    };
    let followed: Vec<String> = files.iter().map(|file| with("Cache-Control: marker", file)).collect();
    let test = "a_line_that_cannot_be_followed_leaves_the_header_to_the_preset";
    let Some(expected) = netlify_answers(test, &followed) else { return };
    let mut undecided = 0;
    for (file, mut expected) in files.iter().zip(expected) {
        for headers in &mut expected.objects {
            if headers.get("cache-control").is_some_and(|value| value == "marker") {
                headers.remove("cache-control");
                undecided += 1;
            }
        }
        let text = with(file.2, file);
        let answer = answer(&text);
        assert_eq!(headers(&answer), expected.objects, "{text}");
        let last = format!("line {} of", text.lines().count());
        let mut messages = answer.summary.findings.iter().map(|finding| &finding.message);
        assert!(messages.any(|message| message.starts_with(&last)), "{text}");
    }
    assert!(undecided > FILES / 2, "{undecided}");
}
