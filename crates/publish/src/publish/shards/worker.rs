//! Carries out one shard of a stored plan.

use tidegate_core::config::Site;
use tidegate_core::key::Key;
use tidegate_core::location::Source;
use tidegate_core::manifest::written::WrittenObjects;
use tidegate_core::plan::shards::{PlanShard, ResultLine, ShardBody, ShardIndex, ShardLine, ShardPhase};
use tidegate_core::plan::{Action, Operation, Plan, PlanLine, PlannedBody};
use tidegate_core::policy_document::common_folder;
use tidegate_core::report::WriteCounts;
use tidegate_core::request::PublishRequest;
use tidegate_core::restore::ArchivedBody;

use super::super::error::PublishError;
use super::super::pace::WritePace;
use super::super::run::{Publisher, Run};
use super::super::shard_error::ShardError;
use super::super::{credentials, execute, open, releases};
use super::{ShardSummary, ShardTask};
use crate::s3::S3;
use crate::source::prefix::StagedPrefix;
use crate::source::release::ReleaseSource;
use crate::source::{OpenedSource, SourceReader};
use crate::state::StateStore;

/// Most failures in a summary.
const MAX_FAILURES: usize = 10;

/// See [`Publisher::execute_shard`].
pub(super) async fn execute(
    publisher: &Publisher,
    site: &Site,
    task: &ShardTask,
) -> Result<ShardSummary, PublishError> {
    let store = releases::store(publisher, site)?;
    let id = task.release;
    let (index, results) = tokio::try_join!(store.shard_index(id), store.shards_with_result(id))?;
    let unknown = || ShardError::Unknown(id, task.shard);
    let index = index.ok_or_else(unknown)?;
    let shard = index.shard(task.shard).ok_or_else(unknown)?;
    if results.contains_key(&shard.number) {
        return Ok(summary(task, shard, WriteCounts::default()));
    }
    let mut before = index.shards.iter().filter(|other| other.phase < shard.phase);
    if let Some(before) = before.find(|other| !results.contains_key(&other.number)) {
        return Err(ShardError::Early { shard: shard.number, phase: shard.phase, before: before.number }.into());
    }
    if index.plan.target != site.target || index.plan.objects != site.objects {
        return Err(ShardError::Reconfigured(site.name.to_string()).into());
    }
    let (summary, error) = match Box::pin(write(publisher, site, &store, &index, shard, task)).await {
        Ok(done) => (summary(task, shard, done), None),
        Err(error) => (ShardSummary { why: Some(error.to_string()), ..not_begun(task, shard) }, Some(error)),
    };
    if !summary.is_done() {
        // The state machine knows only that a shard failed.
        store.put_shard_failure(id, shard.number, &task.lease, &summary).await;
    }
    error.map_or(Ok(summary), Err)
}

/// Carries out the shard while the lease holds, and stores its result if all of it succeeded.
async fn write(
    publisher: &Publisher,
    site: &Site,
    store: &StateStore,
    index: &ShardIndex,
    shard: &PlanShard,
    task: &ShardTask,
) -> Result<WriteCounts, PublishError> {
    let lease = store.share_lease(&task.lease).await?;
    let fence = lease.fence();
    let request = request(&index.plan);
    let run = Run { execution: Some(&task.lease.holder), publisher, request: &request, site };
    let ShardWork { plan, bodies } = ShardWork::new(index, shard, store.shard(task.release, shard).await?);
    let folder = common_folder(&site.target, shard.first.as_str(), shard.last.as_str());
    let connection = Box::pin(credentials::for_shard(run, &plan, &folder)).await?;
    let reader = Box::pin(reader(run, index, bodies)).await?;
    let writer = execute::writer(run, &connection, &plan, &reader, Some(&fence));
    let mut pace = WritePace::shared(writer.s3.throttles());
    let (mut done, mut written) = (WriteCounts::default(), WrittenObjects::new());
    match shard.phase {
        ShardPhase::Archive => {
            execute::archive(&plan.archive, &writer, &store.bodies(), &mut pace, &mut done).await;
        }
        ShardPhase::Assets | ShardPhase::Pages => {
            let operations: Vec<&Operation> = plan.operations.iter().collect();
            execute::write_phase(operations, &writer, &publisher.observer, &mut pace, &mut done, &mut written).await;
        }
    }
    if done.failures.is_empty() && done.skipped == 0 {
        let lines: Vec<ResultLine> = written.into_iter().map(ResultLine::from).collect();
        fence.guard(store.put_shard_result(task.release, shard.number, &lines)).await??;
    }
    fence.check()?;
    Ok(done)
}

fn summary(task: &ShardTask, shard: &PlanShard, done: WriteCounts) -> ShardSummary {
    let (failed, skipped) = (done.failures.len() as u64, done.skipped);
    let left = failed + skipped;
    ShardSummary {
        release: task.release,
        shard: shard.number,
        phase: shard.phase,
        done: shard.operations.saturating_sub(left),
        failed,
        skipped,
        bytes: if left == 0 { shard.bytes } else { 0 },
        throttled: failed > 0 && done.failures.iter().all(|failure| failure.throttled),
        failures: done.failures.into_iter().take(MAX_FAILURES).collect(),
        why: None,
    }
}

/// The summary of a shard of which nothing is known to be done.
fn not_begun(task: &ShardTask, shard: &PlanShard) -> ShardSummary {
    summary(task, shard, WriteCounts { skipped: shard.operations, ..WriteCounts::default() })
}

/// The request that the plan was made for, as far as a worker needs it.
fn request(plan: &Plan) -> PublishRequest {
    PublishRequest {
        site: plan.site.clone(),
        release: plan.release.clone(),
        source: plan.source.clone(),
        instant: plan.instant,
        cause: "shard".into(),
        revision: None,
    }
}

/// A shard as a plan of its own.
struct ShardWork {
    plan: Plan,
    /// Where bodies are copied from, by the keys of the artifact, with their sizes.
    bodies: Vec<(Key, u64, ShardBody)>,
}

impl ShardWork {
    fn new(index: &ShardIndex, shard: &PlanShard, lines: Vec<ShardLine>) -> Self {
        let (mut plan, mut bodies) = (index.plan.clone(), Vec::new());
        // For progress: what the shard sends or copies.
        (plan.totals.bytes_to_write, plan.totals.bytes_to_copy) = (0, shard.bytes);
        for ShardLine { work, staged, .. } in lines {
            match work {
                PlanLine::Archive(copy) => plan.archive.push(copy),
                PlanLine::Operation(operation) => {
                    if let (Action::Put { body: PlannedBody::Source(key), size, .. }, Some(staged)) =
                        (&operation.action, staged)
                    {
                        bodies.push((key.clone(), *size, staged));
                    }
                    plan.operations.push(operation);
                }
            }
        }
        Self { plan, bodies }
    }
}

/// Reads the bodies of a shard. Only an archive is opened.
async fn reader(
    run: Run<'_>,
    index: &ShardIndex,
    bodies: Vec<(Key, u64, ShardBody)>,
) -> Result<SourceReader, PublishError> {
    let s3 = S3::new(&run.connection());
    match (&index.plan.source, &index.staged) {
        (Source::Prefix(_), Some(staged)) => {
            let objects = bodies.into_iter().map(|(key, size, body)| (key, size, body.etag));
            Ok(StagedPrefix::listed_before(s3, staged.clone(), objects).into())
        }
        (Source::Release(_), Some(archive)) => {
            let body = |(key, size, ShardBody { key: name, etag }): (Key, u64, ShardBody)| {
                (key, ArchivedBody { name: name.as_str().to_owned(), size, etag })
            };
            let bodies = bodies.into_iter().map(body).collect();
            Ok(ReleaseSource::new(s3, run.site.target.clone(), archive.clone(), bodies).into())
        }
        (source, _) => {
            let OpenedSource { artifact, reader, .. } = open::open_source(run, None, Vec::new()).await?;
            if *artifact.fingerprint() == index.plan.inputs.artifact {
                Ok(reader)
            } else {
                Err(ShardError::SourceChanged(source.clone()).into())
            }
        }
    }
}
