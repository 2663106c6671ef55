//! Small objects of the state, read whole and written under a condition; and manifests, which are streamed.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedPart, Delete, ObjectIdentifier};
use bytes::{Bytes, BytesMut};
use futures::stream::{FuturesUnordered, Stream, StreamExt, TryStreamExt};
use tidegate_core::headers::ObjectHeaders;
use tidegate_core::identity::ETag;
use tidegate_core::location::{Bucket, Location};
use tidegate_core::put_options::ObjectSettings;

use super::condition::PutCondition;
use super::put::PutOptions;
use super::{S3, whole};
use crate::aws_error::AwsError;

/// Size of one part of a stream whose length nobody knows beforehand: 10,000 of them hold 78 GiB of compressed manifest.
const PART: usize = 8 * 1024 * 1024;

/// Parts in flight.
const PARTS_IN_FLIGHT: usize = 2;

impl S3 {
    /// Writes a document and returns its new state.
    ///
    /// # Errors
    /// [`AwsError`]; [`AwsError::is_condition_failed`] where the condition did not hold, also where this very write
    /// had been done and its answer was lost.
    pub async fn put_document(
        &self,
        bucket: &Bucket,
        key: &str,
        bytes: Bytes,
        condition: PutCondition<'_>,
    ) -> Result<ETag, AwsError> {
        let request = self.client.put_object().bucket(bucket.as_str()).key(key).body(ByteStream::from(bytes));
        let request = match condition {
            PutCondition::Absent => request.if_none_match("*"),
            PutCondition::Is(etag) => request.if_match(etag.quoted()),
            PutCondition::Whatever => request,
        };
        let answer = request.send().await.map_err(|error| AwsError::new("PutObject", key, &error))?;
        Ok(ETag::new(answer.e_tag().unwrap_or_default()))
    }

    /// Writes a stream of unknown length: in one request where it fits, else in parts.
    ///
    /// # Errors
    /// [`AwsError`], or the stream's own; an upload in parts that fails is aborted first. Nothing of a stream that fails
    /// becomes an object.
    pub async fn put_stream<E: From<AwsError>>(
        &self,
        to: &Location,
        key: &str,
        mut bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
        condition: PutCondition<'_>,
    ) -> Result<(), E> {
        let mut buffer = BytesMut::new();
        while buffer.len() < PART {
            match bytes.try_next().await? {
                Some(more) => buffer.extend_from_slice(&more),
                None => {
                    let bytes = buffer.freeze();
                    self.put_document(&to.bucket, &whole(to, key), bytes, condition).await?;
                    return Ok(());
                }
            }
        }
        let (headers, writing) = (ObjectHeaders::default(), ObjectSettings::default());
        let dress = PutOptions { headers: &headers, redirect: None, settings: &writing };
        let upload = self.create_upload(to, key, dress, None, None).await?;
        let parts = self.stream_parts(to, key, &upload, buffer, bytes).await;
        self.finish_upload(to, key, &upload, parts, dress, condition).await?;
        Ok(())
    }

    async fn stream_parts<E: From<AwsError>>(
        &self,
        to: &Location,
        key: &str,
        upload: &str,
        mut buffer: BytesMut,
        mut bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> Result<Vec<CompletedPart>, E> {
        let (mut done, mut flying) = (Vec::new(), FuturesUnordered::new());
        let (mut number, mut last) = (0, false);
        while !last || !buffer.is_empty() {
            while !last && buffer.len() < PART {
                match bytes.try_next().await? {
                    Some(more) => buffer.extend_from_slice(&more),
                    None => last = true,
                }
            }
            let part = buffer.split_to(PART.min(buffer.len())).freeze();
            if part.is_empty() {
                break;
            }
            number += 1;
            while flying.len() >= PARTS_IN_FLIGHT {
                done.extend(flying.try_next().await?);
            }
            flying.push(self.upload_part(to, key, upload, number, part));
        }
        while let Some(part) = flying.next().await {
            done.push(part?);
        }
        Ok(done)
    }

    /// Deletes objects of the state, whatever they are; what is not there is no error.
    ///
    /// # Errors
    /// [`AwsError`] names the first that could not be deleted.
    pub async fn forget(&self, bucket: &Bucket, keys: &[String]) -> Result<(), AwsError> {
        for batch in keys.chunks(tidegate_core::put_options::MAX_DELETES) {
            let named: Result<Vec<ObjectIdentifier>, _> =
                batch.iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect();
            let request = named
                .and_then(|named| Delete::builder().set_objects(Some(named)).quiet(true).build())
                .map_err(|error| AwsError::malformed("DeleteObjects", bucket.as_str(), error.to_string()))?;
            let answer = self.client.delete_objects().bucket(bucket.as_str()).delete(request).send().await;
            let answer = answer.map_err(|error| AwsError::new("DeleteObjects", bucket.as_str(), &error))?;
            if let Some(refused) = answer.errors().first() {
                let key = refused.key().unwrap_or_default();
                let why = refused.message().or(refused.code()).unwrap_or("refused");
                return Err(AwsError::malformed("DeleteObjects", key, why));
            }
        }
        Ok(())
    }
}
