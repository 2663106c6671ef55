//! Types of both worlds: facts of a run, findings and failures. The contract defines them; this file adds constructors.

pub use crate::bindings::imports::tidegate::plugin::types::{Attribute, Failure, Finding, Run, Severity};

use crate::Pointer;

impl Attribute {
    /// A name with a value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl Finding {
    /// A finding with a stable `code`, in lower case with hyphens, and a `message` of one sentence without a full stop.
    pub fn new(severity: Severity, code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            severity,
            message: message.into(),
            key: None,
            rule: String::new(),
            attributes: Vec::new(),
        }
    }

    /// A remark.
    pub fn info(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Info, code, message)
    }

    /// A warning for the user, or the reason for a `hold`.
    pub fn warning(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// The reason for a `deny`.
    pub fn error(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// Sets the key that it is about.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the rule in the settings that it comes from.
    #[must_use]
    pub fn with_rule(mut self, rule: &Pointer) -> Self {
        self.rule = rule.to_string();
        self
    }
}

impl Failure {
    /// A failure with a stable `code`, in lower case with hyphens, and a `message` of one sentence with the remedy.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), key: None, rule: String::new(), attributes: Vec::new() }
    }

    /// Sets the key that it is about.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the rule in the settings that it comes from.
    #[must_use]
    pub fn with_rule(mut self, rule: &Pointer) -> Self {
        self.rule = rule.to_string();
        self
    }
}
