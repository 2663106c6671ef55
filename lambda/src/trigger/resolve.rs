//! From what a trigger wants to what there is: which object, which build, in which state.

use tidegate_core::config::Site;
use tidegate_core::key::StoredKey;
use tidegate_core::location::{Bucket, Location, ObjectLocation, Source};
use tidegate_core::staged_build::{BuildError, newest};
use tidegate_publish::aws_error::CloudError;
use tidegate_publish::s3::S3;

use super::github_artifact::ProvidedError;
use super::{Moment, Reactor};
use crate::trigger::{Doubt, Pin, Trigger, Wanted};

/// Why there is nothing to publish.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    /// AWS does not say.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// Two readings of one name.
    #[error(transparent)]
    Doubt(#[from] Doubt),
    /// The build is not there.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// No build at all.
    #[error("nothing is staged in `{0}` yet")]
    Empty(Location),
    /// The object is in another state by now.
    #[error("`{0}` was replaced since it was announced, the event of the newer one follows")]
    Replaced(String),
    /// A file that GitHub keeps.
    #[error(transparent)]
    Provided(#[from] ProvidedError),
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) source: Source,
    /// The build's own name, where only looking told which one it is.
    pub(super) release: Option<String>,
    /// What was fetched to be published.
    pub(super) fetched: Option<ObjectLocation>,
}

/// Looks, and fetches what is not in S3.
pub(super) async fn find(
    reactor: &Reactor,
    site: &Site,
    trigger: &Trigger,
    moment: Moment,
) -> Result<Found, FoundError> {
    let s3 = &S3::new(&reactor.publisher.connection);
    let known = |source: Source| Ok(Found { source, release: None, fetched: None });
    match &trigger.wanted {
        Wanted::Source { source, pin } => {
            if let (Source::Object(object), Some(pin)) = (source, pin) {
                still(s3, &object.bucket, object.key.as_str(), pin).await?;
            }
            known(source.clone())
        }
        Wanted::Choice(choice) => {
            let there = |key: &StoredKey| {
                let key = key.as_str().to_owned();
                async move { s3.state_of(&choice.bucket, &key).await.map(|state| state.is_some()) }
            };
            let (raw, decoded) = (there(&choice.raw.key).await?, there(&choice.decoded.key).await?);
            let source = choice.settle(raw, decoded)?.clone();
            if let (Source::Object(object), Some(pin)) = (&source, &choice.pin) {
                still(s3, &object.bucket, object.key.as_str(), pin).await?;
            }
            known(source)
        }
        Wanted::Build(build) => {
            let archive = s3.state_of(&build.archive().bucket, build.archive().key.as_str()).await?.is_some();
            let marker = s3.state_of(&build.marker().bucket, build.marker().key.as_str()).await?.is_some();
            known(build.source(archive, marker)?)
        }
        Wanted::Newest(place) => {
            let landed = s3.landed(place).await?;
            let (release, source, _) = newest(place, landed).ok_or_else(|| FoundError::Empty(place.clone()))?;
            Ok(Found { source, release: Some(release), fetched: None })
        }
        Wanted::Provided(wanted) => {
            let fetched = reactor.fetch_file(site, wanted, moment).await?;
            Ok(Found { source: Source::Object(fetched.clone()), release: None, fetched: Some(fetched) })
        }
    }
}

/// Refuses an object that is in another state than the announced one.
async fn still(s3: &S3, bucket: &Bucket, key: &str, pin: &Pin) -> Result<(), FoundError> {
    let replaced = || FoundError::Replaced(format!("s3://{bucket}/{}", key.escape_debug()));
    let state = s3.state_of(bucket, key).await?.ok_or_else(replaced)?;
    let same = match pin {
        Pin::Etag(etag) => state.etag == *etag,
        Pin::Version(version) => state.version.as_deref() == Some(version),
    };
    if same { Ok(()) } else { Err(replaced()) }
}
