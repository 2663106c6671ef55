//! One change to an AWS account.

use std::fmt;

use serde::Serialize;
use tidegate_core::sanitize::sanitize;

use super::trust::difference;
use super::{BucketChange, CredentialsChange, GroupChange, PolicyChange, ProviderChange, RoleChange, UserChange};

/// One change to an AWS account, as a value that can be printed before it is applied. It holds no secrets: AWS returns
/// them when [`CredentialsChange`] is applied.
///
/// As JSON, `change` names the variant of the nested enum: `{"change": "create-user", "user": "lea"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Change {
    /// An IAM user.
    User(UserChange),
    /// An IAM group.
    Group(GroupChange),
    /// An IAM role.
    Role(RoleChange),
    /// An OpenID Connect provider.
    Provider(ProviderChange),
    /// A managed policy.
    Policy(PolicyChange),
    /// New credentials.
    Credentials(CredentialsChange),
    /// An S3 bucket.
    Bucket(BucketChange),
}

impl Change {
    /// The policy document that the change sets, as compact JSON.
    #[must_use]
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::User(UserChange::PutUserPolicy { policy, .. })
            | Self::Group(GroupChange::PutGroupPolicy { policy, .. })
            | Self::Role(RoleChange::PutRolePolicy { policy, .. })
            | Self::Policy(PolicyChange::CreatePolicy { policy, .. } | PolicyChange::UpdatePolicy { policy, .. })
            | Self::Credentials(CredentialsChange::AssumeRole { policy, .. })
            | Self::Bucket(BucketChange::SetBucketPolicy { policy, .. }) => Some(policy),
            Self::Role(RoleChange::CreateRole { trust, .. } | RoleChange::SetTrust { trust, .. }) => Some(trust),
            _ => None,
        }
    }
}

impl Change {
    /// What the change removes from and adds to a trust policy: a line with `-` or `+` for each statement.
    #[must_use]
    pub fn difference(&self) -> Vec<String> {
        match self {
            Self::Role(RoleChange::SetTrust { current: Some(current), trust, .. }) => difference(current, trust),
            _ => Vec::new(),
        }
    }
}

/// An imperative sentence without a full stop: `create the user lea`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::User(change) => change.describe(),
            Self::Group(change) => change.describe(),
            Self::Role(change) => change.describe(),
            Self::Provider(change) => change.describe(),
            Self::Policy(change) => change.describe(),
            Self::Credentials(change) => change.describe(),
            Self::Bucket(change) => change.describe(),
        };
        // Names come from the command line and from AWS.
        f.write_str(&sanitize(&text, usize::MAX))
    }
}
