//! Objects of the state: small documents, written under a condition, and streams of unknown length, such as manifests.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier, ServerSideEncryption};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use tidegate_core::headers::ObjectHeaders;
use tidegate_core::identity::ETag;
use tidegate_core::location::{Bucket, Location};
use tidegate_core::put_options::MAX_DELETES;

use super::client::S3;
use super::condition::PutCondition;
use super::put_options::PutOptions;
use crate::aws_error::AwsError;

/// Size of one part of a stream of unknown length, in bytes (8 MiB). The 10,000 parts of an upload then hold 78 GiB of
/// compressed manifest.
const PART: usize = 8 * 1024 * 1024;

impl S3 {
    /// Writes a document and returns its new ETag.
    ///
    /// # Errors
    /// [`AwsError`]; [`AwsError::is_condition_failed`] if the condition did not hold. That is also the error if this
    /// very write succeeded, its response was lost, and the SDK sent it again.
    pub async fn put_document(
        &self,
        bucket: &Bucket,
        key: &str,
        bytes: Bytes,
        condition: PutCondition<'_>,
    ) -> Result<ETag, AwsError> {
        let request = self.client.put_object().bucket(bucket.as_str()).key(key).body(ByteStream::from(bytes));
        let settings = &self.document_settings;
        let request = request
            .set_server_side_encryption(settings.encryption.as_deref().map(ServerSideEncryption::from))
            .set_ssekms_key_id(settings.kms_key.as_ref().map(ToString::to_string))
            .set_if_match(condition.if_match())
            .set_if_none_match(condition.if_none_match());
        let output = request.send().await.map_err(|error| AwsError::new("PutObject", key, &error))?;
        Ok(ETag::new(output.e_tag().unwrap_or_default()))
    }

    /// Writes a stream of unknown length: in one request if it fits into one part, otherwise as a multipart upload.
    ///
    /// # Errors
    /// [`AwsError`], or the stream's own error. A stream that fails creates no object: a multipart upload that fails is
    /// aborted.
    pub async fn put_stream<E: From<AwsError> + Send>(
        &self,
        to: &Location,
        key: &str,
        mut bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
        condition: PutCondition<'_>,
    ) -> Result<(), E> {
        let mut first = BytesMut::new();
        while first.len() < PART {
            match bytes.try_next().await? {
                Some(chunk) => first.extend_from_slice(&chunk),
                None => {
                    self.put_document(&to.bucket, &to.prefix.join(key), first.freeze(), condition).await?;
                    return Ok(());
                }
            }
        }
        let bytes = stream::iter([Ok(first.freeze())]).chain(bytes);
        let headers = ObjectHeaders::default();
        let options = PutOptions { headers: &headers, redirect: None, settings: &self.document_settings };
        let upload = self.create_upload(to, key, options, None, None).await?;
        let parts = self.upload_parts(to, key, &upload, bytes, PART).await;
        self.finish_upload(to, key, &upload, parts, options, condition).await?;
        Ok(())
    }

    /// Deletes objects, whatever their ETags are. A missing object is not an error.
    ///
    /// # Errors
    /// [`AwsError`] for the first object that could not be deleted.
    pub async fn delete_keys(&self, bucket: &Bucket, keys: &[String]) -> Result<(), AwsError> {
        for batch in keys.chunks(MAX_DELETES) {
            let identifiers: Result<Vec<ObjectIdentifier>, _> =
                batch.iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect();
            let request = identifiers
                .and_then(|identifiers| Delete::builder().set_objects(Some(identifiers)).quiet(true).build())
                .map_err(|error| AwsError::malformed("DeleteObjects", bucket.as_str(), error.to_string()))?;
            let output = self.client.delete_objects().bucket(bucket.as_str()).delete(request).send().await;
            let output = output.map_err(|error| AwsError::new("DeleteObjects", bucket.as_str(), &error))?;
            if let Some(error) = output.errors().first() {
                let why = error.message().or(error.code()).unwrap_or("no reason given");
                return Err(AwsError::malformed("DeleteObjects", error.key().unwrap_or_default(), why));
            }
        }
        Ok(())
    }
}
