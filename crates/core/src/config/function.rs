//! `[function]`: settings of the Lambda function, with their defaults and the limits of AWS.
//!
//! Sources: AWS Lambda developer guide, "Lambda quotas" and "Configuring error handling for asynchronous invocation";
//! Lambda API reference, `CreateFunction` and `PutFunctionEventInvokeConfig`; CloudWatch Logs API reference,
//! `PutRetentionPolicy`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::value::RoleArn;
use crate::architecture::Architecture;
use crate::arn::Arn;
use crate::plan::DistributeWhen;
use crate::sanitize::sanitize_name;

/// Settings of the deployed function. All have defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct FunctionConfig {
    /// Its name. Roles, queue, log group and alarms are named after it.
    pub name: FunctionName,
    /// The machine architecture.
    pub architecture: Architecture,
    /// What carries out a plan.
    pub engine: FunctionEngine,
    /// Most operations of a shard, for Step Functions.
    pub shard_size: ShardSize,
    /// Most shards that Step Functions has carried out at the same time.
    pub workers: Workers,
    /// Memory. CPU scales with it.
    pub memory: MemorySize,
    /// The longest invocation. A longer run continues in another invocation.
    pub timeout: Timeout,
    /// How long the log is kept.
    pub log_retention: LogRetention,
    /// How often Lambda retries a failed event.
    pub retries: Retries,
    /// How long Lambda retries a failed event.
    pub event_age: EventAge,
    /// An existing execution role, instead of one of the stack. `policy lambda` is its policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleArn>,
    /// The permissions boundary of the roles of the stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<BoundaryArn>,
    /// The topic that alarms notify. Without one, the alarms only show their state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm_topic: Option<TopicArn>,
    /// Queues whose messages start the function.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueueArn>,
}

/// What carries out a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FunctionEngine {
    /// The invocation that made it, if its time is enough; otherwise Step Functions.
    #[default]
    Auto,
    /// One invocation after another.
    Lambda,
    /// An execution of the state machine of the stack, which also makes the plan.
    StepFunctions,
}

/// A function name: 1 to 64 letters, digits, hyphens and underscores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionName(String);

/// ARN of an SNS topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicArn(String);

/// ARN of an SQS queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueueArn(String);
/// ARN of a managed policy, of an account or of AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BoundaryArn(String);

/// 1 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Workers(u16);

/// 100 to 10,000 operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct ShardSize(u16);

/// 128 to 10,240 MB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct MemorySize(u16);

/// 60 to 900 seconds. Lambda allows less, but a publish needs the last 15 seconds for its continuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Timeout(u16);

/// A number of days that CloudWatch Logs supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct LogRetention(u16);

/// 0 to 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Retries(u16);

/// 60 to 21,600 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct EventAge(u16);

/// The numbers of days that CloudWatch Logs supports.
const RETENTIONS: [u16; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Why a setting is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// Not a function name.
    #[error("invalid function name `{0}`; use 1 to 64 letters, digits, hyphens and underscores")]
    Name(String),
    /// Not the ARN of a topic.
    #[error("invalid topic `{0}`; use `arn:aws:sns:REGION:123456789012:NAME`")]
    Topic(String),
    /// Not the ARN of a queue.
    #[error("invalid queue `{0}`; use `arn:aws:sqs:REGION:123456789012:NAME`")]
    Queue(String),
    /// Not the ARN of a managed policy.
    #[error(
        "invalid permissions boundary `{0}`; use the ARN of a managed policy, `arn:aws:iam::123456789012:policy/NAME`"
    )]
    Boundary(String),
    /// Out of range.
    #[error("`{field}` must be {min} to {max} {unit}, not {value}")]
    Range {
        /// The field.
        field: &'static str,
        /// The smallest value.
        min: u16,
        /// The largest value.
        max: u16,
        /// The unit.
        unit: &'static str,
        /// The rejected value.
        value: u16,
    },
    /// A number of days that CloudWatch Logs does not support.
    #[error("unsupported `log-retention` of {0} days; available: {known}", known = list(&RETENTIONS))]
    Retention(u16),
}

fn list(days: &[u16]) -> String {
    let days: Vec<String> = days.iter().map(u16::to_string).collect();
    days.join(", ")
}

macro_rules! ranged {
    ($($name:ident: $field:literal, $min:literal..=$max:literal $unit:literal, $default:literal;)*) => {$(
        impl $name {
            /// The number.
            #[must_use]
            pub fn get(self) -> u16 {
                self.0
            }
        }
        impl Default for $name {
            fn default() -> Self {
                Self($default)
            }
        }
        impl From<$name> for u16 {
            fn from(value: $name) -> Self {
                value.0
            }
        }
        impl TryFrom<u16> for $name {
            type Error = FunctionError;
            fn try_from(value: u16) -> Result<Self, FunctionError> {
                if ($min..=$max).contains(&value) {
                    Ok(Self(value))
                } else {
                    Err(FunctionError::Range { field: $field, min: $min, max: $max, unit: $unit, value })
                }
            }
        }
    )*};
}

ranged! {
    // CPU scales with memory; 1,769 MB gives one full vCPU. Hashing and compression need it.
    MemorySize: "memory", 128..=10_240 "MB", 1024;
    Timeout: "timeout", 60..=900 "seconds", 900;
    // A new account may run 10 invocations at the same time. Source: AWS Lambda developer guide, "Lambda quotas".
    Workers: "workers", 1..=1000 "shards", 8;
    // See `SHARD_OPERATIONS`.
    ShardSize: "shard-size", 100..=10_000 "operations", 4_000;
    Retries: "retries", 0..=2 "times", 2;
    EventAge: "event-age", 60..=21_600 "seconds", 21_600;
}

impl LogRetention {
    /// The number of days.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for LogRetention {
    fn default() -> Self {
        Self(30)
    }
}

impl From<LogRetention> for u16 {
    fn from(days: LogRetention) -> Self {
        days.0
    }
}

impl TryFrom<u16> for LogRetention {
    type Error = FunctionError;
    fn try_from(days: u16) -> Result<Self, FunctionError> {
        if RETENTIONS.contains(&days) { Ok(Self(days)) } else { Err(FunctionError::Retention(days)) }
    }
}

impl FunctionName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FunctionEngine {
    /// Whether the stack has a state machine.
    #[must_use]
    pub fn has_state_machine(self) -> bool {
        self != Self::Lambda
    }
}

impl FunctionConfig {
    /// When a plan is carried out by Step Functions, if the invocation that made it has so much time left; nothing if it never
    /// is.
    #[must_use]
    pub fn distribute_when(&self, time_left: Duration) -> Option<DistributeWhen> {
        match self.engine {
            FunctionEngine::Auto => Some(DistributeWhen::Takes(time_left / 2)),
            FunctionEngine::Lambda => None,
            FunctionEngine::StepFunctions => Some(DistributeWhen::Writes(self.shard_size.get().into())),
        }
    }

    /// The name of the state machine: `tidegate-publish` for the function `tidegate`. At most 72 of the 80 characters that
    /// Step Functions takes.
    #[must_use]
    pub fn state_machine(&self) -> String {
        format!("{}-publish", self.name)
    }
}

impl Timeout {
    /// The visibility timeout of a queue that starts the function, in seconds: six times the longest invocation, so that a
    /// message stays hidden while it is handled and retried. Source: AWS Lambda developer guide, "Creating and configuring an
    /// Amazon SQS event source mapping".
    #[must_use]
    pub fn queue_visibility(self) -> u32 {
        u32::from(self.0) * 6
    }
}

impl Default for FunctionName {
    fn default() -> Self {
        Self("tidegate".to_owned())
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for FunctionName {
    type Error = FunctionError;
    fn try_from(text: String) -> Result<Self, FunctionError> {
        let valid =
            (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if valid { Ok(Self(text)) } else { Err(FunctionError::Name(sanitize_name(&text))) }
    }
}

impl From<FunctionName> for String {
    fn from(name: FunctionName) -> Self {
        name.0
    }
}

impl TopicArn {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TopicArn {
    type Error = FunctionError;
    fn try_from(text: String) -> Result<Self, FunctionError> {
        if is_named(&text, "sns") { Ok(Self(text)) } else { Err(FunctionError::Topic(sanitize_name(&text))) }
    }
}

/// Whether a text is the ARN of a resource of this service that has a plain name.
fn is_named(text: &str, service: &str) -> bool {
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    Arn::parse(text).is_some_and(|arn| arn.service == service && !arn.region.is_empty() && is_name(arn.resource))
}

impl QueueArn {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the queue.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit(':').next().unwrap_or_default()
    }
}

impl TryFrom<String> for QueueArn {
    type Error = FunctionError;
    fn try_from(text: String) -> Result<Self, FunctionError> {
        if is_named(&text, "sqs") { Ok(Self(text)) } else { Err(FunctionError::Queue(sanitize_name(&text))) }
    }
}

impl From<QueueArn> for String {
    fn from(queue: QueueArn) -> Self {
        queue.0
    }
}

impl BoundaryArn {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BoundaryArn {
    type Error = FunctionError;
    fn try_from(text: String) -> Result<Self, FunctionError> {
        // The account of a policy of AWS is `aws`.
        let of_account = text.replacen(":iam::aws:", ":iam::000000000000:", 1);
        let valid = Arn::parse(&of_account).is_some_and(|arn| {
            let name = arn.resource.strip_prefix("policy/").unwrap_or_default();
            arn.service == "iam" && arn.region.is_empty() && !name.is_empty() && !name.ends_with('/')
        });
        if valid { Ok(Self(text)) } else { Err(FunctionError::Boundary(sanitize_name(&text))) }
    }
}

impl From<BoundaryArn> for String {
    fn from(policy: BoundaryArn) -> Self {
        policy.0
    }
}

impl From<TopicArn> for String {
    fn from(topic: TopicArn) -> Self {
        topic.0
    }
}
