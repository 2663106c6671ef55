//! The failure of a plugin: its cause, the call in which it happened, and the kind of error.

use std::fmt;
use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::config::MissingGrant;
use crate::error_kind::ErrorKind;
pub use crate::malformed_answer::{MAX_SETTINGS_BYTES, MalformedAnswer};
use crate::plugin_usage::{LogRecord, PluginUsage};

/// Why a plugin failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureCause {
    /// The plugin trapped: a panic, an `unreachable`, an access out of bounds.
    #[error("it trapped ({0}); return a `failure` instead of panicking")]
    Trap(String),
    /// The fuel is used up.
    #[error("it used {used} of {allowed} units of fuel; do less work for each object")]
    Fuel {
        /// Units.
        used: u64,
        /// Units.
        allowed: u64,
    },
    /// The time limit was exceeded.
    #[error("it ran for {} ms, and {} ms are allowed; do less work for each object", .ran.as_millis(), .allowed.as_millis())]
    Deadline {
        /// Time in the plugin.
        ran: Duration,
        /// The budget.
        allowed: Duration,
    },
    /// The memory limit was exceeded, over all memories.
    #[error(
        "it used {used} bytes of memory and requested {asked} more, and {allowed} are allowed; keep less in memory"
    )]
    Memory {
        /// Bytes in use.
        used: u64,
        /// Bytes requested.
        asked: u64,
        /// Bytes.
        allowed: u64,
    },
    /// The limit of table elements was exceeded, over all tables.
    #[error("it used {used} table elements and requested {asked} more, and {allowed} are allowed")]
    Tables {
        /// Elements in use.
        used: u64,
        /// Elements requested.
        asked: u64,
        /// Elements.
        allowed: u64,
    },
    /// Too many instances, memories, tables or handles.
    #[error("it exceeds a limit of the sandbox ({0})")]
    Count(String),
    /// The stack is used up.
    #[error("it exceeded its stack of {allowed} bytes; reduce recursion")]
    Stack {
        /// Bytes.
        allowed: usize,
    },
    /// One call passed too much to the host.
    #[error("it passed more than {allowed} bytes to the host in one call")]
    CallData {
        /// Bytes.
        allowed: usize,
    },
    /// It violated the component model's canonical ABI, such as with a string that is not UTF-8.
    #[error("it passed an invalid value to the host ({0})")]
    Border(String),
    /// It called the host with arguments that the interface does not allow.
    #[error("it requested {asked} {what} in one call of `{function}`; the maximum is {most}")]
    Request {
        /// The imported function.
        function: &'static str,
        /// Keys or bytes.
        what: &'static str,
        /// How many were requested.
        asked: u64,
        /// How many are allowed.
        most: u64,
    },
    /// It asked for more than its grant.
    #[error(transparent)]
    NotGranted(#[from] MissingGrant),
    /// It returned a value that the interface does not allow.
    #[error(transparent)]
    Malformed(#[from] MalformedAnswer),
    /// It reported a failure itself.
    #[error("it reports `{code}`: {message}")]
    Reported {
        /// A stable code for machines.
        code: String,
        /// The message of the plugin.
        message: String,
    },
    /// It reported a failure after its read budget was used up.
    #[error(
        "it reports `{code}`: {message}; it had used {reads} of {reads_allowed} reads and {bytes} of {bytes_allowed} bytes of content"
    )]
    ReadBudget {
        /// A stable code for machines.
        code: String,
        /// The message of the plugin.
        message: String,
        /// Keys and ranges.
        reads: u64,
        /// Keys and ranges.
        reads_allowed: u64,
        /// Bytes.
        bytes: u64,
        /// Bytes.
        bytes_allowed: u64,
    },
    /// It reported a failure after the host could not read the artifact for it.
    #[error("the artifact could not be read ({why}), so it reports `{code}`: {message}")]
    Unread {
        /// A stable code for machines.
        code: String,
        /// The message of the plugin.
        message: String,
        /// The error of the storage.
        why: String,
    },
    /// It is configured in the list of the other kind of plugin.
    #[error("it is a {is} plugin; configure it under `{is}`")]
    Kind {
        /// `sync` or `policy`.
        is: &'static str,
    },
    /// The host failed.
    #[error("the host could not run it ({0})")]
    Host(String),
}

impl FailureCause {
    /// The kind of error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Host(_) => ErrorKind::Bug,
            Self::Unread { .. } => ErrorKind::Cloud,
            _ => ErrorKind::Plugin,
        }
    }

    /// A stable name for machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::Fuel { .. } => "fuel",
            Self::Deadline { .. } => "deadline",
            Self::Memory { .. } => "memory",
            Self::Tables { .. } => "tables",
            Self::Count(_) => "count",
            Self::Stack { .. } => "stack",
            Self::CallData { .. } => "call-data",
            Self::Border(_) => "border",
            Self::Request { .. } => "request",
            Self::NotGranted(_) => "not-granted",
            Self::Malformed(_) => "malformed",
            Self::Reported { .. } => "reported",
            Self::ReadBudget { .. } => "read-budget",
            Self::Unread { .. } => "unread",
            Self::Kind { .. } => "kind",
            Self::Host(_) => "host",
        }
    }
}

/// A cause, with its place if known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedCause {
    /// The cause.
    pub cause: Box<FailureCause>,
    /// JSON Pointer into the settings, or empty.
    pub rule: String,
    /// The key, as the plugin saw it.
    pub key: Option<String>,
    /// The innermost functions that were running, the innermost first. Empty if the plugin has no names.
    pub backtrace: Vec<String>,
}

impl From<FailureCause> for LocatedCause {
    fn from(cause: FailureCause) -> Self {
        Self { cause: Box::new(cause), rule: String::new(), key: None, backtrace: Vec::new() }
    }
}

impl From<MalformedAnswer> for LocatedCause {
    fn from(malformed: MalformedAnswer) -> Self {
        FailureCause::Malformed(malformed).into()
    }
}

/// The failure of a plugin. It denies the publish; the site is unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFailure(Box<FailureFields>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct FailureFields {
    plugin: String,
    call: &'static str,
    cause: LocatedCause,
    log: Vec<LogRecord>,
    usage: Option<PluginUsage>,
}

/// Log records that a failure shows: the last ones before it.
pub const FAILURE_LOG_RECORDS: usize = 10;

impl PluginFailure {
    /// A failure of a plugin in one of its calls.
    #[must_use]
    pub fn new(plugin: &str, call: &'static str, cause: LocatedCause, usage: Option<PluginUsage>) -> Self {
        let logs = usage.as_ref().map(|usage| usage.logs.as_slice()).unwrap_or_default();
        let log = logs.iter().skip(logs.len().saturating_sub(FAILURE_LOG_RECORDS)).cloned().collect();
        Self(Box::new(FailureFields { plugin: plugin.to_owned(), call, cause, log, usage }))
    }

    /// The failure with the last log records, if those of the usage end earlier because the log was too long.
    #[must_use]
    pub fn with_log(mut self, log: Vec<LogRecord>) -> Self {
        self.0.log = log;
        self
    }

    /// The failure without its usage, where the usage is reported separately.
    #[must_use]
    pub fn without_usage(mut self) -> Self {
        self.0.usage = None;
        self
    }

    /// The kind of error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.cause.cause.kind()
    }

    /// The plugin's name in the configuration.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.0.plugin
    }

    /// The function of the plugin that was called, such as `sync.decide`; `start` while it was instantiated.
    #[must_use]
    pub fn call(&self) -> &'static str {
        self.0.call
    }

    /// The cause.
    #[must_use]
    pub fn cause(&self) -> &FailureCause {
        &self.0.cause.cause
    }

    /// JSON Pointer to the rule in the plugin's settings, or empty.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.0.cause.rule
    }

    /// The key that the failure is about, as the plugin saw it.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.cause.key.as_deref()
    }

    /// The innermost functions that were running, the innermost first. Empty if the plugin has no names.
    #[must_use]
    pub fn backtrace(&self) -> &[String] {
        &self.0.cause.backtrace
    }

    /// The last log records before the failure.
    #[must_use]
    pub fn log(&self) -> &[LogRecord] {
        &self.0.log
    }

    /// Backtrace and log, one line for each entry, to print below the message.
    pub fn details(&self) -> impl Iterator<Item = String> {
        let frames = self.backtrace().iter().map(|function| format!("at {function}"));
        frames.chain(self.log().iter().map(|record| format!("log: {record}")))
    }

    /// The resources that the run used, and its log records.
    #[must_use]
    pub fn usage(&self) -> Option<&PluginUsage> {
        self.0.usage.as_ref()
    }
}

impl fmt::Display for PluginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailureFields { plugin, call, cause, .. } = &*self.0;
        write!(f, "the plugin `{plugin}` failed in `{call}`: {}", cause.cause)?;
        match (&cause.key, cause.rule.as_str()) {
            (Some(key), "") => write!(f, " (key `{key}`)")?,
            (Some(key), rule) => write!(f, " (key `{key}`, rule `{rule}`)")?,
            (None, "") => {}
            (None, rule) => write!(f, " (rule `{rule}`)")?,
        }
        f.write_str(match self.kind() {
            ErrorKind::Plugin => "; check the plugin and its settings",
            _ => "; the plugin did not cause this",
        })
    }
}

impl std::error::Error for PluginFailure {}

impl Serialize for PluginFailure {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut record = to.serialize_struct("Failure", 10)?;
        record.serialize_field("plugin", self.plugin())?;
        record.serialize_field("call", self.call())?;
        record.serialize_field("cause", self.cause().code())?;
        record.serialize_field("error_type", &self.kind())?;
        record.serialize_field("rule", self.rule())?;
        record.serialize_field("key", &self.key())?;
        record.serialize_field("message", &self.to_string())?;
        record.serialize_field("backtrace", &self.backtrace())?;
        record.serialize_field("log", &self.log())?;
        record.serialize_field("usage", &self.usage())?;
        record.end()
    }
}
