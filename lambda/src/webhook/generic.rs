//! Payloads of generic webhooks, which a CMS or a CI service other than GitHub sends.

use serde::Deserialize;
use serde_json::Value;
use tidegate_core::config::Site;
use tidegate_core::location::{Bucket, Source};
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::staged_build::{Build, BuildKey, StagedBuildError};
use tidegate_core::timestamp::Timestamp;

use crate::trigger::{ArtifactRef, NamedArtifact};

/// A payload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GenericPayload {
    /// The name of the site.
    pub(super) site: String,
    /// The name of a build; the newest build, or `staged`, if absent.
    pub(super) release: Option<String>,
    /// One build below the site's `builds`, or its `staged`.
    pub(super) source: Option<Source>,
    /// When the build was made; the time of the signature if absent.
    pub(super) commit_time: Option<Timestamp>,
}

/// Why a payload cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenericError {
    /// The payload has an invalid form.
    #[error("invalid body: {0}")]
    Form(String),
    /// The source is not one build of the site.
    #[error(
        "the source `{0}` is not one build of the site: name a zip or a folder directly below its `builds`, or its `staged`"
    )]
    Source(String),
    /// The name of the build is invalid.
    #[error(transparent)]
    Build(#[from] StagedBuildError),
    /// There is nothing to publish.
    #[error("the site has neither `builds` nor `staged` in S3; add a `source`")]
    NoSource,
}

impl GenericPayload {
    /// Reads a verified payload.
    pub(super) fn read(payload: &Value) -> Result<Self, GenericError> {
        Self::deserialize(payload).map_err(|error| GenericError::Form(sanitize_name(&error.to_string())))
    }

    /// The artifact to publish.
    pub(super) fn artifact(&self, site: &Site) -> Result<NamedArtifact, GenericError> {
        let named = |default: &str, artifact: ArtifactRef| {
            Ok(NamedArtifact { release: sanitize_name(self.release.as_deref().unwrap_or(default)), artifact })
        };
        if let Some(source) = &self.source {
            let artifact = named_build(site, source)?;
            let artifact = artifact.ok_or_else(|| GenericError::Source(sanitize_name(&source.to_string())))?;
            return named(&source.to_string(), artifact);
        }
        match (&site.builds, &self.release) {
            (Some(location), Some(name)) => named(name, ArtifactRef::Build(Build::new(location, name)?)),
            (Some(location), None) => named("newest", ArtifactRef::Newest(location.clone())),
            (None, _) => {
                let source = site.staged_in_s3().cloned().ok_or(GenericError::NoSource)?;
                named(&source.to_string(), ArtifactRef::Source { source, pin: None })
            }
        }
    }
}

/// The artifact of a source: the site's `staged`, or one build directly below its `builds`. A part of them, or `builds` as a
/// whole, is not a site. Neither is a folder without its marker, which is looked up later.
fn named_build(site: &Site, source: &Source) -> Result<Option<ArtifactRef>, StagedBuildError> {
    let artifact = || ArtifactRef::Source { source: source.clone(), pin: None };
    if site.staged_in_s3() == Some(source) {
        return Ok(Some(artifact()));
    }
    let Some(builds) = &site.builds else { return Ok(None) };
    let below = |bucket: &Bucket, key: &str| builds.prefix.relative(key).filter(|_| *bucket == builds.bucket);
    Ok(match source {
        Source::Object(object) => below(&object.bucket, object.key.as_str())
            .filter(|relative| matches!(BuildKey::of(relative), BuildKey::Archive(_)))
            .map(|_| artifact()),
        Source::Prefix(location) => match below(&location.bucket, location.prefix.as_str()) {
            Some(relative) => match relative.as_str().strip_suffix('/') {
                Some(name) if !name.contains('/') => Some(ArtifactRef::Folder(Build::new(builds, name)?)),
                Some(_) | None => None,
            },
            None => None,
        },
        Source::Directory(_) | Source::Archive(_) | Source::Release(_) => None,
    })
}
