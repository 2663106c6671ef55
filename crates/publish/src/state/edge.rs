//! What the state remembers of the edge of a site: the rules of each release, and the keys that were written last.

use serde::{Deserialize, Serialize};
use tidegate_core::edge::{EdgeKeys, StoredEdge};
use tidegate_core::release::ReleaseId;

use super::error::StateError;
use super::store::{ReleaseFile, StateStore};
use crate::s3::PutCondition;

/// The keys of the store.
const KEYS: &str = "edge-keys.json";

/// What the key value store held after the last run that wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenKeys {
    /// The ARN of the store.
    pub store: String,
    /// The ETag of the store.
    pub etag: String,
    /// The keys of the site.
    pub keys: EdgeKeys,
}

impl StateStore {
    /// The edge of a release; nothing for a release without one.
    pub async fn edge(&self, id: ReleaseId) -> Result<Option<StoredEdge>, StateError> {
        Ok(self.read(&self.key(&ReleaseFile::Edge.name(id))).await?.map(|(edge, _)| edge))
    }

    /// Stores the edge of a release.
    pub async fn put_edge(&self, id: ReleaseId, edge: &StoredEdge) -> Result<(), StateError> {
        self.write(&self.key(&ReleaseFile::Edge.name(id)), edge, PutCondition::Always).await.map(drop)
    }

    /// The keys that were written last.
    pub async fn written_keys(&self) -> Result<Option<WrittenKeys>, StateError> {
        Ok(self.read(&self.key(KEYS)).await?.map(|(keys, _)| keys))
    }

    /// Remembers the keys that were written.
    pub async fn put_written_keys(&self, keys: &WrittenKeys) -> Result<(), StateError> {
        self.write(&self.key(KEYS), keys, PutCondition::Always).await.map(drop)
    }
}
