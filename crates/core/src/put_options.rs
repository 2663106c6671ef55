//! How bodies are written: what a site's configuration says of it, and figures that planning and writing must agree on.
//!
//! Owns values and constants only.

use serde::{Deserialize, Serialize};

/// How objects are written, for the whole site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ObjectSettings {
    /// Canned ACL, such as `public-read`. Buckets made since April 2023 refuse every ACL by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl: Option<String>,
    /// Server-side encryption: `AES256` or `aws:kms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// ARN of the KMS key for `aws:kms`; the bucket's default where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Storage class, such as `STANDARD_IA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

/// From this size on, in bytes, a body is sent in parts. Below it, one request needs one buffer at the most; above it, a
/// lost connection costs one part instead of the whole body.
pub const MULTIPART_BYTES: u64 = 64 * 1024 * 1024;

/// Size of one part, in bytes. 10,000 parts of this size hold 156 GiB; larger bodies take larger parts.
pub const PART_BYTES: u64 = 16 * 1024 * 1024;

/// Most parts of one upload. Source: Amazon S3 user guide, "Amazon S3 multipart upload limits".
pub const MAX_PARTS: u64 = 10_000;

/// Most keys of one `DeleteObjects`. Source: Amazon S3 API reference, `DeleteObjects`.
pub const MAX_DELETES: usize = 1000;

/// Metadata that keeps the SHA-256 of a body whose ETag is no MD5 and whose checksum S3 would compute by parts.
pub const SHA256_METADATA: &str = "tidegate-sha256";

/// Metadata that keeps the ETag of the staged object that a body was copied from, where that ETag is no MD5.
pub const SOURCE_ETAG_METADATA: &str = "tidegate-source-etag";

/// The size of each part for a body of `size` bytes: [`PART_BYTES`], or more where 10,000 parts would not hold it.
#[must_use]
pub fn part_bytes(size: u64) -> u64 {
    size.div_ceil(MAX_PARTS).max(PART_BYTES)
}
