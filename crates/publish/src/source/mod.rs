//! Sources of a publish: a directory, a zip, a staged prefix, a staged zip. [`open`] lists one, [`SourceReader`] reads it.
//!
//! Owns the way from a [`Source`] to an [`Artifact`] and to the bytes behind each of its keys. Never names an AWS SDK
//! (see [`storage`]), never decides what is published and never writes anything.

pub mod archive;
pub mod body;
pub mod content;
pub mod digest;
pub mod directory;
pub mod names;
pub mod prefix;
pub mod ranged;
pub mod release;
pub mod storage;

use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::artifact::{Artifact, ArtifactError};
use tidegate_core::identity::ContentIdentity;
use tidegate_core::key::Key;
use tidegate_core::location::Source;
use tidegate_core::release::ReleaseId;

use crate::s3::{S3, StagedObject};

use archive::{Archive, ArchiveError, ArchiveLimits};
use body::SourceBody;
use digest::Algorithms;
use directory::{Directory, DirectoryError};
use names::RefusedNames;
use prefix::StagedPrefix;
use release::ReleaseSource;
use storage::StorageError;

/// Told as reading goes on, from several threads: objects and bytes that were read since the last call.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// How a source is opened.
#[derive(Clone, Default)]
pub struct SourceOptions {
    /// What a directory's files are digested with besides SHA-256.
    pub algorithms: Algorithms,
    /// What an archive may hold at the most.
    pub limits: ArchiveLimits,
    /// Told about every file of a directory that was digested, and about a local archive's bytes.
    pub progress: Option<Progress>,
}

/// An opened source: its listing, and the way to its bytes.
#[derive(Debug, Clone)]
pub struct OpenedSource {
    /// What there is.
    pub artifact: Artifact,
    /// How to read it.
    pub reader: SourceReader,
}

/// Reads the objects of one opened source by the artifact's keys. Cheap to clone.
#[derive(Debug, Clone)]
pub enum SourceReader {
    /// Files of this machine.
    Directory(Arc<Directory>),
    /// A zip, of this machine or staged.
    Archive(Arc<Archive>),
    /// Objects in a bucket.
    Prefix(Arc<StagedPrefix>),
    /// An earlier release.
    Released(Arc<ReleaseSource>),
}

/// Why a source could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A directory's own troubles.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// An archive's own troubles.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// S3 refused or failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Names that cannot be keys.
    #[error(transparent)]
    Names(#[from] RefusedNames),
    /// Names that cannot stand beside each other.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A release is opened from a site's state, not from a source.
    #[error("`{0}` is a release, go back to it with `tidegate rollback`")]
    Release(ReleaseId),
    /// A key that the artifact does not have.
    #[error("the source has no object `{0}`")]
    Absent(Key),
    /// The runtime dropped the work, which happens while it shuts down.
    #[error("reading the source was interrupted, run it again")]
    Interrupted,
}

impl SourceError {
    /// Whether it is the artifact that is wrong, however often it is read.
    #[must_use]
    pub fn is_of_the_artifact(&self) -> bool {
        match self {
            Self::Archive(error) => !matches!(error, ArchiveError::Missing(_) | ArchiveError::Read { .. }),
            Self::Names(_) | Self::Artifact(_) => true,
            Self::Directory(_) | Self::Storage(_) | Self::Release(_) | Self::Absent(_) | Self::Interrupted => false,
        }
    }
}

/// Opens a source: lists all of it and checks what can be checked without publishing anything.
///
/// A directory is digested on the way, so that its items carry their SHA-256; an archive's headers are all verified.
///
/// # Errors
/// [`SourceError`]; a listing is never shorter than the source.
pub async fn open(source: &Source, s3: &S3, options: &SourceOptions) -> Result<OpenedSource, SourceError> {
    match source {
        Source::Directory(path) => Directory::open(path, options).await,
        Source::Archive(path) => Archive::open_file(path, options).await,
        Source::Prefix(location) => StagedPrefix::open(location, s3).await,
        Source::Object(object) => Archive::open_object(object, s3, options).await,
        Source::Release(id) => Err(SourceError::Release(*id)),
    }
}

impl SourceReader {
    /// Starts to read one object. The stream ends after exactly the artifact's `size` bytes, or with an error **before**
    /// the last byte when the content is not what it was at opening: a request whose length was announced then fails
    /// instead of publishing it. A file or an entry of up to [`body::CHUNK`] bytes is read and checked before this returns.
    ///
    /// # Errors
    /// [`SourceError`]; the stream's items carry one too.
    pub async fn stream(&self, key: &Key) -> Result<SourceBody, SourceError> {
        match self {
            Self::Directory(directory) => directory.stream(key).await,
            Self::Archive(archive) => archive.stream(key).await,
            Self::Prefix(prefix) => prefix.stream(key).await,
            Self::Released(released) => released.stream(key).await,
        }
    }

    /// The whole of one object in memory, checked like [`SourceReader::stream`]. For objects that the caller knows to be small:
    /// such a body can be sent again when a request is retried.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn whole(&self, key: &Key) -> Result<Bytes, SourceError> {
        match self {
            Self::Directory(directory) => directory.whole(key).await,
            Self::Archive(archive) => archive.whole(key).await,
            Self::Prefix(prefix) => prefix.stream(key).await?.collect().await,
            Self::Released(released) => released.stream(key).await?.collect().await,
        }
    }

    /// Reads one object in one pass and says what it is: its SHA-256 always, its MD5 where asked. Where opening already
    /// found out what is asked, nothing is read.
    ///
    /// # Errors
    /// [`SourceError`]; content that changed since opening among them.
    pub async fn digest(&self, key: &Key, algorithms: Algorithms) -> Result<ContentIdentity, SourceError> {
        match self {
            Self::Directory(directory) => directory.digest(key, algorithms).await,
            Self::Archive(archive) => archive.digest(key, algorithms).await,
            Self::Prefix(prefix) => prefix.stream(key).await?.digest(algorithms).await,
            Self::Released(released) => released.stream(key).await?.digest(algorithms).await,
        }
    }

    /// Where the object lies in S3 and which state of it was listed, for a copy on the server's side. Nothing for files
    /// and archives.
    #[must_use]
    pub fn staged(&self, key: &Key) -> Option<StagedObject> {
        match self {
            Self::Prefix(prefix) => prefix.staged(key).ok(),
            Self::Released(released) => released.staged(key),
            Self::Directory(_) | Self::Archive(_) => None,
        }
    }

    /// Whether a staged object must still be in the state that it was listed in. The name of a body that was set aside
    /// stands for its state.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        !matches!(self, Self::Released(_))
    }

    /// Sorts `keys` in the order in which they are read with the fewest requests: that of the bytes in an archive. Other
    /// sources do not mind.
    pub fn reading_order(&self, keys: &mut [Key]) {
        if let Self::Archive(archive) = self {
            keys.sort_by_cached_key(|key| archive.position(key));
        }
    }
}

/// Runs work that blocks away from the threads that serve requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| SourceError::Interrupted)?
}
