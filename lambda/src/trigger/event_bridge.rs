//! Events of S3 as EventBridge carries them.
//!
//! Owns their form. Source: Amazon S3 user guide, "EventBridge event message structure".

use serde::Deserialize;
use serde_json::Value;
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::timestamp::Timestamp;

use super::s3_event::{
    IgnoredRecord, ParsedRecord, RecordError, StoredObject, admitted, bucket_of, decoded, etag, form, key_of,
    sequencer, version,
};

/// The source of S3's events.
const SOURCE: &str = "aws.s3";

/// The one type of event that publishes, by whatever request the object was made.
const CREATED: &str = "Object Created";

/// The major version of `detail` below.
const MAJOR_VERSION: &str = "0";

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct EventBridgeSource {
    source: String,
    detail_type: String,
}

#[derive(Deserialize)]
struct EventBridgeEvent {
    time: String,
    region: Option<String>,
    detail: EventBridgeDetail,
}

#[derive(Deserialize)]
struct EventBridgeDetail {
    version: Option<String>,
    bucket: EventBridgeBucket,
    object: EventBridgeObject,
}

#[derive(Deserialize)]
struct EventBridgeBucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct EventBridgeObject {
    key: String,
    size: Option<u64>,
    etag: Option<String>,
    version_id: Option<String>,
    sequencer: Option<String>,
}

/// Reads one event.
pub(super) fn read(event: &Value) -> Result<ParsedRecord, RecordError> {
    let head = EventBridgeSource::deserialize(event).map_err(|error| form(&error))?;
    if head.source != SOURCE {
        return Ok(ParsedRecord::Ignored(IgnoredRecord::Service(sanitize_name(&head.source))));
    }
    if head.detail_type != CREATED {
        return Ok(ParsedRecord::Ignored(IgnoredRecord::Event(sanitize_name(&head.detail_type))));
    }
    let EventBridgeEvent { time, region, detail } =
        EventBridgeEvent::deserialize(event).map_err(|error| form(&error))?;
    if let Some(version) = detail.version.filter(|version| version.split('.').next() != Some(MAJOR_VERSION)) {
        return Err(RecordError::Version(sanitize_name(&version)));
    }
    let object = detail.object;
    let bucket = bucket_of(&detail.bucket.name)?;
    // AWS does not say whether this key is encoded as that of a notification is. Everything points to no, and `c++.zip`
    // would be lost if it were decoded; but tools of AWS's own decode it. Where that makes a difference, both are kept.
    let alternative = decoded(&object.key).filter(|key| *key != object.key).and_then(|key| key_of(&key).ok());
    Ok(admitted(StoredObject {
        sequencer: sequencer(&bucket, &object.key, object.sequencer),
        version: version(object.version_id),
        etag: etag(object.etag),
        size: object.size,
        region: region.filter(|region| !region.is_empty()),
        time: time.parse::<Timestamp>()?,
        alternative,
        key: key_of(&object.key)?,
        bucket,
    }))
}
