//! PUT requests: one request for a body below 64 MiB, a multipart upload for a larger one.

use std::io;

use aws_sdk_s3::types::CompletedPart;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use futures::stream::{FuturesUnordered, StreamExt, TryStreamExt};
use tidegate_core::headers::ObjectHeader;
use tidegate_core::identity::ContentIdentity;
use tidegate_core::location::Location;
use tidegate_core::manifest::next::WrittenObject;
use tidegate_core::put_options::{MULTIPART_BYTES, SHA256_METADATA, part_bytes};

use super::body::{BodyBytes, BodyFailure, byte_stream};
use super::client::S3;
use super::condition::PutCondition;
use super::put_options::{PutOptions, with_put_options};
use crate::aws_error::AwsError;

/// Parts of one body in flight. Each needs memory for a whole part.
const PARTS_IN_FLIGHT: usize = 3;

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
        let parts = self.upload_parts(to, key, &upload, body, size).await;
        self.finish_upload(to, key, &upload, parts, options, PutCondition::Always).await
    }

    async fn upload_parts(
        &self,
        to: &Location,
        key: &str,
        upload: &str,
        body: BodyBytes,
        size: u64,
    ) -> Result<Vec<CompletedPart>, AwsError> {
        let unreadable = |error: io::Error| AwsError::malformed("UploadPart", key, error.to_string());
        let mut stream = match body {
            BodyBytes::Whole(bytes) => futures::stream::iter([Ok(bytes)]).boxed(),
            BodyBytes::Streamed(open) => open(),
        };
        let length = usize::try_from(part_bytes(size)).unwrap_or(usize::MAX);
        let (mut done, mut in_flight) = (Vec::new(), FuturesUnordered::new());
        let (mut buffer, mut number, mut left) = (BytesMut::new(), 0, size);
        loop {
            let chunk = stream.try_next().await.map_err(unreadable)?;
            let last = chunk.is_none();
            buffer.extend_from_slice(&chunk.unwrap_or_default());
            while buffer.len() >= length || (last && !buffer.is_empty()) {
                let part = buffer.split_to(length.min(buffer.len())).freeze();
                left = left.checked_sub(part.len() as u64).ok_or_else(|| {
                    AwsError::malformed(
                        "UploadPart",
                        key,
                        format!("the source has more than the expected {size} bytes"),
                    )
                })?;
                number += 1;
                while in_flight.len() >= PARTS_IN_FLIGHT {
                    done.extend(in_flight.try_next().await?);
                }
                in_flight.push(self.upload_part(to, key, upload, number, part));
            }
            if last {
                break;
            }
        }
        if left != 0 {
            let why = format!("the source has fewer than the expected {size} bytes");
            return Err(AwsError::malformed("UploadPart", key, why));
        }
        while let Some(part) = in_flight.try_next().await? {
            done.push(part);
        }
        Ok(done)
    }
}
