//! `[function]`: how the function is that publishes by itself.
//!
//! Owns the settings, their defaults and AWS's limits on them. What an account needs beside it is `account`'s to say.
//! Sources: AWS Lambda developer guide, "Lambda quotas" and "Configuring error handling for asynchronous invocation"; Lambda API
//! reference, `CreateFunction` and `PutFunctionEventInvokeConfig`; CloudWatch Logs API reference, `PutRetentionPolicy`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::sanitize::sanitize_name;

/// The function, as it is deployed. A configuration without it means the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct FunctionConfig {
    /// Its name. Roles, queue, log and alarms are named after it.
    pub name: FunctionName,
    /// What it runs on.
    pub architecture: LambdaArchitecture,
    /// Its memory, with which comes its share of a processor.
    pub memory: MemorySize,
    /// How long one invocation may take. What takes longer is handed on to the next.
    pub timeout: Timeout,
    /// How long its log is kept.
    pub log_retention: LogRetention,
    /// How often an event is tried again that failed.
    pub retries: Retries,
    /// How long an event is tried again.
    pub event_age: EventAge,
    /// Who is told by alarms; nobody where absent, and the alarms are there to be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm_topic: Option<TopicArn>,
}

/// A function's name: 1 to 64 letters, digits, hyphens and underscores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionName(String);

/// ARN of a topic of SNS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicArn(String);

/// Machines of Lambda, by Lambda's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LambdaArchitecture {
    /// Lambda's own default.
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    /// Costs a fifth less.
    #[serde(rename = "arm64")]
    Arm64,
}

/// 128 to 10,240 MB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct MemorySize(u16);

/// 60 to 900 seconds. Lambda takes less, in which no publish would come to its end: the last 15 are for handing it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Timeout(u16);

/// Days, of those that CloudWatch Logs knows.
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

/// The days that CloudWatch Logs keeps a log for.
const RETENTIONS: [u16; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Why a setting is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// Not a function's name.
    #[error("`{0}` is not a function's name, use 1 to 64 letters, digits, hyphens and underscores")]
    Name(String),
    /// Not a topic.
    #[error("`{0}` is not a topic, write `arn:aws:sns:REGION:123456789012:NAME`")]
    Topic(String),
    /// Out of its range.
    #[error("{what} is {least} to {most} {unit}, not {found}")]
    Range {
        /// The field.
        what: &'static str,
        /// The least that AWS takes.
        least: u16,
        /// The most.
        most: u16,
        /// What is counted.
        unit: &'static str,
        /// What was written.
        found: u16,
    },
    /// Days that CloudWatch Logs does not know.
    #[error("a log is not kept for {0} days, CloudWatch Logs takes {known}", known = spoken(&RETENTIONS))]
    Retention(u16),
}

fn spoken(days: &[u16]) -> String {
    let days: Vec<String> = days.iter().map(u16::to_string).collect();
    days.join(", ")
}

macro_rules! ranged {
    ($($name:ident: $what:literal, $least:literal..=$most:literal $unit:literal, $default:literal;)*) => {$(
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
            fn try_from(found: u16) -> Result<Self, FunctionError> {
                if ($least..=$most).contains(&found) {
                    Ok(Self(found))
                } else {
                    Err(FunctionError::Range { what: $what, least: $least, most: $most, unit: $unit, found })
                }
            }
        }
    )*};
}

ranged! {
    // Hashing and packing are what it computes; a whole processor comes with 1,769 MB.
    MemorySize: "`memory`", 128..=10_240 "MB", 1024;
    Timeout: "`timeout`", 60..=900 "seconds", 900;
    Retries: "`retries`", 0..=2 "times", 2;
    EventAge: "`event-age`", 60..=21_600 "seconds", 21_600;
}

impl LogRetention {
    /// Days.
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

impl LambdaArchitecture {
    /// Lambda's name for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// What packages for it are made for.
    #[must_use]
    pub fn target(self) -> Architecture {
        match self {
            Self::X86_64 => Architecture::X86_64,
            Self::Arm64 => Architecture::Aarch64,
        }
    }
}

impl FunctionName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
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
        let fine =
            (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if fine { Ok(Self(text)) } else { Err(FunctionError::Name(sanitize_name(&text))) }
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
        let parts: Vec<&str> = text.split(':').collect();
        let named = |text: &str, more: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let fine = matches!(parts.as_slice(), ["arn", partition, "sns", region, account, name]
            if partition.starts_with("aws")
                && named(partition, "-")
                && named(region, "-")
                && account.len() == 12
                && account.chars().all(|c| c.is_ascii_digit())
                && named(name, "-_."));
        if fine { Ok(Self(text)) } else { Err(FunctionError::Topic(sanitize_name(&text))) }
    }
}

impl From<TopicArn> for String {
    fn from(topic: TopicArn) -> Self {
        topic.0
    }
}
