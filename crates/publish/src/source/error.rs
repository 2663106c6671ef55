//! Errors of sources.

use tidegate_core::artifact::ArtifactError;
use tidegate_core::declared::DeclaredHeadersError;
use tidegate_core::key::Key;
use tidegate_core::location::Prefix;
use tidegate_core::release::ReleaseId;

use super::archive::error::ArchiveError;
use super::directory::error::DirectoryError;
use super::names::RefusedNames;
use super::storage::StorageError;

/// Why a source could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A directory cannot be published.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// An archive cannot be published.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// S3 refused or failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Names that cannot be keys.
    #[error(transparent)]
    Names(#[from] RefusedNames),
    /// Names that conflict with each other.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A header or redirect of a staged object that cannot be published.
    #[error("cannot publish `{url}`: {error}; stage it again, or set `staged-headers` to `ignore`")]
    Declared {
        /// The URL.
        url: String,
        /// The cause.
        error: DeclaredHeadersError,
    },
    /// No name is below the folder that is left out.
    #[error("no name of the source starts with `{prefix}`, but `{example}` is there; correct the prefix to strip")]
    NothingBelow {
        /// The folder.
        prefix: Prefix,
        /// A name of the source.
        example: Key,
    },
    /// A release is opened from a site's state, not as a source.
    #[error("`{0}` is a release, not a source; go back to it with `tidegate rollback`")]
    Release(ReleaseId),
    /// The artifact does not have the key.
    #[error("the source has no object `{0}`")]
    Absent(Key),
    /// The process is shutting down.
    #[error("reading the source was interrupted; run the same command again")]
    Interrupted,
}

impl SourceError {
    /// Whether the artifact itself is at fault, so that reading it again does not help.
    #[must_use]
    pub fn is_artifact_error(&self) -> bool {
        match self {
            Self::Archive(error) => !matches!(error, ArchiveError::Missing(_) | ArchiveError::Read { .. }),
            Self::Names(_) | Self::Artifact(_) | Self::Declared { .. } => true,
            Self::Directory(_)
            | Self::Storage(_)
            | Self::NothingBelow { .. }
            | Self::Release(_)
            | Self::Absent(_)
            | Self::Interrupted => false,
        }
    }
}
