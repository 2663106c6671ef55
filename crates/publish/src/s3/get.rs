//! GET requests: whole small objects, streams, and ranges of staged objects.

use std::ops::Range;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures::stream::{self, Stream};
use tidegate_core::identity::ETag;
use tidegate_core::key::StoredKey;
use tidegate_core::location::Bucket;

use super::client::S3;
use crate::aws_error::AwsError;

/// Largest document of a site's state, in bytes. Larger ones are not written either.
pub(crate) const MAX_DOCUMENT: u64 = 64 * 1024 * 1024;

/// One object in a bucket, in the state in which it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedObject {
    /// Its bucket.
    pub bucket: Bucket,
    /// Its key in the bucket.
    pub key: StoredKey,
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag. Every read is conditional on it.
    pub etag: ETag,
}

impl StagedObject {
    /// `s3://bucket/key`, for messages.
    #[must_use]
    pub fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

impl S3 {
    /// The bytes of a staged object, or of a range that lies within it.
    ///
    /// # Errors
    /// [`AwsError`], also as an item of the stream; [`AwsError::is_condition_failed`] if the object was replaced.
    pub(crate) async fn read_staged(
        &self,
        object: &StagedObject,
        range: Option<Range<u64>>,
    ) -> Result<impl Stream<Item = Result<Bytes, AwsError>> + Send + use<>, AwsError> {
        let key = object.key.as_str();
        let request = self.client.get_object().bucket(object.bucket.as_str()).key(key).if_match(object.etag.quoted());
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let output = request.set_range(range).send().await;
        Ok(chunks(key, output.map_err(|error| AwsError::new("GetObject", key, &error))?.body))
    }

    /// A document of a site's state and its ETag, or nothing if it does not exist.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn document(&self, bucket: &Bucket, key: &str) -> Result<Option<(Bytes, ETag)>, AwsError> {
        let Some(output) = self.get_if_exists(bucket, key).await? else { return Ok(None) };
        let etag = ETag::new(output.e_tag().unwrap_or_default());
        Ok(Some((collect(key, output, MAX_DOCUMENT).await?, etag)))
    }

    /// The bytes of an object, or nothing if it does not exist.
    ///
    /// # Errors
    /// [`AwsError`], also as an item of the stream.
    pub async fn stream(
        &self,
        bucket: &Bucket,
        key: &str,
    ) -> Result<Option<impl Stream<Item = Result<Bytes, AwsError>> + Send + use<>>, AwsError> {
        Ok(self.get_if_exists(bucket, key).await?.map(|output| chunks(key, output.body)))
    }

    /// A whole object of at most `limit` bytes, such as a plugin's component.
    ///
    /// # Errors
    /// [`AwsError`], also for a larger object.
    #[cfg(feature = "compile")]
    pub(crate) async fn get_small(&self, bucket: &Bucket, key: &str, limit: u64) -> Result<Bytes, AwsError> {
        let output = self.client.get_object().bucket(bucket.as_str()).key(key).send().await;
        collect(key, output.map_err(|error| AwsError::new("GetObject", key, &error))?, limit).await
    }

    async fn get_if_exists(&self, bucket: &Bucket, key: &str) -> Result<Option<GetObjectOutput>, AwsError> {
        let result = self.client.get_object().bucket(bucket.as_str()).key(key).send().await;
        match result.map_err(|error| AwsError::new("GetObject", key, &error)) {
            Ok(output) => Ok(Some(output)),
            // Not for every 404: a missing bucket is an error.
            Err(error) if error.code.as_deref() == Some("NoSuchKey") => Ok(None),
            Err(error) => self.unless_absent(bucket, key, error).await,
        }
    }

    /// Returns nothing if `error` denies access to a key that does not exist, otherwise the error.
    ///
    /// S3 answers 403 instead of 404 to callers that may list only below a prefix, such as the execution role. Listing
    /// the key shows whether it exists.
    pub(super) async fn unless_absent<T>(
        &self,
        bucket: &Bucket,
        key: &str,
        error: AwsError,
    ) -> Result<Option<T>, AwsError> {
        let exists = || async { self.listed(bucket, key).await.map_or(true, |object| object.is_some()) };
        if error.is_denied() && !exists().await { Ok(None) } else { Err(error) }
    }
}

async fn collect(key: &str, output: GetObjectOutput, limit: u64) -> Result<Bytes, AwsError> {
    let size = u64::try_from(output.content_length().unwrap_or_default()).unwrap_or_default();
    if size > limit {
        return Err(AwsError::malformed("GetObject", key, format!("it has {size} bytes, and the limit is {limit}")));
    }
    let body = output.body.collect().await.map_err(|error| interrupted(key, &error))?;
    Ok(body.into_bytes())
}

fn chunks(key: &str, body: ByteStream) -> impl Stream<Item = Result<Bytes, AwsError>> + Send + use<> {
    stream::unfold((body, key.to_owned()), |(mut body, key)| async move {
        let chunk = body.next().await?.map_err(|error| interrupted(&key, &error));
        Some((chunk, (body, key)))
    })
}

fn interrupted(key: &str, error: &dyn std::error::Error) -> AwsError {
    AwsError::malformed("GetObject", key, format!("the body was interrupted: {error}"))
}
