//! Noncurrent versions of objects in versioned buckets. Versions can be listed by tests but not read over the protocol,
//! since no tested client asks for them.

use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};

use super::{
    body::Bodies,
    error::S3Failure,
    object::{ObjectInfo, ObjectName, random_hex},
};
use crate::database::{DatabaseChange, VERSIONS};

/// A noncurrent version, or a delete marker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncurrentVersion {
    /// Its ID. `null` for an object that is older than the bucket's versioning.
    pub id: String,
    /// The object; `None` for a delete marker.
    pub object: Option<ObjectInfo>,
}

impl NoncurrentVersion {
    /// A new delete marker.
    pub(super) fn marker() -> Result<Self, S3Failure> {
        Ok(Self { id: random_hex(16)?, object: None })
    }
}

/// Stores the previous object as a version, or releases its bytes in a bucket without versioning.
pub(super) fn retire(
    change: &mut DatabaseChange<'_>,
    bodies: &Bodies,
    name: &ObjectName,
    current: ObjectInfo,
    versioned: bool,
) -> Result<(), S3Failure> {
    if !versioned {
        return bodies.release(change, &current.segments);
    }
    let id = current.version.clone().unwrap_or_else(|| "null".to_owned());
    add(change, name, &NoncurrentVersion { id, object: Some(current) })
}

/// Adds a version after the existing ones.
pub(super) fn add(
    change: &mut DatabaseChange<'_>,
    name: &ObjectName,
    version: &NoncurrentVersion,
) -> Result<(), S3Failure> {
    let (bucket, key) = name.table_key();
    let mut versions = change.transaction.open_table(VERSIONS)?;
    let last = versions.range((bucket, key, 0)..=(bucket, key, u64::MAX))?.next_back().transpose()?;
    let next = last.map_or(0, |(key, _)| key.value().2 + 1);
    versions.insert((bucket, key, next), serde_json::to_vec(version)?.as_slice())?;
    Ok(())
}
