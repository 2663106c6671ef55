//! The line of a run.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_core::sanitize::is_unsafe;

use super::{RunEnding, RunLogEntry};

/// Most entries of a list in a line. A line of more than 256 KiB is cut in two by CloudWatch, and is no JSON any more.
/// Source: Amazon CloudWatch Logs user guide, "CloudWatch Logs quotas" (event size).
const LISTED: usize = 50;

/// The text of a value as one line of printable characters: what JSON leaves as it is but a terminal obeys, or shows in
/// another order, is written as `\uXXXX`, which is the same value.
#[must_use]
pub fn one_line(json: &str) -> String {
    if !json.contains(is_unsafe) {
        return json.to_owned();
    }
    let mut line = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if !is_unsafe(c) {
            line.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(line, "\\u{unit:04x}");
        }
    }
    line
}

/// Shortens lists, and notes how long they were by where they are, as a JSON Pointer.
fn truncate(value: &mut Value, at: &str, lengths: &mut Map<String, Value>) {
    match value {
        Value::Array(list) => {
            if list.len() > LISTED {
                lengths.insert(at.to_owned(), list.len().into());
                list.truncate(LISTED);
            }
            for (index, entry) in list.iter_mut().enumerate() {
                truncate(entry, &format!("{at}/{index}"), lengths);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                truncate(field, &format!("{at}/{name}"), lengths);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A report with long lists cut to their beginnings; `truncated` says how long each was, by where it is.
#[must_use]
pub fn short(report: &PublishReport) -> Value {
    let mut report = serde_json::to_value(report).unwrap_or_default();
    let mut lengths = Map::new();
    truncate(&mut report, "", &mut lengths);
    if let Some(fields) = report.as_object_mut().filter(|_| !lengths.is_empty()) {
        fields.insert("truncated".to_owned(), Value::Object(lengths));
    }
    report
}

impl RunLogEntry {
    /// Whether somebody should look: what failed, and what is half done. A denial is none of it.
    #[must_use]
    pub fn failed(&self) -> bool {
        match &self.ending {
            RunEnding::Report(report) => matches!(report.outcome, Outcome::Partial | Outcome::Failed),
            RunEnding::Failed { .. } => true,
            RunEnding::Superseded(_) | RunEnding::Continued => false,
        }
    }

    /// How it ended, in one word.
    #[must_use]
    pub fn outcome(&self) -> Value {
        match &self.ending {
            RunEnding::Report(report) => json!(report.outcome),
            RunEnding::Superseded(_) => json!(Outcome::Superseded),
            RunEnding::Continued => json!("continued"),
            RunEnding::Failed { .. } => json!(Outcome::Failed),
        }
    }

    /// The line of the run: its report, with long lists cut to their beginnings, and what those who search logs ask for.
    ///
    /// `level` and `timestamp` are named as Lambda names them where it filters lines of JSON.
    /// Source: AWS Lambda developer guide, "Configuring advanced logging controls".
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = json!({
            "level": if self.failed() { "ERROR" } else { "INFO" },
            "timestamp": self.at.to_string(),
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
                RunEnding::Report(report) => drop(fields.insert("report".to_owned(), short(report))),
                RunEnding::Superseded(reason) => drop(fields.insert("reason".to_owned(), json!(reason))),
                RunEnding::Continued => {}
                RunEnding::Failed { kind, reason } => {
                    fields.insert("error-type".to_owned(), json!(kind));
                    fields.insert("reason".to_owned(), json!(reason));
                }
            }
        }
        one_line(&line.to_string())
    }
}
