//! One run of one plugin over a listing, and what it took.
//!
//! Owns the settings that plugins are measured with and the plan that policies are shown: every object is new and has
//! two headers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidegate_core::headers::{ObjectHeader, ObjectHeaders};
use tidegate_core::plan::PlanTotals;
use tidegate_core::plan_review::{PlanReview, ReviewedChange, ReviewedKind, Verdict};
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::run_facts::RunFacts;
use tidegate_host::sync::{Trace, transform};
use tidegate_host::{ConfiguredPlugin, PluginKind, policy};

use crate::Failure;
use crate::listing::FigureListing;
use crate::sample::nanoseconds;

/// What one run took.
pub(crate) struct Took {
    /// In the plugin: its instantiation, its code and the passing of values; not the host's reads for it.
    pub(crate) plugin: Duration,
    /// All that a publish waits for: the plugin, the host's reads, the checks of its answers and what they do.
    whole: Duration,
    usage: PluginUsage,
}

/// Settings as a site has them: about a dozen rules where a plugin has rules.
pub(crate) fn settings(plugin: &str) -> Value {
    match plugin {
        "exclude" => json!({ "globs": ["*.map", "drafts/", "!drafts/ready.html", "**/tests/**", "*.{psd,ai}"] }),
        "rewrite" => json!({
            "clean-urls": "html-to-directory",
            "rename": [
                { "prefix": "en/", "to": "" },
                { "pattern": "blog/(\\d{4})-\\d\\d-\\d\\d-(?<slug>.+)\\.html", "to": "posts/$1/${slug}.html" },
            ],
            "redirects": [{ "from": "/start", "to": "/" }],
        }),
        "headers" => json!({ "rules": [
            { "glob": "/assets/", "set": { "cache-control": "public, max-age=31536000, immutable" } },
            { "glob": "/de/", "set": { "content-language": "de" } },
            { "glob": "*.pdf", "set": { "content-disposition": "attachment" }, "remove": ["expires"] },
        ] }),
        "guard" => json!({ "max-deletes": 200, "max-delete-share": 0.2, "max-object-bytes": 1_000_000_000 }),
        _ => json!({}),
    }
}

/// Runs a plugin so many times after a first one, and reports the run with the median time in the plugin.
pub(crate) fn measured(
    configured: &ConfiguredPlugin,
    listing: &FigureListing,
    repeats: usize,
) -> Result<Value, Failure> {
    run(configured, listing)?;
    let mut runs = (0..repeats).map(|_| run(configured, listing)).collect::<Result<Vec<_>, _>>()?;
    runs.sort_by_key(|took| took.plugin);
    let took = runs.get(runs.len() / 2).ok_or("nothing was measured")?;
    let mut whole: Vec<Duration> = runs.iter().map(|took| took.whole).collect();
    whole.sort();
    Ok(json!({
        "objects": took.usage.objects,
        "plugin_ns": nanoseconds(took.plugin),
        "whole_ns": nanoseconds(whole.get(whole.len() / 2).copied().unwrap_or_default()),
        "reading_ns": nanoseconds(took.usage.reading),
        "reads": took.usage.reads,
        "fuel": took.usage.fuel_used,
        "fuel_allowed": took.usage.fuel_allowed,
        "memory_peak": took.usage.memory_peak,
    }))
}

/// Runs a plugin once. A plugin that fails or denies is an error: its time would mean nothing.
pub(crate) fn run(configured: &ConfiguredPlugin, listing: &FigureListing) -> Result<Took, Failure> {
    match configured.plugin().kind() {
        PluginKind::Sync => shaped(configured, listing),
        PluginKind::Policy => judged(configured, listing),
    }
}

fn facts() -> RunFacts {
    RunFacts {
        site: "bench".to_owned(),
        release: "bench".to_owned(),
        instant: 1_700_000_000_000,
        attributes: BTreeMap::from([("trigger".to_owned(), "cli".to_owned())]),
    }
}

fn shaped(configured: &ConfiguredPlugin, listing: &FigureListing) -> Result<Took, Failure> {
    let started = Instant::now();
    let shaped = transform(std::slice::from_ref(configured), &listing.artifact, &facts(), listing, Trace::Off)?;
    let whole = started.elapsed();
    let usage = shaped.usage.into_iter().next().ok_or("a run without a record of it")?;
    Ok(Took { plugin: usage.wall, whole, usage })
}

fn judged(configured: &ConfiguredPlugin, listing: &FigureListing) -> Result<Took, Failure> {
    let mut headers = ObjectHeaders::default();
    headers.set(ObjectHeader::ContentType, "text/html; charset=utf-8")?;
    headers.set(ObjectHeader::CacheControl, "no-cache")?;
    let items = listing.artifact.items();
    let objects = items.len() as u64;
    let totals = PlanTotals {
        create: objects,
        source_objects: objects,
        published_objects: objects,
        published_bytes: listing.artifact.bytes(),
        ..PlanTotals::default()
    };
    let started = Instant::now();
    let changes = items.iter().map(|item| ReviewedChange {
        key: item.key.as_str(),
        kind: ReviewedKind::Create,
        size: item.size,
        redirect: None,
        headers: Some(&headers),
        reason: "new",
        source: Some(&item.key),
    });
    let review = PlanReview::new(changes.collect(), totals.named());
    let judgements = policy::review(std::slice::from_ref(configured), &review, &facts(), listing);
    let whole = started.elapsed();
    let judgement = judgements.into_iter().next().ok_or("a policy without a judgement")?;
    // Nothing to publish is what `guard` is there to deny.
    if judgement.failure.is_some() || (objects > 0 && judgement.verdict != Verdict::Allow) {
        return Err(format!("`{}` does not allow the plan: {:?}", configured.name(), judgement.findings).into());
    }
    Ok(Took { plugin: judgement.usage.wall, whole, usage: judgement.usage })
}
