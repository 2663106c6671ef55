//! HEAD requests, and what their responses say about an object.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tidegate_core::headers::{ObjectHeader, ObjectHeaders};
use tidegate_core::identity::{ContentIdentity, ETag};
use tidegate_core::listing::{ObservedObject, PreservedAttributes};
use tidegate_core::location::Bucket;
use tidegate_core::put_options::{SHA256_METADATA, SOURCE_ETAG_METADATA};

use super::client::S3;
use super::get::StagedObject;
use crate::aws_error::AwsError;

/// The state of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag.
    pub etag: ETag,
    /// Its version, as S3 writes it: `null` in a bucket whose versioning is suspended.
    pub version: Option<String>,
}

/// An object at the destination of a copy.
#[derive(Debug, Clone)]
pub(crate) struct ObservedCopy {
    /// Its ETag.
    pub(crate) etag: ETag,
    /// The rest.
    pub(crate) observed: ObservedObject,
}

impl S3 {
    /// The state of one object.
    ///
    /// # Errors
    /// [`AwsError`]; a missing object is [`AwsError::is_not_found`], or denied if the caller may not list.
    pub(crate) async fn head(&self, bucket: &Bucket, key: &str) -> Result<ObjectHead, AwsError> {
        let output = self.client.head_object().bucket(bucket.as_str()).key(key).send().await;
        let output = output.map_err(|error| AwsError::new("HeadObject", key, &error))?;
        Ok(ObjectHead {
            size: u64::try_from(output.content_length().unwrap_or_default()).unwrap_or_default(),
            etag: ETag::new(output.e_tag().unwrap_or_default()),
            version: output.version_id,
        })
    }

    /// The state of one object, or nothing if it does not exist.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn head_if_exists(&self, bucket: &Bucket, key: &str) -> Result<Option<ObjectHead>, AwsError> {
        match self.head(bucket, key).await {
            Ok(head) => Ok(Some(head)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => self.unless_absent(bucket, key, error).await,
        }
    }

    /// Everything that a comparison needs to know about one object of the site.
    ///
    /// # Errors
    /// See [`Self::head`].
    pub(crate) async fn observe(&self, bucket: &Bucket, key: &str) -> Result<ObservedObject, AwsError> {
        Ok(observed(&self.head_with_checksum(bucket, key).await?))
    }

    async fn head_with_checksum(&self, bucket: &Bucket, key: &str) -> Result<HeadObjectOutput, AwsError> {
        let request = self.client.head_object().bucket(bucket.as_str()).key(key).checksum_mode(ChecksumMode::Enabled);
        request.send().await.map_err(|error| AwsError::new("HeadObject", key, &error))
    }

    /// The same with the ETag; nothing if the object does not exist.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn observe_copy(&self, bucket: &Bucket, key: &str) -> Result<Option<ObservedCopy>, AwsError> {
        match self.head_with_checksum(bucket, key).await {
            Ok(output) => {
                let etag = ETag::new(output.e_tag().unwrap_or_default());
                Ok(Some(ObservedCopy { etag, observed: observed(&output) }))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => self.unless_absent(bucket, key, error).await,
        }
    }

    /// What S3 stores with a staged object.
    ///
    /// # Errors
    /// [`AwsError`]; [`AwsError::is_condition_failed`] if the object was replaced since it was listed.
    pub(crate) async fn observe_staged(&self, object: &StagedObject) -> Result<ObservedObject, AwsError> {
        let key = object.key.as_str();
        let request = self.client.head_object().bucket(object.bucket.as_str()).key(key).if_match(object.etag.quoted());
        let output = request.send().await.map_err(|error| AwsError::new("HeadObject", key, &error))?;
        Ok(observed(&output))
    }
}

/// A checksum of the whole body. Checksums of multipart uploads end in `-N`, do not decode, and say nothing about the
/// whole body.
fn checksum<const N: usize>(text: Option<&str>) -> Option<[u8; N]> {
    STANDARD.decode(text?).ok()?.try_into().ok()
}

fn observed(output: &HeadObjectOutput) -> ObservedObject {
    let metadata = output.metadata().cloned().unwrap_or_default();
    let encryption = output.server_side_encryption().map(|kind| kind.as_str().to_owned());
    let etag = ETag::new(output.e_tag().unwrap_or_default());
    // With KMS or customer keys, an ETag looks like an MD5, but is not one.
    let has_opaque_etag =
        encryption.as_deref().is_some_and(|kind| kind.starts_with("aws:")) || output.sse_customer_algorithm().is_some();
    let md5 = etag.as_md5().filter(|_| !has_opaque_etag);
    let mut recorded = [0; 32];
    let sha256 = checksum(output.checksum_sha256())
        .or_else(|| hex::decode_to_slice(metadata.get(SHA256_METADATA)?, &mut recorded).ok().map(|()| recorded));
    let opaque =
        metadata.get(SOURCE_ETAG_METADATA).cloned().or_else(|| md5.is_none().then(|| etag.text().into_owned()));
    let headers = [
        (ObjectHeader::CacheControl, output.cache_control()),
        (ObjectHeader::ContentDisposition, output.content_disposition()),
        (ObjectHeader::ContentEncoding, output.content_encoding()),
        (ObjectHeader::ContentLanguage, output.content_language()),
        (ObjectHeader::ContentType, output.content_type()),
        (ObjectHeader::Expires, output.expires_string()),
    ];
    let attributes = PreservedAttributes {
        storage_class: output
            .storage_class()
            .map(|class| class.as_str().to_owned())
            .filter(|class| class != "STANDARD"),
        encryption,
        kms_key: output.ssekms_key_id().map(str::to_owned),
    };
    ObservedObject {
        identity: ContentIdentity { sha256, md5, crc64nvme: checksum(output.checksum_crc64_nvme()), opaque },
        headers: ObjectHeaders::observed(
            headers.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))),
            metadata,
        ),
        redirect: output.website_redirect_location().map(str::to_owned),
        attributes,
    }
}
