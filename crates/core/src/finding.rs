//! Something for a person to read, from a plugin or from Tidegate itself.
//!
//! Owns the form. Never decides anything: verdicts do.

use serde::{Deserialize, Serialize};

/// How much a finding matters. Nothing acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A remark.
    Info,
    /// Something that a person should know.
    Warning,
    /// What a denial is about.
    Error,
}

/// One finding. Its texts hold no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Who says it: a plugin's name.
    pub plugin: String,
    /// Stable, for machines: `too-many-deletes`.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// The key that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// JSON Pointer to the rule in the plugin's settings, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
}
