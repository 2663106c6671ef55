//! An earlier release as a source: bodies that were set aside when later releases replaced them.
//!
//! Owns where those bodies are. Never names an SDK: whoever carries a plan out copies them on the server's side.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use futures::{StreamExt, stream};
use tidegate_core::content::ReadError;
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::location::Location;
use tidegate_core::restore::ArchivedBody;
use tokio::runtime::Handle;

use super::SourceError;
use super::body::SourceBody;
use super::prefix::SIDE_BY_SIDE;
use super::storage::{Objects, StagedObject, StorageError, read_part};

/// Bodies of one earlier release.
pub struct ReleaseSource {
    objects: Arc<dyn Objects>,
    site: Location,
    at: Location,
    bodies: BTreeMap<Key, ArchivedBody>,
}

impl ReleaseSource {
    /// Bodies that were set aside at `at`; all others are still on the site.
    #[must_use]
    pub fn new(objects: Arc<dyn Objects>, site: Location, at: Location, bodies: BTreeMap<Key, ArchivedBody>) -> Self {
        Self { objects, site, at, bodies }
    }

    /// Where a body is. Its name stands for its state.
    pub(super) fn staged(&self, key: &Key) -> Option<StagedObject> {
        let aside = self.bodies.get(key)?;
        let whole = StoredKey::new(&self.at.prefix.join(&aside.name));
        Some(StagedObject { bucket: self.at.bucket.clone(), key: whole, size: aside.size, etag: aside.etag.clone() })
    }

    /// The object that holds a body now, in the state that it is in.
    async fn object(&self, key: &Key) -> Result<StagedObject, StorageError> {
        let (bucket, whole) = match self.bodies.get(key) {
            Some(aside) => (&self.at.bucket, self.at.prefix.join(&aside.name)),
            None => (&self.site.bucket, self.site.prefix.join(key.as_str())),
        };
        let whole = StoredKey::new(&whole);
        // Parts and KMS give a copy another ETag than the object had on the site.
        let head = self.objects.head(bucket, &whole).await?;
        Ok(StagedObject { bucket: bucket.clone(), key: whole, size: head.size, etag: head.etag })
    }

    /// See [`super::SourceReader::stream`].
    pub(super) async fn stream(&self, key: &Key) -> Result<SourceBody, SourceError> {
        super::prefix::read(&self.objects, self.object(key).await?).await
    }

    /// See [`tidegate_core::content::Content::heads`].
    pub(super) fn heads(
        &self,
        runtime: &Handle,
        keys: &[Key],
        length: u32,
        deadline: Instant,
    ) -> Vec<Result<Vec<u8>, ReadError>> {
        runtime.block_on(
            stream::iter(keys).map(|key| self.part(key, 0, length, deadline)).buffered(SIDE_BY_SIDE).collect(),
        )
    }

    /// See [`tidegate_core::content::Content::range`].
    pub(super) fn range(
        &self,
        runtime: &Handle,
        key: &Key,
        offset: u64,
        length: u32,
        deadline: Instant,
    ) -> Result<Vec<u8>, ReadError> {
        runtime.block_on(self.part(key, offset, length, deadline))
    }

    async fn part(&self, key: &Key, offset: u64, length: u32, deadline: Instant) -> Result<Vec<u8>, ReadError> {
        read_part(self.objects.as_ref(), key, self.object(key), (offset, length), deadline).await
    }
}

impl fmt::Debug for ReleaseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Released({}, {} bodies)", self.at, self.bodies.len())
    }
}
