//! The bytes of objects. Each body is stored once, however many objects use it.
//!
//! A small body is in the database and becomes durable with the record that names it. A larger one is a file named by
//! the body's number, written and flushed before any record names it, so no record can name incomplete bytes. A killed
//! process can leave a file that no record names; it is removed when the store is next opened.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use redb::{ReadTransaction, ReadableTable as _};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;

use super::{
    algorithm::Algorithm,
    body_file::{BodyFile, StagedFile, remove},
    checksum::{Digester, Digests},
    content::{ContentPiece, ObjectContent},
    error::S3Failure,
};
use crate::database::{BODIES, Database, DatabaseChange, DatabaseError, SMALL_BODIES};

/// Largest body in the database of a store with a directory, in bytes. Above it, a file costs less.
const SMALL_BODY: u64 = 64 * 1024;

/// A range of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BodySegment {
    pub(crate) body: u64,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// All bodies of a store.
pub(crate) struct Bodies {
    /// `None`: all bodies are in the database, which is in memory.
    directory: Option<PathBuf>,
    next: AtomicU64,
    open: Arc<OpenFiles>,
}

/// The files that are being read, so that they are removed only after the last reader.
#[derive(Default)]
struct OpenFiles(Mutex<HashMap<u64, Weak<BodyFile>>>);

impl OpenFiles {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Weak<BodyFile>>> {
        // Every change of the map is one call, so it is consistent even if a thread panicked with the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A complete body that no record names yet. It is discarded unless it is stored.
pub(crate) struct StagedBody {
    number: u64,
    pub(crate) size: u64,
    pub(crate) digests: Digests,
    bytes: StagedBytes,
}

enum StagedBytes {
    Database(Bytes),
    File(StagedFile),
}

impl Bodies {
    /// Bodies in a database in memory.
    pub(crate) fn in_memory() -> Self {
        Self { directory: None, next: AtomicU64::new(1), open: Arc::default() }
    }

    /// Bodies in `directory` and `database`. Removes files that no record names.
    pub(crate) fn open(directory: PathBuf, database: &Database) -> Result<Self, DatabaseError> {
        std::fs::create_dir_all(&directory)?;
        let last = database.read(|transaction| {
            let bodies = transaction.open_table(BODIES)?;
            for entry in std::fs::read_dir(&directory)? {
                let entry = entry?;
                let number = entry.file_name().to_str().and_then(|name| u64::from_str_radix(name, 16).ok());
                let named = match number {
                    Some(number) => bodies.get(number)?.is_some(),
                    None => false,
                };
                if !named {
                    std::fs::remove_file(entry.path())?;
                }
            }
            Ok::<_, DatabaseError>(bodies.last()?.map_or(0, |(number, _)| number.value()))
        })?;
        Ok(Self { directory: Some(directory), next: AtomicU64::new(last + 1), open: Arc::default() })
    }

    fn path(directory: &Path, number: u64) -> PathBuf {
        directory.join(format!("{number:016x}"))
    }

    /// Receives a body of at most `limit` bytes and digests it.
    pub(crate) async fn stage<S, E>(&self, body: S, algorithm: Algorithm, limit: u64) -> Result<StagedBody, S3Failure>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut body = std::pin::pin!(body);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut digester = Digester::new(algorithm);
        let mut size = 0_u64;
        let mut buffer = BytesMut::new();
        let mut file: Option<(tokio::fs::File, StagedFile)> = None;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| body_error(&error.into().to_string()))?;
            digester.update(&chunk);
            size += chunk.len() as u64;
            if size > limit {
                return Err(S3Failure::EntityTooLarge);
            }
            match (&mut file, &self.directory) {
                (Some((file, _)), _) => file.write_all(&chunk).await?,
                (None, Some(directory)) if size > SMALL_BODY => {
                    let path = Self::path(directory, number);
                    let mut created = tokio::fs::File::create_new(&path).await?;
                    let staged = StagedFile::new(path);
                    created.write_all(&buffer).await?;
                    created.write_all(&chunk).await?;
                    buffer = BytesMut::new();
                    file = Some((created, staged));
                }
                (None, _) => buffer.extend_from_slice(&chunk),
            }
        }
        let bytes = match file {
            Some((mut file, staged)) => {
                file.flush().await?;
                file.sync_data().await?;
                StagedBytes::File(staged)
            }
            None => StagedBytes::Database(buffer.freeze()),
        };
        Ok(StagedBody { number, size, digests: digester.finish(), bytes })
    }

    /// Stores a staged body with one reference.
    pub(crate) fn store(staged: StagedBody, change: &mut DatabaseChange<'_>) -> Result<BodySegment, S3Failure> {
        change.transaction.open_table(BODIES)?.insert(staged.number, 1)?;
        match staged.bytes {
            StagedBytes::Database(bytes) => {
                change.transaction.open_table(SMALL_BODIES)?.insert(staged.number, bytes.as_ref())?;
            }
            StagedBytes::File(file) => change.after_commit(move || file.keep()),
        }
        Ok(BodySegment { body: staged.number, start: 0, length: staged.size })
    }

    /// Adds a reference to each body.
    pub(crate) fn retain(change: &mut DatabaseChange<'_>, segments: &[BodySegment]) -> Result<(), S3Failure> {
        let mut bodies = change.transaction.open_table(BODIES)?;
        for segment in segments {
            let references = bodies.get(segment.body)?.ok_or(DatabaseError::MissingBody(segment.body))?.value();
            bodies.insert(segment.body, references + 1)?;
        }
        Ok(())
    }

    /// Removes a reference from each body, and deletes the bodies without references.
    pub(crate) fn release(&self, change: &mut DatabaseChange<'_>, segments: &[BodySegment]) -> Result<(), S3Failure> {
        let mut unused = Vec::new();
        {
            let mut bodies = change.transaction.open_table(BODIES)?;
            let mut small = change.transaction.open_table(SMALL_BODIES)?;
            for segment in segments {
                let references = bodies.get(segment.body)?.ok_or(DatabaseError::MissingBody(segment.body))?.value();
                if references > 1 {
                    bodies.insert(segment.body, references - 1)?;
                    continue;
                }
                bodies.remove(segment.body)?;
                if small.remove(segment.body)?.is_none() {
                    unused.push(segment.body);
                }
            }
        }
        if let Some(directory) = self.directory.clone().filter(|_| !unused.is_empty()) {
            let open = Arc::clone(&self.open);
            change.after_commit(move || {
                let files = open.lock();
                for number in unused {
                    match files.get(&number).and_then(Weak::upgrade) {
                        Some(file) => file.remove_when_closed(),
                        None => remove(&Self::path(&directory, number)),
                    }
                }
            });
        }
        Ok(())
    }

    /// Runs `lookup`. The files of the bodies that it finds are not removed before [`BodyReading::content`] has opened
    /// them.
    pub(crate) fn reading<T>(
        &self,
        lookup: impl FnOnce(BodyReading<'_>) -> Result<T, S3Failure>,
    ) -> Result<T, S3Failure> {
        // A file is removed under this lock, after its record is gone. A lookup that finds a record while it holds the
        // lock therefore also finds the file.
        let files = self.open.lock();
        lookup(BodyReading { directory: self.directory.as_deref(), files })
    }
}

/// The error for an interrupted body. The reader verifies signatures, and reports the cause only in the text of its
/// error.
fn body_error(text: &str) -> S3Failure {
    tracing::debug!(%text, "cannot receive a body");
    if text.contains("Sha256Mismatch") {
        S3Failure::SignedHashMismatch
    } else if text.contains("SignatureMismatch") {
        S3Failure::SignatureDoesNotMatch
    } else {
        S3Failure::IncompleteBody
    }
}

/// A lookup of bodies during which none is removed.
pub(crate) struct BodyReading<'a> {
    directory: Option<&'a Path>,
    files: MutexGuard<'a, HashMap<u64, Weak<BodyFile>>>,
}

impl BodyReading<'_> {
    /// The bytes `range` of the content that `segments` make up.
    pub(crate) fn content(
        &mut self,
        transaction: &ReadTransaction,
        segments: &[BodySegment],
        range: std::ops::Range<u64>,
    ) -> Result<ObjectContent, S3Failure> {
        let small = transaction.open_table(SMALL_BODIES)?;
        let mut pieces = Vec::new();
        for part in cut(segments, &range) {
            if let Some(bytes) = small.get(part.body)? {
                let bounds = usize::try_from(part.start).ok().zip(usize::try_from(part.start + part.length).ok());
                let bytes = bounds
                    .and_then(|(start, end)| bytes.value().get(start..end))
                    .ok_or(DatabaseError::MissingBody(part.body))?;
                pieces.push(ContentPiece::Bytes(Bytes::copy_from_slice(bytes)));
                continue;
            }
            let directory = self.directory.ok_or(DatabaseError::MissingBody(part.body))?;
            let file = match self.files.get(&part.body).and_then(Weak::upgrade) {
                Some(file) => file,
                None => {
                    let path = Bodies::path(directory, part.body);
                    let file = Arc::new(BodyFile::new(path));
                    self.files.retain(|_, file| file.strong_count() > 0);
                    self.files.insert(part.body, Arc::downgrade(&file));
                    file
                }
            };
            pieces.push(ContentPiece::File { file, start: part.start, length: part.length });
        }
        Ok(ObjectContent::new(pieces, range.end.saturating_sub(range.start)))
    }
}

/// The segments that make up the bytes `range` of the content of `segments`.
pub(crate) fn cut(segments: &[BodySegment], range: &std::ops::Range<u64>) -> Vec<BodySegment> {
    let mut parts = Vec::new();
    let mut position = 0_u64;
    for segment in segments {
        let start = range.start.max(position);
        let end = range.end.min(position + segment.length);
        if start < end {
            parts.push(BodySegment {
                body: segment.body,
                start: segment.start + (start - position),
                length: end - start,
            });
        }
        position += segment.length;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_a_range_across_segments() {
        let segments = [
            BodySegment { body: 1, start: 10, length: 5 },
            BodySegment { body: 2, start: 0, length: 5 },
            BodySegment { body: 3, start: 7, length: 5 },
        ];
        assert_eq!(cut(&segments, &(0..15)), segments);
        assert_eq!(
            cut(&segments, &(3..11)),
            [
                BodySegment { body: 1, start: 13, length: 2 },
                BodySegment { body: 2, start: 0, length: 5 },
                BodySegment { body: 3, start: 7, length: 1 },
            ]
        );
        assert_eq!(cut(&segments, &(5..5)), []);
    }
}
