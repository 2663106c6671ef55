//! Why CloudFront refuses, with its own codes and words. Source: "CreateInvalidation" in its API Reference.

use thiserror::Error;

use super::path::PathError;

/// Why CloudFront refuses; [`CloudFrontError::code`] is AWS's code.
#[derive(Debug, Error)]
pub enum CloudFrontError {
    /// There is no such distribution.
    #[error("The specified distribution does not exist.")]
    NoSuchDistribution,
    /// There is no such invalidation.
    #[error("The specified invalidation does not exist.")]
    NoSuchInvalidation,
    /// A path that breaks a rule.
    #[error("Your request contains one or more invalid invalidation paths.")]
    InvalidPath(PathError),
    /// Anything else that isn't as it should be.
    #[error("{0}")]
    InvalidArgument(String),
    /// `Quantity` says another number than there are items.
    #[error("The value of Quantity and the size of Items don't match.")]
    InconsistentQuantities,
    /// More than 3,000 paths in one request.
    #[error("Invalidation batch specified is too large.")]
    BatchTooLarge,
    /// More than 3,000 paths or 15 wildcards at once.
    #[error(
        "You have exceeded the maximum number of allowable InProgress invalidation batch requests, or invalidation objects."
    )]
    TooManyInvalidationsInProgress,
    /// A reference that was used with other paths.
    #[error("An invalidation with the same caller reference but different paths exists already.")]
    InvalidationBatchAlreadyExists,
    /// A distribution of that identifier exists.
    #[error("there is a distribution `{0}` already: choose another identifier")]
    DistributionAlreadyExists(String),
    /// It can't be kept.
    #[error("distributions and invalidations can't be kept: {0}")]
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
