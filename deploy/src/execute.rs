//! Carrying out an approved plan: assets, then pages, then deletes.
//!
//! Owns the order and the bounds. Decides nothing: every operation is in the plan. A write that fails stops what comes
//! after its phase, so no page appears before its assets and nothing is deleted before every write succeeded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::stream::{self, TryStreamExt};
use tidegate_host::headers::Headers;
use tidegate_host::identity::{ETag, Identity};
use tidegate_host::key::{Key, StoredKey};
use tidegate_host::location::Location;
use tidegate_host::plan::{Action, Operation, Phase, PlannedBody, Writing};
use tidegate_host::report::{Done, Failed};
use tidegate_host::verdict::Approved;
use tidegate_host::writing::MAX_DELETES;

use crate::cloud::CloudError;
use crate::progress::{Event, Observer};
use crate::s3::{BodyBytes, CopySource, DeleteOutcome, Dress, Opener, S3};
use crate::source::{Reader, SourceError};

/// Writes in flight. S3 takes 3,500 a second for a prefix, with tens of milliseconds each.
pub(crate) const WRITES_IN_FLIGHT: usize = 32;

/// Bodies up to this size, in bytes, are read whole before they are sent: one buffer is cheaper than a stream.
/// Times [`WRITES_IN_FLIGHT`] it bounds memory at 8 MiB.
const SMALL: u64 = 256 * 1024;

/// Failures of one phase after which no other operation of it is tried: what fails that often fails for all.
const ENOUGH_FAILURES: usize = 10;

/// Why one operation failed.
#[derive(Debug, thiserror::Error)]
enum OperationError {
    #[error(transparent)]
    Cloud(#[from] CloudError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("the work was interrupted, run again")]
    Interrupted,
}

/// What operations are carried out with.
#[derive(Clone)]
pub(crate) struct Writer {
    pub(crate) s3: S3,
    pub(crate) target: Location,
    pub(crate) writing: Writing,
    pub(crate) reader: Reader,
    /// Largest object that one request copies.
    pub(crate) copy_limit: u64,
}

/// Carries out a plan. Failures are in the answer, one a key.
pub(crate) async fn execute(approved: &Approved, writer: &Arc<Writer>, observer: &Arc<dyn Observer>) -> Done {
    let mut done = Done::default();
    for phase in [Phase::Assets, Phase::Pages] {
        let mut operations: Vec<&Operation> =
            approved.plan().operations.iter().filter(|operation| operation.phase() == phase).collect();
        if !done.failures.is_empty() {
            done.skipped += operations.len() as u64;
            continue;
        }
        in_reading_order(&mut operations, &writer.reader);
        write(&operations, writer, observer, &mut done).await;
    }
    let deletes: Vec<(StoredKey, ETag)> = approved.plan().operations.iter().filter_map(removal).collect();
    if done.failures.is_empty() {
        delete(&deletes, writer, observer, &mut done).await;
    } else {
        done.skipped += deletes.len() as u64;
    }
    done.failures.sort_by(|a, b| a.key.cmp(&b.key));
    done
}

fn removal(operation: &Operation) -> Option<(StoredKey, ETag)> {
    match &operation.action {
        Action::Delete { etag, .. } => Some((operation.key.clone(), etag.clone())),
        Action::Put { .. } | Action::Headers { .. } => None,
    }
}

/// An archive is read with the fewest requests in its own order.
fn in_reading_order(operations: &mut [&Operation], reader: &Reader) {
    if let Reader::Archive(archive) = reader {
        operations.sort_by_cached_key(|operation| match &operation.action {
            Action::Put { body: PlannedBody::Source(key), .. } => Some(archive.position(key)),
            _ => None,
        });
    }
}

async fn write(operations: &[&Operation], writer: &Arc<Writer>, observer: &Arc<dyn Observer>, done: &mut Done) {
    let failures = Arc::new(AtomicUsize::new(0));
    let mut results = stream::iter(operations.iter().copied().cloned())
        .take_while(|_| std::future::ready(failures.load(Ordering::Relaxed) < ENOUGH_FAILURES))
        .map(|operation| {
            let writer = Arc::clone(writer);
            // A task of its own, so that all processors take part.
            let task = tokio::spawn(async move {
                let result = writer.carry_out(&operation).await;
                (operation, result)
            });
            async move { task.await.map_err(|_| OperationError::Interrupted) }
        })
        .buffer_unordered(WRITES_IN_FLIGHT);
    let mut finished = 0;
    while let Some(result) = results.next().await {
        finished += 1;
        match result {
            Ok((operation, Ok(()))) => {
                match operation.action {
                    Action::Headers { .. } => done.headers += 1,
                    Action::Put { .. } | Action::Delete { .. } => done.written += 1,
                }
                observer.hear(Event::Done { operations: 1, bytes: operation.size() });
            }
            Ok((operation, Err(error))) => {
                done.unanswered += u64::from(matches!(&error, OperationError::Cloud(error) if unanswered(error)));
                done.failures.push(failed(&operation, &error));
            }
            Err(error) => {
                done.failures.push(Failed {
                    key: String::new(),
                    operation: "write".to_owned(),
                    why: error.to_string(),
                });
            }
        }
        failures.store(done.failures.len(), Ordering::Relaxed);
    }
    done.skipped += operations.len().saturating_sub(finished) as u64;
}

async fn delete(removals: &[(StoredKey, ETag)], writer: &Arc<Writer>, observer: &Arc<dyn Observer>, done: &mut Done) {
    for batch in removals.chunks(MAX_DELETES) {
        let outcomes = writer.s3.delete(&writer.target, batch).await;
        for ((key, _), outcome) in batch.iter().zip(outcomes) {
            match outcome {
                DeleteOutcome::Deleted => done.deleted += 1,
                DeleteOutcome::Replaced => done.left += 1,
                DeleteOutcome::Failed(error) => {
                    done.unanswered += u64::from(unanswered(&error));
                    done.failures.push(Failed {
                        key: key.to_string(),
                        operation: "delete".to_owned(),
                        why: error.to_string(),
                    });
                }
            }
        }
        observer.hear(Event::Done { operations: batch.len() as u64, bytes: 0 });
    }
}

/// Whether a call that changes what visitors get may have been done although it failed: its answer was lost, or the
/// server itself does not know. Parts of an upload change nothing until it is completed.
fn unanswered(error: &CloudError) -> bool {
    let changes = ["PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject", "DeleteObjects"];
    let in_the_dark = match error.status {
        Some(status) => !(300..500).contains(&status),
        None => error.code.is_none(),
    };
    changes.contains(&error.call) && in_the_dark
}

fn failed(operation: &Operation, error: &OperationError) -> Failed {
    Failed {
        key: operation.key.to_string(),
        operation: operation.verb().to_owned(),
        why: crate::cloud::plain(&error.to_string()),
    }
}

impl Writer {
    async fn carry_out(&self, operation: &Operation) -> Result<(), OperationError> {
        let key = operation.key.as_str();
        match &operation.action {
            Action::Put { body: PlannedBody::Source(source), size, identity, headers, .. } => {
                self.put(key, source, *size, identity, headers).await
            }
            Action::Put { body: PlannedBody::Site { key: other, etag }, size, identity, headers, .. } => {
                self.copy_within(key, (other, etag), *size, identity, headers, &self.writing, false).await
            }
            Action::Put { body: PlannedBody::Redirect(target), headers, .. } => {
                let dress = Dress { headers, redirect: Some(target), writing: &self.writing };
                let empty = BodyBytes::Whole(bytes::Bytes::new());
                self.s3.put(&self.target, key, empty, 0, &Identity::default(), dress).await?;
                Ok(())
            }
            Action::Headers { headers, size, etag, identity, keeping, .. } => {
                // What the configuration does not name stays as the object has it.
                let writing = Writing {
                    acl: self.writing.acl.clone(),
                    encryption: self.writing.encryption.clone().or_else(|| keeping.encryption.clone()),
                    kms_key: self.writing.kms_key.clone().or_else(|| keeping.kms_key.clone()),
                    storage_class: self.writing.storage_class.clone().or_else(|| keeping.storage_class.clone()),
                };
                self.copy_within(key, (&operation.key, etag), *size, identity, headers, &writing, true).await
            }
            // Deletes go in batches.
            Action::Delete { .. } => Ok(()),
        }
    }

    async fn put(
        &self,
        key: &str,
        source: &Key,
        size: u64,
        identity: &Identity,
        headers: &Headers,
    ) -> Result<(), OperationError> {
        let dress = Dress { headers, redirect: None, writing: &self.writing };
        if let Some(staged) = self.reader.staged(source) {
            let from = CopySource {
                bucket: &staged.bucket,
                key: staged.key.as_str(),
                etag: &staged.etag,
                size,
                limit: self.copy_limit,
                tags: false,
            };
            self.s3.copy(from, &self.target, key, identity, dress).await?;
            return Ok(());
        }
        let body = if size <= SMALL {
            BodyBytes::Whole(self.reader.whole(source).await?)
        } else {
            BodyBytes::Streamed(opener(&self.reader, source))
        };
        self.s3.put(&self.target, key, body, size, identity, dress).await?;
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "they are the parts of one operation")]
    async fn copy_within(
        &self,
        key: &str,
        (other, etag): (&StoredKey, &ETag),
        size: u64,
        identity: &Identity,
        headers: &Headers,
        writing: &Writing,
        tags: bool,
    ) -> Result<(), OperationError> {
        let whole = self.target.prefix.join(other.as_str());
        let from = CopySource { bucket: &self.target.bucket, key: &whole, etag, size, limit: self.copy_limit, tags };
        let dress = Dress { headers, redirect: None, writing };
        self.s3.copy(from, &self.target, key, identity, dress).await?;
        Ok(())
    }
}

/// Reads an object anew for every attempt of its request.
fn opener(reader: &Reader, key: &Key) -> Opener {
    let (reader, key) = (reader.clone(), key.clone());
    Arc::new(move || {
        let (reader, key) = (reader.clone(), key.clone());
        stream::once(async move { reader.stream(&key).await }).try_flatten().map_err(std::io::Error::other).boxed()
    })
}
