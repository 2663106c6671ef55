//! Findings: messages for people, from a plugin or from Tidegate.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The severity of a finding. It has no effect on the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A note.
    Info,
    /// A warning.
    Warning,
    /// The reason of a denial.
    Error,
}

/// One finding. Its texts are sanitized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The name of the plugin.
    pub plugin: String,
    /// A stable code, such as `too-many-deletes`.
    pub code: String,
    /// The severity.
    pub severity: Severity,
    /// The message: one sentence.
    pub message: String,
    /// The key that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// JSON Pointer to the rule in the plugin's settings, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
}

impl Finding {
    /// A warning of Tidegate itself.
    #[must_use]
    pub fn warning(code: &str, message: String) -> Self {
        let (plugin, code) = ("tidegate".to_owned(), code.to_owned());
        Self { plugin, code, severity: Severity::Warning, message, key: None, rule: String::new() }
    }

    /// A note of Tidegate itself.
    #[must_use]
    pub fn info(code: &str, message: String) -> Self {
        Self { severity: Severity::Info, ..Self::warning(code, message) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Info => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity} from `{}`: {}", self.plugin, self.message)?;
        if let Some(key) = &self.key {
            write!(f, " (`{key}`)")?;
        }
        if !self.rule.is_empty() {
            write!(f, " [{}]", self.rule)?;
        }
        Ok(())
    }
}
