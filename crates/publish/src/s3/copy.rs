//! Copying within S3: from a staged prefix, from another name of the site, or onto itself with other headers.

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedPart, MetadataDirective, TaggingDirective};
use futures::stream::{self, StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidegate_core::headers::ObjectHeader;
use tidegate_core::identity::{ContentIdentity, ETag};
use tidegate_core::location::{Bucket, Location};
use tidegate_core::manifest::next::WrittenObject;
use tidegate_core::policy_document::MAX_COPY_BYTES;
use tidegate_core::put_options::{SHA256_METADATA, SOURCE_ETAG_METADATA};

use super::condition::PutCondition;
use super::put::{PutOptions, dressed, expires, written};
use super::{S3, whole};
use crate::aws_error::AwsError;

/// What a URL path may hold unencoded.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Size of one part of a copy, in bytes (512 MiB): 10,000 of them hold 4.8 TiB.
const COPY_PART: u64 = 512 * 1024 * 1024;

/// Parts of one copy in flight; they need no memory here.
const PARTS_IN_FLIGHT: usize = 8;

/// What is copied.
#[derive(Debug, Clone, Copy)]
pub struct CopySource<'a> {
    /// Its bucket.
    pub bucket: &'a Bucket,
    /// Its whole key.
    pub key: &'a str,
    /// The ETag that it must still have; for a body that was set aside, whose name stands for its state and whose ETag
    /// may be another, the one that it had on the site.
    pub etag: &'a ETag,
    /// Whether the ETag is asked for.
    pub conditional: bool,
    /// Bytes.
    pub size: u64,
    /// Largest object that one request copies; [`MAX_COPY_BYTES`] but for tests.
    pub limit: u64,
    /// Whether its tags come along: they do when an object is copied onto itself.
    pub tags: bool,
}

impl CopySource<'_> {
    /// The largest object that one request copies on AWS.
    pub const LIMIT: u64 = MAX_COPY_BYTES;

    fn header(&self) -> String {
        format!("{}/{}", self.bucket, utf8_percent_encode(self.key, PATH))
    }
}

impl S3 {
    /// Copies one object, with the headers that `dress` names and no others. S3 computes a SHA-256 on the way, so that
    /// the copy can be compared later even where its ETag is no MD5.
    ///
    /// # Errors
    /// [`AwsError`]; [`AwsError::is_condition_failed`] where the source was replaced.
    pub(crate) async fn copy(
        &self,
        from: CopySource<'_>,
        to: &Location,
        key: &str,
        identity: &ContentIdentity,
        dress: PutOptions<'_>,
    ) -> Result<WrittenObject, AwsError> {
        if from.size > from.limit {
            return self.copy_parts(from, to, key, identity, dress).await;
        }
        let request = self
            .client
            .copy_object()
            .bucket(to.bucket.as_str())
            .key(whole(to, key))
            .copy_source(from.header())
            .set_copy_source_if_match(from.conditional.then(|| from.etag.quoted()))
            .metadata_directive(MetadataDirective::Replace)
            .tagging_directive(if from.tags { TaggingDirective::Copy } else { TaggingDirective::Replace })
            .checksum_algorithm(ChecksumAlgorithm::Sha256);
        let answer = dressed!(request, dress, kept(identity, from.etag, false))
            .customize()
            .mutate_request(expires(dress.headers))
            .send()
            .await
            .map_err(|error| AwsError::new("CopyObject", key, &error))?;
        let etag = answer.copy_object_result().and_then(|result| result.e_tag());
        Ok(written(etag, answer.server_side_encryption(), answer.ssekms_key_id(), dress))
    }

    async fn copy_parts(
        &self,
        from: CopySource<'_>,
        to: &Location,
        key: &str,
        identity: &ContentIdentity,
        dress: PutOptions<'_>,
    ) -> Result<WrittenObject, AwsError> {
        let tags = if from.tags { self.tags(&from).await? } else { None };
        let upload = self.create_upload(to, key, dress, kept(identity, from.etag, true), tags).await?;
        let part = COPY_PART.min(from.limit.max(1));
        let ranges = (0..from.size.div_ceil(part)).map(|at| (at, at * part, ((at + 1) * part).min(from.size)));
        let upload_id = upload.as_str();
        let parts: Result<Vec<CompletedPart>, AwsError> = stream::iter(ranges)
            .map(|(at, start, end)| self.copy_part(from, to, key, upload_id, at, (start, end)))
            .buffer_unordered(PARTS_IN_FLIGHT)
            .try_collect()
            .await;
        self.finish_upload(to, key, &upload, parts, dress, PutCondition::Whatever).await
    }

    async fn copy_part(
        &self,
        from: CopySource<'_>,
        to: &Location,
        key: &str,
        upload: &str,
        at: u64,
        (start, end): (u64, u64),
    ) -> Result<CompletedPart, AwsError> {
        let number = i32::try_from(at + 1).unwrap_or(i32::MAX);
        let answer = self
            .client
            .upload_part_copy()
            .bucket(to.bucket.as_str())
            .key(whole(to, key))
            .upload_id(upload)
            .part_number(number)
            .copy_source(from.header())
            .set_copy_source_if_match(from.conditional.then(|| from.etag.quoted()))
            .copy_source_range(format!("bytes={start}-{}", end.saturating_sub(1)))
            .send()
            .await
            .map_err(|error| AwsError::new("UploadPartCopy", key, &error))?;
        let etag = answer.copy_part_result.and_then(|result| result.e_tag);
        Ok(CompletedPart::builder().part_number(number).set_e_tag(etag).build())
    }

    /// The source's tags as a query, where it has any: a copy in parts does not bring them along by itself.
    async fn tags(&self, from: &CopySource<'_>) -> Result<Option<String>, AwsError> {
        let answer = self
            .client
            .get_object_tagging()
            .bucket(from.bucket.as_str())
            .key(from.key)
            .send()
            .await
            .map_err(|error| AwsError::new("GetObjectTagging", from.key, &error))?;
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<String> =
            answer.tag_set().iter().map(|tag| format!("{}={}", encoded(tag.key()), encoded(tag.value()))).collect();
        Ok(Some(pairs.join("&")).filter(|query| !query.is_empty()))
    }
}

/// What must be kept with a copy so that the next run can compare it. Where its SHA-256 is known: that, unless S3 keeps
/// one or the ETag will be the source's MD5. Else the ETag of the staged object, also where it looks like an MD5: under
/// SSE-KMS it is none, and only a HEAD of the staged object would tell.
fn kept(identity: &ContentIdentity, etag: &ETag, parts: bool) -> Option<(String, String)> {
    match identity.sha256 {
        Some(_) if !parts && etag.as_md5().is_some() => None,
        Some(digest) => Some((SHA256_METADATA.to_owned(), hex::encode(digest))),
        None => {
            let staged = identity.opaque.clone().or_else(|| identity.md5.map(hex::encode));
            Some((SOURCE_ETAG_METADATA.to_owned(), staged.unwrap_or_else(|| etag.as_str().to_owned())))
        }
    }
}
