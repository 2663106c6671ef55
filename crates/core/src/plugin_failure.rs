//! The failure of a plugin: its cause, the call in which it happened, and the kind of error.

use std::fmt;
use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::config::MissingGrant;
use crate::edge::RuleError;
use crate::error_kind::ErrorKind;
use crate::headers::ObjectHeaderError;
use crate::key::KeyError;
use crate::plugin_usage::PluginUsage;
use crate::redirect::RedirectTargetError;

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

/// Maximum size of settings, in bytes of JSON.
pub const MAX_SETTINGS_BYTES: usize = 1 << 20;

/// A returned value that the interface does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedAnswer {
    /// Indexes must ascend strictly.
    #[error("it returned index {index} after index {previous}; indexes must be unique and ascending")]
    Order {
        /// The index.
        index: u32,
        /// The one before it.
        previous: u32,
    },
    /// An index outside of the batch.
    #[error("it returned index {index} for a batch of {length}")]
    Range {
        /// The index.
        index: u32,
        /// Entries in the batch.
        length: usize,
    },
    /// A name that this host does not know.
    #[error("unknown {place} `{name}`; install a newer Tidegate or an older plugin")]
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
    /// An invalid redirect target.
    #[error(transparent)]
    Target(#[from] RedirectTargetError),
    /// Two entries on one key.
    #[error("it publishes `{key}` twice: {first} and {second}; rename or exclude one of them")]
    Collision {
        /// The key.
        key: String,
        /// Where the first entry comes from.
        first: String,
        /// Where the second one comes from.
        second: String,
    },
    /// An invalid rule for requests.
    #[error("invalid rule for the path `{path}`: {error}")]
    EdgeRule {
        /// The path of the rule.
        path: String,
        /// The mistake.
        error: RuleError,
    },
    /// Rules for requests without an edge.
    #[error(
        "it adds rules for requests, but the site has no `[site.edge]` or no run has begun; add it, or remove the plugin"
    )]
    NoEdge,
    /// Too many rules for requests, or too long ones.
    #[error("its rules for requests exceed {rules} rules or {bytes} bytes; add fewer or shorter rules")]
    EdgeRules {
        /// Most rules.
        rules: usize,
        /// Most bytes.
        bytes: usize,
    },
    /// Not a JSON Pointer.
    #[error("invalid JSON Pointer `{0}`; it must be empty or start with `/` (RFC 6901)")]
    Pointer(String),
    /// Returned values that are too long in total.
    #[error("it returned {used} bytes, and {allowed} are allowed; return only differences")]
    Size {
        /// Bytes.
        used: u64,
        /// Bytes.
        allowed: u64,
    },
    /// Canonical settings that are not JSON.
    #[error("its canonical settings are not JSON ({0})")]
    NotJson(String),
    /// Canonical settings that are too long.
    #[error("its canonical settings have {0} bytes; the maximum is {MAX_SETTINGS_BYTES}")]
    SettingsSize(usize),
    /// Canonical settings that are not a fixed point.
    #[error("its canonical settings are not canonical: validating them again {0}")]
    NotCanonical(String),
    /// It rejected settings without an issue.
    #[error("it rejected its settings without an issue")]
    NoIssue,
}

/// A cause, with its rule and key if known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedCause {
    /// The cause.
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

/// The failure of a plugin. It denies the publish; the site is unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFailure(Box<FailureFields>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct FailureFields {
    plugin: String,
    call: &'static str,
    cause: LocatedCause,
    usage: Option<PluginUsage>,
}

impl PluginFailure {
    /// A failure of a plugin in one of its calls.
    #[must_use]
    pub fn new(plugin: &str, call: &'static str, cause: LocatedCause, usage: Option<PluginUsage>) -> Self {
        Self(Box::new(FailureFields { plugin: plugin.to_owned(), call, cause, usage }))
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
