//! The mistakes in what a plugin returns.

use crate::edge::RuleError;
use crate::headers::ObjectHeaderError;
use crate::key::KeyError;
use crate::redirect::RedirectTargetError;

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
