//! Removing a user with everything that would keep IAM from removing it.
//!
//! Owns the order: keys first, so that nobody uses them while the rest goes.

use super::IamChange;

/// What a user has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundUser {
    /// Ids of its access keys.
    pub keys: Vec<String>,
    /// Names of its inline policies.
    pub policies: Vec<String>,
    /// Managed policies that it has.
    pub attached: Vec<String>,
    /// Groups that it is in.
    pub groups: Vec<String>,
}

/// The steps.
#[must_use]
pub fn delete_user(user: &str, found: &FoundUser) -> Vec<IamChange> {
    let user = || user.to_owned();
    let keys = found.keys.iter().map(|key| IamChange::DeleteAccessKey { user: user(), key: key.clone() });
    let policies = found.policies.iter().map(|name| IamChange::DeleteUserPolicy { user: user(), name: name.clone() });
    let attached = found.attached.iter().map(|arn| IamChange::DetachUserPolicy { user: user(), arn: arn.clone() });
    let groups = found.groups.iter().map(|group| IamChange::RemoveUserFromGroup { group: group.clone(), user: user() });
    keys.chain(policies).chain(attached).chain(groups).chain([IamChange::DeleteUser { user: user() }]).collect()
}
