//! Runs one plugin over a listing and measures it. In the plan for policies every object is new and has two headers.

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

/// The cost of one run.
pub(crate) struct RunCost {
    /// Time in the plugin: its instantiation, its code and the conversion of values, without the host's reads.
    pub(crate) plugin: Duration,
    /// Time of the whole step of a publish: the plugin, the host's reads, and the validation and application of its answers.
    whole: Duration,
    usage: PluginUsage,
}

/// Typical settings of a site, with a few rules if the plugin has rules.
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
        "budget" => json!({
            "rules": [{ "files": "*.js", "max-file": "100 MB", "max-total": "100 GB" }],
            "pages": { "max": "1 GB" },
        }),
        // A listing that is repeated has links to what is not repeated, and documentation has secrets of examples.
        "leaks" => json!({ "on-violation": "report" }),
        "links" => json!({ "on-violation": { "links": "report", "assets": "report" } }),
        _ => json!({}),
    }
}

/// Runs a plugin repeatedly after a warm-up run, and returns the run with the median time in the plugin.
pub(crate) fn measure(
    configured: &ConfiguredPlugin,
    listing: &FigureListing,
    repeats: usize,
) -> Result<Value, Failure> {
    run(configured, listing)?;
    let mut runs = (0..repeats).map(|_| run(configured, listing)).collect::<Result<Vec<_>, _>>()?;
    runs.sort_by_key(|run| run.plugin);
    let median = runs.get(runs.len() / 2).ok_or("no run was measured")?;
    let mut whole: Vec<Duration> = runs.iter().map(|run| run.whole).collect();
    whole.sort();
    Ok(json!({
        "objects": median.usage.objects,
        "plugin_ns": nanoseconds(median.plugin),
        "whole_ns": nanoseconds(whole.get(whole.len() / 2).copied().unwrap_or_default()),
        "reading_ns": nanoseconds(median.usage.reading),
        "reads": median.usage.reads,
        "fuel": median.usage.fuel_used,
        "fuel_allowed": median.usage.fuel_allowed,
        "memory_peak": median.usage.memory_peak,
    }))
}

/// Runs a plugin once. A plugin that fails or denies is an error, because its time is not meaningful.
pub(crate) fn run(configured: &ConfiguredPlugin, listing: &FigureListing) -> Result<RunCost, Failure> {
    match configured.plugin().kind() {
        PluginKind::Sync => run_sync(configured, listing),
        PluginKind::Policy => run_policy(configured, listing),
    }
}

pub(crate) fn facts() -> RunFacts {
    RunFacts {
        site: "bench".to_owned(),
        release: "bench".to_owned(),
        instant: 1_700_000_000_000,
        attributes: BTreeMap::from([("trigger".to_owned(), "cli".to_owned())]),
    }
}

fn run_sync(configured: &ConfiguredPlugin, listing: &FigureListing) -> Result<RunCost, Failure> {
    let started = Instant::now();
    let transformed = transform(std::slice::from_ref(configured), &listing.artifact, &facts(), listing, Trace::Off)?;
    let whole = started.elapsed();
    let usage = transformed.usage.into_iter().next().ok_or("the run has no usage record")?;
    Ok(RunCost { plugin: usage.wall, whole, usage })
}

fn run_policy(configured: &ConfiguredPlugin, listing: &FigureListing) -> Result<RunCost, Failure> {
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
    let judgement = judgements.into_iter().next().ok_or("the policy has no judgement")?;
    // `guard` denies a plan without objects, which is not an error here.
    if judgement.failure.is_some() || (objects > 0 && judgement.verdict != Verdict::Allow) {
        return Err(format!("policy `{}` did not allow the plan: {:?}", configured.name(), judgement.findings).into());
    }
    Ok(RunCost { plugin: judgement.usage.wall, whole, usage: judgement.usage })
}
