//! One step of an installation.
//!
//! Owns its form and its sentence.

use std::fmt;

use serde::Serialize;
use tidegate_core::config::LambdaArchitecture;
use tidegate_core::iam_name::fitted;
use tidegate_core::location::Bucket;

use super::found::FoundRetries;
use super::notification::NotificationEntry;
use crate::document::Partition;
use crate::stack::{HANDLER, RUNTIME, Stack};

/// Longest name of a statement of a function's policy, in characters. Source: Lambda API reference, `AddPermission`.
const MAX_STATEMENT: usize = 100;

/// What names of statements begin with that let a bucket invoke the function.
const BUCKET: &str = "tidegate-bucket-";

/// How a function is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FunctionSettings {
    /// ARN of the role that it runs as.
    pub role: String,
    /// What runs it.
    pub runtime: String,
    /// What it runs.
    pub handler: String,
    /// MB.
    pub memory: u16,
    /// Seconds.
    pub timeout: u16,
}

/// Who may invoke the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvokePermission {
    /// Everybody may call its URL.
    UrlCalled,
    /// Everybody who calls its URL may invoke it.
    UrlInvoked,
    /// A bucket of an account.
    Bucket {
        /// The bucket.
        bucket: Bucket,
        /// Its account, so that nobody else's bucket of the same name may, should this one be deleted.
        account: String,
        /// The partition of AWS.
        partition: Partition,
    },
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields say no more than their names")]
pub enum InstallStep {
    /// A role is made.
    CreateRole { role: String, path: String, description: String, trust: String, owner: String },
    /// Whom a role trusts is set.
    SetTrust { role: String, trust: String },
    /// An inline policy of a role is set.
    PutRolePolicy { role: String, name: String, policy: String },
    /// An inline policy of a role is removed.
    DeleteRolePolicy { role: String, name: String },
    /// A role is removed.
    DeleteRole { role: String },
    /// A queue is made.
    CreateQueue { queue: String, owner: String },
    /// A queue is set up.
    SetQueue { queue: String, url: String },
    /// A queue is removed.
    DeleteQueue { queue: String, url: String },
    /// A log group is made.
    CreateLogGroup { group: String, owner: String },
    /// How long a log is kept is set.
    SetRetention { group: String, days: u16 },
    /// A log group is removed.
    DeleteLogGroup { group: String },
    /// A function is made.
    CreateFunction { function: String, settings: FunctionSettings, architecture: LambdaArchitecture, code: String },
    /// A function gets another package.
    UpdateCode { function: String, architecture: LambdaArchitecture, code: String },
    /// A function is set up.
    UpdateFunction { function: String, settings: FunctionSettings },
    /// A function is removed.
    DeleteFunction { function: String },
    /// What becomes of failed events is set.
    SetRetries { function: String, retries: FoundRetries },
    /// A function gets a URL.
    CreateUrl { function: String },
    /// A function's URL is removed.
    DeleteUrl { function: String },
    /// Somebody may invoke the function.
    Permit { function: String, permission: InvokePermission },
    /// Somebody may no longer invoke it.
    Forbid { function: String, sid: String },
    /// A bucket tells the function of these uploads and of no others; what it tells others stays.
    SetNotifications { bucket: Bucket, function: String, entries: Vec<NotificationEntry> },
}

impl FunctionSettings {
    pub(super) fn of(wanted: &Stack) -> Self {
        Self {
            role: wanted.execution_role_arn(),
            runtime: RUNTIME.to_owned(),
            handler: HANDLER.to_owned(),
            memory: wanted.function.memory.get(),
            timeout: wanted.function.timeout.get(),
        }
    }
}

impl InvokePermission {
    /// The name of its statement, by which it is known again.
    #[must_use]
    pub fn sid(&self) -> String {
        match self {
            Self::UrlCalled => "tidegate-url-called".to_owned(),
            Self::UrlInvoked => "tidegate-url-invoked".to_owned(),
            // A statement's name takes no dots, which buckets have; hyphens alone would let two of them meet.
            Self::Bucket { bucket, .. } => {
                let plain = bucket.as_str().replace('.', "_");
                fitted(&format!("{BUCKET}{plain}"), MAX_STATEMENT)
            }
        }
    }

    pub(super) fn is_of_bucket(sid: &str) -> bool {
        sid.starts_with(BUCKET)
    }
}

impl InstallStep {
    /// The document that it sets, if it sets one.
    #[must_use]
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::CreateRole { trust, .. } | Self::SetTrust { trust, .. } => Some(trust),
            Self::PutRolePolicy { policy, .. } => Some(policy),
            _ => None,
        }
    }
}

/// One sentence without its full stop: what is done, not that it was.
impl fmt::Display for InstallStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateRole { role, path, .. } => write!(f, "create the role `{path}{role}`"),
            Self::SetTrust { role, .. } => write!(f, "set whom the role `{role}` trusts"),
            Self::PutRolePolicy { role, name, .. } => write!(f, "set the policy `{name}` of the role `{role}`"),
            Self::DeleteRolePolicy { role, name } => write!(f, "delete the policy `{name}` of the role `{role}`"),
            Self::DeleteRole { role } => write!(f, "delete the role `{role}`"),
            Self::CreateQueue { queue, .. } => write!(f, "create the queue `{queue}`"),
            Self::SetQueue { queue, .. } => {
                write!(f, "set how long the queue `{queue}` keeps messages, and its encryption")
            }
            Self::DeleteQueue { queue, .. } => write!(f, "delete the queue `{queue}`"),
            Self::CreateLogGroup { group, .. } => write!(f, "create the log group `{group}`"),
            Self::SetRetention { group, days } => write!(f, "keep the log `{group}` for {days} days"),
            Self::DeleteLogGroup { group } => write!(f, "delete the log group `{group}`"),
            Self::CreateFunction { function, architecture, .. } => {
                write!(f, "create the function `{function}` for {}", architecture.as_str())
            }
            Self::UpdateCode { function, architecture, .. } => {
                write!(f, "give the function `{function}` the package for {}", architecture.as_str())
            }
            Self::UpdateFunction { function, settings: FunctionSettings { memory, timeout, .. } } => {
                write!(f, "set up the function `{function}`: {memory} MB, {timeout} s")
            }
            Self::DeleteFunction { function } => write!(f, "delete the function `{function}`"),
            Self::SetRetries { function, retries } => {
                let FoundRetries { retries, event_age, .. } = retries;
                write!(f, "try failed events of `{function}` {retries} times within {event_age} s, then keep them")
            }
            Self::CreateUrl { function } => write!(f, "create the URL of the function `{function}`"),
            Self::DeleteUrl { function } => write!(f, "delete the URL of the function `{function}`"),
            Self::Permit { function, permission: InvokePermission::UrlCalled } => {
                write!(f, "let everybody call the URL of `{function}`")
            }
            Self::Permit { function, permission: InvokePermission::UrlInvoked } => {
                write!(f, "let everybody who calls its URL invoke `{function}`")
            }
            Self::Permit { function, permission: InvokePermission::Bucket { bucket, .. } } => {
                write!(f, "let the bucket `{bucket}` invoke `{function}`")
            }
            Self::Forbid { function, sid } => write!(f, "remove the permission `{sid}` of `{function}`"),
            Self::SetNotifications { bucket, entries, .. } if entries.is_empty() => {
                write!(f, "have the bucket `{bucket}` tell the function nothing more")
            }
            Self::SetNotifications { bucket, entries, .. } => {
                let of: Vec<String> = entries.iter().map(|one| format!("`{}…{}`", one.prefix, one.suffix)).collect();
                write!(f, "have the bucket `{bucket}` tell the function of {}", of.join(", "))
            }
        }
    }
}
