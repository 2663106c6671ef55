//! Copies within S3: from a staged prefix, from another key of the site, or from an object to itself with other
//! headers.

use std::ops::Range;

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedPart, MetadataDirective, TaggingDirective};
use futures::stream::{self, StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidegate_core::headers::ObjectHeader;
use tidegate_core::identity::{ContentIdentity, ETag};
use tidegate_core::location::{Bucket, Location};
use tidegate_core::manifest::written::WrittenObject;
use tidegate_core::policy_document::MAX_COPY_BYTES;
use tidegate_core::put_options::{SHA256_METADATA, SOURCE_ETAG_METADATA};

use super::client::S3;
use super::condition::PutCondition;
use super::put_options::{PutOptions, with_put_options};
use crate::aws_error::AwsError;

/// Characters that are percent-encoded in a URL path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Size of one part of a copy, in bytes (512 MiB). The 10,000 parts of an upload then hold 4.8 TiB.
const COPY_PART: u64 = 512 * 1024 * 1024;

/// Parts of one copy in flight. They need no memory here.
const PARTS_IN_FLIGHT: usize = 8;

/// The object that is copied.
#[derive(Debug, Clone, Copy)]
pub struct CopySource<'a> {
    /// Its bucket.
    pub bucket: &'a Bucket,
    /// Its key in the bucket.
    pub key: &'a str,
    /// Its ETag. For an archived body, the ETag that it had on the site, which the archived object may not have.
    pub etag: &'a ETag,
    /// Whether the copy requires that the object still has the ETag.
    pub conditional: bool,
    /// Its size in bytes.
    pub size: u64,
    /// Largest object that one request copies, in bytes; [`MAX_COPY_BYTES`] except in tests.
    pub limit: u64,
    /// Whether its tags are copied. They are if an object is copied onto itself.
    pub tags: bool,
}

/// One part of a copy.
#[derive(Debug, Clone)]
struct CopyPart {
    number: i32,
    range: Range<u64>,
}

impl CopySource<'_> {
    /// The largest object that one request copies on AWS.
    pub const LIMIT: u64 = MAX_COPY_BYTES;

    fn header(&self) -> String {
        format!("{}/{}", self.bucket, utf8_percent_encode(self.key, PATH))
    }

    fn if_match(&self) -> Option<String> {
        self.conditional.then(|| self.etag.quoted())
    }

    fn parts(&self) -> impl Iterator<Item = CopyPart> + use<> {
        let (size, part) = (self.size, COPY_PART.min(self.limit.max(1)));
        (0..size.div_ceil(part)).map(move |index| CopyPart {
            number: i32::try_from(index + 1).unwrap_or(i32::MAX),
            range: index * part..((index + 1) * part).min(size),
        })
    }
}

impl S3 {
    /// Copies one object, with the headers in `options` and no others. S3 computes a SHA-256 on the way, so the copy
    /// can be compared later even if its ETag is not an MD5.
    ///
    /// # Errors
    /// [`AwsError`]; [`AwsError::is_condition_failed`] if the source was replaced, or `condition` does not hold.
    pub(crate) async fn copy(
        &self,
        from: CopySource<'_>,
        to: &Location,
        key: &str,
        identity: &ContentIdentity,
        options: PutOptions<'_>,
        condition: PutCondition<'_>,
    ) -> Result<WrittenObject, AwsError> {
        if from.size > from.limit {
            return self.copy_parts(from, to, key, identity, options, condition).await;
        }
        let request = self
            .client
            .copy_object()
            .set_if_match(condition.if_match())
            .set_if_none_match(condition.if_none_match())
            .bucket(to.bucket.as_str())
            .key(to.prefix.join(key))
            .copy_source(from.header())
            .set_copy_source_if_match(from.if_match())
            .metadata_directive(MetadataDirective::Replace)
            .tagging_directive(if from.tags { TaggingDirective::Copy } else { TaggingDirective::Replace })
            .checksum_algorithm(ChecksumAlgorithm::Sha256);
        let output = with_put_options!(request, options, identity_metadata(identity, from.etag, false))
            .customize()
            .mutate_request(options.expires())
            .send()
            .await
            .map_err(|error| AwsError::new("CopyObject", key, &error))?;
        let etag = output.copy_object_result().and_then(|result| result.e_tag());
        Ok(options.written(etag, output.server_side_encryption(), output.ssekms_key_id()))
    }

    async fn copy_parts(
        &self,
        from: CopySource<'_>,
        to: &Location,
        key: &str,
        identity: &ContentIdentity,
        options: PutOptions<'_>,
        condition: PutCondition<'_>,
    ) -> Result<WrittenObject, AwsError> {
        let tags = if from.tags { self.tags(&from).await? } else { None };
        let metadata = identity_metadata(identity, from.etag, true);
        let upload = self.create_upload(to, key, options, metadata, tags).await?;
        let upload_id = upload.as_str();
        let parts: Result<Vec<CompletedPart>, AwsError> = stream::iter(from.parts())
            .map(|part| self.copy_part(from, to, key, upload_id, part))
            .buffer_unordered(PARTS_IN_FLIGHT)
            .try_collect()
            .await;
        self.finish_upload(to, key, &upload, parts, options, condition).await
    }

    async fn copy_part(
        &self,
        from: CopySource<'_>,
        to: &Location,
        key: &str,
        upload: &str,
        CopyPart { number, range }: CopyPart,
    ) -> Result<CompletedPart, AwsError> {
        let output = self
            .client
            .upload_part_copy()
            .bucket(to.bucket.as_str())
            .key(to.prefix.join(key))
            .upload_id(upload)
            .part_number(number)
            .copy_source(from.header())
            .set_copy_source_if_match(from.if_match())
            .copy_source_range(format!("bytes={}-{}", range.start, range.end.saturating_sub(1)))
            .send()
            .await
            .map_err(|error| AwsError::new("UploadPartCopy", key, &error))?;
        let etag = output.copy_part_result.and_then(|result| result.e_tag);
        Ok(CompletedPart::builder().part_number(number).set_e_tag(etag).build())
    }

    /// The source's tags, encoded as a query. Unlike `CopyObject`, a multipart copy does not copy them.
    async fn tags(&self, from: &CopySource<'_>) -> Result<Option<String>, AwsError> {
        let output = self
            .client
            .get_object_tagging()
            .bucket(from.bucket.as_str())
            .key(from.key)
            .send()
            .await
            .map_err(|error| AwsError::new("GetObjectTagging", from.key, &error))?;
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<String> =
            output.tag_set().iter().map(|tag| format!("{}={}", encoded(tag.key()), encoded(tag.value()))).collect();
        Ok(Some(pairs.join("&")).filter(|query| !query.is_empty()))
    }
}

/// The metadata that lets the next run compare a copy. If the SHA-256 is known, it is kept, unless S3 keeps one or the
/// copy's ETag will be the source's MD5. Otherwise the ETag of the staged object is kept, even if it looks like an MD5:
/// with SSE-KMS it is not one, and only a HEAD of the staged object would show that.
fn identity_metadata(identity: &ContentIdentity, etag: &ETag, multipart: bool) -> Option<(String, String)> {
    match identity.sha256 {
        Some(_) if !multipart && etag.as_md5().is_some() => None,
        Some(digest) => Some((SHA256_METADATA.to_owned(), hex::encode(digest))),
        None => {
            let staged = identity.opaque.clone().or_else(|| identity.md5.map(hex::encode));
            Some((SOURCE_ETAG_METADATA.to_owned(), staged.unwrap_or_else(|| etag.text().into_owned())))
        }
    }
}
