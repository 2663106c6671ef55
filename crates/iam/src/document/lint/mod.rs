//! The linter of policy documents: what AWS refuses or ignores, what is over-permissive, and what is too long. It does not
//! evaluate what a document allows; `tidegate check --aws` has IAM do that.

mod access;
mod conditions;
mod duplicates;
mod grammar;
mod limit;
mod trust;

use serde::Serialize;
use serde_json::Value;
use tidegate_core::sanitize::sanitize_name;

use super::finding::LintFinding;

pub use limit::PolicyLimit;

/// What a document is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentKind {
    /// A user, a group or a role.
    Identity,
    /// A session of a role.
    Session,
    /// A role, as its trust policy.
    Trust,
    /// A bucket.
    Bucket,
}

struct Linter {
    kind: DocumentKind,
    findings: Vec<LintFinding>,
}

/// The text of a document without the byte order mark that some editors write before it. It is not JSON, and AWS refuses it.
pub(crate) fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// All findings about a document.
#[must_use]
pub fn lint(text: &str, kind: DocumentKind, limit: PolicyLimit) -> Vec<LintFinding> {
    let text = without_byte_order_mark(text);
    let mut linter = Linter { kind, findings: Vec::new() };
    let (length, most) = (limit.length(text), limit.characters());
    if length > most {
        let subject = limit.subject();
        linter
            .error("", format!("{length} characters, AWS allows {most} for {subject}: shorten or split the document"));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(document @ Value::Object(_)) => {
            for (pointer, name) in duplicates::duplicate_members(text) {
                linter.error(
                    &pointer,
                    format!("{} occurs twice, and only one of them counts: merge them", quoted(&name)),
                );
            }
            linter.document(&document);
        }
        Ok(_) => linter.error("", "not a JSON object with `Version` and `Statement`"),
        Err(error) => linter.error("", format!("not JSON: {error}")),
    }
    linter.findings
}

fn quoted(text: &str) -> String {
    format!("`{}`", sanitize_name(text))
}

/// The JSON Pointer of a member. Source: RFC 6901, section 3.
fn pointer_to(parent: &str, name: &str) -> String {
    format!("{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
}

impl Linter {
    fn error(&mut self, pointer: &str, message: impl Into<String>) {
        self.push(pointer, message.into(), true, false);
    }

    fn warn(&mut self, pointer: &str, message: impl Into<String>) {
        self.push(pointer, message.into(), false, false);
    }

    /// What may be intended, and is worth a thought.
    fn note(&mut self, pointer: &str, message: impl Into<String>) {
        self.push(pointer, message.into(), false, true);
    }

    fn push(&mut self, pointer: &str, message: String, error: bool, note: bool) {
        self.findings.push(LintFinding { error, note, pointer: pointer.to_owned(), message });
    }
}
