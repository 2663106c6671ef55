//! A zip as a source, local or in S3. It is read by ranges, so it is never in memory or on disk as a whole.
//!
//! If the structures of a zip contradict each other, two readers can see two different trees. Only archives in which
//! every reader sees the same tree are accepted: every byte belongs to exactly one record, each record is where the
//! others say, and each local header repeats the central one.

mod files;
mod digests;
mod end;
mod entry;
pub(in crate::source) mod error;
mod index;
mod links;
mod local;
mod name;
mod reader_at;
mod record;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use std::{fmt, io};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tidegate_core::artifact::{Artifact, ArtifactItem, ArtifactNames, Fingerprint};
use tidegate_core::content::ReadError;
use tidegate_core::declared::DeclaredHeaders;
use tidegate_core::finding::Finding;
use tidegate_core::identity::ContentIdentity;
use tidegate_core::key::Key;
use tidegate_core::listing_filter::ListingExclusions;
use tidegate_core::location::ObjectLocation;
use tokio::runtime::Handle;

pub use error::ArchiveError;

use super::blocking::blocking;
use super::body::{CHUNK, SourceBody};
use super::digest::Algorithms;
use super::error::SourceError;
use super::options::{Progress, SourceOptions};
use super::ranged::{Ranged, RangedFile, RangedObject};
use super::storage::StorageError;
use super::{ListedSource, listed};
use crate::s3::{S3, StagedObject};
use entry::EntryReader;
use index::ArchiveIndex;

/// What the names of an archive say.
struct ArchiveNames {
    index: ArchiveIndex,
    exclusions: ListingExclusions,
    findings: Vec<Finding>,
}

/// A zip in the state in which it was opened.
pub struct Archive {
    index: Arc<ArchiveIndex>,
}

impl Archive {
    /// Opens a local zip. Its fingerprint is the SHA-256 of the file. Every entry is unpacked and digested.
    pub(super) async fn open_file(path: &Path, options: &SourceOptions) -> Result<ListedSource<Self>, SourceError> {
        let (path, options) = (path.to_owned(), options.clone());
        blocking(move || {
            let name = path.display().to_string();
            let file = RangedFile::open(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => ArchiveError::Missing(path.clone()),
                _ => ArchiveError::Read { archive: name.clone(), error },
            })?;
            let digest = digest_file(&file, options.progress.as_ref());
            let digest = digest.map_err(|error| ArchiveError::Read { archive: name.clone(), error })?;
            let fingerprint = Fingerprint(format!("sha256:{}", hex::encode(digest)).into());
            let ArchiveNames { index, exclusions, findings } = Self::index(name, Arc::new(file), &options)?;
            let index = Arc::new(index);
            let identities = digests::digest_all(&index, options.algorithms, options.progress.as_ref())?;
            let artifact = artifact(&index, identities, fingerprint, &options)?;
            Ok(ListedSource { artifact, reader: Self { index }, exclusions, findings })
        })
        .await
    }

    /// Opens a zip in S3. Its fingerprint is its ETag and version.
    pub(super) async fn open_object(
        location: &ObjectLocation,
        s3: &S3,
        options: &SourceOptions,
    ) -> Result<ListedSource<Self>, SourceError> {
        let key = location.key.stored();
        let head = s3.head(&location.bucket, key.as_str()).await;
        let head = head.map_err(|error| StorageError::new(location.to_string(), error))?;
        let version = head.version.filter(|version| version != "null");
        let version = version.map(|version| format!(" version:{version}")).unwrap_or_default();
        let fingerprint = Fingerprint(format!("etag:{}{version}", head.etag).into());
        let object = StagedObject { bucket: location.bucket.clone(), key, size: head.size, etag: head.etag };
        let ranged = RangedObject::new(s3.clone(), object, Handle::current());
        let (name, options) = (location.to_string(), options.clone());
        blocking(move || Self::open_ranged(name, Arc::new(ranged), fingerprint, &options)).await
    }

    /// Opens a zip from any bytes. Blocks.
    pub(super) fn open_ranged(
        name: String,
        bytes: Arc<dyn Ranged>,
        fingerprint: Fingerprint,
        options: &SourceOptions,
    ) -> Result<ListedSource<Self>, SourceError> {
        let ArchiveNames { index, exclusions, findings } = Self::index(name, bytes, options)?;
        let unknown = vec![ContentIdentity::default(); index.entries.len()];
        let artifact = artifact(&index, unknown, fingerprint, options)?;
        Ok(ListedSource { artifact, reader: Self { index: Arc::new(index) }, exclusions, findings })
    }

    fn index(name: String, bytes: Arc<dyn Ranged>, options: &SourceOptions) -> Result<ArchiveNames, SourceError> {
        let mut exclusions = ListingExclusions::new(options.filter.clone());
        let mut index = ArchiveIndex::read(name, bytes, options.limits, &mut exclusions)?;
        let entries = std::mem::take(&mut index.entries);
        let (entries, mut findings) = listed::strip(&options.strip_prefix, entries, |entry| &mut entry.key)?;
        index.entries = entries;
        findings.extend(index.code_page_names.as_ref().map(|(example, count)| listed::code_page(example, *count)));
        Ok(ArchiveNames { index, exclusions, findings })
    }

    fn entry_reader(&self, key: &Key) -> Result<EntryReader, SourceError> {
        Ok(EntryReader::new(Arc::clone(&self.index.archive), self.index.entry(key)?.clone()))
    }

    /// Where an entry's bytes begin. Keys that are not in the archive sort last.
    #[must_use]
    pub fn position(&self, key: &Key) -> u64 {
        self.index.entry(key).map_or(u64::MAX, |entry| entry.offset)
    }

    /// See [`super::SourceReader::stream`].
    pub(super) async fn stream(&self, key: &Key) -> Result<SourceBody, SourceError> {
        let size = self.index.entry(key)?.size;
        if size <= CHUNK as u64 {
            return self.whole(key).await.map(SourceBody::ready);
        }
        Ok(SourceBody::from_blocking(size, self.entry_reader(key)?))
    }

    /// See [`super::SourceReader::whole`].
    pub(super) async fn whole(&self, key: &Key) -> Result<Bytes, SourceError> {
        let size = self.index.entry(key)?.size;
        let mut reader = self.entry_reader(key)?;
        blocking(move || Ok(reader.take(size)?.unwrap_or_default())).await
    }

    /// See [`super::SourceReader::digest`].
    pub(super) async fn digest(&self, key: &Key, algorithms: Algorithms) -> Result<ContentIdentity, SourceError> {
        let (index, entry) = (Arc::clone(&self.index), self.index.entry(key)?.clone());
        blocking(move || digests::digest(&index, &entry, algorithms)).await
    }

    /// One range, for plugins; shorter at the end of the entry. The bytes before it are unpacked and dropped.
    pub(super) fn range(&self, key: &Key, offset: u64, length: u32, deadline: Instant) -> Result<Vec<u8>, ReadError> {
        let not_found = |_| ReadError::NotFound(key.clone());
        let size = self.index.entry(key).map_err(not_found)?.size;
        let mut reader = self.entry_reader(key).map_err(not_found)?;
        let unavailable = |why: String| ReadError::Unavailable { key: key.clone(), why };
        let mut range = Vec::new();
        let mut skip = offset;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        while offset < size && range.len() < length {
            if Instant::now() >= deadline {
                return Err(unavailable("its deadline passed".to_owned()));
            }
            let limit = skip.saturating_add((length - range.len()) as u64).min(CHUNK as u64);
            let Some(chunk) = reader.take(limit).map_err(|error| unavailable(error.to_string()))? else { break };
            let skipped = chunk.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
            skip -= skipped as u64;
            range.extend_from_slice(chunk.get(skipped..).unwrap_or_default());
        }
        Ok(range)
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Archive({}, {} entries)", self.index.archive.name, self.index.entries.len())
    }
}

/// The listing of an archive. `identities` are those of the entries, in the same order.
fn artifact(
    index: &ArchiveIndex,
    identities: Vec<ContentIdentity>,
    fingerprint: Fingerprint,
    options: &SourceOptions,
) -> Result<Artifact, SourceError> {
    let items = index.entries.iter().zip(identities).map(|(entry, identity)| ArtifactItem {
        key: entry.key.clone(),
        size: entry.size,
        identity: identity.into(),
        declared: DeclaredHeaders::default(),
    });
    let fingerprint = match options.strip_prefix.as_str() {
        "" => fingerprint,
        prefix => Fingerprint(format!("{} below:{prefix}", fingerprint.0).into()),
    };
    Ok(Artifact::new(items.collect(), fingerprint, ArtifactNames::Files)?)
}

fn digest_file(file: &RangedFile, progress: Option<&Progress>) -> io::Result<[u8; 32]> {
    let mut digest = Sha256::new();
    let mut offset = 0;
    while offset < file.size() {
        let length = (file.size() - offset).min(1024 * 1024);
        let bytes = file.read_at(offset, usize::try_from(length).map_err(io::Error::other)?)?;
        digest.update(&bytes);
        offset += length;
        if let Some(progress) = progress {
            progress(0, length);
        }
    }
    file.check_unchanged()?;
    Ok(digest.finalize().into())
}
