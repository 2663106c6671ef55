//! A plugin's run that ended badly: what happened, where, and whose fault it is.
//!
//! Owns the values. Never ends a run itself.

use std::fmt;
use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::error_kind::ErrorKind;
use crate::headers::ObjectHeaderError;
use crate::key::KeyError;
use crate::plugin_usage::PluginUsage;
use crate::redirect::RedirectTargetError;

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureCause {
    /// The plugin's code stopped itself: a panic, an `unreachable`, an access out of bounds.
    #[error("it trapped ({0}), return a `failure` where something is wrong")]
    Trap(String),
    /// All fuel is spent.
    #[error("it used {used} of {allowed} units of fuel, make it do less for each object")]
    Fuel {
        /// Units.
        used: u64,
        /// Units.
        allowed: u64,
    },
    /// The clock ran out.
    #[error("it ran for {} ms of {} ms, make it do less for each object", .ran.as_millis(), .allowed.as_millis())]
    Deadline {
        /// Time in the plugin.
        ran: Duration,
        /// The budget.
        allowed: Duration,
    },
    /// Too much memory, over all memories together.
    #[error("it used {used} and asked for {asked} more of {allowed} bytes of memory, hold less at one time")]
    Memory {
        /// Bytes that it had.
        used: u64,
        /// Bytes that it asked for.
        asked: u64,
        /// Bytes.
        allowed: u64,
    },
    /// Too many table elements, over all tables together.
    #[error("it used {used} and asked for {asked} more of {allowed} table elements")]
    Tables {
        /// Elements that it had.
        used: u64,
        /// Elements that it asked for.
        asked: u64,
        /// Elements.
        allowed: u64,
    },
    /// Too many instances, memories, tables or handles.
    #[error("it needs more than a plugin may have ({0})")]
    Count(String),
    /// The stack is spent.
    #[error("it recursed deeper than its stack of {allowed} bytes")]
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
    /// It broke the component model's rules at the border, such as a string that is not UTF-8.
    #[error("what it passed to the host is no value of the contract ({0})")]
    Border(String),
    /// It called the host with arguments that the contract does not allow.
    #[error("it asked for {asked} {what} in one call of `{function}`, the most is {most}")]
    Request {
        /// The imported function.
        function: &'static str,
        /// Keys or bytes.
        what: &'static str,
        /// How many.
        asked: u64,
        /// How many are allowed.
        most: u64,
    },
    /// It answered something that the contract does not allow.
    #[error(transparent)]
    Malformed(#[from] MalformedAnswer),
    /// It reported a failure itself.
    #[error("it reports `{code}`: {message}")]
    Reported {
        /// Stable, for machines.
        code: String,
        /// Its words.
        message: String,
    },
    /// It reported a failure after its budget of reads was spent.
    #[error(
        "it reports `{code}`: {message}; before that it had used {reads} of {reads_allowed} reads and {bytes} of {bytes_allowed} bytes of content"
    )]
    ReadBudget {
        /// Stable, for machines.
        code: String,
        /// Its words.
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
        /// Stable, for machines.
        code: String,
        /// Its words.
        message: String,
        /// What storage said.
        why: String,
    },
    /// It is configured where the other kind of plugin belongs.
    #[error("it is a {is} plugin, configure it under `{is}`")]
    Kind {
        /// `sync` or `policy`.
        is: &'static str,
    },
    /// The host failed.
    #[error("the host could not run it ({0})")]
    Host(String),
}

impl FailureCause {
    /// Whose fault it is.
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
            Self::Malformed(_) => "malformed",
            Self::Reported { .. } => "reported",
            Self::ReadBudget { .. } => "read-budget",
            Self::Unread { .. } => "unread",
            Self::Kind { .. } => "kind",
            Self::Host(_) => "host",
        }
    }
}

/// Longest settings, in bytes of JSON.
pub const MAX_SETTINGS_BYTES: usize = 1 << 20;

/// An answer that the contract does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedAnswer {
    /// Indexes must ascend strictly.
    #[error("it answered index {index} after index {previous}, indexes must ascend and none may come twice")]
    Order {
        /// The index.
        index: u32,
        /// The one before it.
        previous: u32,
    },
    /// An index outside of the batch.
    #[error("it answered index {index} of a batch of {length}")]
    Range {
        /// The index.
        index: u32,
        /// Entries in the batch.
        length: usize,
    },
    /// A name in an open tail that this host does not know.
    #[error(
        "it answered the {place} `{name}`, which this host does not know; install a newer Tidegate or an older plugin"
    )]
    Unknown {
        /// `action`, `edit`, `verdict` or `attribute`.
        place: &'static str,
        /// The name.
        name: String,
    },
    /// A key that cannot be published.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A header or metadata entry that cannot be stored.
    #[error(transparent)]
    Header(#[from] ObjectHeaderError),
    /// A redirect target that is none.
    #[error(transparent)]
    Target(#[from] RedirectTargetError),
    /// Two entries on one key.
    #[error("it publishes `{key}` twice: {first} and {second}, rename or exclude one of them")]
    Collision {
        /// The key.
        key: String,
        /// Where the first entry comes from.
        first: String,
        /// Where the second one comes from.
        second: String,
    },
    /// Not a JSON Pointer.
    #[error("`{0}` is no JSON Pointer (RFC 6901), it must be empty or start with `/`")]
    Pointer(String),
    /// Answers that are too long in all.
    #[error("its answers have {used} bytes of {allowed}, answer only what differs")]
    Size {
        /// Bytes.
        used: u64,
        /// Bytes.
        allowed: u64,
    },
    /// Canonical settings that are not JSON.
    #[error("its canonical settings are no JSON ({0})")]
    NotJson(String),
    /// Canonical settings that are too long.
    #[error("its canonical settings have {0} bytes, the most is {MAX_SETTINGS_BYTES}")]
    SettingsSize(usize),
    /// Canonical settings that are not a fixed point.
    #[error("its canonical settings are not canonical: validating them again {0}")]
    NotCanonical(String),
    /// It refused settings without an issue.
    #[error("it refused its settings without saying why")]
    NoIssue,
}

/// A cause, with the rule and the key that it is about where they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedCause {
    /// Why.
    pub cause: Box<FailureCause>,
    /// JSON Pointer into the settings, or empty.
    pub rule: String,
    /// The key, as the plugin saw it.
    pub key: Option<String>,
}

impl From<FailureCause> for LocatedCause {
    fn from(cause: FailureCause) -> Self {
        Self { cause: Box::new(cause), rule: String::new(), key: None }
    }
}

impl From<MalformedAnswer> for LocatedCause {
    fn from(malformed: MalformedAnswer) -> Self {
        FailureCause::Malformed(malformed).into()
    }
}

/// A plugin's run that ended badly. It denies the publish; the site stays as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFailure(Box<FailureFields>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct FailureFields {
    plugin: String,
    call: &'static str,
    fault: LocatedCause,
    usage: Option<PluginUsage>,
}

impl PluginFailure {
    /// A failure of a plugin in one of its calls.
    #[must_use]
    pub fn new(plugin: &str, call: &'static str, fault: LocatedCause, usage: Option<PluginUsage>) -> Self {
        Self(Box::new(FailureFields { plugin: plugin.to_owned(), call, fault, usage }))
    }

    /// The same failure where the usage is told beside it.
    #[must_use]
    pub fn without_usage(mut self) -> Self {
        self.0.usage = None;
        self
    }

    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.fault.cause.kind()
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

    /// Why.
    #[must_use]
    pub fn cause(&self) -> &FailureCause {
        &self.0.fault.cause
    }

    /// JSON Pointer into the plugin's settings to the rule that was at work, or empty.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.0.fault.rule
    }

    /// The key that it is about, as the plugin saw it.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.fault.key.as_deref()
    }

    /// What the run had used, with what it logged.
    #[must_use]
    pub fn usage(&self) -> Option<&PluginUsage> {
        self.0.usage.as_ref()
    }
}

impl fmt::Display for PluginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailureFields { plugin, call, fault, .. } = &*self.0;
        write!(f, "the plugin `{plugin}` failed in `{call}`: {}", fault.cause)?;
        match (&fault.key, fault.rule.as_str()) {
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
        let mut record = to.serialize_struct("Failure", 8)?;
        record.serialize_field("plugin", self.plugin())?;
        record.serialize_field("call", self.call())?;
        record.serialize_field("cause", self.cause().code())?;
        record.serialize_field("error_type", &self.kind())?;
        record.serialize_field("rule", self.rule())?;
        record.serialize_field("key", &self.key())?;
        record.serialize_field("message", &self.to_string())?;
        record.serialize_field("usage", &self.usage())?;
        record.end()
    }
}
