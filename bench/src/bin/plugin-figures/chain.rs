//! Runs five plugins one after another, as a publish does, over a listing without reads of content.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidegate_core::plan::PlanTotals;
use tidegate_core::plan_review::{PlanReview, ReviewedChange, ReviewedKind};
use tidegate_host::sync::{Trace, transform};
use tidegate_host::{ConfiguredPlugin, Engine, Plugin, policy};

use crate::Failure;
use crate::listing::FigureListing;
use crate::run::{facts, settings};
use crate::sample::nanoseconds;

/// The sync plugins of the chain. `guard` reviews what they publish.
const SYNC: [&str; 4] = ["exclude", "rewrite", "mime", "headers"];

/// One run of the chain.
struct ChainRun {
    whole: Duration,
    objects: u64,
    /// Time in each plugin.
    plugins: Vec<(String, Duration)>,
}

/// Runs the chain repeatedly after a warm-up run, and returns the run with the median time.
pub(crate) fn measure(engine: &Engine, listing: &FigureListing, repeats: usize) -> Result<Value, Failure> {
    let sync = SYNC.iter().map(|name| load(engine, name)).collect::<Result<Vec<_>, _>>()?;
    let guard = load(engine, "guard")?;
    run(&sync, &guard, listing)?;
    let mut runs = (0..repeats).map(|_| run(&sync, &guard, listing)).collect::<Result<Vec<_>, _>>()?;
    runs.sort_by_key(|run| run.whole);
    let median = runs.get(runs.len() / 2).ok_or("no run was measured")?;
    let plugins = median.plugins.iter().map(|(name, time)| json!({ "name": name, "plugin_ns": nanoseconds(*time) }));
    Ok(json!({
        "objects": median.objects,
        "whole_ns": nanoseconds(median.whole),
        "plugins": plugins.collect::<Vec<_>>(),
    }))
}

fn load(engine: &Engine, name: &str) -> Result<ConfiguredPlugin, Failure> {
    let mut bundled = tidegate_bundled_plugins::PLUGINS.iter();
    let bundled = bundled.find(|plugin| plugin.name == name).ok_or("the plugin is not bundled")?;
    let mut settings = settings(name);
    let without_reads = match name {
        // Redirects would be further objects.
        "rewrite" => json!({ "clean-urls-links": false, "clean-urls-redirects": false }),
        "mime" => json!({ "sniff": false }),
        _ => json!({}),
    };
    if let (Some(settings), Value::Object(without_reads)) = (settings.as_object_mut(), without_reads) {
        settings.extend(without_reads);
    }
    Ok(Plugin::load(engine, None, bundled.name, bundled.bytes)?.validate(&settings)?)
}

fn run(sync: &[ConfiguredPlugin], guard: &ConfiguredPlugin, listing: &FigureListing) -> Result<ChainRun, Failure> {
    let started = Instant::now();
    let transformed = transform(sync, &listing.artifact, &facts(), listing, Trace::Off)?;
    let entries = transformed.desired.entries();
    let objects = entries.len() as u64;
    let totals =
        PlanTotals { create: objects, source_objects: objects, published_objects: objects, ..PlanTotals::default() };
    let changes = entries.iter().map(|entry| ReviewedChange::of_entry(entry, ReviewedKind::Create, "new"));
    let review = PlanReview::new(changes.collect(), totals.named());
    let judgements = policy::review(std::slice::from_ref(guard), &review, &facts(), listing);
    let whole = started.elapsed();
    let judgement = judgements.into_iter().next().ok_or("the policy has no judgement")?;
    if let Some(failure) = judgement.failure {
        return Err(failure.into());
    }
    let plugins = transformed.usage.iter().chain([&judgement.usage]);
    let plugins = plugins.map(|usage| (usage.plugin.clone(), usage.wall)).collect();
    Ok(ChainRun { whole, objects, plugins })
}
