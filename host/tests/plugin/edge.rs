//! Rules for requests that plugins add: good ones arrive in order, and wrong ones end the run with the rule's name.

use serde_json::Value;
use tidegate_core::edge::{EdgeEvaluator, EdgeOutcome, RuleStatus, SlashMatch};
use tidegate_core::plugin_failure::{FailureCause, MalformedAnswer, PluginFailure};
use tidegate_core::run_facts::EDGE_REDIRECTS;
use tidegate_host::sync::{Trace, TransformedArtifact, transform};
use tidegate_host::{AdmissionErrorKind, ConfiguredPlugin, Engine, Limits, Plugin, PluginKind, identify};

use crate::support::{
    CRAFTED, Files, check_failure, configure, engine, facts, load, run, site, sync_guest, validation_failure,
};

/// Runs plugins for a site with an edge.
fn run_with_edge(plugins: &[ConfiguredPlugin]) -> Result<TransformedArtifact, PluginFailure> {
    let (files, mut facts) = (site(), facts());
    facts.attributes.insert(EDGE_REDIRECTS.to_owned(), "netlify".to_owned());
    transform(plugins, files.artifact(), &facts, &files, Trace::Off)
}

/// The failure of one plugin. Afterwards, the same engine still runs it.
fn refused(guest: &Plugin, act: &str, call: &str) -> PluginFailure {
    let failure = run_with_edge(&[configure(guest, act)]).unwrap_err();
    check_failure(&failure, call);
    run_with_edge(&[configure(guest, "good")]).unwrap();
    failure
}

#[test]
fn rules_arrive_in_the_order_of_plugins_and_calls() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let acts = ["edge-good@finish", "edge-good-headers@begin", "edge-good@decide"];
    let edge = run_with_edge(&acts.map(|act| configure(&guest, act))).unwrap().edge;
    let evaluator = EdgeEvaluator::new(&edge);
    let paths: Vec<&str> = edge.redirects.iter().map(|rule| rule.path.as_str()).collect();
    assert_eq!(paths, ["/old/*", "/b", "/old/*", "/b"]);
    let first = &edge.redirects[0];
    assert_eq!((first.slash, first.status, first.force), (SlashMatch::Either, RuleStatus::Redirect(301), false));
    assert_eq!((first.origin.plugin.as_str(), first.origin.rule.as_str()), ("guest", "/rules/3"));
    assert!(!first.origin.reason.chars().any(char::is_control), "{:?}", first.origin.reason);
    let EdgeOutcome::Redirect { location, .. } = evaluator.outcome("/old/x", "", |_| false) else { panic!("{edge:?}") };
    assert_eq!(location, "/new/x");
    assert_eq!(evaluator.headers("/x"), [("x-frame-options", "DENY".to_owned())]);
    assert_eq!((edge.headers.len(), &edge.headers[0].removals), (1, &vec!["x-b".to_owned()]));
}

#[test]
fn wrong_rules_end_the_run_even_if_the_plugin_ignores_the_error() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let wrong = [
        "path",
        "path-empty",
        "path-query",
        "path-dots",
        "path-host",
        "path-stars",
        "path-long",
        "path-control",
        "query-name",
        "query-names",
        "query-value",
        "query-placeholder",
        "query-twice",
        "status",
        "status-zero",
        "target",
        "target-host",
        "target-script",
        "target-split",
        "target-long",
        "target-choice",
        "target-none",
        "proxy",
        "all-or-none",
        "header-path",
        "header-name",
        "header-case",
        "header-reserved",
        "header-cookie",
        "header-split",
        "header-empty",
        "header-long",
        "header-none",
        "removal",
    ];
    for name in wrong {
        let call = ["begin", "decide", "finish"][name.len() % 3];
        let failure = refused(&guest, &format!("edge-{name}@{call}"), &format!("sync.{call}"));
        assert!(
            matches!(failure.cause(), FailureCause::Malformed(MalformedAnswer::EdgeRule { .. })),
            "{name}: {failure}"
        );
        assert_eq!(failure.rule(), "/rules/3", "{name}");
    }
    let pointer = refused(&guest, "edge-pointer@begin", "sync.begin");
    assert_eq!(pointer.cause(), &FailureCause::Malformed(MalformedAnswer::Pointer("rules[0]".to_owned())));
    for act in ["edge-attribute@finish", "edge-header-attribute@finish"] {
        let failure = refused(&guest, act, "sync.finish");
        assert!(matches!(failure.cause(), FailureCause::Malformed(MalformedAnswer::Unknown { .. })), "{failure}");
    }
}

#[test]
fn without_an_edge_every_rule_is_refused() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let failure = run(&configure(&guest, "edge-good@decide")).unwrap_err();
    check_failure(&failure, "sync.decide");
    assert_eq!(failure.cause(), &FailureCause::Malformed(MalformedAnswer::NoEdge));
    let failure = validation_failure(guest.validate(&Value::from("edge@validate")));
    check_failure(&failure, "settings.validate");
    assert_eq!(failure.cause(), &FailureCause::Malformed(MalformedAnswer::NoEdge));
}

#[test]
fn the_number_and_the_size_of_rules_are_limited() {
    let engine = engine();
    let guest = sync_guest(&engine);
    for act in ["edge-many@begin", "edge-many-headers@begin"] {
        let failure = refused(&guest, act, "sync.begin");
        assert!(matches!(failure.cause(), FailureCause::Request { asked: 1_001, most: 1_000, .. }), "{failure}");
    }
    let failure = refused(&guest, "edge-huge@begin", "sync.begin");
    assert!(matches!(failure.cause(), FailureCause::CallData { .. }), "{failure}");
    for act in ["edge-flood@begin", "edge-flood-headers@finish"] {
        let failure = run_with_edge(&[configure(&guest, act)]).unwrap_err();
        let expected = MalformedAnswer::EdgeRules { rules: 100_000, bytes: 32 << 20 };
        assert_eq!(failure.cause(), &FailureCause::Malformed(expected), "{act}");
    }
    let tight = Engine::with_limits(&Limits { edge_rules: 1, ..Limits::default() }).unwrap();
    let failure = run_with_edge(&[configure(&sync_guest(&tight), "edge-good@begin")]).unwrap_err();
    let expected = MalformedAnswer::EdgeRules { rules: 1, bytes: 32 << 20 };
    assert_eq!(failure.cause(), &FailureCause::Malformed(expected));
}

#[test]
fn only_sync_plugins_can_import_edge() {
    let imports = r#"
        (component
            (import "tidegate:plugin/edge@0.1.0" (instance))
            (instance $empty)
            (export "tidegate:plugin/KIND@0.1.0" (instance $empty))
            (export "tidegate:plugin/settings@0.1.0" (instance $empty)))"#;
    let of_kind = |kind: &str| identify("x", &wat::parse_str(imports.replace("KIND", kind)).unwrap());
    assert_eq!(of_kind("sync").unwrap().kind, PluginKind::Sync);
    assert_eq!(of_kind("policy").unwrap_err().kind, AdmissionErrorKind::EdgeOfPolicy);
    // A plugin that does not use the interface does not import it.
    assert!(!String::from_utf8_lossy(&CRAFTED.component()).contains("plugin/edge"));
}

/// A site of one page with 3,000 redirects and 1,000 blocks of headers.
#[test]
fn long_files_with_rules_fit_in_the_budget_of_a_small_site() {
    let redirects: String = (0..3_000)
        .map(|at| match at % 30 {
            0 => format!("/section-{at}/* /s/{at}/:splat 302\n"),
            1 => format!("/blog-{at}/:year/:slug /b/:slug 301\n"),
            _ => format!("/old/path/of/page-{at}/ /new/path/of/page-{at}/ 301\n"),
        })
        .collect();
    let headers: String = (0..1_000)
        .map(|at| format!("/folder-{at}/*\n  X-Robots-Tag: noindex\n  Link: </{at}.css>; rel=preload\n"))
        .collect();
    let files = Files::new(&[("_headers", &headers), ("_redirects", &redirects), ("index.html", "<html></html>")]);
    let engine = engine();
    let plugins = ["rewrite", "headers"].map(|name| {
        let plugin = load(&engine, name, tidegate_bundled_plugins::find(name).unwrap().bytes);
        plugin.validate(&serde_json::json!({})).unwrap()
    });
    for dialect in ["netlify", "cloudflare"] {
        let mut facts = facts();
        facts.attributes.insert(EDGE_REDIRECTS.to_owned(), dialect.to_owned());
        let transformed = transform(&plugins, files.artifact(), &facts, &files, Trace::Off).unwrap();
        assert_eq!((transformed.edge.redirects.len(), transformed.edge.headers.len()), (3_000, 1_000), "{dialect}");
        for usage in &transformed.usage {
            println!(
                "{dialect} {}: {} of {} fuel, {:?}",
                usage.plugin, usage.fuel_used, usage.fuel_allowed, usage.wall
            );
            assert!(usage.fuel_used < usage.fuel_allowed, "{dialect}: {usage:?}");
        }
    }
}
