//! Generated `_headers` files on a site with an edge: each path gets the headers that S3 does not store as Netlify's own
//! parser and Cloudflare's own asset server say.
//!
//! `scripts/servers install netlify` and `… cloudflare` install them. The differences are documented in
//! `docs/plugins/headers.md`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test, and must name its place")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tidegate_core::edge::EdgeEvaluator;
use tidegate_plugin::testing::{TestArtifact, sync_in_batches};
use tidegate_plugin_headers::HeadersPlugin;

use edge_rules::edge_rules;

#[path = "../../testing/edge_rules.rs"]
mod edge_rules;
#[path = "../../testing/oracle.rs"]
mod oracle;

const FILES: usize = 250;

const SEGMENTS: [&str; 18] = [
    "*",
    "*",
    ":slug",
    ":x",
    "*.html",
    "*.js",
    "a",
    "a*",
    "about",
    "b",
    "b*",
    "blog",
    "caf%C3%A9",
    "a b",
    "index.html",
    "js",
    "x.js",
    "x*s",
];

const PATHS: [&str; 24] = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/a/b/",
    "/a/b/x.js",
    "/ab",
    "/about",
    "/about/",
    "/a b",
    "/a b/x.js",
    "/b",
    "/b/a",
    "/blog/",
    "/blog/a/b",
    "/blog/index.html",
    "/index.html",
    "/js/x.js",
    "/js/a/x.js",
    "/x.js",
    "/xs",
    "/café",
    "/café/a",
    "/a/x.js/",
];

const NAMES: [&str; 5] = ["X-Frame-Options", "X-Frame-Options", "content-security-policy", "Link", "X-Robots-Tag"];

const VALUES: [&str; 5] =
    ["DENY", "default-src 'self'; img-src *", "</a.css>; rel=preload", "one,two", "noindex , nofollow"];

/// By path of a request.
type Headers = BTreeMap<String, String>;

#[derive(serde::Deserialize)]
struct NetlifyAnswer {
    requests: Vec<Headers>,
}

#[derive(serde::Deserialize)]
struct CloudflareAnswer {
    headers: Headers,
}

fn block(removals: bool) -> impl Strategy<Value = (String, String)> {
    let path = (vec(select(&SEGMENTS[..]), 0..4), any::<bool>()).prop_map(|(segments, slash)| {
        format!("/{}{}", segments.join("/"), if slash && !segments.is_empty() { "/" } else { "" })
    });
    let path = path.prop_filter("one `*`", |path| path.matches('*').count() < 2);
    let set = (select(&NAMES[..]), select(&VALUES[..])).prop_map(|(name, value)| format!("  {name}: {value}\n"));
    let removed = select(&NAMES[..]).prop_map(|name| format!("  ! {name}\n"));
    let line = prop_oneof![5 => set.clone(), u32::from(removals) => removed];
    (path, vec(line, 1..4)).prop_map(|(path, lines)| (path, lines.concat()))
}

fn files(removals: bool) -> Vec<Vec<(String, String)>> {
    let strategy = vec(block(removals), 1..6);
    let mut runner = TestRunner::deterministic();
    (0..FILES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn text(blocks: &[(String, String)]) -> String {
    blocks.iter().map(|(path, lines)| format!("{path}\n{lines}")).collect()
}

/// The headers of each path by the rules of the plugin.
fn headers(dialect: &str, text: &str) -> Vec<Headers> {
    let artifact = TestArtifact::new().object("_headers", text).objects(["index.html"]).edge(dialect);
    let answer = sync_in_batches::<HeadersPlugin>("{}", &artifact, 7).unwrap();
    let rules = edge_rules(&answer);
    let evaluator = EdgeEvaluator::new(&rules);
    let of = |path: &&str| evaluator.headers(path).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    PATHS.iter().map(of).collect()
}

#[test]
fn every_path_has_the_headers_of_netlify() {
    let files = files(false);
    let texts: Vec<String> = files.iter().map(|blocks| text(blocks)).collect();
    let cases: Vec<_> = texts.iter().map(|text| serde_json::json!({ "text": text, "paths": PATHS })).collect();
    let test = "every_path_has_the_headers_of_netlify";
    let Some(answers) = oracle::run::<Vec<NetlifyAnswer>>("netlify", "headers/tests/netlify.mjs", test, &cases) else {
        return;
    };
    let mut set = 0;
    for (text, expected) in texts.iter().zip(&answers) {
        for ((path, found), expected) in PATHS.iter().zip(headers("netlify", text)).zip(&expected.requests) {
            assert_eq!(found, *expected, "`{path}` with\n{text}");
            set += found.len();
        }
    }
    assert!(set > FILES * 10, "{set}");
}

#[test]
fn every_path_has_the_headers_of_cloudflare() {
    let files = files(true);
    let texts: Vec<String> = files.iter().map(|blocks| text(blocks)).collect();
    let none: [&str; 0] = [];
    let cases: Vec<_> =
        texts.iter().map(|text| serde_json::json!({ "headers": text, "keys": none, "paths": PATHS })).collect();
    let test = "every_path_has_the_headers_of_cloudflare";
    let Some(answers) = oracle::run::<Vec<Vec<CloudflareAnswer>>>("cloudflare", "testing/cloudflare.mjs", test, &cases)
    else {
        return;
    };
    let names: BTreeSet<String> = NAMES.iter().map(|name| name.to_lowercase()).collect();
    let (mut set, mut joined) = (0, 0);
    for (text, expected) in texts.iter().zip(&answers) {
        for ((path, found), expected) in PATHS.iter().zip(headers("cloudflare", text)).zip(expected) {
            let expected: Headers =
                expected.headers.clone().into_iter().filter(|(name, _)| names.contains(name)).collect();
            assert_eq!(found, expected, "`{path}` with\n{text}");
            set += found.len();
            joined += found.values().filter(|value| value.contains("DENY, ")).count();
        }
    }
    assert!(set > FILES * 5 && joined > FILES / 10, "{set} {joined}");
}
