//! CloudFront's errors with its codes and messages. Source: CloudFront API Reference.

use http::StatusCode;
use thiserror::Error;

use super::path::PathError;

/// Why CloudFront rejects a request. [`CloudFrontError::code`] is AWS's code.
#[derive(Debug, Error)]
pub enum CloudFrontError {
    /// The distribution does not exist.
    #[error("The specified distribution does not exist.")]
    NoSuchDistribution,
    /// The invalidation does not exist.
    #[error("The specified invalidation does not exist.")]
    NoSuchInvalidation,
    /// An invalid path.
    #[error("Your request contains one or more invalid invalidation paths.")]
    InvalidPath(PathError),
    /// Any other invalid argument.
    #[error("{0}")]
    InvalidArgument(String),
    /// `Quantity` differs from the number of items.
    #[error("The value of Quantity and the size of Items don't match.")]
    InconsistentQuantities,
    /// More than 3,000 paths in one request.
    #[error("Invalidation batch specified is too large.")]
    BatchTooLarge,
    /// More than 3,000 paths or 15 wildcards in progress.
    #[error(
        "You have exceeded the maximum number of allowable InProgress invalidation batch requests, or invalidation objects."
    )]
    TooManyInvalidationsInProgress,
    /// The caller reference was used with other paths.
    #[error("An invalidation with the same caller reference but different paths exists already.")]
    InvalidationBatchAlreadyExists,
    /// A distribution with this ID exists.
    #[error("the distribution `{0}` already exists; choose another ID")]
    DistributionAlreadyExists(String),
    /// A refusal with one of CloudFront's other codes.
    #[error("{message}")]
    Refused {
        /// The code.
        code: RefusalCode,
        /// The message.
        message: String,
    },
    /// A record cannot be stored or read.
    #[error("cannot store the state of CloudFront: {0}")]
    Storage(String),
}

/// Declares [`RefusalCode`] with the HTTP status of each code.
macro_rules! refusal_codes {
    ($($code:ident = $status:literal,)+) => {
        /// CloudFront's codes, by the names that it gives them. Source: CloudFront API Reference, "Errors" of each
        /// operation.
        #[expect(missing_docs, reason = "the names are AWS's")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum RefusalCode {
            $($code,)+
        }

        impl RefusalCode {
            fn name(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($code),)+
                }
            }

            fn status(self) -> u16 {
                match self {
                    $(Self::$code => $status,)+
                }
            }
        }
    };
}

refusal_codes! {
    AccessDenied = 403,
    CannotDeleteEntityWhileInUse = 409,
    DistributionAlreadyExists = 409,
    EntityAlreadyExists = 409,
    EntityNotFound = 404,
    EntitySizeLimitExceeded = 413,
    FunctionAlreadyExists = 409,
    FunctionInUse = 409,
    FunctionSizeLimitExceeded = 413,
    IllegalOriginAccessConfiguration = 400,
    IllegalUpdate = 400,
    InvalidArgument = 400,
    InvalidDefaultRootObject = 400,
    InvalidDomainNameForOriginAccessControl = 400,
    InvalidErrorCode = 400,
    InvalidFunctionAssociation = 400,
    InvalidIfMatchVersion = 400,
    InvalidOriginAccessControl = 400,
    InvalidRelativePath = 400,
    InvalidResponseCode = 400,
    MalformedXML = 400,
    MissingBody = 400,
    NoSuchFunctionExists = 404,
    NoSuchOrigin = 404,
    NoSuchOriginAccessControl = 404,
    NoSuchResource = 404,
    NoSuchResponseHeadersPolicy = 404,
    NotImplemented = 501,
    OriginAccessControlAlreadyExists = 409,
    OriginAccessControlInUse = 409,
    PreconditionFailed = 412,
    ResponseHeadersPolicyAlreadyExists = 409,
    ResponseHeadersPolicyInUse = 409,
    TooLongCSPInResponseHeadersPolicy = 400,
    TooManyCustomHeadersInResponseHeadersPolicy = 400,
    TooManyFunctions = 400,
    TooManyRemoveHeadersInResponseHeadersPolicy = 400,
    TooManyResponseHeadersPolicies = 400,
}

impl CloudFrontError {
    pub(super) fn refused(code: RefusalCode, message: impl Into<String>) -> Self {
        Self::Refused { code, message: message.into() }
    }

    /// AWS's code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchDistribution => "NoSuchDistribution",
            Self::NoSuchInvalidation => "NoSuchInvalidation",
            Self::InvalidPath(_) | Self::InvalidArgument(_) => "InvalidArgument",
            Self::InconsistentQuantities => "InconsistentQuantities",
            Self::BatchTooLarge => "BatchTooLarge",
            Self::TooManyInvalidationsInProgress => "TooManyInvalidationsInProgress",
            Self::InvalidationBatchAlreadyExists => "InvalidationBatchAlreadyExists",
            Self::DistributionAlreadyExists(_) => "DistributionAlreadyExists",
            Self::Refused { code, .. } => code.name(),
            Self::Storage(_) => "InternalFailure",
        }
    }

    /// The HTTP status of the code.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchDistribution | Self::NoSuchInvalidation => StatusCode::NOT_FOUND,
            Self::BatchTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::DistributionAlreadyExists(_) | Self::InvalidationBatchAlreadyExists => StatusCode::CONFLICT,
            Self::Refused { code, .. } => {
                StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::InvalidPath(_)
            | Self::InvalidArgument(_)
            | Self::InconsistentQuantities
            | Self::TooManyInvalidationsInProgress => StatusCode::BAD_REQUEST,
        }
    }
}
