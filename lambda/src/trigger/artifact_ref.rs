//! What a trigger wants: which site, from what, in which state, and its place in time.
//!
//! Owns the form in which a decision waits for whoever acts on it. A [`Trigger`] is printable and can be handed on; it
//! becomes a [`PublishRequest`] once it is known what there is to publish.

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

/// A site is to be published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The site.
    pub site: SiteName,
    /// From what.
    pub artifact: ArtifactRef,
    /// What is published, for people: a build's name, a commit, a tag.
    pub release: String,
    /// Who or what asks.
    pub cause: TriggerCause,
    /// Its place in time. Without one the run's instant counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The webhook that asks, so that it is carried out once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryDigest>,
    /// Where it is reported how the run goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusSpec>,
}

/// An artifact with the name of its release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedArtifact {
    pub(crate) release: String,
    pub(crate) artifact: ArtifactRef,
}

/// What a run is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ArtifactRef {
    /// A place that is known.
    Source {
        /// The place.
        source: Source,
        /// The state of it that was announced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pin: Option<ObjectVersion>,
    },
    /// A place whose name can be read in two ways. Look which object exists, and ask [`AmbiguousKey::resolve`].
    Ambiguous(Box<AmbiguousKey>),
    /// A build by its name. Look which of its two forms exists, and ask [`Build::source`].
    Build(Build),
    /// The newest build of a place. List it, and ask [`tidegate_core::staged_build::newest`].
    Newest(Location),
    /// A file that the webhook's provider keeps.
    GithubFile(Box<GithubFileRef>),
}

/// The state of an object that was announced. Where the object is in another one by now, a newer event is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectVersion {
    /// Read this version.
    Version(String),
    /// Read with `If-Match`; a 412 means superseded.
    Etag(ETag),
}

/// Two readings of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmbiguousKey {
    /// The bucket.
    pub bucket: Bucket,
    /// The name as it stands.
    pub raw: KeyReading,
    /// The name decoded.
    pub decoded: KeyReading,
    /// The state that was announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<ObjectVersion>,
}

/// One reading of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyReading {
    /// The object's key.
    pub key: StoredKey,
    /// What is published if that is the object; nothing where the site does not take it from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// Why a choice has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmbiguousKeyError {
    /// Both objects exist.
    #[error("the event may mean `{0}` or `{1}`, and both exist: publish one by hand, and rename the other")]
    Both(StoredKey, StoredKey),
    /// Neither exists any more.
    #[error("neither `{0}` nor `{1}` exists any more, a newer event is on its way")]
    Neither(StoredKey, StoredKey),
    /// The one that exists is not the site's.
    #[error("the event is of `{0}`, which this site is not published from")]
    Elsewhere(StoredKey),
}

/// Who or what asks for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerCause {
    /// A build landed.
    Upload,
    /// A webhook of GitHub.
    Github(GithubEvent),
    /// A signed webhook of anybody.
    Webhook,
    /// Somebody who may invoke the function.
    Invocation,
}

impl AmbiguousKey {
    /// What to publish, told which of the two objects exist.
    ///
    /// # Errors
    /// [`AmbiguousKeyError`] unless exactly one exists, and the site is published from it.
    pub fn resolve(&self, raw_exists: bool, decoded_exists: bool) -> Result<&Source, AmbiguousKeyError> {
        let both = || (self.raw.key.clone(), self.decoded.key.clone());
        let found = match (raw_exists, decoded_exists) {
            (true, false) => &self.raw,
            (false, true) => &self.decoded,
            (true, true) => return Err(AmbiguousKeyError::Both(both().0, both().1)),
            (false, false) => return Err(AmbiguousKeyError::Neither(both().0, both().1)),
        };
        found.source.as_ref().ok_or_else(|| AmbiguousKeyError::Elsewhere(found.key.clone()))
    }
}

impl Trigger {
    /// The request, once its source is known.
    #[must_use]
    pub fn request(&self, source: Source, instant: u64) -> PublishRequest {
        PublishRequest {
            site: self.site.to_string(),
            release: self.release.clone(),
            source,
            instant,
            cause: self.cause.to_string(),
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
