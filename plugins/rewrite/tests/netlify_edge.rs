//! Generated `_redirects` files on a site with an edge: each path is answered as Netlify's own parser and matcher say, or
//! its line is reported.
//!
//! `scripts/servers install netlify` installs them. The differences are documented in `docs/plugins/rewrite.md`.
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

const FILES: usize = 250;

const STATUSES: [&str; 20] = [
    "",
    "",
    "",
    " 301",
    " 301!",
    " 302",
    " 302!",
    " 303",
    " 307",
    " 308!",
    " 200",
    " 200",
    " 200!",
    " 404",
    " 410",
    " 401",
    " 301 Language=de",
    " 200 Country=de,at",
    " 301 # comment",
    "\t302",
];

/// Conditions on the query of a line.
const CONDITIONS: [&str; 12] =
    ["", "", "", "", "", "", " id=:id", " id=:p", " id=1", " id=:q x=", " id=z x=:splat", " id=2 id=1"];

/// Queries of requests.
const QUERIES: [&str; 6] = ["", "id=1", "id=z&x=5", "x=&id=1", "id=1&id=z", "y=1&x=%31&id=a%20"];

/// What Netlify answers for a path.
#[derive(Clone, Debug, serde::Deserialize)]
struct Rule {
    from: String,
    to: String,
    status: u16,
    force: bool,
}

/// One line of a file.
#[derive(Clone, Debug)]
struct Line {
    from: String,
    to: String,
    text: String,
}

fn line() -> impl Strategy<Value = Line> {
    (from_and_to(), select(&CONDITIONS[..]), select(&STATUSES[..])).prop_map(|((from, mut to), query, status)| {
        if (status.contains('=') || !query.is_empty() && from.contains('*')) && to.starts_with('/') {
            // Netlify checks for a loop before the condition.
            to.insert_str(0, "https://h.example");
        }
        let text = format!("{from}{query} {to}{status}\n");
        Line { from, to, text }
    })
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// What the answer of Netlify is in the form of an outcome, such as `301 /b` or `200 = /b`.
fn described(rule: &Rule) -> String {
    // Netlify writes the value of a parameter as in a form.
    let to = single_slashes(&decoded(&rule.to.replace('+', " ")));
    match rule.status {
        410 => "410".to_owned(),
        status @ (200 | 404) => format!("{status} = {to}"),
        status => format!("{status} {to}"),
    }
}

fn outcome(outcome: &EdgeOutcome<'_>) -> String {
    match outcome {
        EdgeOutcome::Page => "page".to_owned(),
        // The query of the request is kept.
        EdgeOutcome::Redirect { status, location, .. } => {
            format!("{status} {}", decoded(location.split('?').next().unwrap()))
        }
        EdgeOutcome::Content { status, path, .. } => format!("{status} = {path}"),
        EdgeOutcome::Gone { .. } => "410".to_owned(),
    }
}

#[test]
fn every_path_is_answered_as_on_netlify_or_its_line_is_reported() {
    let strategy = vec(line(), 1..8);
    let mut runner = TestRunner::deterministic();
    let files: Vec<Vec<Line>> = (0..FILES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let texts: Vec<String> = files.iter().map(|lines| lines.iter().map(|line| line.text.as_str()).collect()).collect();
    let paths =
        keys().iter().map(|key| request(key)).flat_map(|path| [other_spelling(&path), path]).collect::<Vec<_>>();
    let paths = paths.into_iter().zip(QUERIES.iter().cycle()).map(|(path, query)| format!("{path}?{query}"));
    let paths: Vec<String> = paths.collect();
    let cases: Vec<_> = texts.iter().map(|text| serde_json::json!({ "text": text, "paths": paths })).collect();
    let test = "every_path_is_answered_as_on_netlify_or_its_line_is_reported";
    let Some(expected) = oracle::run::<Vec<Vec<Option<Rule>>>>("netlify", "rewrite/tests/netlify.mjs", test, &cases)
    else {
        return;
    };
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    for ((lines, text), answers) in files.iter().zip(&texts).zip(&expected) {
        let artifact = TestArtifact::new().object("_redirects", text.as_str()).edge("netlify");
        let answer = sync_in_batches::<Rewrite>("{}", &artifact, 7).unwrap();
        let rules = edge_rules(&answer);
        let evaluator = EdgeEvaluator::new(&rules);
        let reported = reported(&answer.summary.findings);
        let looped = answer.summary.findings.iter().any(|finding| finding.code == "redirect-loop");
        for (request, there) in paths.iter().zip(answers) {
            let context = || format!("`{request}`: {there:?}\n{text}\n{rules:#?}\n{:#?}", answer.summary.findings);
            let (path, query) = request.split_once('?').unwrap();
            let here = evaluator.outcome(path, query, |_| false);
            // A page takes precedence, unless the rule is forced.
            let is_shield = matches!(&here, EdgeOutcome::Content { path: own, .. } if page(own) == page(path));
            let forced = matches!(&here, EdgeOutcome::Redirect { rule, .. } | EdgeOutcome::Content { rule, .. }
                | EdgeOutcome::Gone { rule } if rule.force);
            let on_page = evaluator.outcome(path, query, |_| true);
            assert_eq!(forced, on_page != EdgeOutcome::Page, "{}", context());
            let kind = match there {
                // There, a rule with 410 has a target that it leaves alone.
                None if matches!(here, EdgeOutcome::Gone { .. }) => "gone".to_owned(),
                // There, a path below the target of a rule with `*` before its end is left alone, too.
                None if matches!(&here, EdgeOutcome::Redirect { location, rule, .. }
                    if rule.path.as_str().contains("*/") && path.starts_with(&decoded(location.split('?').next().unwrap()))) =>
                {
                    "below".to_owned()
                }
                // The site's own page, or none.
                None if is_shield => "none".to_owned(),
                None => {
                    assert_eq!(outcome(&here), "page", "{}", context());
                    "none".to_owned()
                }
                Some(rule) if described(rule) == outcome(&here) => {
                    assert!(is_shield || rule.force == forced, "{}", context());
                    rule.status.to_string()
                }
                Some(rule) => {
                    let is_equal =
                        |one: &Line, other: &Line| one.text.split_whitespace().eq(other.text.split_whitespace());
                    let is_dropped =
                        |at: usize, line: &Line| lines.iter().skip(at + 1).any(|other| is_equal(line, other));
                    let number = 1 + lines
                        .iter()
                        .enumerate()
                        .position(|(at, line)| decoded(&line.from) == rule.from && !is_dropped(at, line))
                        .unwrap();
                    let is_redirect = matches!(rule.status, 301 | 302 | 303 | 307 | 308);
                    let line = lines.get(number - 1).unwrap();
                    let area = decoded(line.to.split("/:splat").next().unwrap());
                    let is_below = line.from.trim_end_matches('/').ends_with('*') && path.starts_with(&area);
                    if is_redirect && (page(&decoded(&rule.to)) == page(path) || is_below && here == EdgeOutcome::Page)
                    {
                        // Netlify would redirect the page to itself, or again and again.
                        "same page".to_owned()
                    } else {
                        assert!(reported.contains(&number), "line {number} {}", context());
                        let is_possible = matches!(rule.status, 200 | 301 | 302 | 303 | 307 | 308 | 404 | 410)
                            && line.from.matches('*').count() < 2
                            && (rule.status >= 300 && rule.status != 404 || line.to.starts_with('/'));
                        assert!(!is_possible || looped, "line {number} {}", context());
                        // What is not followed is not answered by another line.
                        let own = EdgeOutcome::Page == here
                            || outcome(&here).strip_prefix("200 = ").is_some_and(|own| page(own) == page(path));
                        let is_kept = line.from.matches('*').count() < 2 && !looped;
                        assert!(own || !is_kept, "line {number} {}", context());
                        "reported".to_owned()
                    }
                }
            };
            *totals.entry(kind).or_default() += 1;
        }
    }
    let kinds = ["none", "200", "301", "302", "303", "307", "308", "404", "410", "reported"];
    assert!(kinds.iter().all(|kind| totals.get(*kind).is_some_and(|count| *count > FILES)), "{totals:?}");
}
