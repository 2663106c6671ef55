//! What is there already of an installation.
//!
//! Owns its form, and where looking for it has to go.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_core::location::Bucket;

use super::notification::NotificationEntry;
use super::step::FunctionSettings;
use crate::stack::DEAD_LETTER_SECONDS;

/// What is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundStack {
    /// The function.
    pub function: Option<FoundFunction>,
    /// Roles by name: those that are wanted, and those that the function may assume.
    pub roles: BTreeMap<String, FoundRole>,
    /// The queue.
    pub queue: Option<FoundQueue>,
    /// The log.
    pub log: Option<FoundLog>,
    /// Notifications of buckets: of those that are wanted, and of those that may invoke the function.
    pub notifications: BTreeMap<Bucket, Vec<NotificationEntry>>,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFunction {
    /// Its tag.
    pub owner: Option<String>,
    /// How it is set up.
    pub settings: FunctionSettings,
    /// What it runs on.
    pub architecture: String,
    /// SHA-256 of its package, in Base64.
    pub code: String,
    /// What becomes of events that fail, where that was ever said.
    pub retries: Option<FoundRetries>,
    /// Whether it has a URL that asks for no credentials.
    pub url: bool,
    /// Names of the statements of its policy, each with the bucket that it is about.
    pub permissions: BTreeMap<String, Option<Bucket>>,
}

/// What becomes of events that fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FoundRetries {
    /// How often they are tried again.
    pub retries: u16,
    /// For how many seconds.
    pub event_age: u16,
    /// ARN of the queue that they end in.
    pub dead_letters: String,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRole {
    /// Its tag.
    pub owner: Option<String>,
    /// Who may assume it.
    pub trust: String,
    /// Its inline policies by name.
    pub policies: BTreeMap<String, String>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundQueue {
    /// Its tag.
    pub owner: Option<String>,
    /// Its URL.
    pub url: String,
    /// How long it keeps a message, in seconds.
    pub retention: Option<u32>,
    /// Whether SQS encrypts it.
    pub encrypted: bool,
}

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLog {
    /// Its tag.
    pub owner: Option<String>,
    /// How long it is kept, in days; for ever where absent.
    pub days: Option<u16>,
}

impl FoundQueue {
    pub(super) fn as_wanted(&self) -> bool {
        self.retention == Some(DEAD_LETTER_SECONDS) && self.encrypted
    }
}
