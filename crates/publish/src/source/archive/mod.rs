//! A zip as a source, of this machine or staged in S3, read by ranges: never whole in memory, never on disk.
//!
//! Owns the archive's errors and the way from a key to its entry's bytes. [`index`] decides what is an archive that can be
//! published, [`entry`] unpacks. Never writes.
//!
//! Two readers of a zip can see two different trees where its structures disagree. Only archives of which all readers see
//! the same tree are taken: every byte belongs to exactly one record, each record stands where the other ones say, and a
//! local header repeats the central one.

mod error;
mod digests;
mod end;
mod entry;
mod reader_at;
mod index;
mod limits;
mod local;
mod record;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use std::{fmt, io};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tidegate_core::artifact::{Artifact, ArtifactItem, ArtifactNames, Fingerprint};
use tidegate_core::content::ReadError;
use tidegate_core::identity::ContentIdentity;
use tidegate_core::key::Key;
use tidegate_core::location::ObjectLocation;
use tokio::runtime::Handle;

pub use limits::ArchiveLimits;

use super::body::{CHUNK, SourceBody};
use super::digest::Algorithms;
use super::ranged::{Blocks, Ranged, RangedFile, RangedObject};
use super::storage::StorageError;
use super::{OpenedSource, Progress, SourceError, SourceOptions, SourceReader, blocking};
use crate::s3::{S3, StagedObject};
use entry::{ArchiveEntry, EntryReader};

/// A zip in the state in which it was opened.
pub struct Archive {
    /// As the user named it.
    name: String,
    blocks: Blocks,
    /// Sorted by key.
    entries: Vec<(Key, ArchiveEntry)>,
}

/// Why an archive cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Nothing there.
    #[error("`{0}` does not exist, name a directory or a `.zip` file")]
    Missing(PathBuf),
    /// The storage failed, or its content changed.
    #[error("the archive `{archive}` could not be read: {error}")]
    Read {
        /// The archive.
        archive: String,
        /// The cause.
        error: io::Error,
    },
    /// No bytes at all.
    #[error("the archive `{0}` has 0 bytes, build it again")]
    ZeroBytes(String),
    /// No end record.
    #[error("the archive `{0}` is not a zip, or its end is missing, build or upload it again")]
    NotZip(String),
    /// A zip without entries.
    #[error("the archive `{0}` holds no entry, publish an archive with files")]
    Empty(String),
    /// Structures that do not fit together.
    #[error("the archive `{archive}` is damaged: {why}, build it again")]
    Damaged {
        /// The archive.
        archive: String,
        /// What does not fit.
        why: String,
    },
    /// Structures that other readers would read otherwise.
    #[error("the archive `{archive}` can be read in two ways: {why}, build it again with a plain zip tool")]
    Ambiguous {
        /// The archive.
        archive: String,
        /// Where the readers part.
        why: String,
    },
    /// An entry that cannot be published.
    #[error("`{entry}` in the archive `{archive}` {why}")]
    Entry {
        /// The archive.
        archive: String,
        /// The entry's name.
        entry: String,
        /// Why, and what to do.
        why: String,
    },
    /// More than the limits allow.
    #[error("the archive `{archive}` {why}, publish less or raise the limit")]
    Limit {
        /// The archive.
        archive: String,
        /// What is too much.
        why: String,
    },
}

impl Archive {
    /// Opens a zip of this machine. Its fingerprint is the SHA-256 of the file, and every entry is unpacked and digested, as
    /// every file of a directory is.
    ///
    /// # Errors
    /// [`SourceError`] says what about the archive cannot be published.
    pub async fn open_file(path: &Path, options: &SourceOptions) -> Result<OpenedSource, SourceError> {
        let (path, options) = (path.to_owned(), options.clone());
        blocking(move || {
            let name = path.display().to_string();
            let file = RangedFile::open(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => ArchiveError::Missing(path.clone()),
                _ => ArchiveError::Read { archive: name.clone(), error },
            })?;
            let digest = digest_whole(&file, options.progress.as_ref());
            let digest = digest.map_err(|error| ArchiveError::Read { archive: name.clone(), error })?;
            let print = Fingerprint(format!("sha256:{}", hex::encode(digest)).into());
            let archive = Arc::new(Self::index(name, Arc::new(file), options.limits)?);
            let identities = digests::digest_all(&archive, options.algorithms, options.progress.as_ref())?;
            archive.opened(identities, print)
        })
        .await
    }

    /// Opens a staged zip. Its fingerprint is its ETag and version.
    ///
    /// # Errors
    /// [`SourceError`] says what about the archive cannot be published.
    pub async fn open_object(
        place: &ObjectLocation,
        s3: &S3,
        options: &SourceOptions,
    ) -> Result<OpenedSource, SourceError> {
        let key = place.key.stored();
        let head = s3.head(&place.bucket, key.as_str()).await;
        let head = head.map_err(|error| StorageError::new(place.to_string(), error))?;
        let version = head.version.filter(|version| version != "null");
        let version = version.map(|version| format!(" version:{version}")).unwrap_or_default();
        let print = Fingerprint(format!("etag:{}{version}", head.etag).into());
        let object = StagedObject { bucket: place.bucket.clone(), key, size: head.size, etag: head.etag };
        let ranged = RangedObject::new(s3.clone(), object, Handle::current());
        let (name, limits) = (place.to_string(), options.limits);
        blocking(move || Self::open_ranged(name, Arc::new(ranged), print, limits)).await
    }

    /// Opens a zip that is read from anything; `name` is how errors call it. Blocks.
    ///
    /// # Errors
    /// [`SourceError`] says what about the archive cannot be published.
    pub fn open_ranged(
        name: String,
        source: Arc<dyn Ranged>,
        print: Fingerprint,
        limits: ArchiveLimits,
    ) -> Result<OpenedSource, SourceError> {
        let archive = Arc::new(Self::index(name, source, limits)?);
        let unknown = vec![ContentIdentity::default(); archive.entries.len()];
        archive.opened(unknown, print)
    }

    /// Everything that needs no unpacking.
    fn index(name: String, source: Arc<dyn Ranged>, limits: ArchiveLimits) -> Result<Self, SourceError> {
        let blocks = Blocks::new(source);
        let mut entries = index::read(&name, &blocks, limits)?;
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Self { name, blocks, entries })
    }

    /// `identities` are those of the entries, in their order.
    fn opened(
        self: Arc<Self>,
        identities: Vec<ContentIdentity>,
        print: Fingerprint,
    ) -> Result<OpenedSource, SourceError> {
        let items = self.entries.iter().zip(identities).map(|((key, entry), identity)| ArtifactItem {
            key: key.clone(),
            size: entry.size,
            identity,
        });
        let artifact = Artifact::new(items.collect(), print, ArtifactNames::Files)?;
        Ok(OpenedSource { artifact, reader: SourceReader::Archive(self) })
    }

    fn entry(&self, key: &Key) -> Result<ArchiveEntry, SourceError> {
        let found = self.entries.binary_search_by(|(name, _)| name.cmp(key)).ok().and_then(|at| self.entries.get(at));
        found.map(|(_, entry)| *entry).ok_or_else(|| SourceError::Absent(key.clone()))
    }

    /// Where an entry's bytes begin, for sorting by it; keys that are none come last.
    #[must_use]
    pub fn position(&self, key: &Key) -> u64 {
        self.entry(key).map_or(u64::MAX, |entry| entry.data)
    }

    /// See [`SourceReader::stream`].
    pub(super) async fn stream(self: &Arc<Self>, key: &Key) -> Result<SourceBody, SourceError> {
        let entry = self.entry(key)?;
        if entry.size <= CHUNK as u64 {
            return self.whole(key).await.map(SourceBody::ready);
        }
        Ok(SourceBody::from_blocking(entry.size, EntryReader::new(Arc::clone(self), key.clone(), entry)))
    }

    /// See [`SourceReader::whole`].
    pub(super) async fn whole(self: &Arc<Self>, key: &Key) -> Result<Bytes, SourceError> {
        let entry = self.entry(key)?;
        let (archive, key) = (Arc::clone(self), key.clone());
        blocking(move || Ok(EntryReader::new(archive, key, entry).take(entry.size)?.unwrap_or_default())).await
    }

    /// See [`SourceReader::digest`].
    pub(super) async fn digest(
        self: &Arc<Self>,
        key: &Key,
        algorithms: Algorithms,
    ) -> Result<ContentIdentity, SourceError> {
        let entry = self.entry(key)?;
        let (archive, key) = (Arc::clone(self), key.clone());
        blocking(move || digests::digest(&archive, &key, entry, algorithms)).await
    }

    /// One range, for plugins; shorter at the end of the entry. What lies before it is unpacked and dropped.
    pub(super) fn range(
        self: &Arc<Self>,
        key: &Key,
        offset: u64,
        length: u32,
        deadline: Instant,
    ) -> Result<Vec<u8>, ReadError> {
        let entry = self.entry(key).map_err(|_| ReadError::NotFound(key.clone()))?;
        let unavailable = |why: String| ReadError::Unavailable { key: key.clone(), why };
        let mut wanted = Vec::new();
        let mut skip = offset;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut chunks = EntryReader::new(Arc::clone(self), key.clone(), entry);
        while offset < entry.size && wanted.len() < length {
            if Instant::now() >= deadline {
                return Err(unavailable("its deadline passed".to_owned()));
            }
            let most = skip.saturating_add((length - wanted.len()) as u64).min(CHUNK as u64);
            let Some(chunk) = chunks.take(most).map_err(|error| unavailable(error.to_string()))? else { break };
            let skipped = chunk.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
            skip -= skipped as u64;
            wanted.extend_from_slice(chunk.get(skipped..).unwrap_or_default());
        }
        Ok(wanted)
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Archive({}, {} entries)", self.name, self.entries.len())
    }
}

fn digest_whole(file: &RangedFile, progress: Option<&Progress>) -> io::Result<[u8; 32]> {
    let mut whole = Sha256::new();
    let mut at = 0;
    while at < file.size() {
        let length = (file.size() - at).min(1024 * 1024);
        let bytes = file.read_at(at, usize::try_from(length).map_err(io::Error::other)?)?;
        whole.update(&bytes);
        at += length;
        if let Some(progress) = progress {
            progress(0, length);
        }
    }
    file.unchanged()?;
    Ok(whole.finalize().into())
}
