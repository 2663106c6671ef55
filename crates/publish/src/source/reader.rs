//! Reads the objects of any source.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::identity::ContentIdentity;
use tidegate_core::key::Key;

use super::archive::Archive;
use super::body::SourceBody;
use super::digest::Algorithms;
use super::directory::Directory;
use super::error::SourceError;
use super::prefix::StagedPrefix;
use super::release::ReleaseSource;
use crate::s3::StagedObject;

/// Reads the objects of one opened source by the artifact's keys. Cheap to clone.
#[derive(Debug, Clone)]
pub enum SourceReader {
    /// Local files.
    Directory(Arc<Directory>),
    /// A zip, local or staged.
    Archive(Arc<Archive>),
    /// Objects in a bucket.
    Prefix(Arc<StagedPrefix>),
    /// An earlier release.
    Release(Arc<ReleaseSource>),
}

impl From<Directory> for SourceReader {
    fn from(directory: Directory) -> Self {
        Self::Directory(Arc::new(directory))
    }
}

impl From<Archive> for SourceReader {
    fn from(archive: Archive) -> Self {
        Self::Archive(Arc::new(archive))
    }
}

impl From<StagedPrefix> for SourceReader {
    fn from(prefix: StagedPrefix) -> Self {
        Self::Prefix(Arc::new(prefix))
    }
}

impl From<ReleaseSource> for SourceReader {
    fn from(release: ReleaseSource) -> Self {
        Self::Release(Arc::new(release))
    }
}

impl SourceReader {
    /// Starts to read one object. The stream ends after exactly the artifact's `size` bytes. If the content has changed
    /// since opening, it ends with an error **before** the last byte, so that a request whose length was announced
    /// fails instead of publishing it. A file or an entry of up to [`super::body::CHUNK`] bytes is read and checked
    /// before this returns.
    ///
    /// # Errors
    /// [`SourceError`], also as an item of the stream.
    pub async fn stream(&self, key: &Key) -> Result<SourceBody, SourceError> {
        match self {
            Self::Directory(directory) => directory.stream(key).await,
            Self::Archive(archive) => archive.stream(key).await,
            Self::Prefix(prefix) => prefix.stream(key).await,
            Self::Release(release) => release.stream(key).await,
        }
    }

    /// One object in memory, checked like [`SourceReader::stream`]. For objects that the caller knows to be small: such
    /// a body can be sent again when a request is retried.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn whole(&self, key: &Key) -> Result<Bytes, SourceError> {
        match self {
            Self::Directory(directory) => directory.whole(key).await,
            Self::Archive(archive) => archive.whole(key).await,
            Self::Prefix(prefix) => prefix.stream(key).await?.collect().await,
            Self::Release(release) => release.stream(key).await?.collect().await,
        }
    }

    /// Digests one object in one pass: always with SHA-256, and with `algorithms`. Reads nothing if all of that was
    /// computed at opening.
    ///
    /// # Errors
    /// [`SourceError`], also if the content has changed since opening.
    pub async fn digest(&self, key: &Key, algorithms: Algorithms) -> Result<ContentIdentity, SourceError> {
        match self {
            Self::Directory(directory) => directory.digest(key, algorithms).await,
            Self::Archive(archive) => archive.digest(key, algorithms).await,
            Self::Prefix(prefix) => prefix.stream(key).await?.digest(algorithms).await,
            Self::Release(release) => release.stream(key).await?.digest(algorithms).await,
        }
    }

    /// The object in S3 that can be copied to the site, and the state in which it was listed. Nothing for files and
    /// archives.
    #[must_use]
    pub fn staged(&self, key: &Key) -> Option<StagedObject> {
        match self {
            Self::Prefix(prefix) => prefix.staged(key).ok(),
            Self::Release(release) => release.staged(key),
            Self::Directory(_) | Self::Archive(_) => None,
        }
    }

    /// Whether a staged object must still have its listed ETag when it is copied. Archived bodies need no check,
    /// because their names identify their content.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        !matches!(self, Self::Release(_))
    }

    /// The position of an object in an archive; nothing for other sources. An archive is read with the fewest requests
    /// in the order of its positions.
    #[must_use]
    pub fn position(&self, key: &Key) -> Option<u64> {
        match self {
            Self::Archive(archive) => Some(archive.position(key)),
            Self::Directory(_) | Self::Prefix(_) | Self::Release(_) => None,
        }
    }
}
