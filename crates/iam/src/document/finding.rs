//! A finding of the linter.

use serde::Serialize;

/// A finding about a policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LintFinding {
    /// Whether AWS refuses the document or a part of it has no effect; otherwise it allows more than it should.
    pub error: bool,
    /// Whether it may be intended: neither an error nor always over-permissive.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub note: bool,
    /// Where, as a JSON Pointer; empty for the whole document.
    pub pointer: String,
    /// What is wrong, and how to correct it.
    pub message: String,
}
