//! One object of a staged prefix, in the version that was listed.

use std::sync::Arc;

use tidegate_core::declared::DeclaredHeaders;
use tidegate_core::identity::ETag;
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::location::Location;
use tidegate_core::timestamp::Timestamp;

use crate::s3::StagedObject;
use crate::state::StagedHeadersRecord;

/// One object that can be published. There can be millions of them, until the last one is written.
pub(super) struct PrefixObject {
    /// Relative to the prefix and the stripped folder.
    pub(super) key: Key,
    pub(super) size: u64,
    pub(super) etag: ETag,
    pub(super) modified: Timestamp,
    /// Absent until it is known, and if it is not used. Shared: most objects declare the same as many others.
    pub(super) declared: Option<Arc<DeclaredHeaders>>,
}

impl PrefixObject {
    /// Where the object is, and the state in which it was listed.
    pub(super) fn staged(&self, location: &Location) -> StagedObject {
        StagedObject {
            bucket: location.bucket.clone(),
            key: StoredKey::new(&location.prefix.join(self.key.as_str())),
            size: self.size,
            etag: self.etag.clone(),
        }
    }

    /// Whether a record is about this version of the object.
    pub(super) fn is_version_of(&self, key: &str, record: &StagedHeadersRecord) -> bool {
        self.key.as_str() == key && self.etag == record.etag && self.modified == record.modified
    }
}
