//! Records of S3's own notifications.
//!
//! Owns their form. Source: Amazon S3 user guide, "Event message structure".

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use tidegate_core::identity::ETag;
use tidegate_core::key::{MAX_KEY_BYTES, StoredKey};
use tidegate_core::location::Bucket;
use tidegate_core::request::Sequencer;
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::staged_build::stem;
use tidegate_core::timestamp::Timestamp;

use super::s3_event::{EventObject, IgnoredRecord, ParsedRecord, RecordError, StoredObject};

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
