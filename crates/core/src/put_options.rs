//! How objects are written: the settings of a site, and limits that planning and writing share.

use serde::{Deserialize, Serialize};

use crate::kms_key::KmsKey;

/// How all objects of a site are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ObjectSettings {
    /// Canned ACL, such as `public-read`. Buckets created since April 2023 refuse ACLs by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl: Option<String>,
    /// Server-side encryption: `AES256` or `aws:kms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// The KMS key for `aws:kms`; the bucket's default if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<KmsKey>,
    /// Storage class, such as `STANDARD_IA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

impl ObjectSettings {
    /// Encryption with a KMS key; the bucket's default without one.
    #[must_use]
    pub fn with_key(kms_key: Option<KmsKey>) -> Self {
        Self { encryption: kms_key.as_ref().map(|_| "aws:kms".to_owned()), kms_key, ..Self::default() }
    }
}

/// Minimum size of a multipart upload, in bytes. A smaller body needs one buffer; for a larger one, a lost connection costs
/// one part instead of the whole body.
pub const MULTIPART_BYTES: u64 = 64 * 1024 * 1024;

/// Size of one part, in bytes. 10,000 parts of this size hold 156 GiB; larger bodies take larger parts.
pub const PART_BYTES: u64 = 16 * 1024 * 1024;

/// Maximum number of parts. Source: Amazon S3 user guide, "Amazon S3 multipart upload limits".
pub const MAX_PARTS: u64 = 10_000;

/// Maximum number of keys in one request. Source: Amazon S3 API reference, `DeleteObjects`.
pub const MAX_DELETES: usize = 1000;

/// Metadata with the SHA-256 of a body whose ETag is not an MD5 and whose checksum S3 computes by parts.
pub const SHA256_METADATA: &str = "tidegate-sha256";

/// Metadata with the ETag of the staged object that a body was copied from, if that ETag is not an MD5.
pub const SOURCE_ETAG_METADATA: &str = "tidegate-source-etag";

/// The part size for a body of `size` bytes: [`PART_BYTES`], or more if 10,000 parts are too few.
#[must_use]
pub fn part_bytes(size: u64) -> u64 {
    size.div_ceil(MAX_PARTS).max(PART_BYTES)
}
