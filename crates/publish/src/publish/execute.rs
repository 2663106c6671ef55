//! Carries out an approved plan: assets, then pages, then deletes.
//!
//! Every operation is in the plan. A phase with a failure stops the phases after it, so no page appears before its
//! assets, and nothing is deleted before every write succeeded. Dropping the future aborts the requests in flight.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, FuturesUnordered};
use tidegate_core::approval::Approved;
use tidegate_core::location::Location;
use tidegate_core::manifest::written::WrittenObjects;
use tidegate_core::plan::{Action, ArchiveCopy, ChangeReason, Operation, Plan, PlannedBody, WritePhase};
use tidegate_core::put_options::{MAX_DELETES, ObjectSettings};
use tidegate_core::report::{FailedOperation, WriteCounts};
use tidegate_core::sanitize::{LOG_BYTES, sanitize};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::copy_condition::CopyConditions;
use super::pace::WritePace;
use super::run::Run;
use super::writer::{OperationError, PlanWriter};
use crate::aws_error::AwsError;
use crate::connection::Connection;
use crate::progress::{ProgressEvent, ProgressObserver, Stage};
use crate::s3::{DeleteOutcome, DeleteTarget, S3};
use crate::source::SourceReader;
use crate::state::Fence;

/// Batches of deletes in flight, of 1,000 keys each.
const DELETES_IN_FLIGHT: usize = 4;

/// Failures of one phase after which no further operation of it starts: what fails that often fails for all.
const MAX_FAILURES: usize = 10;

/// What the plan's operations are carried out with.
pub(super) fn writer(
    run: Run<'_>,
    connection: &Connection,
    plan: &Plan,
    reader: &SourceReader,
    fence: Option<&Fence>,
) -> Arc<PlanWriter> {
    run.stage(Stage::Write);
    let bytes = plan.totals.bytes_to_write + plan.totals.bytes_to_copy;
    run.publisher.observer.report(ProgressEvent::Planned { operations: plan.operations.len() as u64, bytes });
    Arc::new(PlanWriter {
        s3: S3::new(connection),
        target: run.site.target.clone(),
        settings: plan.objects.clone(),
        archive_settings: ObjectSettings::with_key(run.site.state_kms_key.clone()),
        reader: reader.clone(),
        copy_limit: run.publisher.copy_limit,
        conditions: CopyConditions::default(),
        fence: fence.cloned(),
    })
}

/// Archives bodies that kept releases name, before anything replaces them. A failure stops the run before it changed
/// anything.
pub(super) async fn archive_all(
    approved: &Approved,
    writer: &Arc<PlanWriter>,
    archive: &Location,
    done: &mut WriteCounts,
) {
    let mut pace = WritePace::alone(writer.s3.throttles());
    self::archive(&approved.plan().archive, writer, archive, &mut pace, done).await;
}

/// Archives bodies: all of a plan, or those of a shard.
pub(super) async fn archive(
    copies: &[ArchiveCopy],
    writer: &Arc<PlanWriter>,
    archive: &Location,
    pace: &mut WritePace,
    done: &mut WriteCounts,
) {
    let mut queue = copies.iter();
    let mut in_flight = FuturesUnordered::new();
    loop {
        while in_flight.len() < pace.limit() {
            let Some(copy) = queue.next() else { break };
            let (writer, archive, copy) = (Arc::clone(writer), archive.clone(), copy.clone());
            let key = copy.key.to_string();
            let task = async move { writer.archive(&copy, &archive).await };
            let task = AbortOnDropHandle::new(tokio::spawn(task.in_current_span()));
            in_flight.push(async move { (key, task.await.unwrap_or(Err(OperationError::Interrupted))) });
        }
        let Some((key, result)) = in_flight.next().await else { break };
        pace.ended();
        match result {
            Ok(()) => done.archived += 1,
            Err(error) => done.failures.push(failed(&key, "archive", &error)),
        }
    }
}

/// Writes assets, then pages. Failures are in `done`; what S3 answered to successful writes is returned.
pub(super) async fn write(
    run: Run<'_>,
    approved: &Approved,
    writer: &Arc<PlanWriter>,
    done: &mut WriteCounts,
) -> WrittenObjects {
    let mut outcomes = WrittenObjects::new();
    let mut pace = WritePace::alone(writer.s3.throttles());
    for phase in [WritePhase::Assets, WritePhase::Pages] {
        let operations = approved.plan().operations.iter().filter(|operation| operation.phase() == phase);
        let operations: Vec<&Operation> = operations.collect();
        if !done.failures.is_empty() {
            done.skipped += operations.len() as u64;
            continue;
        }
        write_phase(operations, writer, &run.publisher.observer, &mut pace, done, &mut outcomes).await;
    }
    outcomes
}

/// Deletes what the plan deletes for one of `reasons`; nothing if a write failed.
pub(super) async fn remove(
    run: Run<'_>,
    approved: &Approved,
    reasons: &[ChangeReason],
    writer: &Arc<PlanWriter>,
    done: &mut WriteCounts,
) {
    let operations = approved.plan().operations.iter().filter(|operation| reasons.contains(&operation.reason));
    let deletes = operations.filter_map(|operation| match &operation.action {
        Action::Delete { etag, .. } => Some(DeleteTarget { key: operation.key.clone(), etag: etag.clone() }),
        Action::Put { .. } | Action::Headers { .. } => None,
    });
    let deletes: Vec<DeleteTarget> = deletes.collect();
    if done.failures.is_empty() {
        delete(&deletes, writer, &run.publisher.observer, done).await;
    } else {
        done.skipped += deletes.len() as u64;
    }
    done.failures.sort_by(|a, b| a.key.cmp(&b.key));
}

/// An archive is read with the fewest requests in the order of its positions.
fn sort_for_reading(operations: &mut [&Operation], reader: &SourceReader) {
    operations.sort_by_cached_key(|operation| match &operation.action {
        Action::Put { body: PlannedBody::Source(key), .. } => reader.position(key),
        Action::Put { .. } | Action::Headers { .. } | Action::Delete { .. } => None,
    });
}

/// Carries out operations of one phase: all of them, or a shard.
pub(super) async fn write_phase(
    mut operations: Vec<&Operation>,
    writer: &Arc<PlanWriter>,
    observer: &Arc<dyn ProgressObserver>,
    pace: &mut WritePace,
    done: &mut WriteCounts,
    outcomes: &mut WrittenObjects,
) {
    sort_for_reading(&mut operations, &writer.reader);
    let mut queue = operations.iter();
    let mut in_flight = FuturesUnordered::new();
    let (mut finished, before) = (0, done.failures.len());
    // Set by an error that every key would get, such as a missing bucket.
    let mut hopeless = false;
    loop {
        while !hopeless && in_flight.len() < pace.limit() && done.failures.len() - before < MAX_FAILURES {
            let Some(operation) = queue.next() else { break };
            let (writer, task) = (Arc::clone(writer), (*operation).clone());
            // A task of its own, so that all processors take part.
            let write = async move { writer.write(&task).await };
            let task = AbortOnDropHandle::new(tokio::spawn(write.in_current_span()));
            in_flight.push(async move { (*operation, task.await.unwrap_or(Err(OperationError::Interrupted))) });
        }
        let Some((operation, result)) = in_flight.next().await else { break };
        finished += 1;
        pace.ended();
        match result {
            Ok(written) => {
                outcomes.insert(operation.key.clone(), written);
                match operation.action {
                    Action::Headers { .. } => done.headers += 1,
                    Action::Put { .. } | Action::Delete { .. } => done.written += 1,
                }
                observer.report(ProgressEvent::Done { operations: 1, bytes: operation.size() });
            }
            // Operations that were in flight at the first such error add nothing.
            Err(OperationError::Aws(error)) if hopeless && error.affects_every_key() => done.skipped += 1,
            Err(error) => {
                if let OperationError::Aws(error) = &error {
                    done.unanswered += u64::from(may_have_succeeded(error));
                    hopeless |= error.affects_every_key();
                }
                done.failures.push(failed(operation.key.as_str(), operation.kind().as_str(), &error));
            }
        }
    }
    done.skipped += operations.len().saturating_sub(finished) as u64;
}

async fn delete(
    deletes: &[DeleteTarget],
    writer: &Arc<PlanWriter>,
    observer: &Arc<dyn ProgressObserver>,
    done: &mut WriteCounts,
) {
    let batches: Vec<Vec<DeleteTarget>> = deletes.chunks(MAX_DELETES).map(<[_]>::to_vec).collect();
    let mut results = stream::iter(batches)
        .map(|batch| {
            let writer = Arc::clone(writer);
            async move {
                let outcomes = writer.delete(&batch).await;
                (batch, outcomes)
            }
        })
        .buffered(DELETES_IN_FLIGHT);
    while let Some((batch, outcomes)) = results.next().await {
        let outcomes = match outcomes {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let first = batch.first().map(|target| target.key.as_str()).unwrap_or_default();
                done.failures.push(failed(first, "delete", &error.into()));
                done.skipped += batch.len() as u64;
                continue;
            }
        };
        for (target, outcome) in batch.iter().zip(outcomes) {
            match outcome {
                DeleteOutcome::Deleted => done.deleted += 1,
                DeleteOutcome::Replaced => done.kept_replaced += 1,
                DeleteOutcome::Failed(error) => {
                    done.unanswered += u64::from(may_have_succeeded(&error));
                    done.failures.push(failed(target.key.as_str(), "delete", &error.into()));
                }
            }
        }
        observer.report(ProgressEvent::Done { operations: batch.len() as u64, bytes: 0 });
    }
}

/// Whether a failed call may have changed the site: its response was lost, or the server does not know. Parts of an
/// upload change nothing until it is completed.
fn may_have_succeeded(error: &AwsError) -> bool {
    let changes = ["PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject", "DeleteObjects"];
    let unknown = match error.status {
        Some(status) => !(300..500).contains(&status),
        None => error.code.is_none(),
    };
    changes.contains(&error.call) && unknown
}

fn failed(key: &str, operation: &str, error: &OperationError) -> FailedOperation {
    FailedOperation {
        key: key.to_owned(),
        operation: operation.to_owned(),
        why: sanitize(&error.to_string(), LOG_BYTES),
        throttled: matches!(error, OperationError::Aws(error) if error.is_throttled()),
    }
}
