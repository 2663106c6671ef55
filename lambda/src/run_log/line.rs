//! The log line of a run.

use serde_json::{Map, Value, json};
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_core::sanitize::sanitize_json;

use super::{RunEnding, RunLogEntry};

/// Most entries of a list in a line. CloudWatch splits a line of more than 256 KiB, and neither part would be valid
/// JSON.
/// Source: Amazon CloudWatch Logs user guide, "CloudWatch Logs quotas" (event size).
const MAX_ENTRIES: usize = 50;

/// Makes one line of printable characters from JSON text. JSON allows characters that control a terminal or reorder
/// text: they become `\uXXXX`, which is the same value.
#[must_use]
pub fn one_line(json: &str) -> String {
    sanitize_json(json)
}

/// Truncates long lists, and records their original lengths by JSON Pointer.
fn truncate(value: &mut Value, pointer: &str, lengths: &mut Map<String, Value>) {
    match value {
        Value::Array(list) => {
            if list.len() > MAX_ENTRIES {
                lengths.insert(pointer.to_owned(), list.len().into());
                list.truncate(MAX_ENTRIES);
            }
            for (index, entry) in list.iter_mut().enumerate() {
                truncate(entry, &format!("{pointer}/{index}"), lengths);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                truncate(field, &format!("{pointer}/{name}"), lengths);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A report with long lists truncated. `truncated` has their original lengths by JSON Pointer.
#[must_use]
pub fn shorten(report: &PublishReport) -> Value {
    let mut report = serde_json::to_value(report).unwrap_or_default();
    let mut lengths = Map::new();
    truncate(&mut report, "", &mut lengths);
    if let Some(fields) = report.as_object_mut().filter(|_| !lengths.is_empty()) {
        fields.insert("truncated".to_owned(), Value::Object(lengths));
    }
    report
}

impl RunLogEntry {
    /// Whether the run failed, wholly or in part. A denial is not a failure.
    #[must_use]
    pub fn failed(&self) -> bool {
        match &self.ending {
            RunEnding::Report(report) => matches!(report.outcome, Outcome::Partial | Outcome::Failed),
            RunEnding::Failed { .. } => true,
            RunEnding::Superseded(_) | RunEnding::Continued | RunEnding::Distributed { .. } => false,
        }
    }

    /// The outcome, in one word.
    #[must_use]
    pub fn outcome(&self) -> Value {
        match &self.ending {
            RunEnding::Report(report) => json!(report.outcome),
            RunEnding::Superseded(_) => json!(Outcome::Superseded),
            RunEnding::Continued => json!("continued"),
            RunEnding::Distributed { .. } => json!("distributed"),
            RunEnding::Failed { .. } => json!(Outcome::Failed),
        }
    }

    /// The line: the fields to search for, and the report with long lists truncated.
    ///
    /// Lambda filters JSON lines by `level` and `timestamp`.
    /// Source: AWS Lambda developer guide, "Configuring advanced logging controls".
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = json!({
            "level": if self.failed() { "ERROR" } else { "INFO" },
            "timestamp": self.ended_at.to_string(),
            "message": "run",
            "run": self.run,
            "site": self.site,
            "cause": self.cause.to_string(),
            "release": self.release,
            "continuations": self.continuations,
            "outcome": self.outcome(),
            "milliseconds": self.milliseconds,
        });
        if let Value::Object(fields) = &mut line {
            match &self.ending {
                RunEnding::Report(report) => drop(fields.insert("report".to_owned(), shorten(report))),
                RunEnding::Superseded(reason) => drop(fields.insert("reason".to_owned(), json!(reason))),
                RunEnding::Continued => {}
                RunEnding::Distributed { execution, estimate } => {
                    fields.insert("execution".to_owned(), json!(execution));
                    fields.insert("estimate".to_owned(), json!(estimate));
                }
                RunEnding::Failed { kind, reason } => {
                    fields.insert("error-type".to_owned(), json!(kind));
                    fields.insert("reason".to_owned(), json!(reason));
                }
            }
        }
        one_line(&line.to_string())
    }
}
