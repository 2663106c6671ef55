//! PUT requests: one request for a body below 64 MiB, a multipart upload for a larger one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tidegate_core::headers::ObjectHeader;
use tidegate_core::identity::ContentIdentity;
use tidegate_core::location::Location;
use tidegate_core::manifest::written::WrittenObject;
use tidegate_core::put_options::{MULTIPART_BYTES, SHA256_METADATA, part_bytes};

use super::body::{BodyBytes, BodyFailure, byte_stream};
use super::client::S3;
use super::condition::PutCondition;
use super::put_options::{PutOptions, with_put_options};
use crate::aws_error::AwsError;

/// The bytes of a body, with an error unless it has the expected size.
fn expect_size(body: BodyBytes, size: u64, key: &str) -> BoxStream<'static, Result<Bytes, AwsError>> {
    let stream = match body {
        BodyBytes::Whole(bytes) => stream::iter([Ok(bytes)]).boxed(),
        BodyBytes::Streamed(open) => open(),
    };
    let failed = {
        let key = key.to_owned();
        move |why: String| AwsError::malformed("UploadPart", &key, why)
    };
    stream::try_unfold((stream, size, failed), move |(mut stream, left, failed)| async move {
        let chunk = stream.try_next().await.map_err(|error| failed(error.to_string()))?;
        let Some(chunk) = chunk else {
            return match left {
                0 => Ok(None),
                _ => Err(failed(format!("the source has fewer than the expected {size} bytes"))),
            };
        };
        match left.checked_sub(chunk.len() as u64) {
            Some(left) => Ok(Some((chunk, (stream, left, failed)))),
            None => Err(failed(format!("the source has more than the expected {size} bytes"))),
        }
    })
    .boxed()
}

impl S3 {
    /// Writes one object. `identity.sha256`, if known, is sent along: S3 rejects a body with another digest, and keeps
    /// it for the next comparison.
    ///
    /// # Errors
    /// [`AwsError`]; a multipart upload that fails is aborted first.
    pub(crate) async fn put(
        &self,
        to: &Location,
        key: &str,
        body: BodyBytes,
        size: u64,
        identity: &ContentIdentity,
        options: PutOptions<'_>,
    ) -> Result<WrittenObject, AwsError> {
        if size >= MULTIPART_BYTES {
            return self.put_parts(to, key, body, size, identity, options).await;
        }
        let failure = BodyFailure::default();
        let request = self
            .client
            .put_object()
            .bucket(to.bucket.as_str())
            .key(to.prefix.join(key))
            .content_length(i64::try_from(size).unwrap_or(i64::MAX))
            .set_checksum_sha256(identity.sha256.map(|digest| STANDARD.encode(digest)))
            .body(byte_stream(failure.watch(body)));
        let output = with_put_options!(request, options, [])
            .customize()
            .mutate_request(options.expires())
            // The checksum above covers the body, so signing it would hash it twice.
            .disable_payload_signing()
            .send()
            .await
            .map_err(|error| failure.explain(AwsError::new("PutObject", key, &error)))?;
        Ok(options.written(output.e_tag(), output.server_side_encryption(), output.ssekms_key_id()))
    }

    async fn put_parts(
        &self,
        to: &Location,
        key: &str,
        body: BodyBytes,
        size: u64,
        identity: &ContentIdentity,
        options: PutOptions<'_>,
    ) -> Result<WrittenObject, AwsError> {
        // The ETag of a multipart upload is not an MD5, and S3 computes no SHA-256 over its parts. So the digest is
        // kept as metadata.
        let metadata = identity.sha256.map(|digest| (SHA256_METADATA.to_owned(), hex::encode(digest)));
        let upload = self.create_upload(to, key, options, metadata, None).await?;
        let length = usize::try_from(part_bytes(size)).unwrap_or(usize::MAX);
        let parts = self.upload_parts(to, key, &upload, expect_size(body, size, key), length).await;
        self.finish_upload(to, key, &upload, parts, options, PutCondition::Always).await
    }
}
