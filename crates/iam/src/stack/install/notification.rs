//! The notifications of a bucket for the function, and those of others that they would overlap.
//!
//! S3 takes no two notifications for the same object and event. Source: Amazon S3 user guide, "Configuring event
//! notifications using object key name filtering", overlapping filters.

use tidegate_core::iam_name::fitted;
use tidegate_core::location::Bucket;
use tidegate_core::sanitize::sanitize_name;

use crate::changes::{NOTIFICATION_ID_PREFIX, NotificationEntry};
use crate::stack::upload::UploadTrigger;

/// The events: an object was stored, by any kind of request.
const OBJECT_CREATED: &str = "s3:ObjectCreated:*";

/// Maximum length of an id, in characters. Source: Amazon S3 API reference, `LambdaFunctionConfiguration`.
const MAX_ID: usize = 255;

/// Another notification is for the same objects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the bucket `{bucket}` already notifies `{target}` of `{prefix}…{suffix}` (notification `{id}`), which overlaps `{ours}`: narrow that notification, have it forward to the function, or use the EventBridge rules of `tidegate template`"
)]
pub struct NotificationOverlap {
    bucket: Bucket,
    id: String,
    target: String,
    prefix: String,
    suffix: String,
    ours: String,
}

/// The notifications for uploads to one bucket, sorted by id.
pub(super) fn entries(function: &str, arn: &str, uploads: &[&UploadTrigger]) -> Vec<NotificationEntry> {
    let mut entries = Vec::new();
    for upload in uploads {
        for (index, pattern) in upload.patterns().iter().enumerate() {
            let filter = pattern.filter();
            entries.push(NotificationEntry {
                id: fitted(&format!("{NOTIFICATION_ID_PREFIX}{}-{index}", upload.name(function)), MAX_ID),
                target: arn.to_owned(),
                events: vec![OBJECT_CREATED.to_owned()],
                prefix: filter.prefix,
                suffix: filter.suffix,
            });
        }
    }
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    entries
}

/// Refuses notifications that overlap others of the bucket.
pub(super) fn check_overlap(
    bucket: &Bucket,
    ours: &[NotificationEntry],
    current: &[NotificationEntry],
    function: &str,
) -> Result<(), Box<NotificationOverlap>> {
    let prefixes_overlap = |a: &str, b: &str| a.starts_with(b) || b.starts_with(a);
    let suffixes_overlap = |a: &str, b: &str| a.ends_with(b) || b.ends_with(a);
    for other in current.iter().filter(|entry| !entry.is_ours(function)) {
        if !other.events.iter().any(|event| event.starts_with("s3:ObjectCreated:")) {
            continue;
        }
        let overlapping = ours.iter().find(|entry| {
            prefixes_overlap(&entry.prefix, &other.prefix) && suffixes_overlap(&entry.suffix, &other.suffix)
        });
        if let Some(entry) = overlapping {
            return Err(Box::new(NotificationOverlap {
                bucket: bucket.clone(),
                id: sanitize_name(&other.id),
                target: sanitize_name(&other.target),
                prefix: sanitize_name(&other.prefix),
                suffix: sanitize_name(&other.suffix),
                ours: format!("{}…{}", entry.prefix, entry.suffix),
            }));
        }
    }
    Ok(())
}
