//! Permissions of a CI job that uploads releases and can never replace or delete one.
//!
//! IAM cannot restrict a write to new keys. A bucket policy does: it denies every write without `If-None-Match: *`.

use tidegate_core::location::Location;

use super::{Grant, PolicyKind};
use crate::document::{Partition, PolicyDocument, Principal, Statement, objects_arn};

/// The policy of the job.
#[must_use]
pub fn uploader(partition: &Partition, staging: &Location) -> Grant {
    let document = PolicyDocument::new(vec![
        Statement::allow(["s3:PutObject", "s3:AbortMultipartUpload"], [objects_arn(partition, staging)])
            .because("StageReleases", "to upload releases, and to abort failed multipart uploads"),
    ]);
    Grant::policy(
        "tidegate-uploader",
        "Lets a CI job upload releases; it cannot read, list or delete anything",
        document,
    )
}

/// The policy of the staging bucket, without which an uploader could replace a release. It applies only to requests that
/// create an object, so the parts of a multipart upload are not affected.
/// Source: Amazon S3 user guide, "Enforce conditional writes on Amazon S3 buckets".
#[must_use]
pub fn uploader_guard(partition: &Partition, staging: &Location) -> Grant {
    let document = PolicyDocument::new(vec![
        Statement::deny(["s3:PutObject"], [objects_arn(partition, staging)])
            .of(Principal::Anyone)
            .when("Null", "s3:if-none-match", ["true".to_owned()])
            .when("Bool", "s3:ObjectCreationOperation", ["true".to_owned()])
            .because(
                "DenyReplacingReleases",
                "to deny every write without `If-None-Match: *`, which could replace a release",
            ),
    ]);
    Grant {
        name: "tidegate-uploader-guard".to_owned(),
        path: "/".to_owned(),
        description: "Denies replacing a release in the staging bucket",
        attached: PolicyKind::Bucket(staging.bucket.clone()),
        document,
    }
}
