//! Figures of how bodies are written, which planning and writing must agree on.
//!
//! Owns constants only.

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
