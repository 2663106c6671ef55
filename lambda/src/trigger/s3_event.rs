//! Records of S3's own notifications: their form, what one record says, and why it says nothing or cannot be read.
//!
//! Source: Amazon S3 user guide, "Event message structure".

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use tidegate_core::identity::ETag;
use tidegate_core::key::{MAX_KEY_BYTES, StoredKey};
use tidegate_core::location::Bucket;
use tidegate_core::request::{Revision, Sequencer};
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::staged_build::stem;
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

/// The major version of the form below. Minor versions only add to it.
const MAJOR_VERSION: &str = "2";

/// What every record has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3RecordSource {
    event_source: String,
    event_version: String,
    event_name: String,
}

/// What a record of a new object has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3Creation {
    event_time: String,
    aws_region: Option<String>,
    s3: S3Entity,
}

#[derive(Deserialize)]
struct S3Entity {
    bucket: S3RecordBucket,
    object: S3RecordObject,
}

#[derive(Deserialize)]
struct S3RecordBucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3RecordObject {
    key: String,
    size: Option<u64>,
    e_tag: Option<String>,
    version_id: Option<String>,
    sequencer: Option<String>,
}

/// Reads one record.
pub(super) fn read(record: &Value) -> Result<ParsedRecord, RecordError> {
    let head = S3RecordSource::deserialize(record).map_err(|error| form(&error))?;
    // `aws:s3`; MinIO and Ceph put their own name before the colon.
    if !head.event_source.ends_with(":s3") {
        return Ok(ParsedRecord::Ignored(IgnoredRecord::Service(sanitize_name(&head.event_source))));
    }
    let major = head.event_version.split('.').next().unwrap_or_default();
    if major != MAJOR_VERSION {
        return Err(RecordError::Version(sanitize_name(&head.event_version)));
    }
    // Rules of notifications are written with `s3:` before the name, and some servers send it so.
    let name = head.event_name.strip_prefix("s3:").unwrap_or(&head.event_name);
    if !name.starts_with("ObjectCreated:") {
        return Ok(ParsedRecord::Ignored(IgnoredRecord::Event(sanitize_name(name))));
    }
    let S3Creation { event_time, aws_region, s3: S3Entity { bucket, object } } =
        S3Creation::deserialize(record).map_err(|error| form(&error))?;
    let bucket = bucket_of(&bucket.name)?;
    let key = decoded(&object.key).ok_or_else(|| RecordError::Key(sanitize_name(&object.key)))?;
    Ok(admitted(StoredObject {
        sequencer: sequencer(&bucket, &key, object.sequencer),
        version: version(object.version_id),
        etag: etag(object.e_tag),
        size: object.size,
        region: aws_region.filter(|region| !region.is_empty()),
        time: event_time.parse::<Timestamp>()?,
        alternative: None,
        bucket,
        key: key_of(&key)?,
    }))
}

/// A stored object, unless it is one that nobody publishes.
pub(super) fn admitted(stored: StoredObject) -> ParsedRecord {
    let object = || EventObject { bucket: stored.bucket.clone(), key: stored.key.clone() };
    if stored.key.is_marker() {
        return ParsedRecord::Ignored(IgnoredRecord::Marker(object()));
    }
    if stored.size == Some(0) && stem(stored.key.as_str()).is_some() {
        return ParsedRecord::Ignored(IgnoredRecord::EmptyArchive(object()));
    }
    ParsedRecord::Stored(Box::new(stored))
}

/// A key as forms of the web encode it, decoded once: `+` is a space. Nothing where it was not UTF-8.
pub(super) fn decoded(key: &str) -> Option<String> {
    percent_decode_str(&key.replace('+', " ")).decode_utf8().ok().map(|key| key.into_owned())
}

/// A bucket's name. What is refused may be of any length, so it is cut before it is repeated.
pub(super) fn bucket_of(name: &str) -> Result<Bucket, RecordError> {
    Bucket::new(name).map_err(|_| RecordError::Bucket(sanitize_name(name)))
}

/// A key that an object can have.
pub(super) fn key_of(key: &str) -> Result<StoredKey, RecordError> {
    let fine = (1..=MAX_KEY_BYTES).contains(&key.len());
    if fine { Ok(StoredKey::new(key)) } else { Err(RecordError::Key(sanitize_name(key))) }
}

/// The number of an event. One that is not hexadecimal is not S3's, and cannot be compared: then times decide.
pub(super) fn sequencer(bucket: &Bucket, key: &str, value: Option<String>) -> Option<Sequencer> {
    let value = value.filter(|value| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some(Sequencer { object: format!("{bucket}/{key}"), value })
}

/// A version that stays what it is: `null` is what a bucket that has stopped keeping versions writes over.
pub(super) fn version(id: Option<String>) -> Option<String> {
    id.filter(|id| !id.is_empty() && id != "null")
}

pub(super) fn etag(text: Option<String>) -> Option<ETag> {
    text.map(|text| ETag::new(&text)).filter(|etag| !etag.as_str().is_empty())
}

/// What serde says of a record, which may quote it.
pub(super) fn form(error: &serde_json::Error) -> RecordError {
    RecordError::Form(sanitize_name(&error.to_string()))
}
