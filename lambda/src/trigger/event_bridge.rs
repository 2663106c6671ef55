//! Events of S3 in the form of EventBridge.
//!
//! Source: Amazon S3 user guide, "EventBridge event message structure".

use serde::Deserialize;
use serde_json::Value;
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::timestamp::Timestamp;

use super::s3_event::{
    AlternativeKey, IgnoredRecord, ParsedRecord, RecordError, StoredObject, bucket_of, decoded, etag, form, key_of,
    parsed, sequencer, version,
};

/// The source of S3's events.
const SOURCE: &str = "aws.s3";

/// The only type of event that publishes. It covers every request that creates an object.
const CREATED: &str = "Object Created";

/// The supported major version of `detail`.
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
    let common = EventBridgeSource::deserialize(event).map_err(|error| form(&error))?;
    if common.source != SOURCE {
        return Ok(ParsedRecord::Ignored(IgnoredRecord::Service(sanitize_name(&common.source))));
    }
    if common.detail_type != CREATED {
        return Ok(ParsedRecord::Ignored(IgnoredRecord::Event(sanitize_name(&common.detail_type))));
    }
    let EventBridgeEvent { time, region, detail } =
        EventBridgeEvent::deserialize(event).map_err(|error| form(&error))?;
    if let Some(version) = detail.version.filter(|version| version.split('.').next() != Some(MAJOR_VERSION)) {
        return Err(RecordError::Version(sanitize_name(&version)));
    }
    let object = detail.object;
    let bucket = bucket_of(&detail.bucket.name)?;
    // AWS does not document whether this key is encoded like the key of a notification. It seems not to be, and
    // decoding would lose `c++.zip`; but some tools of AWS decode it. Keep both readings if they differ.
    let alternative = decoded(&object.key).filter(|key| *key != object.key).and_then(|key| key_of(&key).ok());
    Ok(parsed(StoredObject {
        sequencer: sequencer(&bucket, &object.key, object.sequencer),
        version: version(object.version_id),
        etag: etag(object.etag),
        size: object.size,
        region: region.filter(|region| !region.is_empty()),
        time: time.parse::<Timestamp>()?,
        alternative: alternative.map(|key| AlternativeKey { key, unlikely: false }),
        key: key_of(&object.key)?,
        bucket,
    }))
}
