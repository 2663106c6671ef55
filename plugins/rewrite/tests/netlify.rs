//! Generated `_redirects` files: each path redirects as Netlify's own parser and matcher say, or its line is reported.
//!
//! `scripts/servers install netlify` installs them. The differences are documented in `docs/plugins/rewrite.md`.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test, and must name its place")]

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tidegate_plugin::testing::{TestArtifact, sync_in_batches};
use tidegate_plugin_rewrite::Rewrite;

use redirects_file::{from_and_to, keys, page, reported, request};

#[path = "../../testing/oracle.rs"]
mod oracle;
mod redirects_file;

const FILES: usize = 200;

const STATUSES: [&str; 12] =
    ["", "", " 301", " 301", " 301!", " 301!", " 308", " 302", " 200", " 404", " 301 Language=de", " 301 # comment"];

/// One line of a file.
#[derive(Clone, Debug)]
struct Line {
    from: String,
    to: String,
    query: &'static str,
    status: &'static str,
}

impl Line {
    fn is_pattern(&self) -> bool {
        self.from.contains(['*', ':'])
    }

    fn is_conditional(&self) -> bool {
        self.status.contains('=') || !self.query.is_empty()
    }
}

/// What Netlify answers for a path.
#[derive(Clone, Debug, serde::Deserialize)]
struct Rule {
    from: String,
    to: String,
    status: u16,
    force: bool,
}

impl Rule {
    fn is_permanent(&self) -> bool {
        matches!(self.status, 301 | 308)
    }
}

fn line() -> impl Strategy<Value = Line> {
    let query = select(&["", "", "", "", "", "", "", " id=:id"][..]);
    (from_and_to(), query, select(&STATUSES[..])).prop_map(|((from, to), query, status)| {
        let mut line = Line { from, to, query, status };
        if line.is_conditional() && line.to.starts_with('/') {
            // Netlify checks for a loop before the condition.
            line.to.insert_str(0, "https://h.example");
        }
        line
    })
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{}{} {}{}\n", line.from, line.query, line.to, line.status)).collect()
}

/// Runs Netlify's parser and matcher; `None` if they are not installed.
fn netlify_answers(test: &str, texts: &[String], paths: &[String]) -> Option<Vec<Vec<Option<Rule>>>> {
    let cases: Vec<_> = texts.iter().map(|text| serde_json::json!({ "text": text, "paths": paths })).collect();
    oracle::run("netlify", "rewrite/tests/netlify.mjs", test, &cases)
}

#[test]
fn paths_redirect_as_on_netlify_or_lines_are_reported() {
    let keys = keys();
    let strategy = (vec(line(), 1..7), subsequence(keys.clone(), 4..40));
    let mut runner = TestRunner::deterministic();
    let cases: Vec<_> = (0..FILES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let texts: Vec<String> = cases.iter().map(|(lines, _)| text(lines)).collect();
    let requests: Vec<String> = keys.iter().map(|key| request(key)).collect();
    let test = "paths_redirect_as_on_netlify_or_lines_are_reported";
    let Some(expected) = netlify_answers(test, &texts, &requests) else { return };
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    for ((lines, objects), rules) in cases.iter().zip(&expected) {
        let text = text(lines);
        let artifact =
            TestArtifact::new().object("_redirects", text.as_str()).objects(objects.iter().map(String::as_str));
        let answer = sync_in_batches::<Rewrite>("{}", &artifact, 7).unwrap();
        let site = answer.published();
        let reported = reported(&answer.summary.findings);
        let context = || format!("\n{text}\nobjects {objects:?}\nfindings {:#?}", answer.summary.findings);
        let find = |to: &str, has: &dyn Fn(&str) -> bool| {
            let Some(path) = to.strip_prefix('/') else { return true };
            let path = percent_decode_str(path).decode_utf8().unwrap();
            let folder = if path.is_empty() || path.ends_with('/') { path.to_string() } else { format!("{path}/") };
            has(&path) || has(&format!("{folder}index.html"))
        };
        let exists = |to: &str| find(to, &|key| site.contains_key(key));
        let is_object_at = |to: &str| find(to, &|key| site.get(key).is_some_and(|entry| entry.redirect.is_none()));
        for (key, rule) in keys.iter().zip(rules) {
            let is_object = objects.contains(key);
            let path = request(key);
            if let Some(to) = site.get(key).and_then(|entry| entry.redirect.as_ref()) {
                // No redirect is wrong, and none replaces an object that Netlify would show.
                let rule = rule.as_ref().filter(|rule| rule.is_permanent() && (rule.force || !is_object));
                let expected = rule.map(|rule| percent_decode_str(&rule.to).decode_utf8().unwrap());
                let found = percent_decode_str(to).decode_utf8().unwrap();
                assert_eq!(Some(found), expected, "`{path}`{}", context());
                assert!(!is_object || exists(to), "`{key}` is replaced by a redirect to nothing{}", context());
                *totals.entry(if is_object { "replaced" } else { "redirected" }).or_default() += 1;
                continue;
            }
            assert_eq!(site.contains_key(key), is_object, "`{key}`{}", context());
            let Some(rule) = rule.as_ref().filter(|rule| rule.is_permanent() && (rule.force || !is_object)) else {
                continue;
            };
            // Netlify redirects and S3 does not: the line is reported.
            let is_line = |line: &&Line| {
                let from = percent_decode_str(&line.from).decode_utf8().unwrap();
                from == rule.from && !line.is_conditional()
            };
            let number = lines.iter().position(|line| is_line(&line)).unwrap() + 1;
            let line = &lines[number - 1];
            let spelling = path.ends_with(".html/");
            let same_page = page(&rule.to) == page(&path);
            let earlier = lines.iter().take(number);
            let conditional = earlier.clone().any(|line| !line.is_pattern() && line.is_conditional());
            let shadow = {
                let page = page(&path);
                let html = format!("{page}.html");
                objects.iter().any(|object| *object == html || redirects_file::page(object) == page)
            };
            let accepted = spelling || same_page || conditional || shadow;
            assert!(accepted || reported.contains(&number), "`{path}` of line {number}{}", context());
            // A target that is an object is never missed.
            let looped = answer.summary.findings.iter().any(|finding| finding.code == "redirect-loop");
            if !accepted && !looped && rule.to.starts_with('/') && is_object_at(&rule.to) {
                let all = [":p", ":q", "*"].iter().filter(|name| line.from.contains(*name));
                let several = line.from.matches('*').count() > 1;
                let missing = all.clone().any(|name| !line.to.contains(name.replace('*', ":splat").as_str()));
                assert!(missing || several, "`{path}` of line {number} to `{}`{}", rule.to, context());
            }
            *totals.entry("reported").or_default() += 1;
        }
        for (number, line) in (1..).zip(lines) {
            let followed =
                matches!(line.status, "" | " 301" | " 301!" | " 308" | " 301 # comment") && line.query.is_empty();
            assert!(followed || reported.contains(&number), "line {number}{}", context());
            let used = site.values().any(|entry| entry.redirect.is_some());
            assert!(used || reported.contains(&number), "line {number}{}", context());
        }
    }
    let enough = |name, least| totals.get(name).is_some_and(|count| *count > least);
    assert!(enough("redirected", FILES) && enough("replaced", FILES / 10) && enough("reported", FILES), "{totals:?}");
}
