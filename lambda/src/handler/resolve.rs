//! Resolves the artifact of a trigger to a source: which object, which build, in which version.

use tidegate_core::config::Site;
use tidegate_core::key::StoredKey;
use tidegate_core::location::{Bucket, Location, ObjectLocation, Source};
use tidegate_core::staged_build::{StagedBuildError, newest};
use tidegate_publish::aws_error::AwsError;
use tidegate_publish::s3::S3;

use super::EventHandler;
use super::github_artifact::GithubArtifactError;
use crate::context::InvocationContext;
use crate::trigger::{AmbiguousKeyError, ArtifactRef, ObjectVersion, ReadingState, Trigger};

/// Why an artifact cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// A call to S3 failed.
    #[error(transparent)]
    Cloud(#[from] AwsError),
    /// The key has two readings.
    #[error(transparent)]
    AmbiguousKey(#[from] AmbiguousKeyError),
    /// The build is missing or incomplete.
    #[error(transparent)]
    Build(#[from] StagedBuildError),
    /// The location has no build.
    #[error("`{0}` has no complete build")]
    NoBuild(Location),
    /// The object has another version by now.
    #[error("`{0}` was replaced after the event; the event of the newer object follows")]
    Replaced(String),
    /// A file from GitHub could not be copied.
    #[error(transparent)]
    GithubArtifact(#[from] GithubArtifactError),
}

impl ResolveError {
    /// Whether a newer event follows.
    pub(super) fn is_replaced(&self) -> bool {
        matches!(self, Self::Replaced(_) | Self::AmbiguousKey(AmbiguousKeyError::Replaced(_)))
    }

    /// Whether the artifact is still being uploaded.
    pub(super) fn is_early(&self) -> bool {
        matches!(self, Self::GithubArtifact(GithubArtifactError::Uploading(_)))
    }
}

/// A resolved artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedSource {
    pub(super) source: Source,
    /// The name of the build, if the trigger does not name it.
    pub(super) release: Option<String>,
    /// The file that was copied from GitHub, to delete after the run.
    pub(super) fetched: Option<ObjectLocation>,
}

/// Resolves the artifact. Copies a file from GitHub to S3.
pub(super) async fn resolve(
    handler: &EventHandler,
    site: &Site,
    trigger: &Trigger,
    context: InvocationContext,
) -> Result<ResolvedSource, ResolveError> {
    let s3 = &S3::new(&handler.publisher.connection.with_owners(site.bucket_owners()));
    let existing = |source: Source| Ok(ResolvedSource { source, release: None, fetched: None });
    match &trigger.artifact {
        ArtifactRef::Source { source, pin } => {
            if let (Source::Object(object), Some(pin)) = (source, pin) {
                check_version(s3, &object.bucket, object.key.as_str(), pin).await?;
            }
            existing(source.clone())
        }
        ArtifactRef::Ambiguous(ambiguous) => {
            let state = |key: &StoredKey| {
                let key = key.as_str().to_owned();
                async move { reading_state(s3, &ambiguous.bucket, &key, ambiguous.pin.as_ref()).await }
            };
            let (first, second) = (state(&ambiguous.first.key).await?, state(&ambiguous.second.key).await?);
            existing(ambiguous.resolve(first, second)?.clone())
        }
        ArtifactRef::Build(build) => {
            let archive = s3.head_if_exists(&build.archive().bucket, build.archive().key.as_str()).await?.is_some();
            let marker = s3.head_if_exists(&build.marker().bucket, build.marker().key.as_str()).await?.is_some();
            existing(build.source(archive, marker)?)
        }
        ArtifactRef::Folder(build) => {
            let marker = build.marker();
            if s3.head_if_exists(&marker.bucket, marker.key.as_str()).await?.is_none() {
                return Err(StagedBuildError::Unfinished(build.name().to_owned()).into());
            }
            existing(Source::Prefix(build.prefix().clone()))
        }
        ArtifactRef::Newest(location) => {
            let uploads = s3.uploads(location).await?;
            let (release, source, _) =
                newest(location, uploads).ok_or_else(|| ResolveError::NoBuild(location.clone()))?;
            Ok(ResolvedSource { source, release: Some(release), fetched: None })
        }
        ArtifactRef::GithubFile(file) => {
            let fetched = handler.fetch_file(site, file, trigger, context).await?;
            Ok(ResolvedSource { source: Source::Object(fetched.clone()), release: None, fetched: Some(fetched) })
        }
    }
}

/// Refuses an object whose version is not the one in the event.
async fn check_version(s3: &S3, bucket: &Bucket, key: &str, pin: &ObjectVersion) -> Result<(), ResolveError> {
    match reading_state(s3, bucket, key, Some(pin)).await? {
        ReadingState::Current => Ok(()),
        ReadingState::Absent | ReadingState::Replaced => {
            Err(ResolveError::Replaced(format!("s3://{bucket}/{}", key.escape_debug())))
        }
    }
}

/// Whether an object exists, and has the version in the event.
async fn reading_state(
    s3: &S3,
    bucket: &Bucket,
    key: &str,
    pin: Option<&ObjectVersion>,
) -> Result<ReadingState, AwsError> {
    let Some(state) = s3.head_if_exists(bucket, key).await? else { return Ok(ReadingState::Absent) };
    let same = match pin {
        Some(ObjectVersion::Etag(etag)) => state.etag == *etag,
        Some(ObjectVersion::Version(version)) => state.version.as_deref() == Some(version),
        None => true,
    };
    Ok(if same { ReadingState::Current } else { ReadingState::Replaced })
}
