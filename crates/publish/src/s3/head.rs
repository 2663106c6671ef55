//! What single objects are: HEAD, and reading its answer.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tidegate_core::headers::{ObjectHeader, ObjectHeaders};
use tidegate_core::identity::{ContentIdentity, ETag};
use tidegate_core::listing::{ObservedObject, PreservedAttributes};
use tidegate_core::location::Bucket;
use tidegate_core::put_options::{SHA256_METADATA, SOURCE_ETAG_METADATA};

use super::S3;
use crate::aws_error::AwsError;

/// What a HEAD tells of any object.
#[derive(Debug, Clone)]
pub(crate) struct HeadAnswer {
    /// Bytes.
    pub size: u64,
    /// Its ETag.
    pub etag: ETag,
    /// Its version, in a versioned bucket.
    pub version: Option<String>,
    /// Everything that a site's comparison needs.
    pub observed: ObservedObject,
}

impl S3 {
    /// A HEAD of one object.
    ///
    /// # Errors
    /// [`AwsError`]; a missing object is [`AwsError::is_not_found`], or denied where listing is not allowed.
    pub(crate) async fn head(&self, bucket: &Bucket, key: &str) -> Result<HeadAnswer, AwsError> {
        let answer = self
            .client
            .head_object()
            .bucket(bucket.as_str())
            .key(key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .map_err(|error| AwsError::new("HeadObject", key, &error))?;
        Ok(HeadAnswer {
            size: u64::try_from(answer.content_length().unwrap_or_default()).unwrap_or_default(),
            etag: ETag::new(answer.e_tag().unwrap_or_default()),
            version: answer.version_id().filter(|id| *id != "null").map(str::to_owned),
            observed: observed(&answer),
        })
    }
}

/// Digits of a checksum of the whole body; checksums of parts end in `-N` and say nothing of it.
fn digest<const N: usize>(text: Option<&str>) -> Option<[u8; N]> {
    STANDARD.decode(text?).ok()?.try_into().ok()
}

fn observed(answer: &HeadObjectOutput) -> ObservedObject {
    let metadata = answer.metadata().cloned().unwrap_or_default();
    let encryption = answer.server_side_encryption().map(|kind| kind.as_str().to_owned());
    let etag = ETag::new(answer.e_tag().unwrap_or_default());
    // With KMS or customer keys the ETag has the form of an MD5 and is none.
    let opaque_encryption =
        encryption.as_deref().is_some_and(|kind| kind.starts_with("aws:")) || answer.sse_customer_algorithm().is_some();
    let md5 = etag.as_md5().filter(|_| !opaque_encryption);
    let mut kept = [0; 32];
    let sha256 = digest(answer.checksum_sha256())
        .or_else(|| hex::decode_to_slice(metadata.get(SHA256_METADATA)?, &mut kept).ok().map(|()| kept));
    let opaque =
        metadata.get(SOURCE_ETAG_METADATA).cloned().or_else(|| md5.is_none().then(|| etag.as_str().to_owned()));
    let system = [
        (ObjectHeader::CacheControl, answer.cache_control()),
        (ObjectHeader::ContentDisposition, answer.content_disposition()),
        (ObjectHeader::ContentEncoding, answer.content_encoding()),
        (ObjectHeader::ContentLanguage, answer.content_language()),
        (ObjectHeader::ContentType, answer.content_type()),
        (ObjectHeader::Expires, answer.expires_string()),
    ];
    let keeping = PreservedAttributes {
        storage_class: answer
            .storage_class()
            .map(|class| class.as_str().to_owned())
            .filter(|class| class != "STANDARD"),
        encryption,
        kms_key: answer.ssekms_key_id().map(str::to_owned),
    };
    ObservedObject {
        identity: ContentIdentity { sha256, md5, crc64nvme: digest(answer.checksum_crc64_nvme()), opaque },
        headers: ObjectHeaders::observed(
            system.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))),
            metadata,
        ),
        redirect: answer.website_redirect_location().map(str::to_owned),
        attributes: keeping,
    }
}
