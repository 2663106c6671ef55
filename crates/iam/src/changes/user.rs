//! Changes to IAM users.

use serde::Serialize;

use super::Change;

/// A change to an IAM user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields are named after the parameters of the AWS API")]
pub enum UserChange {
    /// Create a user. `boundary` is the ARN of a managed policy.
    CreateUser { user: String, boundary: Option<String> },
    /// Create or replace an inline policy.
    PutUserPolicy { user: String, name: String, policy: String },
    /// Delete an inline policy.
    DeleteUserPolicy { user: String, name: String },
    /// Attach a managed policy.
    AttachUserPolicy { user: String, arn: String },
    /// Detach a managed policy.
    DetachUserPolicy { user: String, arn: String },
    /// Delete an access key.
    DeleteAccessKey { user: String, key: String },
    /// Delete a user.
    DeleteUser { user: String },
}

/// What a user has that IAM requires to be removed before the user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundUser {
    /// Ids of access keys.
    pub keys: Vec<String>,
    /// Names of inline policies.
    pub policies: Vec<String>,
    /// ARNs of attached managed policies.
    pub attached: Vec<String>,
    /// Names of groups.
    pub groups: Vec<String>,
}

impl UserChange {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::CreateUser { user, boundary: Some(arn) } => {
                format!("create the user `{user}` with the permissions boundary {arn}")
            }
            Self::CreateUser { user, boundary: None } => format!("create the user `{user}`"),
            Self::PutUserPolicy { user, name, .. } => format!("set the policy `{name}` of the user `{user}`"),
            Self::DeleteUserPolicy { user, name } => format!("delete the policy `{name}` of the user `{user}`"),
            Self::AttachUserPolicy { user, arn } => format!("attach {arn} to the user `{user}`"),
            Self::DetachUserPolicy { user, arn } => format!("detach {arn} from the user `{user}`"),
            Self::DeleteAccessKey { user, key } => format!("delete the access key {key} of the user `{user}`"),
            Self::DeleteUser { user } => format!("delete the user `{user}`"),
        }
    }
}

/// Deletes a user with everything it has. Access keys go first, so that they cannot be used while the rest is deleted.
#[must_use]
pub fn delete_user(user: &str, found: &FoundUser) -> Vec<Change> {
    let user = || user.to_owned();
    let keys = found.keys.iter().map(|key| UserChange::DeleteAccessKey { user: user(), key: key.clone() });
    let policies = found.policies.iter().map(|name| UserChange::DeleteUserPolicy { user: user(), name: name.clone() });
    let attached = found.attached.iter().map(|arn| UserChange::DetachUserPolicy { user: user(), arn: arn.clone() });
    let groups = found.groups.iter().map(|group| super::remove_from_group(group, &user()));
    let mut changes: Vec<Change> = keys.chain(policies).chain(attached).map(Change::User).collect();
    changes.extend(groups);
    changes.push(Change::User(UserChange::DeleteUser { user: user() }));
    changes
}
