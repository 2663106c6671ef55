//! Why a policy document is unusable.

use crate::location::Location;

/// Most characters of an inline session policy. Source: IAM user guide, "IAM and AWS STS quotas".
pub const MAX_SESSION_POLICY: usize = 2048;

/// Why a policy document is unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyDocumentError {
    /// Longer than STS allows.
    #[error("session policy too long: {0} characters of at most {MAX_SESSION_POLICY}; shorten the prefix of `{1}`")]
    TooLong(usize, Location),
    /// A character that STS does not allow.
    #[error("invalid prefix of `{0}`: session policies do not allow {1:?}; use Latin-1 characters")]
    Character(Location, char),
    /// Serialization failed, which is a bug in Tidegate.
    #[error("cannot serialize the policy document: {0}")]
    Json(String),
}
