//! Changes to S3 buckets.

use serde::Serialize;
use tidegate_core::location::Bucket;

/// What the ids of Tidegate's notifications begin with.
pub(crate) const NOTIFICATION_ID_PREFIX: &str = "tidegate-";

/// A change to an S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields are named after the parameters of the AWS API")]
pub enum BucketChange {
    /// Create a bucket; in the connection's region where none is given.
    CreateBucket { bucket: Bucket, region: Option<String> },
    /// Turn every option of the public access block off.
    AllowPublicAccess { bucket: Bucket },
    /// Replace the bucket policy.
    SetBucketPolicy { bucket: Bucket, policy: String },
    /// Delete the bucket policy.
    DeleteBucketPolicy { bucket: Bucket },
    /// Configure website hosting.
    SetWebsite { bucket: Bucket, index: String, error: String },
    /// Replace the notifications for one function. Other notifications of the bucket are kept.
    SetNotifications { bucket: Bucket, function: String, entries: Vec<NotificationEntry> },
}

/// One event notification of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotificationEntry {
    /// Its id.
    pub id: String,
    /// ARN of the function, queue or topic that S3 notifies.
    pub target: String,
    /// Types of events, such as `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    /// Prefix of the keys; empty for all.
    pub prefix: String,
    /// Suffix of the keys; empty for all.
    pub suffix: String,
}

impl NotificationEntry {
    /// Whether Tidegate created this notification for the function with this ARN.
    #[must_use]
    pub fn is_ours(&self, function: &str) -> bool {
        self.id.starts_with(NOTIFICATION_ID_PREFIX) && self.target == function
    }
}

impl BucketChange {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::CreateBucket { bucket, region: Some(region) } => format!("create the bucket `{bucket}` in {region}"),
            Self::CreateBucket { bucket, region: None } => format!("create the bucket `{bucket}`"),
            Self::AllowPublicAccess { bucket } => format!("allow public access to the bucket `{bucket}`"),
            Self::SetBucketPolicy { bucket, .. } => format!("set the policy of the bucket `{bucket}`"),
            Self::DeleteBucketPolicy { bucket } => format!("delete the policy of the bucket `{bucket}`"),
            Self::SetWebsite { bucket, index, error } => {
                format!("make the bucket `{bucket}` a website with `{index}` and `{error}`")
            }
            Self::SetNotifications { bucket, entries, .. } if entries.is_empty() => {
                format!("remove the notifications of the bucket `{bucket}` for the function")
            }
            Self::SetNotifications { bucket, entries, .. } => {
                let keys: Vec<String> =
                    entries.iter().map(|entry| format!("`{}…{}`", entry.prefix, entry.suffix)).collect();
                format!("notify the function of uploads to the bucket `{bucket}`: {}", keys.join(", "))
            }
        }
    }
}
