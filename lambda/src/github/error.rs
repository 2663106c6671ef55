//! Why a request to GitHub failed, and which failures are worth a retry.
//!
//! `request` is always the request to the API, never the signed address that a response redirects to.

use std::time::Duration;

use tidegate_core::error_kind::ErrorKind;

use super::file::FileError;

/// Why a request to GitHub failed.
#[derive(Debug, thiserror::Error)]
pub enum GithubError {
    /// No response, or one that broke off.
    #[error("GitHub did not answer `{request}`: {reason}")]
    NoResponse {
        /// The request.
        request: String,
        /// The cause.
        reason: String,
    },
    /// Too many requests.
    #[error("GitHub accepts no more requests for {seconds} seconds (`{request}`)")]
    RateLimited {
        /// The request.
        request: String,
        /// How long to wait.
        seconds: u64,
    },
    /// GitHub fails temporarily.
    #[error("GitHub answered `{request}` with HTTP status {status}")]
    ServerError {
        /// The request.
        request: String,
        /// The HTTP status.
        status: u16,
    },
    /// The request is refused.
    #[error(
        "GitHub answered `{request}` with HTTP status {status}{message}; check that it exists and that `token` has the permission"
    )]
    Refused {
        /// The request.
        request: String,
        /// The HTTP status.
        status: u16,
        /// GitHub's message, as ` and `…``, or nothing.
        message: String,
    },
    /// A redirect that is not followed.
    #[error("GitHub redirected `{request}` {reason}")]
    Redirect {
        /// The request.
        request: String,
        /// Where to, and why the client does not follow.
        reason: &'static str,
    },
    /// A response longer than any that GitHub documents.
    #[error("GitHub's response to `{0}` is too long")]
    TooLong(String),
    /// The downloaded bytes are not those of the listed file.
    #[error(
        "the file that GitHub sent for `{request}` differs from the one that it listed: {reason}; nothing was published"
    )]
    Mismatch {
        /// The request.
        request: String,
        /// The difference.
        reason: String,
    },
    /// The invocation ends before the response is complete.
    #[error("`{0}` was not complete within one invocation; give the function more memory, or upload the file to S3")]
    Timeout(String),
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The token cannot be sent in a header.
    #[error("the secret for `token` holds characters that no token has; store only the token")]
    Token,
    /// The machine has no root certificates.
    #[error("this machine has no root certificates for HTTPS: {0}")]
    Certificates(std::io::Error),
}

impl GithubError {
    /// Whether a retry of the same request may succeed.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::NoResponse { .. } | Self::RateLimited { .. } | Self::ServerError { .. })
    }

    /// How long GitHub wants the client to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { seconds, .. } => Some(Duration::from_secs(*seconds)),
            _ => None,
        }
    }

    /// The kind of the error. Only a run that failed with kind cloud may succeed later without a change.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoResponse { .. }
            | Self::RateLimited { .. }
            | Self::ServerError { .. }
            | Self::Mismatch { .. }
            | Self::Timeout(_)
            | Self::TooLong(_)
            | Self::File(FileError::Form(_)) => ErrorKind::Cloud,
            Self::Refused { .. } | Self::Redirect { .. } | Self::File(_) | Self::Token | Self::Certificates(_) => {
                ErrorKind::Configuration
            }
        }
    }
}
