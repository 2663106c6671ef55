//! Names that are mistaken for IAM actions, and the actions that a purpose needs.
//!
//! There is no list of all actions here: AWS adds some every week, and the linter would call the new ones invalid.

use globset::GlobBuilder;
use serde_json::Value;

use super::finding::LintFinding;
use super::lint::without_byte_order_mark;
use super::statements::{statements, strings};

/// API calls that are mistaken for actions, and the actions that allow them. Source: Service Authorization Reference, Amazon S3, and the
/// permissions that the API reference lists for each operation.
const CALLS: [(&str, &str); 22] = [
    ("s3:HeadObject", "`s3:GetObject`"),
    ("s3:HeadBucket", "`s3:ListBucket`"),
    ("s3:ListObjects", "`s3:ListBucket`"),
    ("s3:ListObjectsV2", "`s3:ListBucket`"),
    ("s3:ListObjectVersions", "`s3:ListBucketVersions`"),
    ("s3:ListBuckets", "`s3:ListAllMyBuckets`"),
    ("s3:CopyObject", "`s3:PutObject`, and `s3:GetObject` on the source"),
    ("s3:DeleteObjects", "`s3:DeleteObject`"),
    ("s3:PostObject", "`s3:PutObject`"),
    ("s3:CreateMultipartUpload", "`s3:PutObject`"),
    ("s3:UploadPart", "`s3:PutObject`"),
    ("s3:UploadPartCopy", "`s3:PutObject`, and `s3:GetObject` on the source"),
    ("s3:CompleteMultipartUpload", "`s3:PutObject`"),
    ("s3:ListParts", "`s3:ListMultipartUploadParts`"),
    ("s3:ListMultipartUploads", "`s3:ListBucketMultipartUploads`"),
    ("s3:GetBucketEncryption", "`s3:GetEncryptionConfiguration`"),
    ("s3:PutBucketEncryption", "`s3:PutEncryptionConfiguration`"),
    ("s3:GetBucketLifecycleConfiguration", "`s3:GetLifecycleConfiguration`"),
    ("s3:PutBucketLifecycleConfiguration", "`s3:PutLifecycleConfiguration`"),
    ("s3:GetPublicAccessBlock", "`s3:GetBucketPublicAccessBlock`"),
    ("s3:PutPublicAccessBlock", "`s3:PutBucketPublicAccessBlock`"),
    ("cloudfront:InvalidateCache", "`cloudfront:CreateInvalidation`"),
];

/// The actions that allow an API call whose name is not an action.
pub(super) fn actions_of_call(action: &str) -> Option<&'static str> {
    CALLS.iter().find(|(call, _)| call.eq_ignore_ascii_case(action)).map(|(_, actions)| *actions)
}

/// What a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Syncing a directory to a prefix, with deletes.
    Sync,
    /// Syncing without deletes.
    Upload,
    /// Invalidating CloudFront caches.
    Invalidate,
}

impl Purpose {
    fn actions(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Sync => &[
                ("s3:ListBucket", "to list objects"),
                ("s3:PutObject", "to upload"),
                ("s3:DeleteObject", "for `--delete`"),
            ],
            Self::Upload => &[("s3:ListBucket", "to list objects"), ("s3:PutObject", "to upload")],
            Self::Invalidate => &[("cloudfront:CreateInvalidation", "to invalidate caches")],
        }
    }
}

/// The actions that a purpose needs and a document does not allow on any resource. `tidegate check --aws` has IAM simulate
/// the resources.
#[must_use]
pub fn missing_actions(text: &str, purpose: Purpose) -> Vec<LintFinding> {
    let Ok(document) = serde_json::from_str::<Value>(without_byte_order_mark(text)) else { return Vec::new() };
    let allowed: Vec<&str> = statements(&document)
        .iter()
        .filter_map(Value::as_object)
        .filter(|statement| statement.get("Effect").and_then(Value::as_str) == Some("Allow"))
        .flat_map(|statement| strings(statement, "Action"))
        .collect();
    let covers = |pattern: &str, action: &str| {
        let glob = GlobBuilder::new(pattern).case_insensitive(true).build();
        glob.is_ok_and(|glob| glob.compile_matcher().is_match(action))
    };
    let is_missing = |action: &str| !allowed.iter().any(|pattern| covers(pattern, action));
    let missing = purpose.actions().iter().filter(|(action, _)| is_missing(action));
    missing
        .map(|(action, reason)| LintFinding {
            error: true,
            note: false,
            pointer: "/Statement".to_owned(),
            message: format!("missing action `{action}`, which is needed {reason}"),
        })
        .collect()
}
