//! The result of reading an event: a [`Trigger`] says which site to publish from which artifact.
//!
//! A trigger is a value that a continuation carries to another invocation. It becomes a [`PublishRequest`] once the
//! artifact is resolved to a source.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidegate_core::config::{GithubEvent, SiteName};
use tidegate_core::identity::ETag;
use tidegate_core::key::StoredKey;
use tidegate_core::location::{Bucket, Location, Source};
use tidegate_core::request::{PublishRequest, Revision};
use tidegate_core::staged_build::Build;
use tidegate_core::webhook_delivery::DeliveryDigest;

use crate::github::{GithubFileRef, StatusSpec};

/// A site to publish, with everything that the event says about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The site.
    pub site: SiteName,
    /// The artifact.
    pub artifact: ArtifactRef,
    /// The name of the release, for people: a build, a commit or a tag.
    pub release: String,
    /// What caused the run.
    pub cause: TriggerCause,
    /// The revision; the time of the run if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The digest of the webhook's delivery, which makes a replay recognizable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryDigest>,
    /// Where the status of the run is reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusSpec>,
}

/// An artifact with the name of its release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedArtifact {
    pub(crate) release: String,
    pub(crate) artifact: ArtifactRef,
}

/// The artifact of a run. Most variants must be resolved by a look at S3 or GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ArtifactRef {
    /// A known source.
    Source {
        /// The source.
        source: Source,
        /// The version of the object in the event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pin: Option<ObjectVersion>,
    },
    /// An object whose key has two readings. [`AmbiguousKey::resolve`] chooses once it is known which object exists.
    Ambiguous(Box<AmbiguousKey>),
    /// A build by its name. [`Build::source`] chooses between its two forms once it is known which one exists.
    Build(Build),
    /// A build in a folder, which its marker must complete.
    Folder(Build),
    /// The newest build below a location. [`tidegate_core::staged_build::newest`] chooses it from a listing.
    Newest(Location),
    /// A file that GitHub stores.
    GithubFile(Box<GithubFileRef>),
}

/// The version of an object in an event. If the object has another version by now, a newer event follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectVersion {
    /// The version id, in a bucket with versioning.
    Version(String),
    /// The ETag.
    Etag(ETag),
}

/// A key with two readings, both in the site's places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmbiguousKey {
    /// The bucket.
    pub bucket: Bucket,
    /// The more likely reading.
    pub first: KeyReading,
    /// The other one.
    pub second: KeyReading,
    /// Whether the sender documents the first reading, so that it counts if both objects exist.
    pub documented: bool,
    /// The version of the object in the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<ObjectVersion>,
}

/// One reading of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyReading {
    /// The key.
    pub key: StoredKey,
    /// What this object publishes.
    pub source: Source,
}

/// Whether the object of a reading exists, and in which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadingState {
    /// There is no object.
    Absent,
    /// The object has the version of the event, or the event names none.
    Current,
    /// The object has another version.
    Replaced,
}

/// Why a key with two readings cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmbiguousKeyError {
    /// Both objects exist.
    #[error(
        "ambiguous event: it means `{0}` or `{1}`, and both exist; publish one of them manually and rename the other"
    )]
    Both(StoredKey, StoredKey),
    /// Neither object exists.
    #[error("neither `{0}` nor `{1}` exists any more; the event of a newer upload follows")]
    Neither(StoredKey, StoredKey),
    /// The only object that exists has another version.
    #[error("`{0}` was replaced after the event; the event of the newer object follows")]
    Replaced(StoredKey),
}

/// What caused a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerCause {
    /// A build was uploaded.
    Upload,
    /// A webhook from GitHub.
    Github(GithubEvent),
    /// A signed webhook from another sender.
    Webhook,
    /// A direct invocation.
    Invocation,
}

impl AmbiguousKey {
    /// Chooses the reading whose object is the one of the event.
    ///
    /// # Errors
    /// [`AmbiguousKeyError`] unless exactly one object is, or the sender documents which reading counts.
    pub fn resolve(&self, first: ReadingState, second: ReadingState) -> Result<&Source, AmbiguousKeyError> {
        let both = || (self.first.key.clone(), self.second.key.clone());
        match (first, second) {
            (ReadingState::Current, ReadingState::Current) if !self.documented => {
                Err(AmbiguousKeyError::Both(both().0, both().1))
            }
            (ReadingState::Current, _) => Ok(&self.first.source),
            (_, ReadingState::Current) => Ok(&self.second.source),
            (ReadingState::Replaced, _) => Err(AmbiguousKeyError::Replaced(both().0)),
            (_, ReadingState::Replaced) => Err(AmbiguousKeyError::Replaced(both().1)),
            (ReadingState::Absent, ReadingState::Absent) if self.documented => {
                Err(AmbiguousKeyError::Replaced(both().0))
            }
            (ReadingState::Absent, ReadingState::Absent) => Err(AmbiguousKeyError::Neither(both().0, both().1)),
        }
    }
}

impl Trigger {
    /// The request to publish from a source.
    #[must_use]
    pub fn request(&self, source: Source, instant: u64) -> PublishRequest {
        PublishRequest {
            site: self.site.to_string(),
            release: self.release.clone().into(),
            source,
            instant,
            cause: self.cause.to_string().into(),
            revision: self.revision.clone(),
        }
    }
}

impl fmt::Display for TriggerCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upload => f.write_str("upload"),
            Self::Github(event) => write!(f, "github {event}"),
            Self::Webhook => f.write_str("webhook"),
            Self::Invocation => f.write_str("invocation"),
        }
    }
}
