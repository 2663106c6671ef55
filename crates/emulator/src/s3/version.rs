//! What a versioned bucket keeps of objects that are not current any more. Owns the record and its table; what is current is
//! in the table of objects. Versions can be counted and looked at, not read: no tool that is tested here asks for them.

use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};

use super::{
    ObjectStore,
    body::Bodies,
    bucket,
    error::S3Failure,
    object::{ObjectInfo, random_hex},
};
use crate::database::{BUCKETS, DatabaseChange, VERSIONS};

/// One version that is not current, or a delete marker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionId {
    /// Its identifier. `null` for an object that was there before the bucket kept versions.
    pub id: String,
    /// The object; nothing for a delete marker.
    pub object: Option<ObjectInfo>,
}

impl VersionId {
    /// A new delete marker.
    pub(super) fn marker() -> Result<Self, S3Failure> {
        Ok(Self { id: random_hex(16)?, object: None })
    }
}

/// Keeps what was current until now, or lets its bytes go.
pub(super) fn retire(
    change: &mut DatabaseChange<'_>,
    bodies: &Bodies,
    place: (&str, &str),
    current: ObjectInfo,
    versioned: bool,
) -> Result<(), S3Failure> {
    if !versioned {
        return bodies.release(change, &current.segments);
    }
    let id = current.version.clone().unwrap_or_else(|| "null".to_owned());
    keep(change, place, &VersionId { id, object: Some(current) })
}

/// Puts a version behind those that are there.
pub(super) fn keep(
    change: &mut DatabaseChange<'_>,
    (bucket, key): (&str, &str),
    version: &VersionId,
) -> Result<(), S3Failure> {
    let mut versions = change.transaction.open_table(VERSIONS)?;
    let last = versions.range((bucket, key, 0)..=(bucket, key, u64::MAX))?.next_back().transpose()?;
    let next = last.map_or(0, |(place, _)| place.value().2 + 1);
    versions.insert((bucket, key, next), serde_json::to_vec(version)?.as_slice())?;
    Ok(())
}

impl ObjectStore {
    /// The versions of a key that are not current, delete markers among them, from the oldest to the newest.
    ///
    /// # Errors
    /// There is no such bucket.
    pub fn versions(&self, bucket: &str, key: &str) -> Result<Vec<VersionId>, S3Failure> {
        self.database().read(|transaction| {
            bucket::find(&transaction.open_table(BUCKETS)?, bucket)?;
            let versions = transaction.open_table(VERSIONS)?;
            let mut found = Vec::new();
            for entry in versions.range((bucket, key, 0)..=(bucket, key, u64::MAX))? {
                found.push(serde_json::from_slice(entry?.1.value())?);
            }
            Ok(found)
        })
    }
}
