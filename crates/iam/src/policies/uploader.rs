//! What a CI job needs that only stages releases: to write new ones, never to change or remove one.
//!
//! IAM knows no "new", so the other half is a bucket policy that refuses every write without `If-None-Match: *`.

use tidegate_core::location::Location;

use super::{Grant, PolicyKind};
use crate::document::{Partition, PolicyDocument, Principal, Statement, objects_arn};

/// The policy of the job.
#[must_use]
pub fn uploader(partition: &Partition, staging: &Location) -> Grant {
    let document = PolicyDocument::new(vec![
        Statement::allow(["s3:PutObject", "s3:AbortMultipartUpload"], [objects_arn(partition, staging)])
            .because("StageReleases", "to upload releases, and to give up an upload in parts that failed"),
    ]);
    Grant::policy(
        "tidegate-uploader",
        "What a CI job needs that stages releases; it cannot read, list or remove anything",
        document,
    )
}

/// The policy of the staging bucket, without which an uploader could replace a release that is staged already. Only what
/// makes an object has to be conditional, so parts of an upload pass.
/// Source: Amazon S3 user guide, "Enforce conditional writes on Amazon S3 buckets".
#[must_use]
pub fn uploader_guard(partition: &Partition, staging: &Location) -> Grant {
    let document = PolicyDocument::new(vec![
        Statement::deny(["s3:PutObject"], [objects_arn(partition, staging)])
            .of(Principal::Anybody)
            .when("Null", "s3:if-none-match", ["true".to_owned()])
            .when("Bool", "s3:ObjectCreationOperation", ["true".to_owned()])
            .because("NeverReplaceARelease", "whoever writes here must say that the key is new: If-None-Match: *"),
    ]);
    Grant {
        name: "tidegate-uploader-guard".to_owned(),
        path: "/".to_owned(),
        what: "The staging bucket refuses whoever would replace a release",
        attached: PolicyKind::Bucket(staging.bucket.clone()),
        document,
    }
}
