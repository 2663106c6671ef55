//! How far the workers of a stored plan are: shards with a result, and when each result was stored.

use std::collections::BTreeMap;

use serde::Serialize;

use super::shards::{PlanShard, ShardIndex, ShardPhase};
use crate::external_text::ExternalText;
use crate::release::ReleaseId;
use crate::timestamp::Timestamp;

/// Shortest time that measures a rate, in milliseconds: the first shards of all workers end at nearly the same moment.
const MEASURABLE: u64 = 10_000;

/// How far an execution is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ShardProgress {
    /// The release that it makes.
    pub release_id: ReleaseId,
    /// The name of the release.
    pub release: ExternalText,
    /// The execution, if it still holds the lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// Phases with shards, in order.
    pub phases: Vec<PhaseProgress>,
    /// Operations a second, from 10 seconds after the first shard on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations_per_second: Option<u64>,
    /// Bytes a second that are sent or copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// Estimated seconds until all shards are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
}

/// How far a phase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PhaseProgress {
    /// The phase.
    pub phase: ShardPhase,
    /// What is done.
    pub done: ShardCounts,
    /// All of it.
    pub total: ShardCounts,
}

/// Counts of shards, and of what is in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ShardCounts {
    /// Shards.
    pub shards: u64,
    /// Operations.
    pub operations: u64,
    /// Bytes that are sent or copied.
    pub bytes: u64,
}

impl ShardCounts {
    fn add(&mut self, shard: &PlanShard) {
        self.shards += 1;
        self.operations += shard.operations;
        self.bytes += shard.bytes;
    }

    fn sum(all: impl Iterator<Item = Self>) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            shards: sum.shards + one.shards,
            operations: sum.operations + one.operations,
            bytes: sum.bytes + one.bytes,
        })
    }
}

impl ShardProgress {
    /// The progress of a stored plan. `results` says when the result of each shard was stored.
    #[must_use]
    pub fn new(
        release_id: ReleaseId,
        index: &ShardIndex,
        results: &BTreeMap<u32, Timestamp>,
        execution: Option<String>,
    ) -> Self {
        let phase = |phase| {
            let (mut done, mut total) = (ShardCounts::default(), ShardCounts::default());
            for shard in index.shards.iter().filter(|shard| shard.phase == phase) {
                total.add(shard);
                if results.contains_key(&shard.number) {
                    done.add(shard);
                }
            }
            PhaseProgress { phase, done, total }
        };
        let phases = ShardPhase::ALL.map(phase).into_iter().filter(|phase| phase.total.shards > 0).collect();
        let mut progress = Self {
            release_id,
            release: index.plan.release.clone(),
            execution,
            phases,
            operations_per_second: None,
            bytes_per_second: None,
            seconds_left: None,
        };
        progress.measure(index, results);
        progress
    }

    /// What is done.
    #[must_use]
    pub fn done(&self) -> ShardCounts {
        ShardCounts::sum(self.phases.iter().map(|phase| phase.done))
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> ShardCounts {
        ShardCounts::sum(self.phases.iter().map(|phase| phase.total))
    }

    /// Measures from the first result on: when its shard began is not known.
    fn measure(&mut self, index: &ShardIndex, results: &BTreeMap<u32, Timestamp>) {
        let times = || results.values().map(|time| time.milliseconds());
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return };
        let milliseconds = last.saturating_sub(first);
        if milliseconds < MEASURABLE {
            return;
        }
        let later = |shard: &&PlanShard| results.get(&shard.number).is_some_and(|time| time.milliseconds() > first);
        let mut since = ShardCounts::default();
        index.shards.iter().filter(later).for_each(|shard| since.add(shard));
        let per_second = |count: u64| count.saturating_mul(1_000) / milliseconds;
        let rate = per_second(since.operations);
        let left = self.total().operations.saturating_sub(self.done().operations);
        self.operations_per_second = Some(rate);
        self.bytes_per_second = Some(per_second(since.bytes));
        self.seconds_left = left.checked_div(rate);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::stored::tests::plan;
    use super::*;
    use crate::key::StoredKey;
    use crate::release::FORMAT;

    fn index() -> ShardIndex {
        let shard = |number, phase| PlanShard {
            number,
            phase,
            first: StoredKey::new("a"),
            last: StoredKey::new("b"),
            operations: 100,
            bytes: 1_000,
            sha256: String::new(),
        };
        let shards = [ShardPhase::Assets, ShardPhase::Assets, ShardPhase::Assets, ShardPhase::Pages];
        let shards = (1..).zip(shards).map(|(number, phase)| shard(number, phase)).collect();
        ShardIndex { format: FORMAT, plan: plan(&BTreeMap::new()).head(), staged: None, shards }
    }

    fn progress(results: &[(u32, u64)]) -> ShardProgress {
        let results = results.iter().map(|(number, at)| (*number, Timestamp::from_milliseconds(*at))).collect();
        ShardProgress::new(ReleaseId::default(), &index(), &results, None)
    }

    #[test]
    fn phases_without_shards_are_left_out() {
        let progress = progress(&[]);
        let phases: Vec<_> = progress.phases.iter().map(|phase| (phase.phase, phase.total.shards)).collect();
        assert_eq!(phases, [(ShardPhase::Assets, 3), (ShardPhase::Pages, 1)]);
        assert_eq!((progress.done().operations, progress.total().operations), (0, 400));
        assert_eq!(progress.seconds_left, None);
    }

    #[test]
    fn the_rate_counts_from_the_first_result() {
        let progress = progress(&[(1, 10_000), (2, 20_000), (3, 30_000)]);
        assert_eq!(progress.operations_per_second, Some(10));
        assert_eq!((progress.bytes_per_second, progress.seconds_left), (Some(100), Some(10)));
        assert_eq!(progress.done(), ShardCounts { shards: 3, operations: 300, bytes: 3_000 });
    }

    #[test]
    fn results_at_nearly_the_same_time_measure_nothing() {
        assert_eq!(progress(&[(1, 10_000)]).operations_per_second, None);
        assert_eq!(progress(&[(1, 10_000), (2, 19_999)]).operations_per_second, None);
    }
}
