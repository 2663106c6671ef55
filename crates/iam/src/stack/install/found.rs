//! What an account has of a stack. `owner` is the value of the tag [`TAG`](crate::changes::TAG).

use std::collections::{BTreeMap, BTreeSet};

use tidegate_core::config::QueueArn;
use tidegate_core::location::Bucket;

use crate::changes::{FunctionSettings, NotificationEntry, RetrySettings};

/// What an account has of a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundStack {
    /// The function.
    pub function: Option<FoundFunction>,
    /// Roles by name: those of the stack, and those that trust the execution role.
    pub roles: BTreeMap<String, FoundRole>,
    /// The dead-letter queue.
    pub queue: Option<FoundQueue>,
    /// Queues whose messages start the function, by ARN.
    pub event_queues: BTreeMap<QueueArn, FoundEventQueue>,
    /// The log group.
    pub log_group: Option<FoundLogGroup>,
    /// Notifications of the stack's buckets, and of buckets that may invoke the function.
    pub notifications: BTreeMap<Bucket, Vec<NotificationEntry>>,
    /// ARNs of functions and queues that other notifications name and that do not exist.
    pub missing_targets: BTreeSet<String>,
}

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFunction {
    /// Its owner.
    pub owner: Option<String>,
    /// Its settings.
    pub settings: FunctionSettings,
    /// Its architecture.
    pub architecture: String,
    /// SHA-256 of its deployment package, in Base64.
    pub code: String,
    /// What happens to failed events, where that is configured.
    pub retries: Option<RetrySettings>,
    /// Whether it may invoke itself as often as it needs; `None` where Lambda does not know the setting.
    pub recursion: Option<bool>,
    /// Its event source mappings to queues, by the ARN of the queue.
    pub mappings: BTreeMap<String, FoundMapping>,
    /// Whether it has a function URL.
    pub url: bool,
    /// Statement ids of its resource policy, each with the bucket that is its source.
    pub permissions: BTreeMap<String, Option<Bucket>>,
}

/// An IAM role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRole {
    /// Its owner.
    pub owner: Option<String>,
    /// Its trust policy.
    pub trust: String,
    /// ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// Its inline policies by name.
    pub policies: BTreeMap<String, String>,
}

/// An SQS queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundQueue {
    /// Its owner.
    pub owner: Option<String>,
    /// Its URL.
    pub url: String,
    /// Its message retention period, in seconds.
    pub retention: Option<u32>,
    /// Whether SQS encrypts it.
    pub encrypted: bool,
}

/// A queue whose messages start the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEventQueue {
    /// Its URL.
    pub url: String,
    /// How long a received message is hidden, in seconds.
    pub visibility: u32,
}

/// An event source mapping to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundMapping {
    /// Its id.
    pub uuid: String,
    /// Whether Lambda expects a report of the failed messages.
    pub reports_failures: bool,
}

/// A CloudWatch Logs log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLogGroup {
    /// Its owner.
    pub owner: Option<String>,
    /// Its retention, in days; forever where absent.
    pub days: Option<u16>,
}
