//! Bodies of generic webhooks: what a CMS or a CI that is not GitHub announces.
//!
//! Owns their form and what they may name.

use serde::Deserialize;
use serde_json::Value;
use tidegate_core::config::Site;
use tidegate_core::location::Source;
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::staged_build::{Build, StagedBuildError};
use tidegate_core::timestamp::Timestamp;

use crate::trigger::{ArtifactRef, NamedArtifact};

/// A body.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GenericPayload {
    /// The site's name.
    pub(super) site: String,
    /// The build's name; without one, the newest build, or what is staged.
    pub(super) release: Option<String>,
    /// The place itself, below the site's `builds` or `staged`.
    pub(super) source: Option<Source>,
    /// When it was made; without it, when the webhook was signed.
    pub(super) committed: Option<Timestamp>,
}

/// Why a body cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenericError {
    /// Not of the form.
    #[error("the body cannot be read: {0}")]
    Form(String),
    /// A place that is not the site's.
    #[error("the source `{0}` is not below the site's `builds` or `staged`")]
    Source(String),
    /// Not a build's name.
    #[error(transparent)]
    Build(#[from] StagedBuildError),
    /// There is nothing to publish.
    #[error("the site has nothing staged in S3, name a `source`")]
    Nothing,
}

/// The site that a body names, which decides whose secrets it is checked with. Nothing is known of the sender yet.
pub(super) fn site(body: &Value) -> Option<&str> {
    body.get("site")?.as_str()
}

impl GenericPayload {
    /// Reads a body whose sender is known.
    pub(super) fn read(body: &Value) -> Result<Self, GenericError> {
        Self::deserialize(body).map_err(|error| GenericError::Form(sanitize_name(&error.to_string())))
    }

    /// The artifact to publish, with the name of its release.
    pub(super) fn artifact(&self, site: &Site) -> Result<NamedArtifact, GenericError> {
        let named = |default: &str, artifact: ArtifactRef| {
            Ok(NamedArtifact { release: sanitize_name(self.release.as_deref().unwrap_or(default)), artifact })
        };
        if let Some(source) = &self.source {
            if !site.owns(source) {
                return Err(GenericError::Source(sanitize_name(&source.to_string())));
            }
            return named(&source.to_string(), ArtifactRef::Source { source: source.clone(), pin: None });
        }
        match (&site.builds, &self.release) {
            (Some(place), Some(name)) => named(name, ArtifactRef::Build(Build::new(place, name)?)),
            (Some(place), None) => named("newest", ArtifactRef::Newest(place.clone())),
            (None, _) => {
                let source = site.staged.clone().filter(|source| site.owns(source)).ok_or(GenericError::Nothing)?;
                named(&source.to_string(), ArtifactRef::Source { source, pin: None })
            }
        }
    }
}
