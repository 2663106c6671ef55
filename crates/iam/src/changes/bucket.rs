//! Changes to S3 buckets.

use serde::Serialize;
use tidegate_core::location::Bucket;

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
    /// Send the events of the bucket to EventBridge. Its other notifications are kept.
    EnableEventBridge { bucket: Bucket },
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
            Self::EnableEventBridge { bucket } => format!("send the events of the bucket `{bucket}` to EventBridge"),
        }
    }
}
