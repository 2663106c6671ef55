//! Notifications of a bucket: which are ours, what ours are, and what would meet somebody else's.
//!
//! Owns names of ours and the rule of S3 that no object may be the matter of two. Source: Amazon S3 user guide, "Configuring event
//! notifications using object key name filtering", overlapping filters. Never changes somebody else's.

use serde::Serialize;
use tidegate_core::iam_name::fitted;
use tidegate_core::location::Bucket;
use tidegate_core::sanitize::sanitize_name;

use crate::stack::UploadTrigger;

/// What the ids of ours begin with.
const MARK: &str = "tidegate-";

/// The events of ours: an object was stored, by whatever request.
const CREATED: &str = "s3:ObjectCreated:*";

/// Longest id, in characters. Source: Amazon S3 API reference, `LambdaFunctionConfiguration`.
const MAX_ID: usize = 255;

/// One notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotificationEntry {
    /// Its id.
    pub id: String,
    /// Who is told: ARN of a function, a queue or a topic.
    pub target: String,
    /// Of which events.
    pub events: Vec<String>,
    /// What keys begin with; empty for all.
    pub prefix: String,
    /// What keys end in; empty for all.
    pub suffix: String,
}

/// Two notifications would be about one object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the bucket `{bucket}` tells `{target}` of `{prefix}…{suffix}` already (notification `{id}`), and S3 tells only one of an object, so `{wanted}` cannot be watched: narrow that notification, have it forward to the function, or use the rules of EventBridge that `tidegate template` writes"
)]
pub struct NotificationOverlap {
    bucket: Bucket,
    id: String,
    target: String,
    prefix: String,
    suffix: String,
    wanted: String,
}

/// Whether an entry is one that Tidegate made for this function.
#[must_use]
pub fn ours(entry: &NotificationEntry, function: &str) -> bool {
    entry.id.starts_with(MARK) && entry.target == function
}

/// The entries for uploads to one bucket, by id.
pub(super) fn entries(function: &str, arn: &str, uploads: &[&UploadTrigger]) -> Vec<NotificationEntry> {
    let mut entries = Vec::new();
    for upload in uploads {
        for (at, pattern) in upload.patterns().iter().enumerate() {
            let (prefix, suffix) = pattern.filter();
            let id = fitted(&format!("{MARK}{}-{at}", upload.name(function)), MAX_ID);
            entries.push(NotificationEntry {
                id,
                target: arn.to_owned(),
                events: vec![CREATED.to_owned()],
                prefix,
                suffix,
            });
        }
    }
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    entries
}

/// Refuses what meets somebody else's.
///
/// # Errors
/// [`NotificationOverlap`] names it.
pub fn overlap(
    bucket: &Bucket,
    wanted: &[NotificationEntry],
    there: &[NotificationEntry],
    function: &str,
) -> Result<(), Box<NotificationOverlap>> {
    let begins = |a: &str, b: &str| a.starts_with(b) || b.starts_with(a);
    let ends = |a: &str, b: &str| a.ends_with(b) || b.ends_with(a);
    for theirs in there.iter().filter(|entry| !ours(entry, function)) {
        let created = theirs.events.iter().any(|event| event.starts_with("s3:ObjectCreated:"));
        let met = wanted
            .iter()
            .find(|entry| created && begins(&entry.prefix, &theirs.prefix) && ends(&entry.suffix, &theirs.suffix));
        if let Some(met) = met {
            return Err(Box::new(NotificationOverlap {
                bucket: bucket.clone(),
                id: sanitize_name(&theirs.id),
                target: sanitize_name(&theirs.target),
                prefix: sanitize_name(&theirs.prefix),
                suffix: sanitize_name(&theirs.suffix),
                wanted: format!("{}…{}", met.prefix, met.suffix),
            }));
        }
    }
    Ok(())
}
