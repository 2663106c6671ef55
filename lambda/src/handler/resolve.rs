//! From what a trigger wants to what there is: which object, which build, in which state.

use tidegate_core::config::Site;
use tidegate_core::key::StoredKey;
use tidegate_core::location::{Bucket, Location, ObjectLocation, Source};
use tidegate_core::staged_build::{StagedBuildError, newest};
use tidegate_publish::aws_error::AwsError;
use tidegate_publish::s3::S3;

use super::EventHandler;
use super::github_artifact::GithubArtifactError;
use crate::context::InvocationContext;
use crate::trigger::{AmbiguousKeyError, ArtifactRef, ObjectVersion, Trigger};

/// Why there is nothing to publish.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// AWS does not say.
    #[error(transparent)]
    Cloud(#[from] AwsError),
    /// Two readings of one name.
    #[error(transparent)]
    Doubt(#[from] AmbiguousKeyError),
    /// The build is not there.
    #[error(transparent)]
    Build(#[from] StagedBuildError),
    /// No build at all.
    #[error("nothing is staged in `{0}` yet")]
    Empty(Location),
    /// The object is in another state by now.
    #[error("`{0}` was replaced since it was announced, the event of the newer one follows")]
    Replaced(String),
    /// A file that GitHub keeps.
    #[error(transparent)]
    Provided(#[from] GithubArtifactError),
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedSource {
    pub(super) source: Source,
    /// The build's own name, where only looking told which one it is.
    pub(super) release: Option<String>,
    /// What was fetched to be published.
    pub(super) fetched: Option<ObjectLocation>,
}

/// Looks, and fetches what is not in S3.
pub(super) async fn find(
    reactor: &EventHandler,
    site: &Site,
    trigger: &Trigger,
    moment: InvocationContext,
) -> Result<ResolvedSource, ResolveError> {
    let s3 = &S3::new(&reactor.publisher.connection);
    let known = |source: Source| Ok(ResolvedSource { source, release: None, fetched: None });
    match &trigger.artifact {
        ArtifactRef::Source { source, pin } => {
            if let (Source::Object(object), Some(pin)) = (source, pin) {
                still(s3, &object.bucket, object.key.as_str(), pin).await?;
            }
            known(source.clone())
        }
        ArtifactRef::Ambiguous(choice) => {
            let there = |key: &StoredKey| {
                let key = key.as_str().to_owned();
                async move { s3.state_of(&choice.bucket, &key).await.map(|state| state.is_some()) }
            };
            let (raw, decoded) = (there(&choice.raw.key).await?, there(&choice.decoded.key).await?);
            let source = choice.resolve(raw, decoded)?.clone();
            if let (Source::Object(object), Some(pin)) = (&source, &choice.pin) {
                still(s3, &object.bucket, object.key.as_str(), pin).await?;
            }
            known(source)
        }
        ArtifactRef::Build(build) => {
            let archive = s3.state_of(&build.archive().bucket, build.archive().key.as_str()).await?.is_some();
            let marker = s3.state_of(&build.marker().bucket, build.marker().key.as_str()).await?.is_some();
            known(build.source(archive, marker)?)
        }
        ArtifactRef::Newest(place) => {
            let landed = s3.uploads(place).await?;
            let (release, source, _) = newest(place, landed).ok_or_else(|| ResolveError::Empty(place.clone()))?;
            Ok(ResolvedSource { source, release: Some(release), fetched: None })
        }
        ArtifactRef::GithubFile(wanted) => {
            let fetched = reactor.fetch_file(site, wanted, moment).await?;
            Ok(ResolvedSource { source: Source::Object(fetched.clone()), release: None, fetched: Some(fetched) })
        }
    }
}

/// Refuses an object that is in another state than the announced one.
async fn still(s3: &S3, bucket: &Bucket, key: &str, pin: &ObjectVersion) -> Result<(), ResolveError> {
    let replaced = || ResolveError::Replaced(format!("s3://{bucket}/{}", key.escape_debug()));
    let state = s3.state_of(bucket, key).await?.ok_or_else(replaced)?;
    let same = match pin {
        ObjectVersion::Etag(etag) => state.etag == *etag,
        ObjectVersion::Version(version) => state.version.as_deref() == Some(version),
    };
    if same { Ok(()) } else { Err(replaced()) }
}
