//! A publish that several workers carry out: [`Publisher::start_distributed`] plans and stores the plan as shards,
//! [`Publisher::execute_shard`] carries out one of them, and [`Publisher::finish_distributed`] does what follows.
//!
//! All three belong to one execution, hold the lease under its name, and can die at any request and be repeated. The last
//! one is an ordinary publish: it plans again and finds what workers wrote by their results. Without it, the next publish
//! of the site does the same.

mod start;
mod worker;

use serde::{Deserialize, Serialize};
use tidegate_core::approval::Approval;
use tidegate_core::config::Site;
use tidegate_core::lease::{ExecutionName, LeaseTerm};
use tidegate_core::plan::shards::{PlanShard, ShardPhase};
use tidegate_core::release::ReleaseId;
use tidegate_core::report::{FailedOperation, PublishReport};
use tidegate_core::request::PublishRequest;

use super::PlannedPublish;
use super::error::PublishError;
use super::run::{Publisher, Run};

/// What [`Publisher::start_distributed`] did.
#[derive(Debug)]
pub enum DistributedStart {
    /// Everything: the plan is small or empty, or must not be carried out.
    Finished(Box<PublishReport>),
    /// The plan is stored. Workers carry it out next.
    Started(DistributedRun),
}

/// A publish whose shards are to be carried out, phase after phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistributedRun {
    /// The release that the run announced.
    pub release: ReleaseId,
    /// The lease that workers share.
    pub lease: LeaseTerm,
    /// The shards, by phase and key.
    pub shards: Vec<PlanShard>,
}

/// The work of one worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardTask {
    /// The release that the run announced.
    pub release: ReleaseId,
    /// The number of the shard.
    pub shard: u32,
    /// The lease that workers share.
    pub lease: LeaseTerm,
}

/// What a worker did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardSummary {
    /// The release that the run announced.
    pub release: ReleaseId,
    /// The number of the shard.
    pub shard: u32,
    /// Its phase.
    pub phase: ShardPhase,
    /// Operations that are done. With those of all its operations, the shard is done.
    pub done: u64,
    /// Operations that failed.
    pub failed: u64,
    /// Operations that were not tried.
    pub skipped: u64,
    /// Bytes of the shard, if it is done.
    pub bytes: u64,
    /// The first failures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedOperation>,
}

impl DistributedRun {
    /// The tasks of a phase. They can run in any order and more than once.
    pub fn tasks(&self, phase: ShardPhase) -> impl Iterator<Item = ShardTask> {
        let shards = self.shards.iter().filter(move |shard| shard.phase == phase);
        shards.map(|shard| ShardTask { release: self.release, shard: shard.number, lease: self.lease.clone() })
    }
}

impl ShardSummary {
    /// Whether every operation of the shard is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.failed + self.skipped == 0
    }
}

impl Publisher {
    /// Plans a site, and stores the plan as shards if it has at least so many operations. Otherwise it is published as by
    /// [`Publisher::publish`]. `on_plan` sees the plan before anything is written.
    ///
    /// # Errors
    /// [`PublishError`]: nothing was changed. [`super::ShardError::LocalSource`] if workers elsewhere cannot read the source.
    pub async fn start_distributed(
        &self,
        execution: &ExecutionName,
        request: &PublishRequest,
        site: &Site,
        approval: Approval,
        at_least: u64,
        on_plan: impl FnOnce(&PlannedPublish),
    ) -> Result<DistributedStart, PublishError> {
        let run = Run { execution: Some(execution), publisher: self, request, site };
        Box::pin(start::start(run, approval, at_least, on_plan)).await
    }

    /// Carries out one shard. If that was done before, nothing is written.
    ///
    /// # Errors
    /// [`PublishError`], such as a lost lease. Failed operations are in the summary.
    pub async fn execute_shard(&self, site: &Site, task: &ShardTask) -> Result<ShardSummary, PublishError> {
        self.unless_cancelled(Box::pin(worker::execute(self, site, task))).await
    }

    /// Publishes a site as [`Publisher::publish`] does, after workers of the execution wrote what they could.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub async fn finish_distributed(
        &self,
        execution: &ExecutionName,
        request: &PublishRequest,
        site: &Site,
        approval: Approval,
        on_plan: impl FnOnce(&PlannedPublish),
    ) -> Result<PublishReport, PublishError> {
        let run = Run { execution: Some(execution), publisher: self, request, site };
        Box::pin(run.publish(approval, None, on_plan)).await
    }
}
