//! Why a run ends without a report, and whose fault that is.
//!
//! Owns the sentence for each case. A denial is a report, never an error.

use tidegate_core::desired::KeyCollision;
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::invalidation::CacheTagsError;
use tidegate_core::location::Location;
use tidegate_core::plan::FORMAT;
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_core::policy_document::PolicyDocumentError;
use tidegate_core::release::ReleaseId;
use tidegate_core::restore::RestoreError;

use crate::aws_error::AwsError;
use crate::inspect::InspectError;
use crate::plugins::SitePluginsError;
use crate::source::SourceError;
use crate::state::{LeaseLost, StateError};

/// Why a run ended before it had a plan. The site is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The plugins cannot be used: a matter of configuration.
    #[error(transparent)]
    Chain(#[from] SitePluginsError),
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A plugin failed.
    #[error(transparent)]
    Plugin(#[from] PluginFailure),
    /// The source has one key twice: a defect, since sources check it.
    #[error("the source is no site: {0}")]
    Collision(#[from] KeyCollision),
    /// The site cannot be compared.
    #[error(transparent)]
    Survey(#[from] InspectError),
    /// AWS failed.
    #[error(transparent)]
    Cloud(#[from] AwsError),
    /// The site's state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// Objects whose cache tags would not be honoured: a matter of the settings or files that tags are set by.
    #[error(transparent)]
    Tags(#[from] CacheTagsError),
    /// The credentials that the plan needs cannot be described.
    #[error(transparent)]
    Document(#[from] PolicyDocumentError),
    /// What would be published is where releases are kept.
    #[error("`{0}` holds the state of sites, publish something else")]
    PublishesState(Location),
    /// The site has no releases.
    #[error("the site `{0}` has no releases: name a `state` in the configuration, then publish")]
    NoReleases(String),
    /// Nothing was published yet.
    #[error("the site `{0}` was not released yet, publish it first")]
    NotReleased(String),
    /// There is no such release any more.
    #[error("the site `{0}` keeps no release `{1}`, `tidegate releases {0}` shows those that it keeps")]
    UnknownRelease(String, ReleaseId),
    /// There is nothing to go back to.
    #[error("the site `{0}` keeps no release before the live one")]
    NothingBefore(String),
    /// The manifest of an earlier release is not one.
    #[error("the release `{0}` cannot be published again: {1}")]
    Restore(ReleaseId, #[source] RestoreError),
    /// Bodies of an earlier release are gone.
    #[error("{count} bodies of the release `{id}` are gone, such as that of `{key}`: publish it from its source")]
    Unrestorable {
        /// The release.
        id: ReleaseId,
        /// How many.
        count: usize,
        /// One of them.
        key: String,
    },
    /// A saved plan does not hold any more.
    #[error("the plan no longer holds, make a new one: {}", .0.join("; "))]
    Drifted(Vec<String>),
    /// A saved plan has another form.
    #[error("the plan has the form {0}, this version of Tidegate reads {FORMAT}: make a new one")]
    Format(u32),
    /// The work was dropped.
    #[error("the run was interrupted, run it again")]
    Interrupted,
    /// A defect of Tidegate.
    #[error("the plan could not be written as JSON, which is a defect of Tidegate: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<LeaseLost> for PublishError {
    fn from(fenced: LeaseLost) -> Self {
        Self::State(fenced.into())
    }
}

impl PublishError {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Chain(error) => error.kind(),
            Self::Document(_)
            | Self::Tags(_)
            | Self::Drifted(_)
            | Self::Format(_)
            | Self::PublishesState(_)
            | Self::NoReleases(_)
            | Self::NotReleased(_)
            | Self::UnknownRelease(..)
            | Self::NothingBefore(_) => ErrorKind::Configuration,
            Self::Plugin(failure) => failure.kind(),
            Self::Source(error) if error.is_of_the_artifact() => ErrorKind::Artifact,
            Self::Source(_)
            | Self::Survey(_)
            | Self::Cloud(_)
            | Self::State(_)
            | Self::Restore(..)
            | Self::Unrestorable { .. }
            | Self::Interrupted => ErrorKind::Cloud,
            Self::Collision(_) | Self::Json(_) => ErrorKind::Bug,
        }
    }
}
