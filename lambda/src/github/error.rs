//! Why GitHub could not be asked, or what it said instead of an answer.
//!
//! Owns the sentences, and which failures are worth another try. `what` is always the request to the API, never the signed
//! address that an answer pointed to.

use std::time::Duration;

use tidegate_core::error_kind::ErrorKind;

use super::file::FileError;

/// Why GitHub did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum GithubError {
    /// No answer, or one that broke off.
    #[error("GitHub did not answer `{what}`: {why}")]
    Silent {
        /// The request.
        what: String,
        /// The cause.
        why: String,
    },
    /// Too many requests.
    #[error("GitHub takes no more requests for {seconds} seconds (`{what}`)")]
    Limited {
        /// The request.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// GitHub fails at the moment.
    #[error("GitHub answered `{what}` with HTTP status {status}")]
    Failing {
        /// The request.
        what: String,
        /// The HTTP status.
        status: u16,
    },
    /// Not for this token.
    #[error("GitHub answered `{what}` with HTTP status {status}{why}; does it exist, and does `token` suffice for it?")]
    Refused {
        /// The request.
        what: String,
        /// The HTTP status.
        status: u16,
        /// What GitHub said, with what comes before it.
        why: String,
    },
    /// A redirect that is not followed.
    #[error("GitHub sent `{what}` elsewhere, {why}")]
    Elsewhere {
        /// The request.
        what: String,
        /// Why it is not followed.
        why: &'static str,
    },
    /// An answer longer than any that GitHub documents.
    #[error("GitHub's answer to `{0}` is too long")]
    Long(String),
    /// Not the file that was announced.
    #[error("what GitHub sent for `{what}` is not what it announced: {why}; nothing of it is published")]
    Changed {
        /// The request.
        what: String,
        /// The difference.
        why: String,
    },
    /// The invocation ends before it is done.
    #[error(
        "`{0}` did not arrive within the time of one invocation, give the function more memory or upload the file to S3"
    )]
    Late(String),
    /// The file that is meant cannot be had.
    #[error(transparent)]
    File(#[from] FileError),
    /// The token cannot be a token.
    #[error("the secret for `token` holds characters that no token has, store the token alone")]
    Token,
    /// This machine knows no certificates.
    #[error("this machine has no root certificates for HTTPS: {0}")]
    Certificates(std::io::Error),
}

impl GithubError {
    /// Whether the same request may go well if it is sent again.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::Silent { .. } | Self::Limited { .. } | Self::Failing { .. })
    }

    /// How long GitHub wants to be left alone.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Limited { seconds, .. } => Some(Duration::from_secs(*seconds)),
            _ => None,
        }
    }

    /// Whose fault it is: whether another run may go well without anybody doing anything.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Silent { .. }
            | Self::Limited { .. }
            | Self::Failing { .. }
            | Self::Changed { .. }
            | Self::Late(_)
            | Self::Long(_)
            | Self::File(FileError::Form(_)) => ErrorKind::Cloud,
            Self::Refused { .. } | Self::Elsewhere { .. } | Self::File(_) | Self::Token | Self::Certificates(_) => {
                ErrorKind::Configuration
            }
        }
    }
}
