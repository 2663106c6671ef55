//! What several operations read from a request in the same way: kept headers, encryption, storage class, checksums, sources.

use std::{collections::BTreeMap, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::HeaderMap;
use s3s::{
    TrailingHeaders,
    dto::{CopySource, ETag, Metadata, ServerSideEncryption, StreamingBlob, Timestamp},
};

use super::EmulatedS3;
use crate::iam::ACCOUNT_ID;
use crate::s3::body::StagedBody;
use crate::s3::checksum::{Algorithm, claimed};
use crate::s3::multipart::UploadInProgress;
use crate::s3::object::ObjectEncryption;
use crate::s3::{BucketRecord, Ownership, S3Failure, StoredHeaders};

/// Storage classes that an object can be put into. Source: API reference, PutObject.
const STORAGE_CLASSES: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
];

/// An ETag for an answer.
pub(super) fn strong(etag: &str) -> ETag {
    ETag::Strong(etag.to_owned())
}

/// A point in time for an answer.
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::from(time)
}

/// A length for an answer; the protocol's numbers are signed.
pub(super) fn length(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// A count for an answer.
pub(super) fn count(things: usize) -> i32 {
    i32::try_from(things).unwrap_or(i32::MAX)
}

/// Bucket and key of a copy's source, where it is one that this store can hold.
///
/// # Errors
/// An access point, or a version, neither of which there is here.
pub(in crate::s3) fn source_of(source: &CopySource) -> Result<(String, String), S3Failure> {
    match source {
        CopySource::Bucket { bucket, key, version_id: None } => Ok((bucket.to_string(), key.to_string())),
        CopySource::Bucket { .. } => Err(S3Failure::NotImplemented("x-amz-copy-source with a version")),
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
            Err(S3Failure::NotImplemented("x-amz-copy-source with an access point"))
        }
    }
}

/// The headers that are kept with an object, as they were sent.
pub(super) fn kept_headers(headers: &HeaderMap, metadata: Option<Metadata>) -> StoredHeaders {
    let text = |name: &str| {
        let value = headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned()).filter(|value| !value.is_empty())
    };
    StoredHeaders {
        content_type: text("content-type"),
        cache_control: text("cache-control"),
        content_disposition: text("content-disposition"),
        content_encoding: text("content-encoding").and_then(|encoding| without_transfer(&encoding)),
        content_language: text("content-language"),
        expires: text("expires"),
        website_redirect: text("x-amz-website-redirect-location"),
        metadata: metadata.unwrap_or_default().into_iter().collect::<BTreeMap<_, _>>(),
    }
}

/// `aws-chunked` says how the body travels, not how it is encoded, so S3 does not keep it.
fn without_transfer(encoding: &str) -> Option<String> {
    let kept: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|part| *part != "aws-chunked" && !part.is_empty()).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// What a redirect may be. Source: API reference, PutObject, `x-amz-website-redirect-location`.
pub(super) fn check_redirect(headers: &StoredHeaders) -> Result<(), S3Failure> {
    match headers.website_redirect.as_deref() {
        Some(target) if !["/", "http://", "https://"].iter().any(|start| target.starts_with(start)) => {
            Err(S3Failure::InvalidRequest(
                "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
            ))
        }
        _ => Ok(()),
    }
}

/// How the object shall be encrypted; as the bucket does where the request says nothing.
pub(super) fn encryption(
    bucket: &BucketRecord,
    headers: &HeaderMap,
    algorithm: Option<&ServerSideEncryption>,
    kms_key: Option<String>,
    bucket_key: Option<bool>,
) -> Result<ObjectEncryption, S3Failure> {
    if headers.keys().any(|name| name.as_str().starts_with("x-amz-server-side-encryption-customer-")) {
        return Err(S3Failure::NotImplemented("x-amz-server-side-encryption-customer-algorithm"));
    }
    match algorithm.map(ServerSideEncryption::as_str) {
        None | Some("AES256") if kms_key.is_some() => Err(S3Failure::InvalidArgument(
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
        )),
        None => Ok(bucket.encryption.clone()),
        Some("AES256") => Ok(ObjectEncryption::default()),
        Some(algorithm @ ("aws:kms" | "aws:kms:dsse")) => Ok(ObjectEncryption {
            algorithm: algorithm.to_owned(),
            kms_key: kms_key.or_else(|| Some(format!("arn:aws:kms:{}:{ACCOUNT_ID}:alias/aws/s3", super::REGION))),
            bucket_key,
        }),
        Some(_) => Err(S3Failure::InvalidArgument("The encryption method specified is not supported")),
    }
}

/// The storage class that the headers ask for.
pub(super) fn storage_class(headers: &HeaderMap) -> Result<Option<String>, S3Failure> {
    match headers.get("x-amz-storage-class").map(|class| class.to_str().unwrap_or_default()) {
        None => Ok(None),
        Some(class) if STORAGE_CLASSES.contains(&class) => Ok(Some(class.to_owned())),
        Some(_) => Err(S3Failure::InvalidStorageClass),
    }
}

impl EmulatedS3 {
    /// Where ACLs are off, none may be sent but the one that says what is so anyway.
    pub(super) fn check_acl(&self, bucket: &str, headers: &HeaderMap) -> Result<(), S3Failure> {
        let grants = headers.keys().any(|name| name.as_str().starts_with("x-amz-grant-"));
        let acl = headers.get("x-amz-acl").is_some_and(|acl| acl != "bucket-owner-full-control");
        if (grants || acl) && self.store.bucket(bucket)?.ownership == Ownership::BucketOwnerEnforced {
            return Err(S3Failure::AclNotSupported);
        }
        Ok(())
    }

    /// Takes a body in and holds it against everything that the request says of it.
    pub(super) async fn take_body(&self, arriving: ArrivingBody<'_>) -> Result<StagedBody, S3Failure> {
        let claim = claimed(arriving.headers)?;
        let said = claim.as_ref().map(|claim| claim.algorithm).or(arriving.algorithm);
        let algorithm = match (said, arriving.part_of) {
            // S3 refuses whatever the upload did not announce, even where the upload announced nothing.
            (Some(actual), Some(upload)) if upload.algorithm != Some(actual) => {
                return Err(S3Failure::ChecksumTypeMismatch { expected: upload.algorithm, actual });
            }
            (Some(said), _) => said,
            (None, Some(upload)) => upload.summed_by(),
            (None, None) => Algorithm::Crc64Nvme,
        };
        let md5 = arriving.headers.get("content-md5").map(|md5| decode_md5(md5.as_bytes())).transpose()?;
        let largest = self.store.limits().single_body;
        let staged = match arriving.body {
            Some(body) => self.store.bodies().stage(body, algorithm, largest).await?,
            None => {
                let nothing = futures::stream::empty::<std::io::Result<bytes::Bytes>>();
                self.store.bodies().stage(nothing, algorithm, largest).await?
            }
        };
        if arriving.length.is_some_and(|length| u64::try_from(length) != Ok(staged.size)) {
            return Err(S3Failure::IncompleteBody);
        }
        if md5.is_some_and(|md5| md5 != staged.digests.md5) {
            return Err(S3Failure::BadDigest("Content-MD5"));
        }
        let trailing = arriving.trailers.and_then(|trailers| trailers.read(claimed)).transpose()?.flatten();
        for claim in claim.into_iter().chain(trailing) {
            if claim.algorithm != algorithm || claim.value != staged.digests.checksum.value {
                return Err(S3Failure::BadDigest(claim.algorithm.name()));
            }
        }
        Ok(staged)
    }
}

/// A body on its way in, with what was said of it.
pub(super) struct ArrivingBody<'a> {
    pub(super) body: Option<StreamingBlob>,
    pub(super) headers: &'a HeaderMap,
    /// Complete only after the body.
    pub(super) trailers: Option<TrailingHeaders>,
    /// The algorithm that the request names.
    pub(super) algorithm: Option<Algorithm>,
    /// The upload that the body becomes a part of.
    pub(super) part_of: Option<&'a UploadInProgress>,
    pub(super) length: Option<i64>,
}

fn decode_md5(value: &[u8]) -> Result<String, S3Failure> {
    let bytes = BASE64.decode(value).map_err(|_| S3Failure::InvalidDigest("Content-MD5"))?;
    if bytes.len() == 16 { Ok(hex::encode(bytes)) } else { Err(S3Failure::InvalidDigest("Content-MD5")) }
}
