//! Notices: what one record of an event says, and why it says nothing or cannot be read.
//!
//! Owns their forms and words. Whatever comes from outside is escaped before it is part of a sentence: a key may hold line
//! breaks and escapes of a terminal.

use std::fmt;

use tidegate_core::identity::ETag;
use tidegate_core::key::StoredKey;
use tidegate_core::location::Bucket;
use tidegate_core::request::{Revision, Sequencer};
use tidegate_core::timestamp::{Timestamp, TimestampError};

use super::invocation::Continuation;

/// One record of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The queue's message that it came in, which is what a queue is told of a failure.
    pub message: Option<MessageId>,
    /// What it says.
    pub notice: Result<ParsedRecord, RecordError>,
}

/// The id of a queue's message, as the queue wants it back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub(super) String);

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedRecord {
    /// An object was stored.
    Stored(Box<StoredObject>),
    /// A run that an earlier invocation put into a queue.
    Continuation(Box<Continuation>),
    /// Nothing that anybody acts on.
    Ignored(IgnoredRecord),
}

/// An object that was stored, as S3 tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// The bucket.
    pub bucket: Bucket,
    /// The key, decoded.
    pub key: StoredKey,
    /// The other key that it may be: what EventBridge says of a key can be read in two ways where it holds `+` or `%`.
    /// Whoever acts looks which of the two exists, and does nothing where both do.
    pub alternative: Option<StoredKey>,
    /// The version, in a bucket that keeps versions.
    pub version: Option<String>,
    /// The ETag.
    pub etag: Option<ETag>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Its number among the events of the same object.
    pub sequencer: Option<Sequencer>,
    /// The bucket's region.
    pub region: Option<String>,
    /// When S3 had stored it.
    pub time: Timestamp,
}

/// An object's place, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventObject {
    /// The bucket.
    pub bucket: Bucket,
    /// The key.
    pub key: StoredKey,
}

/// Why a record asks for nothing. All of them are successes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IgnoredRecord {
    /// What S3 sends to try out a new configuration of notifications.
    Test,
    /// Anything but a new object, by its name: a removed object never means an empty site.
    Event(String),
    /// An event of another service, by its source.
    Service(String),
    /// A folder marker.
    Marker(EventObject),
    /// An archive without a byte, as some tools leave it before they write the real one.
    EmptyArchive(EventObject),
    /// The same event once more in one delivery.
    Repeated(EventObject),
    /// An event of an object that a newer one in the same delivery has overtaken.
    Overtaken(EventObject),
}

/// Why a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A message that is no event.
    #[error("the message is no event of S3 ({0}), let only S3 and EventBridge send to this queue or topic")]
    Unknown(String),
    /// A record without what a record has.
    #[error("the record is not of the form of an S3 event: {0}")]
    Form(String),
    /// A version that may mean something else.
    #[error("the record has the event version `{0}`, which this version of Tidegate does not know, update Tidegate")]
    Version(String),
    /// Not a bucket's name.
    #[error("the record has the bucket `{0}`, which is no bucket's name")]
    Bucket(String),
    /// No object has such a key.
    #[error("the record has the key `{0}`, which is empty, longer than 1,024 bytes, or not UTF-8")]
    Key(String),
    /// No instant.
    #[error("the record has no time: {0}")]
    Time(#[from] TimestampError),
    /// Envelopes in envelopes in envelopes.
    #[error("the message is wrapped too often, subscribe the queue to the topic directly")]
    Depth,
    /// A run that was handed on by another version of Tidegate.
    #[error("the run was handed on by another version of Tidegate ({0}), start it again")]
    HandedOn(String),
}

impl MessageId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl StoredObject {
    /// The object.
    #[must_use]
    pub fn object(&self) -> EventObject {
        EventObject { bucket: self.bucket.clone(), key: self.key.clone() }
    }

    /// Its place in time: among events of one object its number decides, among others the time.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision { at: self.time.milliseconds(), sequencer: self.sequencer.clone() }
    }
}

impl fmt::Display for EventObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl fmt::Display for IgnoredRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test => f.write_str("S3 tries out the notification, nothing to do"),
            Self::Event(name) => write!(f, "the event `{name}` publishes nothing, only new objects do"),
            Self::Service(source) => write!(f, "the event is of `{source}`, not of S3"),
            Self::Marker(object) => write!(f, "`{object}` is a folder marker"),
            Self::EmptyArchive(object) => write!(f, "`{object}` has no bytes, waiting for the real archive"),
            Self::Repeated(object) => write!(f, "the event of `{object}` was delivered twice"),
            Self::Overtaken(object) => write!(f, "a newer event of `{object}` is in the same delivery"),
        }
    }
}
