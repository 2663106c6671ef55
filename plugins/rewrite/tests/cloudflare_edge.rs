//! Generated `_redirects` files on a site with an edge: each path is answered as Cloudflare's own parser and asset server
//! say.
//!
//! `scripts/servers install cloudflare` installs them. The differences are documented in `docs/plugins/rewrite.md`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test, and must name its place")]

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tidegate_core::edge::{EdgeEvaluator, EdgeOutcome};
use tidegate_plugin::testing::{TestArtifact, sync_in_batches};
use tidegate_plugin_rewrite::Rewrite;

use edge_paths::{other_spelling, single_slashes};
use edge_rules::edge_rules;
use redirects_file::{from_and_to, keys, page, reported, request};

#[path = "../../testing/edge_rules.rs"]
mod edge_rules;
#[path = "../../testing/oracle.rs"]
mod oracle;
mod edge_paths;
mod redirects_file;

const FILES: usize = 200;

const STATUSES: [&str; 16] = [
    "",
    "",
    "",
    " 301",
    " 301",
    " 302",
    " 303",
    " 307",
    " 308",
    " 200",
    " 200",
    " 404",
    " 410",
    " 301!",
    " 301 Country=de",
    " 301 # comment",
];

/// What Cloudflare answers for a path.
#[derive(Debug, serde::Deserialize)]
struct CloudflareAnswer {
    status: u16,
    location: Option<String>,
    /// The line that decides about a redirect.
    line: Option<usize>,
    /// The path of the object that it asks for first.
    asked: Option<String>,
}

/// Text beside placeholders, which Netlify does not have, and lines of two words only.
fn line() -> impl Strategy<Value = String> {
    let part = select(
        &[
            "/a-:p /b/:p",
            "/:p.html /:p",
            "/*.html /:splat",
            "/b:p/*/x /:splat/:p",
            "/x.:p/:q /a?:p=:q",
            "a /b",
            "/blog//a /b",
            "/:pq/:p /:p/:pq",
            "/:p/:pq /:pq",
            "/a?x /b",
            "/a /b?x=y#z",
            "/b/ /a",
            "/a /",
            "/* /index.html",
            "/v1.0 /x /y",
        ][..],
    );
    let any = prop_oneof![
        3 => from_and_to().prop_map(|(from, to)| format!("{from} {to}")),
        1 => part.prop_map(str::to_owned)
    ];
    (any, select(&STATUSES[..])).prop_map(|(line, status)| format!("{line}{status}\n"))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// A location with a path.
fn with_path(location: &str) -> String {
    match location.split_once("://") {
        Some((scheme, rest)) if !rest.contains('/') => {
            let end = rest.find(['?', '#']).unwrap_or(rest.len());
            let (host, query) = rest.split_at(end);
            format!("{scheme}://{host}/{query}")
        }
        _ => location.to_owned(),
    }
}

#[test]
fn every_path_is_answered_as_on_cloudflare() {
    let strategy = vec(line(), 1..8);
    let mut runner = TestRunner::deterministic();
    let files: Vec<String> = (0..FILES).map(|_| strategy.new_tree(&mut runner).unwrap().current().concat()).collect();
    let paths: Vec<String> = keys()
        .iter()
        .map(|key| request(key))
        .chain(["/a-1", "/b1/2/x", "/x.y/z"].map(str::to_owned))
        .flat_map(|path| [other_spelling(&path), path])
        .collect();
    // Every third request has a query.
    let requests: Vec<(String, &str)> =
        paths.into_iter().enumerate().map(|(at, path)| (path, if at % 3 == 0 { "n=1" } else { "" })).collect();
    let urls: Vec<String> = requests
        .iter()
        .map(|(path, query)| if query.is_empty() { path.clone() } else { format!("{path}?{query}") })
        .collect();
    let none: [&str; 0] = [];
    let cases: Vec<_> =
        files.iter().map(|text| serde_json::json!({ "redirects": text, "keys": none, "paths": urls })).collect();
    let test = "every_path_is_answered_as_on_cloudflare";
    let Some(expected) =
        oracle::run::<Vec<Vec<CloudflareAnswer>>>("cloudflare", "testing/cloudflare.mjs", test, &cases)
    else {
        return;
    };
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    for (text, answers) in files.iter().zip(&expected) {
        let artifact = TestArtifact::new().object("_redirects", text.as_str()).edge("cloudflare");
        let answer = sync_in_batches::<Rewrite>("{}", &artifact, 7).unwrap();
        let rules = edge_rules(&answer);
        let evaluator = EdgeEvaluator::new(&rules);
        let reported = reported(&answer.summary.findings);
        let looped = answer.summary.findings.iter().any(|finding| finding.code == "redirect-loop");
        for ((path, query), there) in requests.iter().zip(answers) {
            let context = || format!("`{path}`: {there:?}\n{text}\n{rules:#?}\n{:#?}", answer.summary.findings);
            // Rules take precedence over pages.
            let here = evaluator.outcome(path, query, |_| true);
            assert_eq!(here, evaluator.outcome(path, query, |_| false), "{}", context());
            // A target that is another host or no URL, as `//a` of `/:splat/a`.
            let location = there.location.as_deref().unwrap_or_default();
            // A path that is already at its target.
            let rule = there.line.and_then(|line| text.lines().nth(line - 1)).unwrap_or_default();
            let (from, to) = rule.split_once(' ').unwrap_or_default();
            let to = to.split(' ').next().unwrap_or_default();
            let is_broken = there.status == 500 || to.starts_with('/') && !location.starts_with('/');
            let area = decoded(to.split("/:splat").next().unwrap_or_default());
            let is_there = single_slashes(&decoded(location.split('?').next().unwrap_or_default())) == *path
                || there.line.is_some() && from.ends_with('*') && path.starts_with(&area);
            let is_looped = looped && there.line.is_some_and(|line| reported.contains(&line));
            let kind = match (&here, there.line) {
                _ if is_broken || is_there || is_looped => "different".to_owned(),
                (EdgeOutcome::Redirect { status, location, .. }, Some(_)) => {
                    let expected = single_slashes(&decoded(there.location.as_ref().unwrap()));
                    assert_eq!((*status, decoded(&with_path(location))), (there.status, expected), "{}", context());
                    status.to_string()
                }
                (EdgeOutcome::Content { path: shown, .. }, None) => {
                    let shown = if shown.ends_with('/') { format!("{shown}index.html") } else { shown.clone() };
                    let asked = single_slashes(there.asked.as_ref().unwrap());
                    assert_eq!(shown, asked, "{}", context());
                    "200".to_owned()
                }
                (EdgeOutcome::Page, None) => {
                    assert_eq!(there.asked.as_deref().map(page), Some(page(path)), "{}", context());
                    "none".to_owned()
                }
                _ => panic!("{here:?} {}", context()),
            };
            *totals.entry(kind).or_default() += 1;
        }
    }
    let kinds = ["none", "200", "301", "302", "303", "307", "308"];
    assert!(kinds.iter().all(|kind| totals.get(*kind).is_some_and(|count| *count > FILES)), "{totals:?}");
    let all: usize = totals.values().sum();
    assert!(totals.get("different").is_some_and(|count| *count < all / 10), "{totals:?}");
}
