//! Changes to IAM roles.

use std::collections::BTreeMap;

use serde::Serialize;

/// A role that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRole {
    /// The value of its tag [`TAG`](super::TAG).
    pub owner: Option<String>,
    /// Its trust policy.
    pub trust: String,
    /// Its inline policies by name.
    pub policies: BTreeMap<String, String>,
}

/// A change to an IAM role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields are named after the parameters of the AWS API")]
pub enum RoleChange {
    /// Create a role. `owner` is the value of its tag [`TAG`](super::TAG).
    CreateRole {
        role: String,
        path: String,
        description: String,
        trust: String,
        /// In seconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_session_duration: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
    },
    /// Replace the trust policy `current`.
    SetTrust {
        role: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        current: Option<String>,
        trust: String,
    },
    /// Create or replace an inline policy.
    PutRolePolicy { role: String, name: String, policy: String },
    /// Delete an inline policy.
    DeleteRolePolicy { role: String, name: String },
    /// Attach a managed policy.
    AttachRolePolicy { role: String, arn: String },
    /// Detach a managed policy.
    DetachRolePolicy { role: String, arn: String },
    /// Delete a role.
    DeleteRole { role: String },
}

impl RoleChange {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::CreateRole { role, path, .. } => format!("create the role `{path}{role}`"),
            Self::SetTrust { role, .. } => format!("set the trust policy of the role `{role}`"),
            Self::PutRolePolicy { role, name, .. } => format!("set the policy `{name}` of the role `{role}`"),
            Self::DeleteRolePolicy { role, name } => format!("delete the policy `{name}` of the role `{role}`"),
            Self::AttachRolePolicy { role, arn } => format!("attach {arn} to the role `{role}`"),
            Self::DetachRolePolicy { role, arn } => format!("detach {arn} from the role `{role}`"),
            Self::DeleteRole { role } => format!("delete the role `{role}`"),
        }
    }
}
