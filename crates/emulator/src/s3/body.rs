//! The bytes of objects. Owns taking them in, keeping each body once however many objects are made from it, finding them again
//! and forgetting them; never knows whose they are.
//!
//! A small body lies in the database and becomes durable with the record that names it. A larger one is a file named by the
//! body's number, written and flushed before any record names it. So no record can name bytes that are not whole. What a killed
//! process leaves behind is a file that no record names; the next opening removes it.

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
    body_file::{BodyFile, StagedFile, remove},
    checksum::{Algorithm, Digester, Digests},
    content::{ContentPiece, StagedContent},
    error::S3Failure,
};
use crate::database::{BODIES, Database, DatabaseChange, DatabaseError, SMALL_BODIES};

/// Bodies up to this size lie in the database when the store has a directory. Above it, a file of its own costs less.
const SMALL_BODY: u64 = 64 * 1024;

/// A stretch of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BodySegment {
    pub(crate) body: u64,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// All bodies of a store.
pub(crate) struct Bodies {
    /// None: everything is in the database, which is in memory.
    directory: Option<PathBuf>,
    next: AtomicU64,
    open: Arc<OpenFiles>,
}

/// The files that somebody reads at present, so that they are removed only after the last reader.
#[derive(Default)]
struct OpenFiles(Mutex<HashMap<u64, Weak<BodyFile>>>);

impl OpenFiles {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Weak<BodyFile>>> {
        // Every change of the map is one call, so it is whole even if a holder of the lock panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that has arrived whole and that no record names yet; forgotten unless it is stored.
pub(crate) struct StagedBody {
    number: u64,
    pub(crate) size: u64,
    pub(crate) digests: Digests,
    place: SegmentRange,
}

enum SegmentRange {
    Database(Bytes),
    File(StagedFile),
}

impl Bodies {
    /// Bodies in a database that is in memory.
    pub(crate) fn in_memory() -> Self {
        Self { directory: None, next: AtomicU64::new(1), open: Arc::default() }
    }

    /// Bodies in `directory` and `database`; removes files that nothing names.
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

    /// Takes a body in, at most `largest` bytes, and digests it on the way.
    pub(crate) async fn stage<S, E>(&self, body: S, algorithm: Algorithm, largest: u64) -> Result<StagedBody, S3Failure>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut body = std::pin::pin!(body);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut digester = Digester::new(algorithm);
        let mut size = 0_u64;
        let mut held = BytesMut::new();
        let mut file: Option<(tokio::fs::File, StagedFile)> = None;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| refused_body(&error.into().to_string()))?;
            digester.update(&chunk);
            size += chunk.len() as u64;
            if size > largest {
                return Err(S3Failure::EntityTooLarge);
            }
            match (&mut file, &self.directory) {
                (Some((file, _)), _) => file.write_all(&chunk).await?,
                (None, Some(directory)) if size > SMALL_BODY => {
                    let path = Self::path(directory, number);
                    let mut created = tokio::fs::File::create_new(&path).await?;
                    let staged = StagedFile::new(path);
                    created.write_all(&held).await?;
                    created.write_all(&chunk).await?;
                    held = BytesMut::new();
                    file = Some((created, staged));
                }
                (None, _) => held.extend_from_slice(&chunk),
            }
        }
        let place = match file {
            Some((mut file, staged)) => {
                file.flush().await?;
                file.sync_data().await?;
                SegmentRange::File(staged)
            }
            None => SegmentRange::Database(held.freeze()),
        };
        Ok(StagedBody { number, size, digests: digester.finish(), place })
    }

    /// Makes a staged body lasting, with one user.
    pub(crate) fn store(staged: StagedBody, change: &mut DatabaseChange<'_>) -> Result<BodySegment, S3Failure> {
        change.transaction.open_table(BODIES)?.insert(staged.number, 1)?;
        match staged.place {
            SegmentRange::Database(bytes) => {
                change.transaction.open_table(SMALL_BODIES)?.insert(staged.number, bytes.as_ref())?;
            }
            SegmentRange::File(file) => change.after_commit(move || file.keep()),
        }
        Ok(BodySegment { body: staged.number, start: 0, length: staged.size })
    }

    /// Adds a user to each body.
    pub(crate) fn retain(change: &mut DatabaseChange<'_>, segments: &[BodySegment]) -> Result<(), S3Failure> {
        let mut bodies = change.transaction.open_table(BODIES)?;
        for segment in segments {
            let users = bodies.get(segment.body)?.ok_or(DatabaseError::MissingBody(segment.body))?.value();
            bodies.insert(segment.body, users + 1)?;
        }
        Ok(())
    }

    /// Takes a user from each body, and forgets the bodies that have none left.
    pub(crate) fn release(&self, change: &mut DatabaseChange<'_>, segments: &[BodySegment]) -> Result<(), S3Failure> {
        let mut gone = Vec::new();
        {
            let mut bodies = change.transaction.open_table(BODIES)?;
            let mut small = change.transaction.open_table(SMALL_BODIES)?;
            for segment in segments {
                let users = bodies.get(segment.body)?.ok_or(DatabaseError::MissingBody(segment.body))?.value();
                if users > 1 {
                    bodies.insert(segment.body, users - 1)?;
                    continue;
                }
                bodies.remove(segment.body)?;
                if small.remove(segment.body)?.is_none() {
                    gone.push(segment.body);
                }
            }
        }
        if let Some(directory) = self.directory.clone().filter(|_| !gone.is_empty()) {
            let open = Arc::clone(&self.open);
            change.after_commit(move || {
                let files = open.lock();
                for number in gone {
                    match files.get(&number).and_then(Weak::upgrade) {
                        Some(file) => file.remove_when_closed(),
                        None => remove(&Self::path(&directory, number)),
                    }
                }
            });
        }
        Ok(())
    }

    /// Runs `lookup` such that the files of what it finds stay until they have been opened with [`BodyReading::content`].
    pub(crate) fn reading<T>(
        &self,
        lookup: impl FnOnce(BodyReading<'_>) -> Result<T, S3Failure>,
    ) -> Result<T, S3Failure> {
        // A file is removed under this lock, after the record that named it is gone. So whoever finds a record while holding it
        // finds the file too.
        let files = self.open.lock();
        lookup(BodyReading { directory: self.directory.as_deref(), files })
    }
}

/// Why a body broke off: its reader verifies what was signed, and says by the text of its error alone what was wrong.
fn refused_body(text: &str) -> S3Failure {
    tracing::debug!(%text, "a body was not taken in");
    if text.contains("Sha256Mismatch") {
        S3Failure::SignedHashMismatch
    } else if text.contains("SignatureMismatch") {
        S3Failure::SignatureDoesNotMatch
    } else {
        S3Failure::IncompleteBody
    }
}

/// The right to find bodies before they can vanish.
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
    ) -> Result<StagedContent, S3Failure> {
        let small = transaction.open_table(SMALL_BODIES)?;
        let mut pieces = Vec::new();
        for part in cut(segments, &range) {
            if let Some(bytes) = small.get(part.body)? {
                let stretch = usize::try_from(part.start).ok().zip(usize::try_from(part.start + part.length).ok());
                let bytes = stretch
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
        Ok(StagedContent::new(pieces, range.end.saturating_sub(range.start)))
    }
}

/// The segments that hold the bytes `range` of the content that `segments` make up.
pub(crate) fn cut(segments: &[BodySegment], range: &std::ops::Range<u64>) -> Vec<BodySegment> {
    let mut found = Vec::new();
    let mut position = 0_u64;
    for segment in segments {
        let start = range.start.max(position);
        let end = range.end.min(position + segment.length);
        if start < end {
            found.push(BodySegment {
                body: segment.body,
                start: segment.start + (start - position),
                length: end - start,
            });
        }
        position += segment.length;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_across_segments() {
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
