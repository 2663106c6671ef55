//! The bundled plugins in the sandbox with its default limits: they load, accept their defaults, work together, and do
//! not depend on the size of batches.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidegate_core::desired::DesiredSite;
use tidegate_core::finding::Finding;
use tidegate_core::headers::ObjectHeader;
use tidegate_core::key::Key;
use tidegate_core::plan_review::{PlanReview, ReviewedChange, ReviewedKind, Verdict};
use tidegate_host::sync::{Trace, TransformedArtifact, transform};
use tidegate_host::{ConfiguredPlugin, Engine, Limits, PluginKind, SettingsError, policy};

use crate::support::default_settings;
use crate::support::{Files, facts, load};

const BATCH_SIZES: [usize; 5] = [1, 7, 512, 999, 1_000];

fn engine(batch: usize) -> Engine {
    Engine::with_limits(&Limits { batch, ..Limits::default() }).unwrap()
}

fn configured(engine: &Engine, name: &str, settings: &Value) -> ConfiguredPlugin {
    load(engine, name, tidegate_bundled_plugins::find(name).unwrap().bytes)
        .validate(settings)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A build with files that real builds contain by accident, large enough for several batches.
fn build() -> Files {
    let mut files = BTreeMap::from(
        [
            ("index.html", "<!doctype html><title>x</title>"),
            ("about.html", "<!doctype html>"),
            ("c++.html", "<!doctype html>"),
            ("a b/é.html", "<!doctype html>"),
            (".DS_Store", "\0\0\0\u{1}Bud1"),
            (".nojekyll", ""),
            ("drafts/x.html", "<!doctype html>"),
            ("app.3f9a1c2b.js", "let x = 1;"),
            ("app.3f9a1c2b.js.map", "{}"),
            ("LICENSE", "Everyone may read this."),
            ("logo", "\u{89}PNG"),
            ("_redirects", "/old /index.html 301\n"),
            ("_headers", "/about.html\n  Cache-Control: max-age=60\n"),
        ]
        .map(|(key, body)| (key.to_owned(), body.as_bytes().to_vec())),
    );
    for at in 0..2_100 {
        let name = match at % 4 {
            0 => format!("docs/{at:04}/index.html"),
            1 => format!("assets/{at:04}.css"),
            2 => format!("download/{at:04}"),
            _ => format!("img/{at:04}.avif"),
        };
        files.insert(name, format!("object {at}").into_bytes());
    }
    Files(files)
}

fn transformed(engine: &Engine, chain: &[(&str, Value)]) -> TransformedArtifact {
    let chain: Vec<ConfiguredPlugin> =
        chain.iter().map(|(name, settings)| configured(engine, name, settings)).collect();
    let files = build();
    transform(&chain, files.artifact(), &facts(), &files, Trace::On).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn every_bundled_plugin_loads_and_accepts_its_defaults() {
    let engine = engine(1_000);
    let kinds: Vec<(&str, PluginKind)> = tidegate_bundled_plugins::PLUGINS
        .iter()
        .map(|plugin| {
            let loaded = load(&engine, plugin.name, plugin.bytes);
            assert_eq!(loaded.sha256().as_str(), plugin.sha256);
            let defaults = loaded.validate(&default_settings(plugin.name)).unwrap();
            let again: Value = serde_json::from_str(defaults.settings()).unwrap();
            assert_eq!(loaded.validate(&again).unwrap().settings(), defaults.settings(), "{}", plugin.name);
            assert!(
                matches!(loaded.validate(&json!({"no-such": 1})), Err(SettingsError::Refused { .. })),
                "{}",
                plugin.name
            );
            assert!(matches!(loaded.validate(&json!([1])), Err(SettingsError::Refused { .. })), "{}", plugin.name);
            (plugin.name, loaded.kind())
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("budget", PluginKind::Policy),
            ("exclude", PluginKind::Sync),
            ("guard", PluginKind::Policy),
            ("headers", PluginKind::Sync),
            ("leaks", PluginKind::Policy),
            ("links", PluginKind::Policy),
            ("mime", PluginKind::Sync),
            ("rewrite", PluginKind::Sync),
            ("script", PluginKind::Sync),
            ("script-policy", PluginKind::Policy)
        ]
    );
}

#[test]
fn issues_point_at_wrong_settings() {
    let engine = engine(1_000);
    let exclude = load(&engine, "exclude", tidegate_bundled_plugins::find("exclude").unwrap().bytes);
    let Err(SettingsError::Refused { issues, .. }) = exclude.validate(&json!({"globs": ["*.map", 7]})) else {
        panic!()
    };
    assert_eq!(issues[0].pointer, "/globs/1");
}

/// What must not depend on the size of batches.
fn outcome(transformed: TransformedArtifact) -> (DesiredSite, Vec<Finding>) {
    (transformed.desired, transformed.findings)
}

#[test]
fn no_sync_plugin_depends_on_batches() {
    let chains: [&[(&str, Value)]; 5] = [
        &[("exclude", json!({"globs": ["*.map", "drafts/", "/img/*7.avif"]}))],
        &[("rewrite", json!({"clean-urls": "html-to-directory", "rename": [{"prefix": "docs/", "to": "d/"}]}))],
        &[("mime", json!({}))],
        &[("headers", json!({"rules": [{"glob": "*.css", "set": {"content-language": "en"}}]}))],
        &[
            ("exclude", json!({})),
            ("rewrite", json!({"clean-urls": "strip-html"})),
            ("mime", json!({})),
            ("headers", json!({})),
        ],
    ];
    for chain in chains {
        let whole = outcome(transformed(&engine(1_000), chain));
        for batch in BATCH_SIZES {
            assert_eq!(outcome(transformed(&engine(batch), chain)), whole, "{} in batches of {batch}", chain[0].0);
        }
    }
}

/// The last call of `rewrite` returns a redirect for each page, more than 16 MiB.
#[test]
fn a_large_site_gets_a_redirect_for_each_page() {
    const PAGES: usize = 80_000;
    let files =
        Files((0..PAGES).map(|at| (format!("section-{:03}/page-{at:06}.html", at / 400), Vec::new())).collect());
    let rewrite =
        configured(&engine(1_000), "rewrite", &json!({"clean-urls": "html-to-directory", "clean-urls-links": false}));
    let transformed = transform(&[rewrite], files.artifact(), &facts(), &files, Trace::Off).unwrap();
    assert_eq!(transformed.desired.entries().len(), 2 * PAGES);
}

#[test]
fn a_typical_chain_works_as_documented() {
    let transformed = transformed(
        &engine(1_000),
        &[
            ("exclude", json!({"globs": ["*.map", "drafts/"]})),
            ("rewrite", json!({"clean-urls": "html-to-directory"})),
            ("mime", json!({})),
            ("headers", json!({})),
        ],
    );
    let desired = &transformed.desired;
    for excluded in [".DS_Store", "app.3f9a1c2b.js.map", "drafts/x.html", "_redirects", "_headers"] {
        assert!(desired.get(excluded).is_none(), "{excluded}");
    }
    let header = |key: &str, name| desired.get(key).unwrap_or_else(|| panic!("{key}")).headers.get(name);
    assert_eq!(header("about/index.html", ObjectHeader::ContentType), Some("text/html; charset=utf-8"));
    assert_eq!(header("app.3f9a1c2b.js", ObjectHeader::ContentType), Some("text/javascript; charset=utf-8"));
    assert_eq!(header("app.3f9a1c2b.js", ObjectHeader::CacheControl), Some("public, max-age=31536000, immutable"));
    assert_eq!(header("index.html", ObjectHeader::CacheControl), Some("no-cache"));
    assert_eq!(header("LICENSE", ObjectHeader::ContentType), Some("text/plain; charset=utf-8"));
    assert_eq!(header("img/0003.avif", ObjectHeader::ContentType), Some("image/avif"));
    assert_eq!(desired.get("about.html").unwrap().body.redirect().unwrap().as_str(), "/about/");
    assert_eq!(desired.get("old").unwrap().body.redirect().unwrap().as_str(), "/index.html");
    assert!(desired.get(".nojekyll").is_some());
    for usage in &transformed.usage {
        assert!(
            usage.fuel_used * 5 < usage.fuel_allowed,
            "{}: {} of {}",
            usage.plugin,
            usage.fuel_used,
            usage.fuel_allowed
        );
    }
}

#[test]
fn guard_does_not_depend_on_batches() {
    let source = Key::new("index.html").unwrap();
    let names: Vec<String> = (0..2_000).map(|at| format!("f{at:04}")).collect();
    let change =
        |key, kind| ReviewedChange { key, kind, size: 3, redirect: None, headers: None, reason: "new", source: None };
    let judged = |batch: usize, deleted: usize, extra: Option<&'static str>| {
        let engine = engine(batch);
        let mut changes: Vec<ReviewedChange<'_>> = names
            .iter()
            .enumerate()
            .map(|(at, name)| {
                change(name.as_str(), if at < deleted { ReviewedKind::Delete } else { ReviewedKind::Keep })
            })
            .collect();
        changes.extend(extra.map(|key| ReviewedChange { source: Some(&source), ..change(key, ReviewedKind::Create) }));
        let total = |name: &str, count: usize| (name.to_owned(), count as u64);
        let published = 2_000 - deleted + usize::from(extra.is_some());
        let totals = vec![
            total("create", usize::from(extra.is_some())),
            total("update", 0),
            total("headers", 0),
            total("delete", deleted),
            total("keep", 2_000 - deleted),
            total("source-objects", published),
            total("published-objects", published),
            total("published-bytes", published * 3),
            total("site-objects", 2_000),
            total("bytes-to-write", 3),
        ];
        let files = build();
        let mut judgements = policy::review(
            &[configured(&engine, "guard", &json!({}))],
            &PlanReview::new(changes, totals),
            &facts(),
            &files,
        );
        let judgement = judgements.remove(0);
        assert_eq!(judgement.failure, None);
        (judgement.verdict, judgement.findings)
    };
    assert_eq!(judged(1_000, 10, None), (Verdict::Allow, Vec::new()));
    for (deleted, extra) in [(1_500, None), (3, Some("config/.env"))] {
        let whole = judged(1_000, deleted, extra);
        assert_eq!(whole.0, Verdict::Deny);
        assert!(!whole.1.is_empty());
        for batch in BATCH_SIZES {
            assert_eq!(judged(batch, deleted, extra), whole, "in batches of {batch}");
        }
    }
}
