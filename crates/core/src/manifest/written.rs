//! What S3 returned for the writes of a plan.

use std::collections::BTreeMap;

use crate::identity::ETag;
use crate::key::StoredKey;
use crate::listing::PreservedAttributes;

/// What S3 returned for a write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenObject {
    /// The object's ETag.
    pub etag: ETag,
    /// What a copy of it onto itself must preserve.
    pub attributes: PreservedAttributes,
}

/// What S3 returned for writes, by key.
pub type WrittenObjects = BTreeMap<StoredKey, WrittenObject>;
