//! One thing to look at in a document of somebody else.

use serde::Serialize;

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LintFinding {
    /// Whether AWS would refuse the document, or ignore what it means to say.
    pub wrong: bool,
    /// Where, as a JSON Pointer.
    pub place: String,
    /// What, and what to write instead.
    pub what: String,
}
