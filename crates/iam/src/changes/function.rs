//! Changes to the Lambda function, its dead-letter queue and its log group.

use serde::Serialize;
use tidegate_core::architecture::Architecture;
use tidegate_core::iam_name::fitted;
use tidegate_core::location::Bucket;

use crate::document::Partition;

/// Maximum length of a statement id, in characters. Source: Lambda API reference, `AddPermission`.
const MAX_STATEMENT_ID: usize = 100;

/// What ids of statements that let a bucket invoke the function begin with.
const BUCKET_STATEMENT: &str = "tidegate-bucket-";

/// A change to a Lambda function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields are named after the parameters of the AWS API")]
pub enum FunctionChange {
    /// Create a function. `code` is the SHA-256 of its package, in Base64.
    CreateFunction { function: String, settings: FunctionSettings, architecture: Architecture, code: String },
    /// Replace the code.
    UpdateCode { function: String, architecture: Architecture, code: String },
    /// Replace the settings.
    UpdateFunction { function: String, settings: FunctionSettings },
    /// Configure what Lambda does with events that fail.
    SetRetries { function: String, retries: RetrySettings },
    /// Let the function continue its runs: without this, Lambda ends a chain of about 16 invocations.
    AllowRecursion { function: String },
    /// Let the messages of a queue start the function.
    CreateMapping { function: String, queue: String },
    /// Let Lambda deliver only the failed messages of a batch again.
    UpdateMapping { function: String, queue: String, uuid: String },
    /// No longer let the messages of a queue start the function.
    DeleteMapping { function: String, queue: String, uuid: String },
    /// Create the function URL.
    CreateUrl { function: String },
    /// Delete the function URL.
    DeleteUrl { function: String },
    /// Add a statement to the function's resource policy.
    AddPermission { function: String, permission: InvokePermission },
    /// Remove a statement from the function's resource policy.
    RemovePermission { function: String, sid: String },
    /// Delete a function.
    DeleteFunction { function: String },
}

/// A change to the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields are named after the parameters of the AWS API")]
pub enum QueueChange {
    /// Create a queue. `owner` is the value of its tag [`TAG`](super::TAG).
    CreateQueue { queue: String, owner: String },
    /// Set retention and encryption.
    SetQueue { queue: String, url: String },
    /// Delete a queue.
    DeleteQueue { queue: String, url: String },
    /// Set how long a queue hides a message that was received, in seconds.
    SetVisibility { queue: String, url: String, seconds: u32 },
}

/// A change to the function's log group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields are named after the parameters of the AWS API")]
pub enum LogGroupChange {
    /// Create a log group. `owner` is the value of its tag [`TAG`](super::TAG).
    CreateLogGroup { group: String, owner: String },
    /// Set the retention.
    SetRetention { group: String, days: u16 },
    /// Delete a log group.
    DeleteLogGroup { group: String },
}

/// Settings of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FunctionSettings {
    /// ARN of the execution role.
    pub role: String,
    /// Lambda runtime.
    pub runtime: String,
    /// Handler.
    pub handler: String,
    /// Memory in MB.
    pub memory: u16,
    /// Timeout in seconds.
    pub timeout: u16,
}

/// What Lambda does with events of asynchronous invocations that fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RetrySettings {
    /// Maximum number of retries.
    pub retries: u16,
    /// Maximum age of an event, in seconds.
    pub event_age: u16,
    /// ARN of the dead-letter queue.
    pub dead_letters: String,
}

/// A permission to invoke the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvokePermission {
    /// For everyone: `lambda:InvokeFunctionUrl`.
    UrlCalled,
    /// For everyone who calls the URL: `lambda:InvokeFunction`.
    UrlInvoked,
    /// For S3 notifications of a bucket.
    Bucket {
        /// The bucket.
        bucket: Bucket,
        /// The bucket's account. Without it, another account could create a bucket of this name after the bucket was
        /// deleted, and invoke the function.
        account: String,
        /// The AWS partition.
        partition: Partition,
    },
}

impl InvokePermission {
    /// The id of its statement.
    #[must_use]
    pub fn sid(&self) -> String {
        match self {
            Self::UrlCalled => "tidegate-url-called".to_owned(),
            Self::UrlInvoked => "tidegate-url-invoked".to_owned(),
            // Statement ids take no dots. Bucket names take no underscores, so `a.b` and `a-b` stay distinct.
            Self::Bucket { bucket, .. } => {
                fitted(&format!("{BUCKET_STATEMENT}{}", bucket.as_str().replace('.', "_")), MAX_STATEMENT_ID)
            }
        }
    }

    /// Whether a statement id is that of a bucket's permission.
    pub(crate) fn is_of_bucket(sid: &str) -> bool {
        sid.starts_with(BUCKET_STATEMENT)
    }
}

impl FunctionChange {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::CreateFunction { function, architecture, .. } => {
                format!("create the function `{function}` for {}", architecture.lambda_name())
            }
            Self::UpdateCode { function, architecture, .. } => {
                format!("update the code of the function `{function}` for {}", architecture.lambda_name())
            }
            Self::UpdateFunction { function, settings: FunctionSettings { memory, timeout, .. } } => {
                format!("update the settings of the function `{function}`: {memory} MB, {timeout} s")
            }
            Self::SetRetries { function, retries: RetrySettings { retries, event_age, .. } } => {
                let noun = if *retries == 1 { "retry" } else { "retries" };
                format!("set the retries of the function `{function}`: {retries} {noun} within {event_age} s")
            }
            Self::AllowRecursion { function } => format!("allow the function `{function}` to continue its runs"),
            Self::CreateMapping { function, queue } => {
                format!("start the function `{function}` for messages of the queue `{queue}`")
            }
            Self::UpdateMapping { function, queue, .. } => {
                format!("let the function `{function}` report failed messages of the queue `{queue}`")
            }
            Self::DeleteMapping { function, queue, .. } => {
                format!("stop starting the function `{function}` for messages of the queue `{queue}`")
            }
            Self::CreateUrl { function } => format!("create the URL of the function `{function}`"),
            Self::DeleteUrl { function } => format!("delete the URL of the function `{function}`"),
            Self::AddPermission { function, permission: InvokePermission::UrlCalled } => {
                format!("allow public requests to the URL of the function `{function}`")
            }
            Self::AddPermission { function, permission: InvokePermission::UrlInvoked } => {
                format!("allow requests to its URL to invoke the function `{function}`")
            }
            Self::AddPermission { function, permission: InvokePermission::Bucket { bucket, .. } } => {
                format!("allow the bucket `{bucket}` to invoke the function `{function}`")
            }
            Self::RemovePermission { function, sid } => {
                format!("remove the permission `{sid}` from the function `{function}`")
            }
            Self::DeleteFunction { function } => format!("delete the function `{function}`"),
        }
    }
}

impl QueueChange {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::CreateQueue { queue, .. } => format!("create the queue `{queue}`"),
            Self::SetQueue { queue, .. } => format!("set the retention and encryption of the queue `{queue}`"),
            Self::DeleteQueue { queue, .. } => format!("delete the queue `{queue}`"),
            Self::SetVisibility { queue, seconds, .. } => {
                format!("set the visibility timeout of the queue `{queue}` to {seconds} s")
            }
        }
    }
}

impl LogGroupChange {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::CreateLogGroup { group, .. } => format!("create the log group `{group}`"),
            Self::SetRetention { group, days } => {
                let noun = if *days == 1 { "day" } else { "days" };
                format!("set the retention of the log group `{group}` to {days} {noun}")
            }
            Self::DeleteLogGroup { group } => format!("delete the log group `{group}`"),
        }
    }
}
