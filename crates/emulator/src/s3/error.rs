//! The errors of the emulated S3, with the codes and messages of AWS.

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};

use super::algorithm::Algorithm;
use crate::database::{CommitFailure, DatabaseError, from_database_errors};

/// An error of S3. The comments give its HTTP status.
#[derive(Debug, Clone, thiserror::Error)]
pub enum S3Failure {
    /// 404.
    #[error("The specified bucket does not exist")]
    NoSuchBucket,
    /// 404.
    #[error("The specified key does not exist.")]
    NoSuchKey,
    /// 404.
    #[error(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    )]
    NoSuchUpload,
    /// 404.
    #[error("The specified bucket does not have a website configuration")]
    NoSuchWebsiteConfiguration,
    /// 404.
    #[error("The bucket policy does not exist")]
    NoSuchBucketPolicy,
    /// 400.
    #[error("{0}")]
    MalformedPolicy(String),
    /// 409.
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketAlreadyOwnedByYou,
    /// 409.
    #[error("The bucket you tried to delete is not empty")]
    BucketNotEmpty,
    /// 412.
    #[error("At least one of the pre-conditions you specified did not hold")]
    PreconditionFailed,
    /// 304, without a body.
    #[error("Not Modified")]
    NotModified,
    /// 416.
    #[error("The requested range is not satisfiable")]
    InvalidRange,
    /// 400.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// 400.
    #[error("{0}")]
    InvalidArgument(&'static str),
    /// 400: the body does not match its checksum or MD5.
    #[error("The {0} you specified did not match the calculated checksum.")]
    BadDigest(&'static str),
    /// 400: an invalid digest.
    #[error("Value for {0} header is invalid.")]
    InvalidDigest(&'static str),
    /// 400: the bytes differ from those that were signed.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    SignedHashMismatch,
    /// 403: a chunk of a signed stream differs from the one that was signed.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    )]
    SignatureDoesNotMatch,
    /// 400: the part's checksum has another algorithm than its upload.
    #[error(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        expected.map_or("null".to_owned(), |expected| expected.name().to_lowercase()),
        actual.name().to_lowercase()
    )]
    ChecksumTypeMismatch {
        /// The upload's algorithm, if it has one.
        expected: Option<Algorithm>,
        /// The part's algorithm.
        actual: Algorithm,
    },
    /// 400: the completion lacks the checksums of parts, from which that of the object is computed.
    #[error(
        "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was missing for part {part} in the request.",
        algorithm.name().to_lowercase()
    )]
    MissingPartChecksum {
        /// The upload's algorithm.
        algorithm: Algorithm,
        /// The first part without a checksum.
        part: u32,
    },
    /// 400: fewer bytes than announced.
    #[error("You did not provide the number of bytes specified by the Content-Length HTTP header")]
    IncompleteBody,
    /// 400.
    #[error(
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
    )]
    InvalidPart,
    /// 400.
    #[error("The list of parts was not in ascending order. Parts must be ordered by part number.")]
    InvalidPartOrder,
    /// 400.
    #[error("Your proposed upload is smaller than the minimum allowed size")]
    EntityTooSmall,
    /// 400.
    #[error("Your proposed upload exceeds the maximum allowed size")]
    EntityTooLarge,
    /// 400.
    #[error("Your metadata headers exceed the maximum allowed metadata size")]
    MetadataTooLarge,
    /// 400.
    #[error("Your key is too long")]
    KeyTooLong,
    /// 400.
    #[error("The XML you provided was not well-formed or did not validate against our published schema")]
    MalformedXml,
    /// 400.
    #[error("The bucket does not allow ACLs")]
    AclNotSupported,
    /// 400.
    #[error("The tags provided are not valid: {0}")]
    InvalidTag(&'static str),
    /// 400.
    #[error("The storage class you specified is not valid")]
    InvalidStorageClass,
    /// 400.
    #[error("The specified bucket is not valid.")]
    InvalidBucketName,
    /// 403, with the reason.
    #[error("{0}")]
    AccessDenied(String),
    /// 501: a feature of S3 that the emulator does not support. It is rejected rather than ignored.
    #[error("A header you provided implies functionality that is not implemented: {0}")]
    NotImplemented(&'static str),
    /// 500: the emulator's storage failed.
    #[error("We encountered an internal error: {0}")]
    Storage(#[from] DatabaseError),
}

from_database_errors!(S3Failure: redb::TableError, redb::StorageError);

impl CommitFailure for S3Failure {
    fn is_storage(&self) -> bool {
        matches!(self, Self::Storage(_))
    }
}

impl From<serde_json::Error> for S3Failure {
    fn from(source: serde_json::Error) -> Self {
        Self::Storage(DatabaseError::from(source))
    }
}

impl From<std::io::Error> for S3Failure {
    fn from(source: std::io::Error) -> Self {
        Self::Storage(DatabaseError::from(source))
    }
}

impl S3Failure {
    /// The code in the response.
    #[must_use]
    pub fn code(&self) -> S3ErrorCode {
        match self {
            Self::NoSuchBucket => S3ErrorCode::NoSuchBucket,
            Self::NoSuchKey => S3ErrorCode::NoSuchKey,
            Self::NoSuchUpload => S3ErrorCode::NoSuchUpload,
            Self::NoSuchWebsiteConfiguration => S3ErrorCode::NoSuchWebsiteConfiguration,
            Self::NoSuchBucketPolicy => S3ErrorCode::NoSuchBucketPolicy,
            Self::MalformedPolicy(_) => S3ErrorCode::MalformedPolicy,
            Self::BucketAlreadyOwnedByYou => S3ErrorCode::BucketAlreadyOwnedByYou,
            Self::BucketNotEmpty => S3ErrorCode::BucketNotEmpty,
            Self::PreconditionFailed => S3ErrorCode::PreconditionFailed,
            Self::NotModified => S3ErrorCode::NotModified,
            Self::InvalidRange => S3ErrorCode::InvalidRange,
            Self::InvalidRequest(_) | Self::ChecksumTypeMismatch { .. } | Self::MissingPartChecksum { .. } => {
                S3ErrorCode::InvalidRequest
            }
            Self::SignedHashMismatch => S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
            Self::SignatureDoesNotMatch => S3ErrorCode::SignatureDoesNotMatch,
            Self::InvalidArgument(_) => S3ErrorCode::InvalidArgument,
            Self::BadDigest(_) => S3ErrorCode::BadDigest,
            Self::InvalidDigest("Content-MD5") => S3ErrorCode::InvalidDigest,
            Self::InvalidDigest(_) => S3ErrorCode::InvalidRequest,
            Self::IncompleteBody => S3ErrorCode::IncompleteBody,
            Self::InvalidPart => S3ErrorCode::InvalidPart,
            Self::InvalidPartOrder => S3ErrorCode::InvalidPartOrder,
            Self::EntityTooSmall => S3ErrorCode::EntityTooSmall,
            Self::EntityTooLarge => S3ErrorCode::EntityTooLarge,
            Self::MetadataTooLarge => S3ErrorCode::MetadataTooLarge,
            Self::KeyTooLong => S3ErrorCode::KeyTooLongError,
            Self::MalformedXml => S3ErrorCode::MalformedXML,
            Self::AclNotSupported => S3ErrorCode::AccessControlListNotSupported,
            Self::InvalidTag(_) => S3ErrorCode::InvalidTag,
            Self::InvalidStorageClass => S3ErrorCode::InvalidStorageClass,
            Self::InvalidBucketName => S3ErrorCode::InvalidBucketName,
            Self::AccessDenied(_) => S3ErrorCode::AccessDenied,
            Self::NotImplemented(_) => S3ErrorCode::NotImplemented,
            Self::Storage(_) => S3ErrorCode::InternalError,
        }
    }
}

impl From<S3Failure> for S3Error {
    fn from(error: S3Failure) -> Self {
        if let S3Failure::Storage(source) = &error {
            tracing::error!(%source, "the emulator's storage failed");
        }
        let mut response = Self::with_message(error.code(), error.to_string());
        if matches!(error, S3Failure::SignedHashMismatch) {
            response.set_status_code(StatusCode::BAD_REQUEST);
        }
        response
    }
}
