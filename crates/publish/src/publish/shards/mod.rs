//! A publish that several workers carry out: [`Publisher::start_distributed`] plans and stores the plan as shards,
//! [`Publisher::execute_shard`] carries out one of them, and [`Publisher::finish_distributed`] does what follows.
//!
//! All three belong to one execution, hold the lease under its name, and can die at any request and be repeated. The last
//! one is an ordinary publish: it plans again and finds what workers wrote by their results. Without it, the next publish
//! of the site does the same.

mod start;
mod worker;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use tidegate_core::approval::Approval;
use tidegate_core::config::Site;
use tidegate_core::execution_arn::ExecutionArn;
use tidegate_core::lease::{ExecutionName, LeaseTerm};
use tidegate_core::plan::progress::ShardProgress;
use tidegate_core::plan::shards::{PlanShard, ShardList, ShardPhase};
use tidegate_core::plan::{DistributeWhen, WriteEstimate};
use tidegate_core::release::ReleaseId;
use tidegate_core::report::{FailedOperation, PublishReport};
use tidegate_core::request::PublishRequest;
use tidegate_core::sanitize::sanitize_name;

use super::PlannedPublish;
use super::error::PublishError;
use super::run::{Publisher, Run};
use crate::state::ReleaseFile;

/// Most failed shards that are read for people, and most failed operations of each in a message.
const SHOWN_FAILURES: usize = 3;

/// What [`Publisher::start_distributed`] did.
#[derive(Debug)]
pub enum DistributedStart {
    /// Everything: the plan is small or empty, or must not be carried out.
    Finished(Box<PublishReport>),
    /// The plan is stored. Workers carry it out next.
    Started(DistributedRun),
}

/// When a publish is distributed, and to which execution.
#[derive(Debug, Clone, Copy)]
pub struct ExecutionChoice<'a> {
    /// The execution that carries it out.
    pub execution: &'a ExecutionName,
    /// Whether this process belongs to the execution. Otherwise it hands over the lease to it.
    pub within: bool,
    /// When it is distributed.
    pub when: DistributeWhen,
}

/// A publish whose shards are to be carried out, phase after phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistributedRun {
    /// The release that the run announced.
    pub release: ReleaseId,
    /// The lease that workers share.
    pub lease: LeaseTerm,
    /// How long one process would take.
    pub estimate: WriteEstimate,
    /// The shards, by phase and key.
    pub shards: Vec<PlanShard>,
    /// Where the lists of the phases' shards are. A phase without shards has none.
    pub lists: BTreeMap<ShardPhase, ShardList>,
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
    /// Whether S3 still asked for fewer requests after all retries, and nothing else failed.
    pub throttled: bool,
    /// The first failures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedOperation>,
    /// Why the worker ended before it tried every operation, if something else than an operation failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
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

impl fmt::Display for ShardSummary {
    /// What is not done, with the first failures.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shard, phase, failed, skipped, failures, why, .. } = self;
        if let Some(why) = why {
            return write!(f, "shard {shard} of the phase `{phase}`: {why}");
        }
        write!(f, "shard {shard} of the phase `{phase}`: {failed} operations failed, {skipped} were not tried")?;
        for FailedOperation { key, operation, why, .. } in failures.iter().take(SHOWN_FAILURES) {
            write!(f, "; {operation} `{}`: {why}", sanitize_name(key))?;
        }
        Ok(())
    }
}

impl PlannedPublish {
    /// How long one process takes to carry it out; nothing for a site without releases, whose publishes are never
    /// distributed.
    ///
    /// # Errors
    /// [`PublishError`] if earlier releases cannot be read.
    pub async fn estimate(&self) -> Result<Option<WriteEstimate>, PublishError> {
        match &self.releases {
            Some(releases) => Ok(Some(start::estimate(&self.plan, releases).await?)),
            None => Ok(None),
        }
    }
}

impl Publisher {
    /// Plans a site, and stores the plan as shards if it is large. Otherwise it is published as by [`Publisher::publish`]. `on_plan` sees the plan before anything is written.
    ///
    /// # Errors
    /// [`PublishError`]: nothing was changed. [`super::ShardError::LocalSource`] if workers elsewhere cannot read the source.
    pub async fn start_distributed(
        &self,
        distribution: ExecutionChoice<'_>,
        request: &PublishRequest,
        site: &Site,
        approval: Approval,
        on_plan: impl FnOnce(&PlannedPublish),
    ) -> Result<DistributedStart, PublishError> {
        let execution = Some(distribution.execution).filter(|_| distribution.within);
        let run = Run { execution, publisher: self, request, site };
        Box::pin(start::start(run, distribution, approval, on_plan)).await
    }

    /// Releases the lease of an execution that was never started.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn withdraw(&self, site: &Site, lease: &LeaseTerm) -> Result<(), PublishError> {
        Ok(super::releases::store(self, site)?.withdraw(lease).await?)
    }

    /// What workers could not do of the shards of a release, for people.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn shard_failures(&self, site: &Site, id: ReleaseId) -> Result<Vec<ShardSummary>, PublishError> {
        Ok(super::releases::store(self, site)?.shard_failures(id, SHOWN_FAILURES).await?)
    }

    /// How far the workers of the newest stored plan are; nothing if no plan is stored whose release is not live.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn shard_progress(&self, site: &Site) -> Result<Option<ShardProgress>, PublishError> {
        let store = super::releases::store(self, site)?;
        let (pointer, files, lease) = tokio::try_join!(store.pointer(), store.files(), store.holder())?;
        let last = pointer.as_ref().and_then(|(pointer, _)| pointer.releases.last()).map(|entry| entry.id);
        let mut newer = files.iter().rev().take_while(|(id, _)| last.is_none_or(|last| **id > last));
        let stored = newer.find(|(_, files)| files.contains(&ReleaseFile::Shards));
        let Some(id) = stored.map(|(id, _)| *id) else { return Ok(None) };
        let (index, results) = tokio::try_join!(store.shard_index(id), store.shards_with_result(id))?;
        let execution = lease.map(|lease| lease.holder).filter(|holder| ExecutionArn::parse(holder).is_some());
        Ok(index.map(|index| ShardProgress::new(id, &index, &results, execution)))
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
