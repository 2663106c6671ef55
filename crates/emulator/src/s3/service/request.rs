//! Parts of requests that several operations read in the same way: stored headers, encryption, storage class,
//! checksums, copy sources.

use std::{collections::BTreeMap, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::HeaderMap;
use s3s::{
    TrailingHeaders,
    dto::{ETag, Metadata, ServerSideEncryption, StreamingBlob, Timestamp},
};

use super::super::algorithm::Algorithm;
use super::super::body::StagedBody;
use super::super::bucket::{BucketRecord, Ownership, REGION};
use super::super::checksum::request_checksum;
use super::super::error::S3Failure;
use super::super::multipart::UploadInProgress;
use super::super::object::{ObjectEncryption, StoredHeaders};
use super::backend::EmulatedS3;
use crate::iam::ACCOUNT_ID;

/// Storage classes that an object can be put into. Source: API Reference, PutObject.
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

/// A time for an answer.
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::from(time)
}

/// A length for an answer. The protocol's numbers are signed.
pub(super) fn length(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// A count for an answer.
pub(super) fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// The headers to store with an object, as they were sent.
pub(super) fn stored_headers(headers: &HeaderMap, metadata: Option<Metadata>) -> StoredHeaders {
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

/// `aws-chunked` describes the transfer and not the content, so S3 does not store it.
fn without_transfer(encoding: &str) -> Option<String> {
    let encodings: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|part| *part != "aws-chunked" && !part.is_empty()).collect();
    (!encodings.is_empty()).then(|| encodings.join(","))
}

/// Rejects an invalid redirect. Source: API Reference, PutObject, `x-amz-website-redirect-location`.
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

/// The encryption of an object; the bucket's default if the request names none.
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
            kms_key: kms_key.or_else(|| Some(format!("arn:aws:kms:{REGION}:{ACCOUNT_ID}:alias/aws/s3"))),
            bucket_key,
        }),
        Some(_) => Err(S3Failure::InvalidArgument("The encryption method specified is not supported")),
    }
}

/// The storage class in the headers.
pub(super) fn storage_class(headers: &HeaderMap) -> Result<Option<String>, S3Failure> {
    match headers.get("x-amz-storage-class").map(|class| class.to_str().unwrap_or_default()) {
        None => Ok(None),
        Some(class) if STORAGE_CLASSES.contains(&class) => Ok(Some(class.to_owned())),
        Some(_) => Err(S3Failure::InvalidStorageClass),
    }
}

impl EmulatedS3 {
    /// If ACLs are off, rejects every ACL except the one that confirms it.
    pub(super) fn check_acl(&self, bucket: &str, headers: &HeaderMap) -> Result<(), S3Failure> {
        let grants = headers.keys().any(|name| name.as_str().starts_with("x-amz-grant-"));
        let acl = headers.get("x-amz-acl").is_some_and(|acl| acl != "bucket-owner-full-control");
        if (grants || acl) && self.store.bucket(bucket)?.ownership == Ownership::BucketOwnerEnforced {
            return Err(S3Failure::AclNotSupported);
        }
        Ok(())
    }

    /// Receives a body and checks it against the lengths and digests in the request.
    pub(super) async fn receive_body(&self, incoming: IncomingBody<'_>) -> Result<StagedBody, S3Failure> {
        let stated = request_checksum(incoming.headers)?;
        let named = stated.as_ref().map(|stated| stated.algorithm).or(incoming.algorithm);
        let algorithm = match (named, incoming.part_of) {
            // S3 rejects any algorithm other than the upload's, even if the upload named none.
            (Some(actual), Some(upload)) if upload.algorithm != Some(actual) => {
                return Err(S3Failure::ChecksumTypeMismatch { expected: upload.algorithm, actual });
            }
            (Some(named), _) => named,
            (None, Some(upload)) => upload.part_algorithm(),
            (None, None) => Algorithm::Crc64Nvme,
        };
        let md5 = incoming.headers.get("content-md5").map(|md5| decode_md5(md5.as_bytes())).transpose()?;
        let limit = self.store.limits().single_body;
        let staged = match incoming.body {
            Some(body) => self.store.bodies().stage(body, algorithm, limit).await?,
            None => {
                let empty = futures::stream::empty::<std::io::Result<bytes::Bytes>>();
                self.store.bodies().stage(empty, algorithm, limit).await?
            }
        };
        if incoming.length.is_some_and(|length| u64::try_from(length) != Ok(staged.size)) {
            return Err(S3Failure::IncompleteBody);
        }
        if md5.is_some_and(|md5| md5 != staged.digests.md5) {
            return Err(S3Failure::BadDigest("Content-MD5"));
        }
        let trailing = incoming.trailers.and_then(|trailers| trailers.read(request_checksum)).transpose()?.flatten();
        for stated in stated.into_iter().chain(trailing) {
            if stated.algorithm != algorithm || stated.value != staged.digests.checksum.value {
                return Err(S3Failure::BadDigest(stated.algorithm.name()));
            }
        }
        Ok(staged)
    }
}

/// An incoming body and what the request states about it.
pub(super) struct IncomingBody<'a> {
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
