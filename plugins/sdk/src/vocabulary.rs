//! The words that both kinds of plugin use: facts of a run, findings and failures.
//!
//! The types are those of the contract; this file adds the ways to build them. It decides no wording.

pub use crate::bindings::imports::tidegate::plugin::types::{Attribute, Failure, Finding, Run, Severity};

use crate::Pointer;

impl Attribute {
    /// One name with one value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl Finding {
    /// A finding with a stable `code` in lower case with hyphens and a `message` of one sentence without a full stop.
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

    /// Something that a person should know, or the reason of a `hold`.
    pub fn warning(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// The reason of a `deny`.
    pub fn error(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// Says which key it is about.
    #[must_use]
    pub fn on(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Says which rule in the settings speaks.
    #[must_use]
    pub fn by(mut self, rule: &Pointer) -> Self {
        self.rule = rule.to_string();
        self
    }
}

impl Failure {
    /// A failure with a stable `code` in lower case with hyphens and a `message` of one sentence that says what to do.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), key: None, rule: String::new(), attributes: Vec::new() }
    }

    /// Says which key it is about.
    #[must_use]
    pub fn on(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Says which rule in the settings speaks.
    #[must_use]
    pub fn by(mut self, rule: &Pointer) -> Self {
        self.rule = rule.to_string();
        self
    }
}
