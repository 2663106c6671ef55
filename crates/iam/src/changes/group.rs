//! Changes to IAM groups.

use serde::Serialize;

use super::Change;
use crate::document::PolicyDocumentError;
use crate::policies::Grant;

/// A change to an IAM group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields are named after the parameters of the AWS API")]
pub enum GroupChange {
    /// Create a group.
    CreateGroup { group: String },
    /// Create or replace an inline policy.
    PutGroupPolicy { group: String, name: String, policy: String },
    /// Delete an inline policy.
    DeleteGroupPolicy { group: String, name: String },
    /// Attach a managed policy.
    AttachGroupPolicy { group: String, arn: String },
    /// Detach a managed policy.
    DetachGroupPolicy { group: String, arn: String },
    /// Add a user.
    AddUserToGroup { group: String, user: String },
    /// Remove a user.
    RemoveUserFromGroup { group: String, user: String },
    /// Delete a group.
    DeleteGroup { group: String },
}

/// The users and policies of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundGroup {
    /// Names of users.
    pub users: Vec<String>,
    /// Names and documents of inline policies.
    pub policies: Vec<(String, String)>,
    /// ARNs of attached managed policies.
    pub attached: Vec<String>,
}

impl GroupChange {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::CreateGroup { group } => format!("create the group `{group}`"),
            Self::PutGroupPolicy { group, name, .. } => format!("set the policy `{name}` of the group `{group}`"),
            Self::DeleteGroupPolicy { group, name } => format!("delete the policy `{name}` of the group `{group}`"),
            Self::AttachGroupPolicy { group, arn } => format!("attach {arn} to the group `{group}`"),
            Self::DetachGroupPolicy { group, arn } => format!("detach {arn} from the group `{group}`"),
            Self::AddUserToGroup { group, user } => format!("add `{user}` to the group `{group}`"),
            Self::RemoveUserFromGroup { group, user } => format!("remove `{user}` from the group `{group}`"),
            Self::DeleteGroup { group } => format!("delete the group `{group}`"),
        }
    }
}

/// Adds a user to a group.
#[must_use]
pub fn add_to_group(group: &str, user: &str) -> Change {
    Change::Group(GroupChange::AddUserToGroup { group: group.to_owned(), user: user.to_owned() })
}

/// Removes a user from a group.
#[must_use]
pub fn remove_from_group(group: &str, user: &str) -> Change {
    Change::Group(GroupChange::RemoveUserFromGroup { group: group.to_owned(), user: user.to_owned() })
}

/// Creates a group or brings it up to date: with the policy of `grant`, and with `users` among its members.
///
/// # Errors
/// [`PolicyDocumentError`], a bug in Tidegate.
pub fn ensure_group(
    name: &str,
    grant: &Grant,
    users: &[String],
    found: Option<&FoundGroup>,
) -> Result<Vec<Change>, PolicyDocumentError> {
    let mut changes = Vec::new();
    if found.is_none() {
        changes.push(Change::Group(GroupChange::CreateGroup { group: name.to_owned() }));
    }
    let current = found.cloned().unwrap_or_default();
    let policy = (grant.name.clone(), grant.document.compact()?);
    if !current.policies.contains(&policy) {
        let (name, policy, group) = (policy.0, policy.1, name.to_owned());
        changes.push(Change::Group(GroupChange::PutGroupPolicy { group, name, policy }));
    }
    changes.extend(users.iter().filter(|user| !current.users.contains(user)).map(|user| add_to_group(name, user)));
    Ok(changes)
}

/// Deletes a group with its policies. Its users are kept.
#[must_use]
pub fn delete_group(name: &str, found: &FoundGroup) -> Vec<Change> {
    let group = || name.to_owned();
    let policies =
        found.policies.iter().map(|(name, _)| GroupChange::DeleteGroupPolicy { group: group(), name: name.clone() });
    let attached = found.attached.iter().map(|arn| GroupChange::DetachGroupPolicy { group: group(), arn: arn.clone() });
    let mut changes: Vec<Change> = found.users.iter().map(|user| remove_from_group(name, user)).collect();
    changes.extend(policies.chain(attached).chain([GroupChange::DeleteGroup { group: group() }]).map(Change::Group));
    changes
}
