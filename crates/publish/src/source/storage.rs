//! What sources need of S3: pages of a listing, one object's state, ranges of bytes.
//!
//! Owns the seam, its values and its errors. Never implements it: the file that names the SDK does.

use std::ops::Range;
use std::pin::Pin;
use std::time::Instant;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use tidegate_core::content::ReadError;
use tidegate_core::identity::ETag;
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::location::{Bucket, Location};
use tokio::time::timeout_at;

/// One object in a bucket, in the state in which it was listed or asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedObject {
    /// The bucket.
    pub bucket: Bucket,
    /// The whole key in it.
    pub key: StoredKey,
    /// Bytes.
    pub size: u64,
    /// The state; every read is conditional on it.
    pub etag: ETag,
}

/// One object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The whole key in the bucket.
    pub key: StoredKey,
    /// Bytes.
    pub size: u64,
    /// The entity tag.
    pub etag: ETag,
}

/// One page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// What it shows, in the bucket's order.
    pub objects: Vec<Listed>,
    /// How to ask for the next page; nothing after the last one.
    pub next: Option<String>,
}

/// The state of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Bytes.
    pub size: u64,
    /// The entity tag.
    pub etag: ETag,
    /// The version, in a bucket that keeps versions.
    pub version: Option<String>,
}

/// The bytes of an object or of a range, as they arrive.
pub type ObjectBytes = Pin<Box<dyn Stream<Item = Result<Bytes, StorageError>> + Send>>;

/// Why S3 did not answer as asked. `what` names the object or the prefix as `s3://…`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// There is no such object or bucket.
    #[error("`{what}` does not exist, check its name and that it was staged")]
    Missing {
        /// The place.
        what: String,
    },
    /// The condition on the entity tag failed.
    #[error("`{what}` changed since it was read, publish again")]
    Changed {
        /// The place.
        what: String,
    },
    /// The credentials do not suffice.
    #[error("`{what}` must not be read with these credentials: {why}")]
    Denied {
        /// The place.
        what: String,
        /// What S3 said.
        why: String,
    },
    /// Anything else, after the client's own retries.
    #[error("`{what}` could not be read: {why}")]
    Failed {
        /// The place.
        what: String,
        /// The cause.
        why: String,
    },
}

/// Reads of S3, retried by the client's own rules.
#[async_trait]
pub trait Objects: Send + Sync {
    /// One page of everything below `location`, without a delimiter; `token` is the last page's [`Page::next`].
    ///
    /// # Errors
    /// [`StorageError`]; never a short page instead.
    async fn list_page(&self, location: &Location, token: Option<&str>) -> Result<Page, StorageError>;

    /// The state of one object.
    ///
    /// # Errors
    /// [`StorageError::Missing`] where there is none.
    async fn head(&self, bucket: &Bucket, key: &StoredKey) -> Result<Head, StorageError>;

    /// The object's bytes, or those of a range that lies within it, on the condition that its entity tag is the one given.
    ///
    /// # Errors
    /// [`StorageError::Changed`] where the condition fails.
    async fn get(&self, object: &StagedObject, range: Option<Range<u64>>) -> Result<ObjectBytes, StorageError>;
}

impl StagedObject {
    /// `s3://bucket/key`, for people.
    #[must_use]
    pub fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// Part of an object for a plugin, from `offset` on and no further than the object goes, until the deadline. `object` finds
/// out which state of it is read.
pub(super) async fn read_part(
    objects: &dyn Objects,
    key: &Key,
    object: impl Future<Output = Result<StagedObject, StorageError>>,
    (offset, length): (u64, u32),
    deadline: Instant,
) -> Result<Vec<u8>, ReadError> {
    let read = async {
        let object = object.await?;
        let end = object.size.min(offset.saturating_add(u64::from(length)));
        read_range(objects, &object, offset.min(end)..end).await
    };
    let unavailable = |why: String| ReadError::Unavailable { key: key.clone(), why };
    match timeout_at(deadline.into(), read).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(error)) => Err(unavailable(error.to_string())),
        Err(_) => Err(unavailable("its deadline passed".to_owned())),
    }
}

/// Reads one range that lies within `object` to its end; another length than the range's is an error.
pub(super) async fn read_range(
    objects: &dyn Objects,
    object: &StagedObject,
    range: Range<u64>,
) -> Result<Bytes, StorageError> {
    let failed = |why: &str| StorageError::Failed { what: object.place(), why: why.to_owned() };
    let length =
        usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| failed("the range is too large"))?;
    if length == 0 {
        return Ok(Bytes::new());
    }
    let mut chunks = objects.get(object, Some(range)).await?;
    let mut bytes = BytesMut::with_capacity(length);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if chunk.len() > length.saturating_sub(bytes.len()) {
            return Err(failed("the answer is longer than the range"));
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.len() < length { Err(failed("the answer is shorter than the range")) } else { Ok(bytes.freeze()) }
}
