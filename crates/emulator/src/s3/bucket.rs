//! Buckets and their configuration.

use std::time::SystemTime;

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::{
    error::S3Failure,
    object::{ObjectEncryption, time_of},
};
use crate::database::{BUCKETS, DatabaseChange};

/// The region of the emulator's buckets.
pub(super) const REGION: &str = "us-east-1";

/// The website configuration of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Website {
    /// Appended to a request for a directory, such as `index.html`.
    pub index_document: String,
    /// The key of the error page.
    pub error_document: Option<String>,
}

/// Who owns the objects of a bucket, and so whether ACLs have an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Ownership {
    /// ACLs are off. Default of new buckets since April 2023.
    #[default]
    BucketOwnerEnforced,
    /// ACLs are on. The bucket's owner owns objects that are written with `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// ACLs are on. The writer owns its objects.
    ObjectWriter,
}

impl Ownership {
    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }

    /// Parses the name in the API.
    pub(crate) fn parse(name: &str) -> Result<Self, S3Failure> {
        [Self::BucketOwnerEnforced, Self::BucketOwnerPreferred, Self::ObjectWriter]
            .into_iter()
            .find(|ownership| ownership.name() == name)
            .ok_or(S3Failure::InvalidArgument("Invalid x-amz-object-ownership header"))
    }
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BucketRecord {
    /// Seconds since 1970.
    pub(super) created: u64,
    /// Its website configuration.
    pub website: Option<Website>,
    /// Whether ACLs are on.
    pub ownership: Ownership,
    /// The encryption of objects whose request names none.
    pub encryption: ObjectEncryption,
    /// Whether replaced and deleted objects are kept as versions.
    pub versioned: bool,
    /// The text of its policy.
    pub policy: Option<String>,
    /// Which public access is blocked.
    pub public_access_block: PublicAccessBlock,
    /// Its region; the emulator's if `None`.
    pub region: Option<String>,
    /// The account that owns it; the emulator's if `None`.
    pub owner: Option<String>,
}

/// Which public access a bucket blocks. All of it by default, as since April 2023.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublicAccessBlock {
    /// Rejects ACLs that would make the bucket public.
    pub block_public_acls: bool,
    /// Ignores existing public ACLs.
    pub ignore_public_acls: bool,
    /// Rejects policies that would make the bucket public.
    pub block_public_policy: bool,
    /// Ignores existing public policies for other accounts.
    pub restrict_public_buckets: bool,
}

impl Default for PublicAccessBlock {
    fn default() -> Self {
        Self {
            block_public_acls: true,
            ignore_public_acls: true,
            block_public_policy: true,
            restrict_public_buckets: true,
        }
    }
}

impl BucketRecord {
    /// When it was created, to the second.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        time_of(self.created)
    }
}

/// The record of `name` in an open table.
pub(crate) fn find(
    buckets: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<BucketRecord, S3Failure> {
    match buckets.get(name)? {
        Some(record) => Ok(serde_json::from_slice(record.value())?),
        None => Err(S3Failure::NoSuchBucket),
    }
}

/// The record of a bucket that must exist.
pub(crate) fn require(change: &DatabaseChange<'_>, name: &str) -> Result<BucketRecord, S3Failure> {
    find(&change.transaction.open_table(BUCKETS)?, name)
}
