//! Why identities cannot be created, changed or loaded. These messages are for Rust code that sets up an account; the
//! API returns AWS's own.

use thiserror::Error;

use super::document::ReadDocumentError;
use crate::random::RandomError;

/// Why an identity cannot be created, changed or loaded.
#[derive(Debug, Error)]
pub enum IamError {
    /// A referenced entity does not exist.
    #[error("the {kind} `{name}` does not exist; create it first")]
    NoSuchEntity {
        /// `user`, `role`, `group`, `policy`, `access key` or another kind.
        kind: &'static str,
        /// Its name or ARN.
        name: String,
    },
    /// An entity of that name exists.
    #[error("the {kind} `{name}` already exists; choose another name")]
    EntityAlreadyExists {
        /// `user`, `role`, `group` or `policy`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// An invalid name.
    #[error(
        "invalid name `{0}`; use letters, digits and `_+=,.@-`, at most 64 characters (128 for groups and policies)"
    )]
    Name(String),
    /// An invalid path.
    #[error("invalid path `{0}`; start and end it with `/` and use at most 512 printable ASCII characters")]
    Path(String),
    /// An invalid ARN of a managed policy.
    #[error("invalid ARN `{0}` of a managed policy; use `arn:aws:iam::ACCOUNT:policy/NAME`")]
    PolicyArn(String),
    /// An invalid policy document.
    #[error(transparent)]
    Document(#[from] ReadDocumentError),
    /// A trust policy names a user or role that does not exist.
    #[error("invalid principal in policy: \"AWS\":\"{0}\"")]
    UnknownPrincipal(String),
    /// A trust policy trusts an issuer that many organizations share, without the condition that IAM demands.
    #[error("the trust policy has no condition on `{0}`, which must say whose tokens are trusted")]
    OpenIssuer(String),
    /// More text than IAM stores for one user, role, group or policy.
    #[error("the {kind} of `{name}` has {size} characters without white space; AWS allows {limit}")]
    TooLarge {
        /// `user policy`, `role policy`, `group policy`, `managed policy` or `trust policy`.
        kind: &'static str,
        /// User, role, group or policy.
        name: String,
        /// Characters without white space.
        size: usize,
        /// The quota.
        limit: usize,
    },
    /// A quota is exhausted.
    #[error("the quota `{quota}` allows only {limit}; remove one first")]
    LimitExceeded {
        /// AWS's name of the quota.
        quota: &'static str,
        /// The quota.
        limit: usize,
    },
    /// An entity that cannot be deleted because of what it has, or what uses it.
    #[error("cannot delete `{name}`: it has {obstacle}; remove them first")]
    DeleteConflict {
        /// The entity to delete.
        name: String,
        /// What prevents the deletion.
        obstacle: Obstacle,
    },
    /// A policy that AWS manages.
    #[error("cannot change `{0}`: AWS manages it; create a policy of your own")]
    AwsManaged(String),
    /// A maximum session duration out of bounds.
    #[error("invalid maximum session duration of {0} seconds; use 3600 to 43200")]
    SessionDuration(u32),
    /// An identity cannot be stored or read.
    #[error("cannot store the identities: {0}")]
    Storage(String),
    /// The machine provides no random numbers.
    #[error("the machine provides no random bytes: {0}")]
    Random(#[from] RandomError),
}

/// What prevents the deletion of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Obstacle {
    /// Access keys of a user.
    #[error("access keys")]
    AccessKeys,
    /// Inline policies.
    #[error("inline policies")]
    InlinePolicies,
    /// Attached managed policies.
    #[error("attached policies")]
    AttachedPolicies,
    /// Groups of a user, or users of a group.
    #[error("members, or memberships of groups")]
    Membership,
    /// Users, roles and groups that a policy is attached to, or whose boundary it is.
    #[error("identities that use it")]
    Attachments,
    /// Versions of a policy other than the default one.
    #[error("versions other than the default one")]
    Versions,
    /// Being the default version.
    #[error("identities that use it as the default version")]
    DefaultVersion,
}
