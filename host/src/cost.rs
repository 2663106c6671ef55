//! What a run cost, beside its limits, and the largest site that a plugin could process at that cost.

use std::time::Duration;

use serde::Serialize;
use tidegate_core::content::ContentReader;
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::run_facts::RunFacts;

use super::configured::ConfiguredPlugin;
use super::limits::Limits;
use super::observed::{ObservedRun, RunInput, observe_empty, observe_first};

/// A resource that a run used, and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ResourceCost {
    /// The resource.
    pub resource: Resource,
    /// How much was used.
    pub used: u64,
    /// How much is allowed for these objects and reads.
    pub limit: u64,
}

/// A limited resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// Fuel, in units.
    Fuel,
    /// Time in the plugin, in microseconds.
    Time,
    /// Linear memory, in bytes.
    Memory,
    /// Reads of content.
    Reads,
    /// Bytes of content.
    ReadBytes,
    /// Bytes of answers.
    AnswerBytes,
}

/// What a run cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PluginCost {
    /// Each resource.
    pub resources: Vec<ResourceCost>,
    /// Fuel for each object, without what a run without objects uses.
    pub fuel_per_object: Option<u64>,
    /// Time in the plugin for each object, in nanoseconds, without that of a run without objects.
    pub nanoseconds_per_object: Option<u64>,
    /// The largest site at this cost for each object; `None` if every limit grows faster than the cost.
    pub largest_site: Option<LargestSite>,
}

/// The largest site that a plugin can process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LargestSite {
    /// About this many objects.
    pub objects: u64,
    /// The resource that limits it.
    pub limited_by: Resource,
}

impl Resource {
    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fuel => "fuel",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Reads => "reads",
            Self::ReadBytes => "bytes read",
            Self::AnswerBytes => "answer bytes",
        }
    }
}

impl ResourceCost {
    /// What is left of the limit, in percent.
    #[must_use]
    pub fn headroom_percent(&self) -> f64 {
        if self.limit == 0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
        let share = self.used as f64 / self.limit as f64;
        (1.0 - share).max(0.0) * 100.0
    }
}

/// Smaller runs of the same plugin, which show how its cost grows.
#[derive(Debug)]
pub struct Baselines {
    /// Without objects.
    empty: ObservedRun,
    /// With the first batch, if there are more objects. Memory grows with every batch up to a whole one, and then only
    /// with what the plugin keeps.
    batch: Option<ObservedRun>,
}

impl Baselines {
    /// Runs the plugin. Blocks.
    #[must_use]
    pub fn observe(
        configured: &ConfiguredPlugin,
        input: RunInput<'_>,
        facts: &RunFacts,
        content: &dyn ContentReader,
    ) -> Self {
        let batch = configured.plugin().limits().batch;
        let objects = match input {
            RunInput::Site(desired) => desired.entries().len(),
            RunInput::Plan(plan) => plan.changes().len(),
        };
        let first = || observe_first(configured, input, batch, facts, content);
        Self { empty: observe_empty(configured, facts), batch: (objects > batch).then(first) }
    }
}

/// How one resource grows: what a run without objects uses and may use, and what one with objects does.
struct Growth {
    resource: Resource,
    base: u64,
    used: u64,
    base_limit: u64,
    limit: u64,
}

impl Growth {
    /// The number of objects at which the use reaches the limit, if it grows faster.
    fn largest(&self, objects: u64) -> Option<LargestSite> {
        let used = u128::from(self.used.saturating_sub(self.base));
        let allowed = u128::from(self.limit.saturating_sub(self.base_limit));
        let faster = used.checked_sub(allowed).filter(|faster| *faster > 0)?;
        let room = u128::from(self.base_limit.saturating_sub(self.base)).checked_mul(u128::from(objects))?;
        let objects = u64::try_from(room / faster).ok()?;
        Some(LargestSite { objects, limited_by: self.resource })
    }
}

impl PluginCost {
    /// The cost of a run.
    #[must_use]
    pub fn new(run: &ObservedRun, baselines: &Baselines, limits: &Limits) -> Self {
        let Baselines { empty, batch } = baselines;
        let (usage, base) = (&run.usage, &empty.usage);
        let objects = usage.objects;
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let growth = |resource, used: fn(&PluginUsage) -> u64, base_limit, limit| Growth {
            resource,
            base: used(base),
            used: used(usage),
            base_limit,
            limit,
        };
        let time: fn(&PluginUsage) -> u64 = |usage| u64::try_from(usage.wall.as_micros()).unwrap_or(u64::MAX);
        let mut all = vec![
            growth(Resource::Fuel, |usage| usage.fuel_used, limits.fuel_for(0), usage.fuel_allowed),
            growth(Resource::Time, time, micros(limits.time_for(0)), micros(limits.time_for(objects))),
            growth(Resource::Memory, |usage| usage.memory_peak, limits.memory_bytes, limits.memory_bytes),
            growth(Resource::Reads, |usage| usage.reads, limits.reads_for(0), limits.reads_for(objects)),
            growth(
                Resource::ReadBytes,
                |usage| usage.bytes_read,
                limits.read_bytes_for(0),
                limits.read_bytes_for(objects),
            ),
        ];
        if let Some(used) = run.answer_bytes {
            let base = empty.answer_bytes.unwrap_or(0);
            let (base_limit, limit) = (limits.answer_bytes_for(0), limits.answer_bytes_for(objects));
            all.push(Growth { resource: Resource::AnswerBytes, base, used, base_limit, limit });
        }
        // However many objects there are, a run has only so much time.
        let most = micros(limits.max_time);
        let whole = Growth { base_limit: most, limit: most, ..growth(Resource::Time, time, most, most) };
        let all_but_memory = all.iter().filter(|growth| growth.resource != Resource::Memory);
        let largest = all_but_memory.chain([&whole]).filter_map(|growth| growth.largest(objects));
        let largest = largest.chain(batch.as_ref().and_then(|batch| largest_in_memory(usage, &batch.usage, limits)));
        let each = |used: u64, base: u64| used.saturating_sub(base).checked_div(objects);
        let nanoseconds = usage.wall.saturating_sub(base.wall).as_nanos().checked_div(u128::from(objects));
        Self {
            fuel_per_object: each(usage.fuel_used, base.fuel_used),
            nanoseconds_per_object: nanoseconds.and_then(|each| u64::try_from(each).ok()),
            largest_site: largest.min_by_key(|largest| largest.objects).filter(|_| objects > 0),
            resources: all
                .iter()
                .map(|Growth { resource, used, limit, .. }| ResourceCost {
                    resource: *resource,
                    used: *used,
                    limit: *limit,
                })
                .collect(),
        }
    }
}

/// The largest site for which the memory suffices, by its growth after the first batch.
fn largest_in_memory(usage: &PluginUsage, batch: &PluginUsage, limits: &Limits) -> Option<LargestSite> {
    let limit = limits.memory_bytes;
    let (base, used) = (batch.memory_peak, usage.memory_peak);
    let growth = Growth { resource: Resource::Memory, base, used, base_limit: limit, limit };
    let more = growth.largest(usage.objects.checked_sub(batch.objects)?)?;
    Some(LargestSite { objects: more.objects.saturating_add(batch.objects), ..more })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(base: u64, used: u64, base_limit: u64, limit: u64) -> Growth {
        Growth { resource: Resource::Fuel, base, used, base_limit, limit }
    }

    #[test]
    fn a_site_is_as_large_as_its_limit_allows() {
        // 10 for each object, and 4 of them are allowed: 6 come from the base of 1,000, of which 40 are used.
        let largest = growth(40, 140, 1_000, 1_040).largest(10).unwrap();
        assert_eq!(largest.objects, 160);
        let at = |objects: u64| (40 + 10 * objects, 1_000 + 4 * objects);
        assert!(at(160).0 <= at(160).1 && at(161).0 > at(161).1);
        assert_eq!(growth(40, 80, 1_000, 1_040).largest(10), None, "the limit grows as fast");
        assert_eq!(growth(0, u64::MAX, 10, 10).largest(1).unwrap().objects, 0);
    }

    #[test]
    fn memory_grows_with_what_a_plugin_keeps_after_a_batch() {
        let usage = |objects, memory_peak| PluginUsage { objects, memory_peak, ..PluginUsage::default() };
        let limits = Limits::default();
        // 16 bytes for each object after the first thousand.
        let largest = largest_in_memory(&usage(3_000, 1_032_000), &usage(1_000, 1_000_000), &limits).unwrap();
        assert_eq!(largest.objects, 1_000 + (limits.memory_bytes - 1_000_000) / 16);
        // Nothing.
        assert_eq!(largest_in_memory(&usage(3_000, 1_000_000), &usage(1_000, 1_000_000), &limits), None);
    }
}
