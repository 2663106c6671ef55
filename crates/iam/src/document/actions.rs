//! Names of actions in policies of others: those that are none, and those that a purpose needs.
//!
//! Owns two small tables. Never the whole list of actions: it grows every week, and what is missing in an old copy of it would
//! be called wrong.

use globset::GlobBuilder;
use serde_json::Value;

use super::concern::LintFinding;
use super::statements::{statements, texts};

/// Calls of S3's API that are taken for actions, and what allows them. Source: Service Authorization Reference, Amazon S3, and the
/// permissions that the API reference lists for each operation.
const CALLS: [(&str, &str); 22] = [
    ("s3:HeadObject", "`s3:GetObject`"),
    ("s3:HeadBucket", "`s3:ListBucket`"),
    ("s3:ListObjects", "`s3:ListBucket`"),
    ("s3:ListObjectsV2", "`s3:ListBucket`"),
    ("s3:ListObjectVersions", "`s3:ListBucketVersions`"),
    ("s3:ListBuckets", "`s3:ListAllMyBuckets`"),
    ("s3:CopyObject", "`s3:PutObject`, and `s3:GetObject` on what is copied"),
    ("s3:DeleteObjects", "`s3:DeleteObject`"),
    ("s3:PostObject", "`s3:PutObject`"),
    ("s3:CreateMultipartUpload", "`s3:PutObject`"),
    ("s3:UploadPart", "`s3:PutObject`"),
    ("s3:UploadPartCopy", "`s3:PutObject`, and `s3:GetObject` on what is copied"),
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

/// What allows a call that is no action; nothing where the name is not one of those.
pub(super) fn instead(action: &str) -> Option<&'static str> {
    CALLS.iter().find(|(call, _)| call.eq_ignore_ascii_case(action)).map(|(_, right)| *right)
}

/// What a document is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A tool that makes a prefix equal to a directory, and removes what the directory lacks.
    Sync,
    /// The same without removing.
    Upload,
    /// Clearing a CDN's caches.
    Invalidate,
}

impl Purpose {
    fn actions(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Sync => &[
                ("s3:ListBucket", "to see what is there"),
                ("s3:PutObject", "to upload"),
                ("s3:DeleteObject", "to remove what the source lacks, as `--delete` does"),
            ],
            Self::Upload => &[("s3:ListBucket", "to see what is there"), ("s3:PutObject", "to upload")],
            Self::Invalidate => &[("cloudfront:CreateInvalidation", "to clear caches")],
        }
    }
}

/// What a document lacks for its purpose. Which resources it names is not looked at: `check --aws` asks IAM about those.
#[must_use]
pub fn lacks(text: &str, purpose: Purpose) -> Vec<LintFinding> {
    let Ok(document) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let allowed: Vec<&str> = statements(&document)
        .iter()
        .filter_map(Value::as_object)
        .filter(|statement| statement.get("Effect").and_then(Value::as_str) == Some("Allow"))
        .flat_map(|statement| texts(statement, "Action"))
        .collect();
    let covers = |pattern: &str, action: &str| {
        let glob = GlobBuilder::new(pattern).case_insensitive(true).build();
        glob.is_ok_and(|glob| glob.compile_matcher().is_match(action))
    };
    let missing = |action: &str| !allowed.iter().any(|pattern| covers(pattern, action));
    let needed = purpose.actions().iter().filter(|(action, _)| missing(action));
    needed
        .map(|(action, why)| LintFinding {
            wrong: true,
            place: "/Statement".to_owned(),
            what: format!("nothing allows `{action}`, which is needed {why}"),
        })
        .collect()
}
