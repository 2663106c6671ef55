//! An earlier release as a source: archived bodies, and objects that are still on the site.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use tidegate_core::content::ReadError;
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::location::Location;
use tidegate_core::restore::ArchivedBody;

use super::body::SourceBody;
use super::error::SourceError;
use super::prefix;
use super::storage::{StorageError, read_part};
use crate::s3::{S3, StagedObject};

/// The bodies of an earlier release.
pub struct ReleaseSource {
    s3: S3,
    site: Location,
    archive: Location,
    bodies: BTreeMap<Key, ArchivedBody>,
}

impl ReleaseSource {
    /// `bodies` are archived at `archive`; all others are still on the site.
    #[must_use]
    pub fn new(s3: S3, site: Location, archive: Location, bodies: BTreeMap<Key, ArchivedBody>) -> Self {
        Self { s3, site, archive, bodies }
    }

    /// Where bodies are archived.
    pub(crate) fn archive(&self) -> &Location {
        &self.archive
    }

    /// Where an archived body is, with the ETag that it had on the site. Its name identifies its content.
    pub(super) fn staged(&self, key: &Key) -> Option<StagedObject> {
        let body = self.bodies.get(key)?;
        let whole = StoredKey::new(&self.archive.prefix.join(&body.name));
        Some(StagedObject { bucket: self.archive.bucket.clone(), key: whole, size: body.size, etag: body.etag.clone() })
    }

    /// The object that holds a body, in its current state.
    async fn object(&self, key: &Key) -> Result<StagedObject, StorageError> {
        let (bucket, whole) = match self.bodies.get(key) {
            Some(body) => (&self.archive.bucket, self.archive.prefix.join(&body.name)),
            None => (&self.site.bucket, self.site.prefix.join(key.as_str())),
        };
        let key = StoredKey::new(&whole);
        // Multipart copies and KMS give an archived body another ETag than the object had on the site.
        let head = self.s3.head(bucket, &whole).await;
        let head = head.map_err(|error| StorageError::new(format!("s3://{bucket}/{key}"), error))?;
        Ok(StagedObject { bucket: bucket.clone(), key, size: head.size, etag: head.etag })
    }

    /// See [`super::SourceReader::stream`].
    pub(super) async fn stream(&self, key: &Key) -> Result<SourceBody, SourceError> {
        prefix::read(&self.s3, self.object(key).await?).await
    }

    /// Part of a body, for plugins.
    pub(super) async fn part(
        &self,
        key: &Key,
        offset: u64,
        length: u32,
        deadline: Instant,
    ) -> Result<Vec<u8>, ReadError> {
        read_part(&self.s3, key, self.object(key), offset, length, deadline).await
    }
}

impl fmt::Debug for ReleaseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReleaseSource({}, {} archived bodies)", self.archive, self.bodies.len())
    }
}
