//! Why a policy document is malformed.

use thiserror::Error;

use super::super::condition::ConditionError;
use super::super::pattern::PatternError;
use super::super::principal::PrincipalError;

/// Why a policy document is malformed. AWS answers `MalformedPolicyDocument`.
#[derive(Debug, Error)]
pub enum ReadDocumentError {
    /// Invalid JSON, or an unknown, repeated or mistyped element.
    #[error("syntax errors in policy: {0}")]
    Syntax(#[from] serde_json::Error),
    /// An unknown version.
    #[error("unknown policy version `{0}`; use `2012-10-17`")]
    Version(String),
    /// No statement.
    #[error("the policy has no statement")]
    NoStatement,
    /// A statement ID with characters other than letters and digits.
    #[error("invalid statement ID `{0}`; statement IDs (SID) must be alpha-numeric")]
    Sid(String),
    /// Two statements with the same ID.
    #[error("repeated statement ID `{0}`; statement IDs (SID) in a single policy must be unique")]
    RepeatedSid(String),
    /// An effect other than `Allow` and `Deny`.
    #[error("invalid effect `{0}`; use `Allow` or `Deny`")]
    Effect(String),
    /// Neither or both of two elements of which a statement needs exactly one.
    #[error("a statement must contain exactly one of `{0}` and `{1}`")]
    ExactlyOne(&'static str, &'static str),
    /// An empty list that needs at least one value.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// An element that this kind of policy cannot have.
    #[error("the policy has prohibited field `{0}`")]
    Prohibited(&'static str),
    /// An action without a vendor.
    #[error("invalid action `{0}`; actions must be prefaced by a vendor, such as `s3:GetObject`")]
    Action(String),
    /// An action of a service other than STS in a trust policy.
    #[error("invalid action `{0}`; a trust policy can only specify STS actions")]
    TrustAction(String),
    /// A resource that is neither `*` nor an ARN.
    #[error("resource `{0}` must be in ARN format or \"*\"")]
    Resource(String),
    /// A malformed policy variable.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A malformed condition.
    #[error(transparent)]
    Condition(#[from] ConditionError),
    /// A malformed principal.
    #[error(transparent)]
    Principal(#[from] PrincipalError),
}
