//! Multipart uploads: create, upload parts, complete or abort.
//!
//! While parts are sent, the next one is read. All of it happens in the caller's task, so it ends with it.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use tidegate_core::headers::ObjectHeader;
use tidegate_core::location::Location;
use tidegate_core::manifest::written::WrittenObject;

use super::client::S3;
use super::condition::PutCondition;
use super::put_options::{PutOptions, with_put_options};
use crate::aws_error::AwsError;

/// Parts of one body in flight. Each needs memory for a whole part.
const PARTS_IN_FLIGHT: usize = 3;

/// Cuts a stream into parts of one length; only the last one may be shorter.
fn parts<E>(
    bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    length: usize,
) -> impl Stream<Item = Result<Bytes, E>> + Send {
    stream::try_unfold((Some(bytes), BytesMut::new()), move |(mut bytes, mut buffer)| async move {
        while let Some(open) = bytes.as_mut().filter(|_| buffer.len() < length) {
            match open.try_next().await? {
                Some(chunk) => buffer.extend_from_slice(&chunk),
                None => bytes = None,
            }
        }
        let part = buffer.split_to(length.min(buffer.len())).freeze();
        Ok(Some((part, (bytes, buffer))).filter(|(part, _)| !part.is_empty()))
    })
}

impl S3 {
    /// Creates a multipart upload and returns its id. `tags` are encoded as a query, `name=value&…`.
    pub(super) async fn create_upload(
        &self,
        to: &Location,
        key: &str,
        options: PutOptions<'_>,
        metadata: impl IntoIterator<Item = (String, String)>,
        tags: Option<String>,
    ) -> Result<String, AwsError> {
        let request =
            self.client.create_multipart_upload().bucket(to.bucket.as_str()).key(to.prefix.join(key)).set_tagging(tags);
        let output = with_put_options!(request, options, metadata)
            .customize()
            .mutate_request(options.expires())
            .send()
            .await
            .map_err(|error| AwsError::new("CreateMultipartUpload", key, &error))?;
        output
            .upload_id
            .ok_or_else(|| AwsError::malformed("CreateMultipartUpload", key, "the response has no upload id"))
    }

    /// Uploads `bytes` in parts of this length. Holds at most one part more than [`PARTS_IN_FLIGHT`] in memory.
    pub(super) async fn upload_parts<E: From<AwsError>>(
        &self,
        to: &Location,
        key: &str,
        upload: &str,
        bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
        length: usize,
    ) -> Result<Vec<CompletedPart>, E> {
        parts(bytes, length)
            .zip(stream::iter(1..))
            .map(|(part, number)| part.map(|part| (part, number)))
            .map_ok(|(part, number)| async move { Ok(self.upload_part(to, key, upload, number, part).await?) })
            .try_buffer_unordered(PARTS_IN_FLIGHT)
            .try_collect()
            .await
    }

    async fn upload_part(
        &self,
        to: &Location,
        key: &str,
        upload: &str,
        number: i32,
        bytes: Bytes,
    ) -> Result<CompletedPart, AwsError> {
        let output = self
            .client
            .upload_part()
            .bucket(to.bucket.as_str())
            .key(to.prefix.join(key))
            .upload_id(upload)
            .part_number(number)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|error| AwsError::new("UploadPart", key, &error))?;
        Ok(CompletedPart::builder().part_number(number).set_e_tag(output.e_tag).build())
    }

    /// Completes an upload, or aborts it if a part failed.
    pub(super) async fn finish_upload<E: From<AwsError>>(
        &self,
        to: &Location,
        key: &str,
        upload: &str,
        parts: Result<Vec<CompletedPart>, E>,
        options: PutOptions<'_>,
        condition: PutCondition<'_>,
    ) -> Result<WrittenObject, E> {
        let finished = match parts {
            Ok(parts) => self.complete_upload(to, key, upload, parts, options, condition).await.map_err(E::from),
            Err(error) => Err(error),
        };
        if finished.is_err() {
            self.abort_upload(to, key, upload).await;
        }
        finished
    }

    async fn complete_upload(
        &self,
        to: &Location,
        key: &str,
        upload: &str,
        mut parts: Vec<CompletedPart>,
        options: PutOptions<'_>,
        condition: PutCondition<'_>,
    ) -> Result<WrittenObject, AwsError> {
        parts.sort_by_key(CompletedPart::part_number);
        let output = self
            .client
            .complete_multipart_upload()
            .set_if_match(condition.if_match())
            .set_if_none_match(condition.if_none_match())
            .bucket(to.bucket.as_str())
            .key(to.prefix.join(key))
            .upload_id(upload)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .send()
            .await
            .map_err(|error| AwsError::new("CompleteMultipartUpload", key, &error))?;
        Ok(options.written(output.e_tag(), output.server_side_encryption(), output.ssekms_key_id()))
    }

    /// A failure is only a warning, since the upload has failed already.
    async fn abort_upload(&self, to: &Location, key: &str, upload: &str) {
        let request = self.client.abort_multipart_upload().bucket(to.bucket.as_str()).key(to.prefix.join(key));
        if let Err(error) = request.upload_id(upload).send().await {
            let error = AwsError::new("AbortMultipartUpload", key, &error);
            tracing::warn!(%error, "cannot abort an upload; a lifecycle rule for incomplete uploads removes its parts");
        }
    }
}
