//! CloudFront's errors with its codes and messages. Source: CloudFront API Reference, "CreateInvalidation".

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
    /// A distribution or an invalidation cannot be stored or read.
    #[error("cannot store distributions and invalidations: {0}")]
    Storage(String),
}

impl CloudFrontError {
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
            Self::Storage(_) => "InternalFailure",
        }
    }
}
