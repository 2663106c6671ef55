//! Permissions of a CI job that uploads builds: with `aws s3 cp`, `aws s3 sync` or any other tool.
//!
//! IAM cannot restrict a write to new keys. A bucket policy does: it denies every write without `If-None-Match: *`. Tools
//! such as `aws s3 cp` do not send that header, so the bucket policy is an option.

use sha2::{Digest, Sha256};
use tidegate_core::arn::object_arn;
use tidegate_core::iam_name::{MAX_POLICY_NAME, fitted};
use tidegate_core::kms_key::KmsKey;
use tidegate_core::location::{Location, ObjectLocation};

use super::{Grant, PolicyKind, place_name};
use crate::document::{Partition, PolicyDocument, Principal, Statement, objects_arn};

/// Where a job uploads builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadPlace {
    /// A prefix with a folder or zip for each build.
    Builds(Location),
    /// A prefix whose content the next build replaces, with deletes.
    Staged(Location),
    /// A zip that the next build replaces.
    Zip(ObjectLocation),
}

impl UploadPlace {
    fn name(&self) -> String {
        match self {
            Self::Builds(location) | Self::Staged(location) => place_name(location),
            Self::Zip(object) => format!("{}/{}", object.bucket, object.key),
        }
    }

    fn statements(&self, partition: &Partition) -> Vec<Statement> {
        let write = ["s3:PutObject", "s3:AbortMultipartUpload"];
        let list = |location| {
            Statement::list(partition, location).because("ListUploads", "to compare with what is there, as `sync` does")
        };
        match self {
            Self::Builds(location) => vec![
                Statement::allow(write, [objects_arn(partition, location)])
                    .because("UploadBuilds", "to upload builds, and to abort failed multipart uploads"),
                list(location),
            ],
            Self::Staged(location) => vec![
                Statement::allow([&write[..], &["s3:DeleteObject"]].concat(), [objects_arn(partition, location)])
                    .because("ReplaceStaged", "to replace the staged build, and to delete what it no longer has"),
                list(location),
            ],
            Self::Zip(object) => vec![
                Statement::allow(write, [object_arn(partition, object)])
                    .because("ReplaceZip", "to replace the staged zip, and to abort failed multipart uploads"),
            ],
        }
    }
}

/// The policy of a job that uploads builds below a prefix.
#[must_use]
pub fn uploader(partition: &Partition, builds: &Location) -> Grant {
    upload_grant(partition, &[UploadPlace::Builds(builds.clone())], None)
}

/// The policy of a job that uploads to these places, whose buckets may be encrypted with a KMS key. Its name has the
/// places, so that the policies of two jobs differ.
#[must_use]
pub fn upload_grant(partition: &Partition, places: &[UploadPlace], key: Option<&KmsKey>) -> Grant {
    let mut statements: Vec<Statement> = places.iter().flat_map(|place| place.statements(partition)).collect();
    statements.extend(key.map(|key| {
        let objects = places.iter().map(|place| match place {
            UploadPlace::Builds(location) | UploadPlace::Staged(location) => {
                (location.bucket.clone(), objects_arn(partition, location))
            }
            UploadPlace::Zip(object) => (object.bucket.clone(), object_arn(partition, object)),
        });
        // An upload in parts decrypts, too.
        Statement::key_of_objects(partition, &["kms:Decrypt", "kms:GenerateDataKey"], key, objects)
            .because("UseBuildsKey", "to upload builds encrypted with KMS, and nothing else with that key")
    }));
    let names: Vec<String> = places.iter().map(UploadPlace::name).collect();
    Grant::policy(
        &fitted(&format!("tidegate-uploader-{}", names.join(",")), MAX_POLICY_NAME),
        "Lets a CI job upload builds; it cannot read them",
        PolicyDocument::new(statements),
    )
}

/// The bucket policy that denies replacing a build. It applies only to requests that create an object, so the parts of a
/// multipart upload are not affected. Its statement id has a digest of the prefix: those of two prefixes are kept apart.
/// Source: Amazon S3 user guide, "Enforce conditional writes on Amazon S3 buckets".
#[must_use]
pub fn uploader_guard(partition: &Partition, builds: &Location) -> Grant {
    let name = place_name(builds);
    let digest: String = Sha256::digest(name.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let document = PolicyDocument::new(vec![
        Statement::deny(["s3:PutObject"], [objects_arn(partition, builds)])
            .of(Principal::Anyone)
            .when("Null", "s3:if-none-match", ["true".to_owned()])
            .when("Bool", "s3:ObjectCreationOperation", ["true".to_owned()])
            .because(
                format!("DenyReplacingBuilds{digest}"),
                "to deny every write without `If-None-Match: *`, which could replace a build",
            ),
    ]);
    Grant {
        name: fitted(&format!("tidegate-uploader-guard-{name}"), MAX_POLICY_NAME),
        path: "/".to_owned(),
        description: "Denies replacing a build in the bucket",
        attached: PolicyKind::Bucket(builds.bucket.clone()),
        document,
    }
}
