//! Why a run ends without a report. A denial is a report, not an error.

use tidegate_core::desired::KeyCollision;
use tidegate_core::edge::{EdgeSizeError, PlaceError};
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::invalidation::CacheTagsError;
use tidegate_core::key::MAX_KEY_BYTES;
use tidegate_core::listing::ListingError;
use tidegate_core::location::Location;
use tidegate_core::plan::FORMAT;
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_core::policy_document::PolicyDocumentError;
use tidegate_core::release::ReleaseId;
use tidegate_core::request::MAX_RELEASE_BYTES;
use tidegate_core::restore::RestoreError;

use super::shard_error::ShardError;
use crate::aws_error::AwsError;
use crate::plugins::SitePluginsError;
use crate::s3::ListError;
use crate::source::SourceError;
use crate::state::{LeaseLost, StateError};

/// Why a run ended before it had a plan. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The plugins cannot be loaded.
    #[error(transparent)]
    Plugins(#[from] SitePluginsError),
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A plugin failed.
    #[error(transparent)]
    Plugin(#[from] PluginFailure),
    /// The source has one key twice. Sources check that, so this is a bug.
    #[error("the source has two objects on one key: {0}")]
    Collision(#[from] KeyCollision),
    /// The site cannot be compared.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// AWS failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The site's state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// Cache tags that CloudFront would not honour.
    #[error(transparent)]
    Tags(#[from] CacheTagsError),
    /// The credentials that the plan needs cannot be described.
    #[error(transparent)]
    Document(#[from] PolicyDocumentError),
    /// `credentials` is `scoped`, and STS does not scope the caller's credentials.
    #[error(
        "the caller's credentials cannot be limited to the plan: {0}; allow `sts:GetScopedCredentials`, set `role`, or \
         set `credentials = \"caller\"`"
    )]
    Unscoped(#[source] Box<PublishError>),
    /// Keys that are too long for S3 with the prefix of the target.
    #[error(
        "{} too long below `{target}`, such as `{key}` with {bytes} bytes; S3 allows {MAX_KEY_BYTES}, so shorten the key or the prefix",
        if *count == 1 { "1 key is".to_owned() } else { format!("{count} keys are") }
    )]
    KeysTooLong {
        /// The first of them.
        key: String,
        /// Its length with the prefix.
        bytes: usize,
        /// The target.
        target: Location,
        /// How many there are.
        count: usize,
    },
    /// The release cannot have a folder of its own.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The rules for requests do not fit into the key value store.
    #[error(transparent)]
    EdgeSize(#[from] EdgeSizeError),
    /// The name of the release is too long.
    #[error("the name of the release has {0} bytes; use at most {MAX_RELEASE_BYTES}")]
    ReleaseTooLong(usize),
    /// The source overlaps the place where releases are kept.
    #[error("`{0}` holds the state of sites; publish another source")]
    PublishesState(Location),
    /// The site has no releases.
    #[error("the site `{0}` has no releases; set `state` in the configuration, then publish")]
    NoReleases(String),
    /// Nothing was published yet.
    #[error("the site `{0}` was not published yet; publish it first")]
    NotReleased(String),
    /// The release is not kept.
    #[error("the site `{0}` keeps no release `{1}`; `tidegate releases {0}` lists those that it keeps")]
    UnknownRelease(String, ReleaseId),
    /// No earlier release is kept.
    #[error("the site `{0}` keeps no release before the live one")]
    NothingBefore(String),
    /// The manifest of an earlier release cannot be used.
    #[error("cannot restore the release `{0}`: {1}")]
    Restore(ReleaseId, #[source] RestoreError),
    /// Bodies of an earlier release are missing.
    #[error("{count} bodies of the release `{id}` are missing, such as that of `{key}`; publish it from its source")]
    Unrestorable {
        /// The release.
        id: ReleaseId,
        /// How many.
        count: usize,
        /// One of them.
        key: String,
    },
    /// A saved plan no longer applies.
    #[error("the plan no longer applies: {}; make a new one", .0.join("; "))]
    Drifted(Vec<String>),
    /// A saved plan has another format.
    #[error("the plan has format {0}, but this version of Tidegate reads {FORMAT}; make a new one")]
    Format(u32),
    /// The publish cannot be distributed, or a shard of it not be carried out.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The process is shutting down.
    #[error("the run was interrupted; run the same command again")]
    Interrupted,
    /// A bug.
    #[error("the plan cannot be written as JSON, which is a bug in Tidegate: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<LeaseLost> for PublishError {
    fn from(lost: LeaseLost) -> Self {
        Self::State(lost.into())
    }
}

impl PublishError {
    /// Whether AWS asked for fewer requests, even after all retries.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        matches!(self, Self::Aws(error) | Self::State(StateError::Aws(error)) if error.is_throttled())
    }

    /// The failure of a plugin, if that is the error.
    #[must_use]
    pub fn plugin_failure(&self) -> Option<&PluginFailure> {
        match self {
            Self::Plugin(failure) => Some(failure),
            Self::Plugins(error) => error.plugin_failure(),
            _ => None,
        }
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Plugins(error) => error.kind(),
            Self::Document(_)
            | Self::Unscoped(_)
            | Self::Tags(_)
            | Self::Place(_)
            | Self::EdgeSize(_)
            | Self::Drifted(_)
            | Self::Shard(_)
            | Self::Format(_)
            | Self::PublishesState(_)
            | Self::KeysTooLong { .. }
            | Self::ReleaseTooLong(_)
            | Self::NoReleases(_)
            | Self::NotReleased(_)
            | Self::UnknownRelease(..)
            | Self::NothingBefore(_) => ErrorKind::Configuration,
            Self::Plugin(failure) => failure.kind(),
            Self::Source(error) if error.is_artifact_error() => ErrorKind::Artifact,
            Self::State(StateError::Json(_) | StateError::Index(_)) => ErrorKind::Bug,
            Self::Source(_)
            | Self::Inspect(_)
            | Self::Aws(_)
            | Self::State(_)
            | Self::Restore(..)
            | Self::Unrestorable { .. }
            | Self::Interrupted => ErrorKind::Cloud,
            Self::Collision(_) | Self::Json(_) => ErrorKind::Bug,
        }
    }
}

/// Why a site cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The bucket cannot be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// An object cannot be read.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An object of the source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The manifest cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The process is shutting down.
    #[error("the comparison was interrupted; run the same command again")]
    Interrupted,
}

impl From<ListingError> for InspectError {
    fn from(error: ListingError) -> Self {
        Self::List(error.into())
    }
}
