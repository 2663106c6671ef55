//! Carrying out an approved plan: assets, then pages, then deletes.
//!
//! Owns the order and the bounds. Decides nothing: every operation is in the plan. A write that fails stops what comes
//! after its phase, so no page appears before its assets and nothing is deleted before every write succeeded.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, FuturesUnordered, TryStreamExt};
use tidegate_core::approval::Approved;
use tidegate_core::headers::ObjectHeaders;
use tidegate_core::identity::{ContentIdentity, ETag};
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::location::Location;
use tidegate_core::manifest::body_name;
use tidegate_core::plan::{Action, ArchiveCopy, ChangeReason, Operation, PlannedBody, WritePhase};
use tidegate_core::put_options::{MAX_DELETES, ObjectSettings};
use tidegate_core::report::{FailedOperation, WriteCounts};
use tidegate_core::succession::{Outcomes, WrittenObject};
use tracing::Instrument as _;

use crate::aws_error::AwsError;
use crate::progress::{ProgressEvent, ProgressObserver};
use crate::s3::{BodyBytes, CopySource, DeleteOutcome, Opener, PutOptions, S3};
use crate::source::{SourceError, SourceReader};
use crate::state::{Fence, LeaseLost};

/// Writes in flight. S3 takes 3,500 a second for a prefix, with tens of milliseconds each.
pub(crate) const WRITES_IN_FLIGHT: usize = 32;

/// Bodies up to this size, in bytes, are read whole before they are sent: one buffer is cheaper than a stream.
/// Times [`WRITES_IN_FLIGHT`] it bounds memory at 8 MiB.
const SMALL: u64 = 256 * 1024;

/// Batches of deletes in flight: 1,000 keys each.
const DELETES_IN_FLIGHT: usize = 4;

/// Failures of one phase after which no other operation of it is tried: what fails that often fails for all.
const ENOUGH_FAILURES: usize = 10;

/// Why one operation failed.
#[derive(Debug, thiserror::Error)]
enum OperationError {
    #[error(transparent)]
    Cloud(#[from] AwsError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Fenced(#[from] LeaseLost),
    #[error("the work was interrupted, run again")]
    Interrupted,
}

/// What operations are carried out with.
#[derive(Clone)]
pub(crate) struct PlanWriter {
    pub(crate) s3: S3,
    pub(crate) target: Location,
    pub(crate) settings: ObjectSettings,
    pub(crate) reader: SourceReader,
    /// Largest object that one request copies.
    pub(crate) copy_limit: u64,
    /// Ends the work when the site's lease is lost.
    pub(crate) fence: Option<Fence>,
}

/// Sets bodies aside that kept releases name, before anything replaces them. A failure stops the run before it changed
/// anything.
pub(crate) async fn archive_bodies(
    approved: &Approved,
    writer: &Arc<PlanWriter>,
    aside: &Location,
    done: &mut WriteCounts,
) {
    let mut results = stream::iter(approved.plan().archive.iter().cloned())
        .map(|preserve| {
            let (writer, aside) = (Arc::clone(writer), aside.clone());
            let aside = async move {
                let result = writer.set_aside(&preserve, &aside).await;
                (preserve.key, result)
            };
            let task = tokio::spawn(aside.in_current_span());
            async move { task.await.map_err(|_| OperationError::Interrupted) }
        })
        .buffer_unordered(WRITES_IN_FLIGHT);
    while let Some(result) = results.next().await {
        let failed = |key: String, error: &OperationError| FailedOperation {
            key,
            operation: "set aside".to_owned(),
            why: crate::aws_error::plain(&error.to_string()),
        };
        match result {
            Ok((_, Ok(()))) => done.archived += 1,
            Ok((key, Err(error))) => done.failures.push(failed(key.to_string(), &error)),
            Err(error) => done.failures.push(failed(String::new(), &error)),
        }
    }
}

/// Writes assets, then pages. Failures are in `done`, one a key; what S3 answered to the rest is returned.
pub(crate) async fn write_all(
    approved: &Approved,
    writer: &Arc<PlanWriter>,
    observer: &Arc<dyn ProgressObserver>,
    done: &mut WriteCounts,
) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for phase in [WritePhase::Assets, WritePhase::Pages] {
        let mut operations: Vec<&Operation> =
            approved.plan().operations.iter().filter(|operation| operation.phase() == phase).collect();
        if !done.failures.is_empty() {
            done.skipped += operations.len() as u64;
            continue;
        }
        in_reading_order(&mut operations, &writer.reader);
        write(&operations, writer, observer, done, &mut outcomes).await;
    }
    outcomes
}

/// Removes what the plan removes for one of `reasons`; nothing where a write had failed.
pub(crate) async fn remove(
    approved: &Approved,
    reasons: &[ChangeReason],
    writer: &Arc<PlanWriter>,
    observer: &Arc<dyn ProgressObserver>,
    done: &mut WriteCounts,
) {
    let deletes: Vec<(StoredKey, ETag)> = approved
        .plan()
        .operations
        .iter()
        .filter(|operation| reasons.contains(&operation.reason))
        .filter_map(removal)
        .collect();
    if done.failures.is_empty() {
        delete(&deletes, writer, observer, done).await;
    } else {
        done.skipped += deletes.len() as u64;
    }
    done.failures.sort_by(|a, b| a.key.cmp(&b.key));
}

fn removal(operation: &Operation) -> Option<(StoredKey, ETag)> {
    match &operation.action {
        Action::Delete { etag, .. } => Some((operation.key.clone(), etag.clone())),
        Action::Put { .. } | Action::Headers { .. } => None,
    }
}

/// An archive is read with the fewest requests in its own order.
fn in_reading_order(operations: &mut [&Operation], reader: &SourceReader) {
    if let SourceReader::Archive(archive) = reader {
        operations.sort_by_cached_key(|operation| match &operation.action {
            Action::Put { body: PlannedBody::Source(key), .. } => Some(archive.position(key)),
            _ => None,
        });
    }
}

async fn write(
    operations: &[&Operation],
    writer: &Arc<PlanWriter>,
    observer: &Arc<dyn ProgressObserver>,
    done: &mut WriteCounts,
    outcomes: &mut Outcomes,
) {
    let mut left = operations.iter();
    let mut flying = FuturesUnordered::new();
    let (mut finished, before) = (0, done.failures.len());
    let mut hopeless = false;
    loop {
        while !hopeless && flying.len() < WRITES_IN_FLIGHT && done.failures.len() - before < ENOUGH_FAILURES {
            let Some(operation) = left.next() else { break };
            let (writer, operation) = (Arc::clone(writer), (*operation).clone());
            // A task of its own, so that all processors take part.
            let write = async move {
                let result = writer.guarded(&operation).await;
                (operation, result)
            };
            flying.push(tokio::spawn(write.in_current_span()));
        }
        let Some(result) = flying.next().await else { break };
        finished += 1;
        match result {
            // What was under way when the first such answer came says nothing new.
            Ok((_, Err(OperationError::Cloud(error)))) if hopeless && error.is_of_every_key() => done.skipped += 1,
            Ok((operation, Ok(written))) => {
                outcomes.insert(operation.key.clone(), written);
                match operation.action {
                    Action::Headers { .. } => done.headers += 1,
                    Action::Put { .. } | Action::Delete { .. } => done.written += 1,
                }
                observer.report(ProgressEvent::Done { operations: 1, bytes: operation.size() });
            }
            Ok((operation, Err(error))) => {
                done.unanswered += u64::from(matches!(&error, OperationError::Cloud(error) if unanswered(error)));
                hopeless |= matches!(&error, OperationError::Cloud(error) if error.is_of_every_key());
                done.failures.push(failed(&operation, &error));
            }
            Err(_) => {
                done.failures.push(FailedOperation {
                    key: String::new(),
                    operation: "write".to_owned(),
                    why: OperationError::Interrupted.to_string(),
                });
            }
        }
    }
    done.skipped += operations.len().saturating_sub(finished) as u64;
}

async fn delete(
    removals: &[(StoredKey, ETag)],
    writer: &Arc<PlanWriter>,
    observer: &Arc<dyn ProgressObserver>,
    done: &mut WriteCounts,
) {
    let batches: Vec<Vec<(StoredKey, ETag)>> = removals.chunks(MAX_DELETES).map(<[_]>::to_vec).collect();
    let mut answers = stream::iter(batches)
        .map(|batch| {
            let writer = Arc::clone(writer);
            async move {
                let outcomes = writer.guard(writer.s3.delete(&writer.target, &batch)).await;
                (batch, outcomes)
            }
        })
        .buffered(DELETES_IN_FLIGHT);
    while let Some((batch, outcomes)) = answers.next().await {
        let outcomes = match outcomes {
            Ok(outcomes) => outcomes,
            Err(fenced) => {
                done.failures.push(FailedOperation {
                    key: batch.first().map(|(key, _)| key.to_string()).unwrap_or_default(),
                    operation: "delete".to_owned(),
                    why: fenced.to_string(),
                });
                done.skipped += batch.len() as u64;
                continue;
            }
        };
        for ((key, _), outcome) in batch.iter().zip(outcomes) {
            match outcome {
                DeleteOutcome::Deleted => done.deleted += 1,
                DeleteOutcome::Replaced => done.kept_replaced += 1,
                DeleteOutcome::Failed(error) => {
                    done.unanswered += u64::from(unanswered(&error));
                    done.failures.push(FailedOperation {
                        key: key.to_string(),
                        operation: "delete".to_owned(),
                        why: error.to_string(),
                    });
                }
            }
        }
        observer.report(ProgressEvent::Done { operations: batch.len() as u64, bytes: 0 });
    }
}

/// Whether a call that changes what visitors get may have been done although it failed: its answer was lost, or the
/// server itself does not know. Parts of an upload change nothing until it is completed.
fn unanswered(error: &AwsError) -> bool {
    let changes = ["PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject", "DeleteObjects"];
    let in_the_dark = match error.status {
        Some(status) => !(300..500).contains(&status),
        None => error.code.is_none(),
    };
    changes.contains(&error.call) && in_the_dark
}

fn failed(operation: &Operation, error: &OperationError) -> FailedOperation {
    FailedOperation {
        key: operation.key.to_string(),
        operation: operation.verb().to_owned(),
        why: crate::aws_error::plain(&error.to_string()),
    }
}

impl PlanWriter {
    async fn guarded(&self, operation: &Operation) -> Result<WrittenObject, OperationError> {
        self.guard(self.carry_out(operation)).await?
    }

    /// Does `work` while the site's lease is ours, where it has one.
    async fn guard<T>(&self, work: impl Future<Output = T>) -> Result<T, LeaseLost> {
        match &self.fence {
            None => Ok(work.await),
            Some(fence) => fence.guard(work).await,
        }
    }

    async fn set_aside(&self, preserve: &ArchiveCopy, aside: &Location) -> Result<(), OperationError> {
        let whole = self.target.prefix.join(preserve.key.as_str());
        let from = CopySource {
            bucket: &self.target.bucket,
            key: &whole,
            etag: &preserve.etag,
            conditional: true,
            size: preserve.size,
            limit: self.copy_limit,
            tags: false,
        };
        let (headers, writing) = (ObjectHeaders::default(), ObjectSettings::default());
        let dress = PutOptions { headers: &headers, redirect: None, settings: &writing };
        let name = body_name(&preserve.key, &preserve.etag);
        let (identity, copy) = (ContentIdentity::default(), self.s3.clone());
        let copied = copy.copy(from, aside, &name, &identity, dress);
        self.guard(copied).await??;
        Ok(())
    }

    async fn carry_out(&self, operation: &Operation) -> Result<WrittenObject, OperationError> {
        let key = operation.key.as_str();
        match &operation.action {
            Action::Put { body: PlannedBody::Source(source), size, identity, headers, .. } => {
                self.put(key, source, *size, identity, headers).await
            }
            Action::Put { body: PlannedBody::Site { key: other, etag }, size, identity, headers, .. } => {
                self.copy_within(key, (other, etag), *size, identity, headers, &self.settings, false).await
            }
            Action::Put { body: PlannedBody::Redirect(target), headers, .. } => {
                let dress = PutOptions { headers, redirect: Some(target), settings: &self.settings };
                let empty = BodyBytes::Whole(bytes::Bytes::new());
                Ok(self.s3.put(&self.target, key, empty, 0, &ContentIdentity::default(), dress).await?)
            }
            Action::Headers { headers, size, etag, identity, attributes: keeping, .. } => {
                // What the configuration does not name stays as the object has it.
                let writing = ObjectSettings {
                    acl: self.settings.acl.clone(),
                    encryption: self.settings.encryption.clone().or_else(|| keeping.encryption.clone()),
                    kms_key: self.settings.kms_key.clone().or_else(|| keeping.kms_key.clone()),
                    storage_class: self.settings.storage_class.clone().or_else(|| keeping.storage_class.clone()),
                };
                self.copy_within(key, (&operation.key, etag), *size, identity, headers, &writing, true).await
            }
            // Deletes go in batches.
            Action::Delete { .. } => Ok(WrittenObject::default()),
        }
    }

    async fn put(
        &self,
        key: &str,
        source: &Key,
        size: u64,
        identity: &ContentIdentity,
        headers: &ObjectHeaders,
    ) -> Result<WrittenObject, OperationError> {
        let dress = PutOptions { headers, redirect: None, settings: &self.settings };
        if let Some(staged) = self.reader.staged(source) {
            let from = CopySource {
                bucket: &staged.bucket,
                key: staged.key.as_str(),
                etag: &staged.etag,
                conditional: self.reader.is_conditional(),
                size,
                limit: self.copy_limit,
                tags: false,
            };
            return Ok(self.s3.copy(from, &self.target, key, identity, dress).await?);
        }
        let body = if size <= SMALL {
            BodyBytes::Whole(self.reader.whole(source).await?)
        } else {
            BodyBytes::Streamed(opener(&self.reader, source))
        };
        Ok(self.s3.put(&self.target, key, body, size, identity, dress).await?)
    }

    #[expect(clippy::too_many_arguments, reason = "they are the parts of one operation")]
    async fn copy_within(
        &self,
        key: &str,
        (other, etag): (&StoredKey, &ETag),
        size: u64,
        identity: &ContentIdentity,
        headers: &ObjectHeaders,
        writing: &ObjectSettings,
        tags: bool,
    ) -> Result<WrittenObject, OperationError> {
        let whole = self.target.prefix.join(other.as_str());
        let from = CopySource {
            bucket: &self.target.bucket,
            key: &whole,
            etag,
            conditional: true,
            size,
            limit: self.copy_limit,
            tags,
        };
        let dress = PutOptions { headers, redirect: None, settings: writing };
        Ok(self.s3.copy(from, &self.target, key, identity, dress).await?)
    }
}

/// Reads an object anew for every attempt of its request.
fn opener(reader: &SourceReader, key: &Key) -> Opener {
    let (reader, key) = (reader.clone(), key.clone());
    Arc::new(move || {
        let (reader, key) = (reader.clone(), key.clone());
        stream::once(async move { reader.stream(&key).await }).try_flatten().map_err(std::io::Error::other).boxed()
    })
}
