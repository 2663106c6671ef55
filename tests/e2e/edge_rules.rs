//! A site with an edge: its `_redirects` and `_headers` become rules for requests, and no object.

use tidegate_core::edge::{EdgeEvaluator, EdgeOutcome, EdgeRules};
use tidegate_publish::publish::PlannedPublish;
use tidegate_tests::releases::{self, STATE};
use tidegate_tests::world::DISTRIBUTION;
use tidegate_tests::{SourceObject, Sources};

use crate::{plugin, site_with};

const REDIRECTS: &str = "/old/* /new/:splat\n/app/* /index.html 200\n/api/* https://api.example.com/:splat 200\n";
const HEADERS: &str = "/*\n  X-Frame-Options: DENY\n  Cache-Control: no-store\n/secret/*\n  Basic-Auth: me:hunter2\n";

/// The plan for a site in a dialect, with these plugins.
async fn plan(dialect: Option<&str>, plugins: &[&str]) -> PlannedPublish {
    let world = releases::world().await;
    let edge = dialect.map_or(String::new(), |dialect| format!("[site.edge]\nredirects = \"{dialect}\"\n"));
    let cdn = format!("cdn = [{{ distribution = \"{DISTRIBUTION}\" }}]\n");
    let plugins: String = plugins.iter().map(|name| plugin("sync", name, "{}")).collect();
    let configuration = format!("state = \"s3://{STATE}/tidegate/\"\n\n") + &site_with(&cdn) + &plugins + &edge;
    let objects = [("_redirects", REDIRECTS), ("_headers", HEADERS), ("index.html", "home"), ("old/page", "kept")];
    let source = Sources::directory(objects.map(|(key, body)| SourceObject::text(key, body)));
    world.publish(&configuration, &source).await.plan().await.unwrap()
}

fn location(rules: &EdgeRules, path: &str) -> Option<(u16, String)> {
    match EdgeEvaluator::new(rules).outcome(path, "", |path| path == "/old/page") {
        EdgeOutcome::Redirect { status, location, .. } => Some((status, location)),
        _ => None,
    }
}

fn keys(planned: &PlannedPublish) -> Vec<String> {
    planned.plan.operations.iter().map(|operation| operation.key.to_string()).collect()
}

#[tokio::test]
async fn files_with_rules_become_rules_in_the_dialect_of_the_site() {
    let netlify = plan(Some("netlify"), &["rewrite", "headers"]).await;
    assert_eq!(location(&netlify.edge, "/old/x"), Some((301, "/new/x".to_owned())));
    assert_eq!(location(&netlify.edge, "/old/page"), None, "the site has it");
    assert_eq!(location(&netlify.edge, "/old"), Some((301, "/new/".to_owned())));
    let cloudflare = plan(Some("cloudflare"), &["headers", "rewrite"]).await;
    assert_eq!(location(&cloudflare.edge, "/old/page"), Some((302, "/new/page".to_owned())));
    assert_eq!(location(&cloudflare.edge, "/old"), None);
    for planned in [&netlify, &cloudflare] {
        assert_eq!(keys(planned), ["index.html", "old/page"], "no rule is an object");
        assert_eq!(planned.edge.redirects[0].origin.plugin, "rewrite");
        assert_eq!(planned.edge.redirects[0].origin.reason, "line 1 of `_redirects`");
        let evaluator = EdgeEvaluator::new(&planned.edge);
        assert_eq!(evaluator.headers("/x"), [("x-frame-options", "DENY".to_owned())]);
        let codes: Vec<&str> = planned.findings.iter().map(|finding| finding.code.as_str()).collect();
        assert!(codes.contains(&"redirect-not-possible") && codes.contains(&"header-with-secret"), "{codes:?}");
        assert!(!format!("{:?} {:?}", planned.findings, planned.edge).contains("hunter2"));
    }
}

#[tokio::test]
async fn files_with_rules_that_no_plugin_follows_are_reported() {
    let unread = plan(Some("netlify"), &["mime"]).await;
    let about: Vec<_> = unread.findings.iter().filter(|finding| finding.code == "rules-not-followed").collect();
    let named: Vec<_> = about.iter().filter_map(|finding| finding.key.as_deref()).collect();
    assert_eq!(named, ["_redirects", "_headers"]);
    assert!(about[0].message.contains("`sync`"), "{}", about[0].message);
    assert_eq!(unread.edge, EdgeRules::default());
    // Without an edge, they are files like any other.
    let without = plan(None, &["mime"]).await;
    assert!(without.findings.iter().all(|finding| finding.code != "rules-not-followed"));
    let objects = plan(None, &["rewrite", "headers"]).await;
    assert_eq!(objects.edge, EdgeRules::default());
}
