//! The record of an object: everything except its bytes.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{body::BodySegment, checksum::Checksum, error::S3Failure};

/// Most user metadata, names and values together, in bytes. Source: "Working with object metadata", 2 KB.
pub(crate) const MAX_METADATA_SIZE: usize = 2_048;

/// Most tags of an object. Source: "Categorizing your storage using tags".
const MAX_TAGS: usize = 10;

/// Headers that S3 stores with an object and returns as they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredHeaders {
    /// `Content-Type`; `binary/octet-stream` if it was not sent.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without the `aws-chunked` of the transfer.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`.
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`. Copies do not inherit it.
    pub website_redirect: Option<String>,
    /// User metadata: names without `x-amz-meta-`, in lower case.
    pub metadata: BTreeMap<String, String>,
}

impl StoredHeaders {
    /// Rejects metadata above S3's limit.
    pub(crate) fn check(&self) -> Result<(), S3Failure> {
        let bytes: usize = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > MAX_METADATA_SIZE { Err(S3Failure::MetadataTooLarge) } else { Ok(()) }
    }
}

/// The encryption that S3 reports for an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectEncryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`. S3 encrypts every object since January 2023.
    pub algorithm: String,
    /// The KMS key.
    pub kms_key: Option<String>,
    /// Whether an S3 bucket key is used.
    pub bucket_key: Option<bool>,
}

impl Default for ObjectEncryption {
    fn default() -> Self {
        Self { algorithm: "AES256".to_owned(), kms_key: None, bucket_key: None }
    }
}

impl ObjectEncryption {
    /// Whether the ETag is the MD5 of the content. Source: API reference, `Object`, `ETag`.
    #[must_use]
    pub fn shows_md5(&self) -> bool {
        self.algorithm == "AES256"
    }
}

/// The name of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectName {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

impl ObjectName {
    pub(crate) fn new(bucket: &str, key: &str) -> Self {
        Self { bucket: bucket.to_owned(), key: key.to_owned() }
    }

    pub(crate) fn table_key(&self) -> (&str, &str) {
        (&self.bucket, &self.key)
    }
}

/// A part of an object that was uploaded in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectPart {
    /// 1 to 10,000.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// Its checksum.
    pub checksum: Checksum,
}

/// An object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectInfo {
    /// Bytes.
    pub size: u64,
    /// Unquoted. An MD5, `md5-N` for a multipart object, or neither under KMS.
    pub etag: String,
    /// Seconds since 1970, the precision of S3's modification times.
    pub modified: u64,
    /// The headers that were sent with it.
    pub headers: StoredHeaders,
    /// `STANDARD` or another class.
    pub storage_class: String,
    /// Its encryption.
    pub encryption: ObjectEncryption,
    /// Its checksum.
    pub checksum: Checksum,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its parts, if it was uploaded in parts.
    pub parts: Vec<ObjectPart>,
    /// Its version ID, in a versioned bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where its bytes are.
    pub(crate) segments: Vec<BodySegment>,
}

impl ObjectInfo {
    /// When it was written, to the second.
    #[must_use]
    pub fn modified(&self) -> SystemTime {
        time_of(self.modified)
    }
}

/// A time that is stored as seconds since 1970.
pub(crate) fn time_of(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The current time with the precision of S3: whole seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// `length` random bytes in hex, for upload IDs and ETags under KMS.
pub(crate) fn random_hex(length: usize) -> Result<String, S3Failure> {
    let mut bytes = vec![0_u8; length];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(hex::encode(bytes))
}

/// The ETag of an object or part whose content has this MD5 (in hex).
pub(crate) fn etag_of(md5: &str, encryption: &ObjectEncryption) -> Result<String, S3Failure> {
    if encryption.shows_md5() { Ok(md5.to_owned()) } else { random_hex(16) }
}

/// Parses `x-amz-tagging`: tags in the format of a URL's query.
pub(crate) fn parse_tags(header: &str) -> Result<BTreeMap<String, String>, S3Failure> {
    collect_tags(
        url::form_urlencoded::parse(header.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned())),
    )
}

/// Checks tags by S3's rules: at most ten, unique names, 128 and 256 characters.
pub(crate) fn collect_tags(
    tags: impl Iterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, S3Failure> {
    let mut collected = BTreeMap::new();
    for (name, value) in tags {
        if name.is_empty() || name.chars().count() > 128 {
            return Err(S3Failure::InvalidTag("a key has 1 to 128 characters"));
        }
        if value.chars().count() > 256 {
            return Err(S3Failure::InvalidTag("a value has at most 256 characters"));
        }
        if collected.insert(name, value).is_some() {
            return Err(S3Failure::InvalidTag("a key occurs twice"));
        }
    }
    if collected.len() > MAX_TAGS { Err(S3Failure::InvalidTag("an object has at most 10 tags")) } else { Ok(collected) }
}
