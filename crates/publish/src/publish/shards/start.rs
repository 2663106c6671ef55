//! Plans a site and stores the plan as shards.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use tidegate_core::approval::{Approval, Approved};
use tidegate_core::key::Key;
use tidegate_core::lease::{ExecutionName, LeaseTerm};
use tidegate_core::location::Location;
use tidegate_core::plan::shards::{PlanShard, ShardBody, ShardIndex, ShardList, ShardListItem, ShardPhase};
use tidegate_core::plan::{Plan, WriteEstimate};
use tidegate_core::release::FORMAT;
use tidegate_host::sync::Trace;

use super::super::PlannedPublish;
use super::super::error::PublishError;
use super::super::lock::{self, Lock, Locked};
use super::super::plan::Basis;
use super::super::release::ReleaseRun;
use super::super::releases::Releases;
use super::super::run::Run;
use super::super::shard_error::ShardError;
use super::super::{approve, open};
use super::{DistributedRun, DistributedStart, ExecutionChoice};
use crate::source::SourceReader;

/// Shards that are stored at the same time, each of a few megabytes in memory.
const SHARDS_IN_FLIGHT: usize = 8;

/// The shards of a plan, and where their lists are.
type StoredShards = (Vec<PlanShard>, BTreeMap<ShardPhase, ShardList>);

/// From which duration on earlier releases are read for their rates.
const WORTH_READING: Duration = Duration::from_secs(10);

/// Most earlier releases that are read for their rates.
const MEASURED_RELEASES: usize = 5;

/// See [`Publisher::start_distributed`](super::Publisher::start_distributed).
pub(super) async fn start(
    run: Run<'_>,
    distribution: ExecutionChoice<'_>,
    approval: Approval,
    on_plan: impl FnOnce(&PlannedPublish),
) -> Result<DistributedStart, PublishError> {
    if run.request.source.is_local() {
        return Err(ShardError::LocalSource(run.request.source.clone()).into());
    }
    open::check_release(run.request)?;
    let locked = match lock::lock(run).await? {
        Lock::Acquired(locked) => locked,
        Lock::NotNeeded => return Err(PublishError::NoReleases(run.site.name.to_string())),
        Lock::Skipped(report) => return Ok(DistributedStart::Finished(report)),
    };
    let work = async {
        // Boxed: the compiler cannot prove that deeper futures may move between threads.
        let planning: BoxFuture<'_, Result<PlannedPublish, PublishError>> =
            Box::pin(run.plan(Some(locked.releases.clone()), Trace::Off));
        let planned = planning.await?;
        on_plan(&planned);
        let applying: BoxFuture<'_, Result<DistributedStart, PublishError>> =
            Box::pin(apply(run, planned, approval, distribution, &locked));
        applying.await
    };
    let started = run.publisher.unless_cancelled(work).await;
    match &started {
        Ok(DistributedStart::Started(_)) => locked.lease.hand_over(distribution.execution).await?,
        Ok(DistributedStart::Finished(_)) | Err(_) => locked.lease.release().await,
    }
    started
}

async fn apply(
    run: Run<'_>,
    planned: PlannedPublish,
    approval: Approval,
    distribution: ExecutionChoice<'_>,
    locked: &Locked,
) -> Result<DistributedStart, PublishError> {
    let mut report = planned.report(run);
    let PlannedPublish { plan, judgements, basis, .. } = planned;
    let finished = |report| Ok(DistributedStart::Finished(Box::new(report)));
    let Some(approved) = approve::approve(plan, judgements, approval, &mut report) else { return finished(report) };
    let estimate = estimate(approved.plan(), &locked.releases).await?;
    if distribution.when.holds(&estimate) {
        let run = announce(run, &approved, &basis, locked, distribution.execution, estimate).await?;
        return Ok(DistributedStart::Started(run));
    }
    run.write(&approved, &basis, Some(locked), &mut report).await;
    finished(report)
}

/// Stores the shards, then their index: from here on, the next run knows what workers may do. The release comes last.
async fn announce(
    run: Run<'_>,
    approved: &Approved,
    basis: &Basis,
    locked: &Locked,
    execution: &ExecutionName,
    estimate: WriteEstimate,
) -> Result<DistributedRun, PublishError> {
    let release = ReleaseRun::begin(run, approved, basis, locked).await?;
    release.remember_staged_headers().await;
    let (store, id, plan) = (release.store(), release.record.id, approved.plan());
    let staged = staged(&basis.reader).cloned();
    let body = |key: &Key| {
        let (object, within) = (basis.reader.staged(key)?, staged.as_ref()?);
        Some(ShardBody { key: within.prefix.relative(object.key.as_str())?, etag: object.etag })
    };
    let storing = async {
        let shards = plan.shards(&basis.desired, run.publisher.shard_operations, &body);
        let stored = stream::iter((1..).zip(shards))
            .map(|(number, (phase, lines))| async move { store.put_shard(id, number, phase, &lines).await });
        let shards: Vec<PlanShard> = stored.buffered(SHARDS_IN_FLIGHT).try_collect().await?;
        let index = ShardIndex { format: FORMAT, plan: plan.head(), staged: staged.clone(), shards };
        let mut lists = BTreeMap::new();
        for phase in ShardPhase::ALL {
            let of_phase = index.shards.iter().filter(|shard| shard.phase == phase);
            let list: Vec<ShardListItem> = of_phase.map(|shard| ShardListItem { shard: shard.number }).collect();
            if !list.is_empty() {
                lists.insert(phase, store.put_shard_list(id, phase, &list).await?);
            }
        }
        store.put_shard_index(id, &index).await?;
        Ok::<_, PublishError>((index.shards, lists))
    };
    // Boxed: see above. Guarded: after the lease is lost, another run may store its plan under the same number.
    let storing: BoxFuture<'_, Result<StoredShards, PublishError>> = Box::pin(storing);
    let (shards, lists) = release.fence.guard(storing).await??;
    release.fence.check()?;
    store.put_release(&release.record, true).await?;
    let lease = LeaseTerm { holder: execution.clone(), fence: release.counter };
    Ok(DistributedRun { release: id, lease, estimate, shards, lists })
}

/// How long one process takes for a plan, by the rate of the last release that was measured.
pub(super) async fn estimate(plan: &Plan, releases: &Releases) -> Result<WriteEstimate, PublishError> {
    let estimate = WriteEstimate::new(plan, None);
    if estimate.duration() < WORTH_READING {
        return Ok(estimate);
    }
    let kept = releases.history.pointer.iter().flat_map(|(pointer, _)| pointer.releases.iter().rev());
    for entry in kept.take(MEASURED_RELEASES) {
        let record = releases.store.release(entry.id).await?;
        if let Some(rate) = record.and_then(|record| record.writes_per_second) {
            return Ok(WriteEstimate::new(plan, Some(rate)));
        }
    }
    Ok(estimate)
}

/// Where the bodies of a source are copied from within S3.
fn staged(reader: &SourceReader) -> Option<&Location> {
    match reader {
        SourceReader::Prefix(prefix) => Some(prefix.location()),
        SourceReader::Release(release) => Some(release.archive()),
        SourceReader::Archive(_) | SourceReader::Directory(_) => None,
    }
}
