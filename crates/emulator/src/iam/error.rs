//! Why identities can't be made, changed or loaded. Its texts are for whoever seeds an account from Rust;
//! the API has AWS's own.

use thiserror::Error;

use super::document::ReadDocumentError;
use super::random::RandomError;

/// Why an identity can't be made, changed or loaded.
#[derive(Debug, Error)]
pub enum IamError {
    /// Something that is referred to doesn't exist.
    #[error("there is no {kind} `{name}`: create it first")]
    NoSuchEntity {
        /// `user`, `role`, `group`, `policy`, `access key` and the like.
        kind: &'static str,
        /// Its name or ARN.
        name: String,
    },
    /// Something of that name exists already.
    #[error("there is a {kind} `{name}` already: choose another name")]
    EntityAlreadyExists {
        /// `user`, `role`, `group` or `policy`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A name that IAM doesn't take.
    #[error(
        "`{0}` isn't a name: use letters, digits and `_+=,.@-`, 64 of them at the most (128 for groups and policies)"
    )]
    Name(String),
    /// A path that IAM doesn't take.
    #[error("`{0}` isn't a path: begin and end it with `/`, and use printable characters of ASCII, 512 at the most")]
    Path(String),
    /// Something that isn't the ARN of a managed policy.
    #[error("`{0}` isn't the ARN of a managed policy: write `arn:aws:iam::ACCOUNT:policy/NAME`")]
    PolicyArn(String),
    /// A policy document that IAM doesn't take.
    #[error(transparent)]
    Document(#[from] ReadDocumentError),
    /// A trust policy that names a user or a role that doesn't exist.
    #[error("invalid principal in policy: \"AWS\":\"{0}\"")]
    UnknownPrincipal(String),
    /// More text than IAM keeps for one user, role, group or policy.
    #[error(
        "the {kind} of `{name}` has {size} characters without white space, more than the {limit} that AWS allows: shorten it"
    )]
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
    /// More of something than IAM keeps.
    #[error("AWS allows no more than {limit}, which its quota `{quota}` says: remove one first")]
    LimitExceeded {
        /// The quota in AWS's words.
        quota: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// Something that can't be deleted because of what it has, or who uses it.
    #[error("`{name}` can't be deleted while there are {obstacle}: remove them first")]
    DeleteConflict {
        /// What was to be deleted.
        name: String,
        /// What is in the way.
        obstacle: Obstacle,
    },
    /// A policy that AWS manages.
    #[error("`{0}` is managed by AWS and can't be changed: make a policy of your own")]
    AwsManaged(String),
    /// A longest session that no role can have.
    #[error("`{0}` seconds isn't a longest session: choose 3600 to 43200")]
    SessionDuration(u32),
    /// What was kept can't be read, or can't be kept.
    #[error("the identities can't be kept: {0}")]
    Storage(String),
    /// The machine has no randomness to give.
    #[error("the machine gives no random bytes: {0}")]
    Random(#[from] RandomError),
}

/// What has to go before something can be deleted.
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
    /// Groups that a user is in, or users that are in a group.
    #[error("members or memberships of groups")]
    Membership,
    /// Users, roles and groups that a policy is attached to, or whose boundary it is.
    #[error("identities that use it")]
    Attachments,
    /// Versions of a policy beside its default one.
    #[error("versions beside the default one")]
    Versions,
    /// The version is the one that counts.
    #[error("identities for which it is the default version")]
    DefaultVersion,
}
