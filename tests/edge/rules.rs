//! Random rules: the function answers as the reference says, whatever the order of rules and the files of the site.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tidegate_core::config::{EdgeConfig, MaxReads, SiteName};
use tidegate_core::desired::{DesiredBody, DesiredEntry, DesiredSite, Trail};
use tidegate_core::edge::{
    EdgeEvaluator, EdgeKeys, EdgeOutcome, EdgeRedirect, EdgeRules, EdgeSizeError, KeptEdge, QueryCondition, RuleOrigin,
    RulePath, RuleStatus, RuleTarget, SlashMatch, StoredEdge, edge_keys, encode_path, plan_edge,
};
use tidegate_core::headers::ObjectHeaders;
use tidegate_core::identity::PackedIdentity;
use tidegate_core::key::Key;

use super::engines::{self, Answer, Case, shown};

/// Random sites, each with rules, files and paths.
const SITES: usize = 500;

#[derive(Debug, Clone)]
struct RandomSite {
    rules: EdgeRules,
    files: Vec<String>,
    paths: Vec<(String, &'static str)>,
}

fn segment() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "b", "a b", "é", "a+b", "c.css", "v1.2", "x-y", "A", "a.b", "1", "en"])
}

fn path(segments: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    (vec(segment(), segments), any::<bool>()).prop_map(|(segments, slash)| {
        let path = format!("/{}", segments.join("/"));
        if slash && path.len() > 1 { format!("{path}/") } else { path }
    })
}

fn rule_path() -> impl Strategy<Value = String> {
    let part = prop_oneof![4 => segment().prop_map(str::to_owned), 2 => select(vec![":a", ":b", ":ab", ":a.css", "x-:a"]).prop_map(str::to_owned)];
    (vec(part, 0..3), select(vec!["", "/", "/*", "*"])).prop_map(|(parts, end)| {
        let path = format!("/{}", parts.join("/"));
        match (path.as_str(), end) {
            ("/", "/" | "") => "/".to_owned(),
            ("/", _) => "/*".to_owned(),
            (path, end) => format!("{path}{end}"),
        }
    })
}

fn target() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => segment().prop_map(encode_path), 2 => select(vec![":a", ":b", ":splat", ":abc", ":q"]).prop_map(str::to_owned)];
    let end = select(vec!["", "/", "/:splat", "?q=1", "#f", "/?q=:a#f"]);
    (vec(part, 0..3), end, prop::bool::weighted(0.2)).prop_map(|(parts, end, host)| {
        let path = format!("/{}{end}", parts.join("/")).replace("//", "/");
        if host { format!("https://example.com{path}") } else { path }
    })
}

fn conditions() -> impl Strategy<Value = Vec<QueryCondition>> {
    let none: [(&str, &str); 0] = [];
    let lists = [&none[..], &none, &none, &[("k", "v")], &[("k", ":b")], &[("z", "1 &"), ("k", ":a")], &[("z", ":q")]];
    select(
        lists.map(|list| list.iter().map(|(name, value)| QueryCondition::new(name, value).unwrap()).collect()).to_vec(),
    )
}

fn rule() -> impl Strategy<Value = EdgeRedirect> {
    let status = select(vec![301, 302, 303, 307, 308, 200, 200, 404, 410]);
    (rule_path(), target(), status, any::<bool>(), any::<bool>(), conditions()).prop_filter_map(
        "valid",
        |(path, target, status, force, either, query)| {
            let status = RuleStatus::new(status).ok()?;
            let target = if status == RuleStatus::Gone { None } else { Some(RuleTarget::new(&target).ok()?) };
            let slash = if either { SlashMatch::Either } else { SlashMatch::AsWritten };
            let rule = EdgeRedirect {
                path: RulePath::new(&path).ok()?,
                slash,
                query,
                status,
                target,
                force,
                origin: RuleOrigin::default(),
            };
            rule.check().is_ok().then_some(rule)
        },
    )
}

fn random_site() -> impl Strategy<Value = RandomSite> {
    let file = (vec(segment(), 0..3), select(vec!["index.html", "x.html", "c.css", "LICENSE", "a"])).prop_map(
        |(mut folders, name)| {
            folders.push(name);
            folders.join("/")
        },
    );
    let query = select(vec!["k=v", "k=v", "x=1", "k=w+x", "k=v&z=1%20%26", "z=a%2Fb", "k=a&z=1+%26"]);
    (vec(rule(), 0..8), vec(file, 0..6), vec((path(0..4), query), 12)).prop_map(|(redirects, files, paths)| {
        RandomSite { rules: EdgeRules { redirects, headers: Vec::new() }, files, paths }
    })
}

fn desired(files: &[String]) -> DesiredSite {
    let mut entries: Vec<DesiredEntry> = Vec::new();
    for file in files {
        let key = Key::new(file).unwrap();
        if entries.iter().all(|entry| entry.key != key) {
            let body = DesiredBody::Object { source: key.clone(), size: 1, identity: PackedIdentity::default() };
            entries.push(DesiredEntry { key, body, headers: ObjectHeaders::default(), trail: Trail::new() });
        }
    }
    DesiredSite::new(entries, Vec::new()).unwrap()
}

/// The object that shows a path without rules: a file, the index of a folder, or a page without its extension.
fn page(desired: &DesiredSite, path: &str) -> Option<String> {
    let bare = path.trim_matches('/');
    let has = |key: &str| desired.get(key).is_some();
    let index = if bare.is_empty() { "index.html".to_owned() } else { format!("{bare}/index.html") };
    let html = format!("{bare}.html");
    if !path.ends_with('/') && has(bare) {
        return Some(bare.to_owned());
    }
    [index, html].into_iter().find(|key| has(key) && !bare.ends_with(".html"))
}

/// A site with more rules than a pointer can hold, most of them for paths in a few folders.
fn large_site() -> impl Strategy<Value = RandomSite> {
    let rules = vec((rule(), select(vec!["", "/docs", "/docs/v1", "/docs/v1", "/blog", "/blog/é", "/a b"])), 30..60);
    let path = (select(vec!["", "/docs", "/docs/v1", "/docs/v2", "/blog", "/blog/é", "/a b"]), path(0..3));
    (random_site(), rules, vec((path, select(vec!["k=v", "x=1"])), 24)).prop_map(|(mut site, rules, paths)| {
        let in_folder = |(rule, folder): (EdgeRedirect, &str)| {
            let path = RulePath::new(&format!("{folder}{}", rule.path.as_str())).ok()?;
            Some(EdgeRedirect { path, ..rule })
        };
        // A rule for all paths leaves nothing for those below it.
        let rules = rules.into_iter().filter_map(in_folder).filter(|rule| rule.path.as_str() != "/*");
        site.rules.redirects = rules.collect();
        site.paths = paths.into_iter().map(|((folder, path), query)| (format!("{folder}{path}"), query)).collect();
        site
    })
}

#[test]
fn the_function_answers_as_the_reference_with_more_rules_than_its_pointer_holds() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let sites: Vec<RandomSite> = (0..60).map(|_| large_site().new_tree(&mut runner).unwrap().current()).collect();
    let (mut cases, mut expected, mut too_large, mut refused) = (Vec::new(), Vec::new(), 0, 0);
    for site in &sites {
        let Ok(keys) = try_keys_of(site, MaxReads::Three) else {
            assert!(matches!(try_keys_of(site, MaxReads::Two), Err(EdgeSizeError::UndividedPatterns { .. })));
            too_large += 1;
            continue;
        };
        // Without the third read, the same keys or a refusal that names it.
        match try_keys_of(site, MaxReads::Two) {
            Ok(same) => assert_eq!(same, keys),
            Err(error) => {
                assert!(keys["docs"].contains("\"p\":"), "{keys:?}");
                assert!(error.to_string().ends_with("with `max-reads = 3` in `[site.edge]`"), "{error}");
                refused += 1;
            }
        }
        assert!(keys.values().all(|value| value.len() <= 1024));
        for (path, query) in &site.paths {
            cases.push(Case::request(&keys, &format!("{}?{query}", encode_path(path))));
            expected.push((site, path, *query));
        }
    }
    let grouped = cases.iter().filter(|case| case.keys["docs"].contains("\"p\":")).count();
    println!(
        "{} requests, {grouped} with folders, {too_large} of {} sites too large, {refused} for two reads",
        cases.len(),
        sites.len()
    );
    assert!(grouped > 200, "{grouped}");
    for (answer, (site, path, query)) in engines::node(&cases).iter().zip(&expected) {
        compare(answer, site, (path, query));
        assert!(answer.reads <= 3, "{path}: {} reads", answer.reads);
    }
}

fn keys_of(site: &RandomSite) -> EdgeKeys {
    try_keys_of(site, MaxReads::Two).unwrap()
}

fn try_keys_of(site: &RandomSite, max_reads: MaxReads) -> Result<EdgeKeys, EdgeSizeError> {
    let config = EdgeConfig { max_reads, ..EdgeConfig::default() };
    let planned = plan_edge(&config, &site.rules, &desired(&site.files));
    let (name, id) = (SiteName::try_from("docs".to_owned()).unwrap(), "r1".parse().unwrap());
    let kept = [KeptEdge { id, stored: StoredEdge { folder: "r1".to_owned(), rules: planned.release } }];
    edge_keys(&name, &kept, id, &EdgeKeys::new())
}

#[test]
fn the_function_answers_as_the_reference() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let sites: Vec<RandomSite> = (0..SITES).map(|_| random_site().new_tree(&mut runner).unwrap().current()).collect();
    let mut cases = Vec::new();
    let mut expected = Vec::new();
    for site in &sites {
        let keys: BTreeMap<String, String> = keys_of(site).into_iter().collect();
        for (path, query) in &site.paths {
            cases.push(Case::request(&keys, &format!("{}?{query}", encode_path(path))));
            expected.push((site, path, *query));
        }
    }
    let answers = engines::node(&cases);
    let mut decided = 0;
    for (answer, (site, path, query)) in answers.iter().zip(&expected) {
        decided += usize::from(compare(answer, site, (path, query)));
    }
    println!("{} requests, {decided} of them decided by rules", cases.len());
    assert!(decided > cases.len() / 10, "{decided} of {}", cases.len());
    if let Some(other) = engines::njs("the_function_answers_as_the_reference", &cases) {
        for (at, (answer, other)) in answers.iter().zip(&other).enumerate() {
            assert_eq!(answer, other, "{:?}", expected[at]);
        }
    }
}

/// Returns whether a rule decides.
fn compare(answer: &Answer, site: &RandomSite, (path, query): (&str, &str)) -> bool {
    let desired = desired(&site.files);
    let got = shown(answer);
    let context = || format!("{path}?{query} of {site:#?}\nkeys: {:#?}", keys_of(site));
    match EdgeEvaluator::new(&site.rules).outcome(path, query, |path| page(&desired, path).is_some()) {
        EdgeOutcome::Page => {
            if let Some(key) = page(&desired, path) {
                // A page without its extension has one address.
                let moved = format!("301 {}?{query}", encode_path(path.trim_end_matches('/')));
                let shown = format!("/.r/r1/{}", encode_path(&key));
                assert!(got == shown || (got == moved && key.ends_with(".html")), "{got}, not {shown}: {}", context());
            } else {
                assert!(got.starts_with("/.r/r1/") || got == "nothing", "{got}: {}", context());
            }
            false
        }
        EdgeOutcome::Gone { .. } => {
            assert_eq!(got, "410", "{}", context());
            true
        }
        EdgeOutcome::Redirect { status, location, .. } => {
            assert_eq!(normal(&got), normal(&format!("{status} {location}")), "{}", context());
            true
        }
        EdgeOutcome::Content { status, path: to, .. } => {
            let suffix = if status == 404 { " 404" } else { "" };
            let index = format!("{}/index.html", to.trim_end_matches('/'));
            let options = page(&desired, &to).map_or_else(|| vec![to.clone(), index], |key| vec![format!("/{key}")]);
            let options = options.iter().map(|option| format!("/.r/r1{}{suffix}", encode_path(option)));
            assert!(
                options.clone().any(|option| normal(&option) == normal(&got)),
                "{got}, not {:?}: {}",
                options.collect::<Vec<_>>(),
                context()
            );
            true
        }
    }
}

/// Percent-encoded characters that need no encoding are the same address.
fn normal(location: &str) -> String {
    let end = location.find(['?', '#']).unwrap_or(location.len());
    let (address, rest) = location.split_at(end);
    let text = percent_encoding::percent_decode_str(address).decode_utf8_lossy().into_owned();
    format!("{text}{rest}")
}
