//! S3 event notifications: the content of a record, and why a record is ignored or cannot be read.
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

/// One record of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The id of the SQS message that held the record, to report a failure to SQS.
    pub message_id: Option<MessageId>,
    /// The group of that message, if its queue keeps the order of a group (FIFO).
    pub group: Option<MessageGroup>,
    /// The content, or why it cannot be read.
    pub content: Result<ParsedRecord, RecordError>,
}

/// The id of an SQS message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub(super) String);

/// The id of a message group of a FIFO queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageGroup(pub(super) String);

/// The content of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedRecord {
    /// An object was stored.
    Stored(Box<StoredObject>),
    /// A continuation that was sent to a queue.
    Continuation(Box<Continuation>),
    /// The record publishes nothing.
    Ignored(IgnoredRecord),
}

/// An object that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// The bucket.
    pub bucket: Bucket,
    /// The key.
    pub key: StoredKey,
    /// The other possible key, of a key with `+` or `%`: S3 encodes the keys of notifications, some other servers do not,
    /// and EventBridge does not define it. The one that exists is used.
    pub alternative: Option<AlternativeKey>,
    /// The version, in a bucket with versioning.
    pub version: Option<String>,
    /// The ETag.
    pub etag: Option<ETag>,
    /// The size in bytes.
    pub size: Option<u64>,
    /// The sequencer, which orders the events of one object.
    pub sequencer: Option<Sequencer>,
    /// The region of the bucket.
    pub region: Option<String>,
    /// When the object was stored.
    pub time: Timestamp,
}

/// Another reading of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlternativeKey {
    /// The key.
    pub key: StoredKey,
    /// Whether it only counts if there is no object of the first reading, which the sender documents.
    pub unlikely: bool,
}

/// An object, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventObject {
    /// The bucket.
    pub bucket: Bucket,
    /// The key.
    pub key: StoredKey,
}

/// Why a record publishes nothing. None of these is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IgnoredRecord {
    /// The test event that S3 sends when notifications are configured.
    Test,
    /// An event other than a new object, by its name. A removed object never means an empty site.
    Event(String),
    /// An event of another service, by its source.
    Service(String),
    /// A folder marker.
    Marker(EventObject),
    /// An empty archive. Some tools store one before they write the real archive.
    EmptyArchive(EventObject),
    /// The same event is in the delivery twice.
    Duplicate(EventObject),
    /// The delivery has a newer event of the same object.
    Outdated(EventObject),
}

/// Why a record cannot be read. Text from outside is escaped: a key may hold line breaks and terminal escape sequences.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The message is not an event.
    #[error("the message is not an S3 event: {0}; let only S3 and EventBridge send to this queue or topic")]
    Unknown(String),
    /// A required field is missing or has the wrong type.
    #[error("invalid S3 event record: {0}")]
    Form(String),
    /// Another major version, whose fields may mean something else.
    #[error("unsupported event version `{0}`; update Tidegate")]
    Version(String),
    /// The name of the bucket is invalid.
    #[error("invalid bucket name `{0}` in the record")]
    Bucket(String),
    /// No object can have this key.
    #[error("invalid key `{0}` in the record: it is empty, longer than 1,024 bytes, or not UTF-8")]
    Key(String),
    /// The time is invalid.
    #[error("invalid time in the record: {0}")]
    Time(#[from] TimestampError),
    /// Too many envelopes around the record.
    #[error("the message has too many envelopes; subscribe the queue to the topic directly")]
    Depth,
    /// A continuation comes from another version of Tidegate.
    #[error("cannot continue the run: {0}; another version of Tidegate started it, so start it again")]
    Continuation(String),
}

impl MessageId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl StoredObject {
    /// The object, for messages.
    #[must_use]
    pub fn object(&self) -> EventObject {
        EventObject { bucket: self.bucket.clone(), key: self.key.clone() }
    }

    /// The revision of the upload: the sequencer decides among events of one object, the time among all others.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision { at: self.time.milliseconds(), commit: false, sequencer: self.sequencer.clone() }
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
            Self::Test => f.write_str("the event is S3's test of a notification"),
            Self::Event(name) => write!(f, "the event `{name}` is not an upload"),
            Self::Service(source) => write!(f, "the event comes from `{source}`, not from S3"),
            Self::Marker(object) => write!(f, "`{object}` is a folder marker"),
            Self::EmptyArchive(object) => write!(f, "`{object}` is an empty archive"),
            Self::Duplicate(object) => write!(f, "the event of `{object}` was delivered twice"),
            Self::Outdated(object) => write!(f, "the delivery has a newer event of `{object}`"),
        }
    }
}

/// The event source of S3.
const AWS_SOURCE: &str = "aws:s3";

/// The supported major version. Minor versions only add fields.
const MAJOR_VERSION: &str = "2";

/// The fields of every record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3RecordSource {
    event_source: String,
    event_version: String,
    event_name: String,
}

/// The fields of a record of a new object.
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
    let common = S3RecordSource::deserialize(record).map_err(|error| form(&error))?;
    // `aws:s3`; MinIO and Ceph write their own name before the colon.
    if !common.event_source.ends_with(":s3") {
        return Ok(ParsedRecord::Ignored(IgnoredRecord::Service(sanitize_name(&common.event_source))));
    }
    let major = common.event_version.split('.').next().unwrap_or_default();
    if major != MAJOR_VERSION {
        return Err(RecordError::Version(sanitize_name(&common.event_version)));
    }
    // Notification rules write the name with the prefix `s3:`, and some servers send it like that.
    let name = common.event_name.strip_prefix("s3:").unwrap_or(&common.event_name);
    if !name.starts_with("ObjectCreated:") {
        return Ok(ParsedRecord::Ignored(IgnoredRecord::Event(sanitize_name(name))));
    }
    let S3Creation { event_time, aws_region, s3: S3Entity { bucket, object } } =
        S3Creation::deserialize(record).map_err(|error| form(&error))?;
    let bucket = bucket_of(&bucket.name)?;
    // Other servers send the name of S3, too. But a server that sends a name of its own need not encode keys as S3 does.
    let documented = common.event_source == AWS_SOURCE;
    let key = match decoded(&object.key) {
        Some(key) => key,
        None if documented => return Err(RecordError::Key(sanitize_name(&object.key))),
        None => object.key.clone(),
    };
    let alternative = if key == object.key { None } else { key_of(&object.key).ok() };
    Ok(parsed(StoredObject {
        sequencer: sequencer(&bucket, &key, object.sequencer),
        version: version(object.version_id),
        etag: etag(object.e_tag),
        size: object.size,
        region: aws_region.filter(|region| !region.is_empty()),
        time: event_time.parse::<Timestamp>()?,
        alternative: alternative.map(|key| AlternativeKey { key, unlikely: documented }),
        bucket,
        key: key_of(&key)?,
    }))
}

/// Ignores objects that are never published.
pub(super) fn parsed(stored: StoredObject) -> ParsedRecord {
    let object = || EventObject { bucket: stored.bucket.clone(), key: stored.key.clone() };
    if stored.key.is_marker() {
        return ParsedRecord::Ignored(IgnoredRecord::Marker(object()));
    }
    if stored.size == Some(0) && stem(stored.key.as_str()).is_some() {
        return ParsedRecord::Ignored(IgnoredRecord::EmptyArchive(object()));
    }
    ParsedRecord::Stored(Box::new(stored))
}

/// Decodes a key in form encoding once: `+` is a space. Returns `None` if the result is not UTF-8.
pub(super) fn decoded(key: &str) -> Option<String> {
    percent_decode_str(&key.replace('+', " ")).decode_utf8().ok().map(|key| key.into_owned())
}

/// Parses the name of a bucket. An invalid name may have any length, so the error shortens it.
pub(super) fn bucket_of(name: &str) -> Result<Bucket, RecordError> {
    Bucket::new(name).map_err(|_| RecordError::Bucket(sanitize_name(name)))
}

/// Parses a key.
pub(super) fn key_of(key: &str) -> Result<StoredKey, RecordError> {
    let valid = (1..=MAX_KEY_BYTES).contains(&key.len());
    if valid { Ok(StoredKey::new(key)) } else { Err(RecordError::Key(sanitize_name(key))) }
}

/// The sequencer of an event. A value that is not hexadecimal does not come from S3 and has no order: then times
/// decide.
pub(super) fn sequencer(bucket: &Bucket, key: &str, value: Option<String>) -> Option<Sequencer> {
    let value = value.filter(|value| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some(Sequencer { object: format!("{bucket}/{key}"), value })
}

/// The version id. `null` is not a version: a bucket with suspended versioning overwrites it.
pub(super) fn version(id: Option<String>) -> Option<String> {
    id.filter(|id| !id.is_empty() && id != "null")
}

pub(super) fn etag(text: Option<String>) -> Option<ETag> {
    text.map(|text| ETag::new(&text)).filter(|etag| !etag.is_empty())
}

/// The error of serde, which may quote the record.
pub(super) fn form(error: &serde_json::Error) -> RecordError {
    RecordError::Form(sanitize_name(&error.to_string()))
}
