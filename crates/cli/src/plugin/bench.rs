//! `tidegate plugin bench`: time, fuel and memory of a plugin in repeated runs.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;
use tidegate_core::text::count;
use tidegate_host::Plugin;
use tidegate_host::cost::{Baselines, PluginCost};
use tidegate_host::observed::{ObservedRun, observe};

use super::input::TrialInput;
use super::render;
use super::subject::SubjectInfo;
use crate::arguments::{CommonArguments, PluginBenchArguments};
use crate::context::component_loader;
use crate::error::{CliError, ExitStatus};
use crate::output::print_json;

/// Compilations that are measured.
const COMPILATIONS: usize = 3;

pub(super) async fn bench(common: &CommonArguments, arguments: &PluginBenchArguments) -> Result<ExitStatus, CliError> {
    let input = TrialInput::open(common, &arguments.input).await?;
    let compile = load_times(&input, false)?;
    let load = load_times(&input, true)?;
    let (configured, runs) = (input.configured.clone(), arguments.runs);
    let (measured, baselines) = input
        .trial
        .with(move |given, facts, content| {
            let baselines = Baselines::observe(&configured, given, facts, content);
            // The first run is not measured: it fills caches.
            let runs = (0..=runs).map(|_| observe(&configured, given, facts, content));
            (runs.skip(1).collect::<Vec<ObservedRun>>(), baselines)
        })
        .await?;
    if let Some(failure) = measured.iter().find_map(|run| run.failure.clone()) {
        return Err(CliError::Plugin(failure));
    }
    let Some(last) = measured.last() else { return Ok(ExitStatus::Success) };
    let cost = PluginCost::new(last, &baselines, input.limits());
    let usage = &last.usage;
    let run = Spread::of(measured.iter().map(|run| run.usage.wall));
    let result = BenchResult {
        subject: input.subject.info(input.configured.plugin()),
        source: input.source.to_string(),
        objects: usage.objects,
        runs: arguments.runs,
        ns_per_object: run.median_ns.checked_div(usage.objects),
        run,
        reading: Spread::of(measured.iter().map(|run| run.usage.reading)),
        fuel: usage.fuel_used,
        fuel_per_object: cost.fuel_per_object,
        memory_peak: usage.memory_peak,
        reads: usage.reads,
        bytes_read: usage.bytes_read,
        compile,
        load,
    };
    if common.json {
        print_json(&result)?;
    } else {
        result.print();
    }
    Ok(ExitStatus::Success)
}

/// Times to load the plugin: from the cache, or with the compiler.
fn load_times(input: &TrialInput, cached: bool) -> Result<Spread, CliError> {
    let mut loader = component_loader(std::path::Path::new(""))?;
    if !cached {
        loader.cache = None;
    }
    let times = (0..COMPILATIONS).map(|_| input.subject.load_with(&loader).map(|plugin| Plugin::load_time(&plugin)));
    Ok(Spread::of(times.collect::<Result<Vec<_>, _>>()?.into_iter()))
}

/// The median of some times, and how far they spread.
#[derive(Serialize)]
struct Spread {
    median_ns: u64,
    min_ns: u64,
    max_ns: u64,
}

impl Spread {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<u64> = times.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).collect();
        times.sort_unstable();
        let at = |index: usize| times.get(index).copied().unwrap_or_default();
        Self { median_ns: at(times.len() / 2), min_ns: at(0), max_ns: at(times.len().saturating_sub(1)) }
    }

    fn text(&self) -> String {
        let Self { median_ns, min_ns, max_ns } = self;
        let [median, min, max] = [median_ns, min_ns, max_ns].map(|time| render::nanoseconds(*time));
        format!("{median}  ({min} to {max})")
    }
}

#[derive(Serialize)]
struct BenchResult {
    #[serde(flatten)]
    subject: SubjectInfo,
    source: String,
    objects: u64,
    runs: u32,
    /// Time in the plugin.
    run: Spread,
    ns_per_object: Option<u64>,
    /// Time of reads by the host.
    reading: Spread,
    fuel: u64,
    fuel_per_object: Option<u64>,
    memory_peak: u64,
    reads: u64,
    bytes_read: u64,
    /// Time to compile the component.
    compile: Spread,
    /// Time to load its code from the cache.
    load: Spread,
}

impl BenchResult {
    fn print(&self) {
        render::subject(&self.subject);
        outln!("  {} from {}, {}", count(self.objects, "object"), self.source, count(self.runs, "run"));
        outln!("  run         {}", self.run.text());
        if let (Some(time), Some(fuel)) = (self.ns_per_object, self.fuel_per_object) {
            outln!("  per object  {}, {} units of fuel", render::nanoseconds(time), HumanCount(fuel));
        }
        outln!("  fuel        {}", HumanCount(self.fuel));
        outln!("  memory      {}", HumanBytes(self.memory_peak));
        if self.reads > 0 {
            let reads = count(self.reads, "read");
            outln!("  content     {reads}, {}, {}", HumanBytes(self.bytes_read), self.reading.text());
        }
        outln!("  compile     {}", self.compile.text());
        outln!("  from cache  {}", self.load.text());
    }
}
