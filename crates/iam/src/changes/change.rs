//! One step.
//!
//! Owns its form and its sentence. Secrets are never in one: they are in what AWS answers to it.

use std::fmt;

use serde::Serialize;
use tidegate_core::config::RoleArn;
use tidegate_core::location::Bucket;

/// A policy document that is shown with the step, as compact JSON.
type Text = String;

/// One step in an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum IamChange {
    /// A bucket is made.
    CreateBucket {
        /// Its name.
        bucket: Bucket,
        /// Where; the connection's own region where absent.
        region: Option<String>,
    },
    /// A bucket may be public: every option of its public access block is off.
    AllowPublicAccess {
        /// The bucket.
        bucket: Bucket,
    },
    /// A bucket's policy is set.
    SetBucketPolicy {
        /// The bucket.
        bucket: Bucket,
        /// The document.
        policy: Text,
    },
    /// A bucket answers as a website.
    SetWebsite {
        /// The bucket.
        bucket: Bucket,
        /// Its index document.
        index: String,
        /// Its error document.
        error: String,
    },
    /// A user is made.
    CreateUser {
        /// Its name.
        user: String,
        /// The managed policy that bounds it.
        boundary: Option<String>,
    },
    /// A user's inline policy is set.
    PutUserPolicy {
        /// The user.
        user: String,
        /// The policy's name.
        name: String,
        /// The document.
        policy: Text,
    },
    /// A user gets an access key.
    CreateAccessKey {
        /// The user.
        user: String,
    },
    /// An access key is removed.
    DeleteAccessKey {
        /// The user.
        user: String,
        /// The key's id.
        key: String,
    },
    /// A user's inline policy is removed.
    DeleteUserPolicy {
        /// The user.
        user: String,
        /// The policy's name.
        name: String,
    },
    /// A managed policy is taken from a user.
    DetachUserPolicy {
        /// The user.
        user: String,
        /// The policy.
        arn: String,
    },
    /// A user is removed.
    DeleteUser {
        /// The user.
        user: String,
    },
    /// A role is made.
    CreateRole {
        /// Its name.
        role: String,
        /// Who may assume it.
        trust: Text,
        /// What it is for.
        description: String,
        /// Its longest session, in seconds.
        longest_session: u32,
    },
    /// A managed policy is given to a role.
    AttachRolePolicy {
        /// The role.
        role: String,
        /// The policy.
        arn: String,
    },
    /// A session of a role begins.
    AssumeRole {
        /// The role.
        role: RoleArn,
        /// The session's name.
        session: String,
        /// How long it lasts, in seconds.
        seconds: u32,
        /// What it may do.
        policy: Text,
    },
    /// A managed policy is made.
    CreatePolicy {
        /// Its name.
        name: String,
        /// Its path.
        path: String,
        /// What it is for.
        description: String,
        /// The document.
        policy: Text,
    },
    /// A managed policy gets another document.
    UpdatePolicy {
        /// The policy.
        arn: String,
        /// The oldest version, which makes room: a policy has five at the most.
        drop: Option<String>,
        /// The document.
        policy: Text,
    },
    /// A group is made.
    CreateGroup {
        /// Its name.
        group: String,
    },
    /// A group's inline policy is set.
    PutGroupPolicy {
        /// The group.
        group: String,
        /// The policy's name.
        name: String,
        /// The document.
        policy: Text,
    },
    /// A user joins a group.
    AddUserToGroup {
        /// The group.
        group: String,
        /// The user.
        user: String,
    },
    /// A user leaves a group.
    RemoveUserFromGroup {
        /// The group.
        group: String,
        /// The user.
        user: String,
    },
    /// A group's inline policy is removed.
    DeleteGroupPolicy {
        /// The group.
        group: String,
        /// The policy's name.
        name: String,
    },
    /// A managed policy is taken from a group.
    DetachGroupPolicy {
        /// The group.
        group: String,
        /// The policy.
        arn: String,
    },
    /// A group is removed.
    DeleteGroup {
        /// The group.
        group: String,
    },
}

/// Text of others, without what would move a terminal's cursor.
struct PlainText<'a>(&'a str);

impl fmt::Display for PlainText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") })
    }
}

impl IamChange {
    /// The document that it sets, if it sets one.
    #[must_use]
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::SetBucketPolicy { policy, .. }
            | Self::PutUserPolicy { policy, .. }
            | Self::AssumeRole { policy, .. }
            | Self::CreatePolicy { policy, .. }
            | Self::UpdatePolicy { policy, .. }
            | Self::PutGroupPolicy { policy, .. } => Some(policy),
            Self::CreateRole { trust, .. } => Some(trust),
            _ => None,
        }
    }
}

/// One sentence without its full stop: what is done, not that it was.
impl fmt::Display for IamChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateBucket { bucket, region: Some(region) } => {
                write!(f, "create the bucket `{bucket}` in {}", PlainText(region))
            }
            Self::CreateBucket { bucket, region: None } => write!(f, "create the bucket `{bucket}`"),
            Self::AllowPublicAccess { bucket } => write!(f, "allow public access to the bucket `{bucket}`"),
            Self::SetBucketPolicy { bucket, .. } => write!(f, "set the policy of the bucket `{bucket}`"),
            Self::SetWebsite { bucket, index, error } => {
                write!(f, "make `{bucket}` a website with `{}` and `{}`", PlainText(index), PlainText(error))
            }
            Self::CreateUser { user, boundary: Some(arn) } => {
                write!(f, "create the user `{}` with the permissions boundary {}", PlainText(user), PlainText(arn))
            }
            Self::CreateUser { user, boundary: None } => write!(f, "create the user `{}`", PlainText(user)),
            Self::PutUserPolicy { user, name, .. } => {
                write!(f, "set the policy `{}` of the user `{}`", PlainText(name), PlainText(user))
            }
            Self::CreateAccessKey { user } => write!(f, "create an access key of the user `{}`", PlainText(user)),
            Self::DeleteAccessKey { user, key } => {
                write!(f, "delete the access key {} of the user `{}`", PlainText(key), PlainText(user))
            }
            Self::DeleteUserPolicy { user, name } => {
                write!(f, "delete the policy `{}` of the user `{}`", PlainText(name), PlainText(user))
            }
            Self::DetachUserPolicy { user, arn } => {
                write!(f, "detach {} from the user `{}`", PlainText(arn), PlainText(user))
            }
            Self::DeleteUser { user } => write!(f, "delete the user `{}`", PlainText(user)),
            Self::CreateRole { role, .. } => write!(f, "create the role `{}`", PlainText(role)),
            Self::AttachRolePolicy { role, arn } => {
                write!(f, "attach {} to the role `{}`", PlainText(arn), PlainText(role))
            }
            Self::AssumeRole { role, session, seconds, .. } => {
                write!(f, "assume {} as `{}` for {seconds} s", role.as_str(), PlainText(session))
            }
            Self::CreatePolicy { name, path, .. } => {
                write!(f, "create the policy `{}{}`", PlainText(path), PlainText(name))
            }
            Self::UpdatePolicy { arn, drop: Some(version), .. } => {
                write!(f, "set the document of {}, and delete its version {}", PlainText(arn), PlainText(version))
            }
            Self::UpdatePolicy { arn, drop: None, .. } => write!(f, "set the document of {}", PlainText(arn)),
            Self::CreateGroup { group } => write!(f, "create the group `{}`", PlainText(group)),
            Self::PutGroupPolicy { group, name, .. } => {
                write!(f, "set the policy `{}` of the group `{}`", PlainText(name), PlainText(group))
            }
            Self::AddUserToGroup { group, user } => {
                write!(f, "add `{}` to the group `{}`", PlainText(user), PlainText(group))
            }
            Self::RemoveUserFromGroup { group, user } => {
                write!(f, "remove `{}` from the group `{}`", PlainText(user), PlainText(group))
            }
            Self::DeleteGroupPolicy { group, name } => {
                write!(f, "delete the policy `{}` of the group `{}`", PlainText(name), PlainText(group))
            }
            Self::DetachGroupPolicy { group, arn } => {
                write!(f, "detach {} from the group `{}`", PlainText(arn), PlainText(group))
            }
            Self::DeleteGroup { group } => write!(f, "delete the group `{}`", PlainText(group)),
        }
    }
}
