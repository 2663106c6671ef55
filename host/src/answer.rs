//! What a plugin may answer. Everything it says is checked here before it becomes a value.
//!
//! Owns the rules of answers and the words for breaking them. Never runs a plugin and never applies a decision.

use tidegate_core::finding::{Finding, Severity};
use tidegate_core::key::{Key, KeyError, MAX_KEY_BYTES};
use tidegate_core::plugin_failure::{FailureCause, LocatedCause, MalformedAnswer};
use tidegate_core::sanitize::{CODE_BYTES, MESSAGE_BYTES, sanitize};

use super::bindings::sync_world::tidegate::plugin::types::{self as wire, AttributeResult};
use super::limits::Limits;

/// Longest JSON Pointer, in bytes.
pub const MAX_POINTER_BYTES: usize = 1_024;

/// Checks that the indexes of an answer ascend and stay in the batch.
pub(super) fn indexes(answered: impl Iterator<Item = u32>, length: usize) -> Result<(), MalformedAnswer> {
    let mut previous: Option<u32> = None;
    for index in answered {
        if let Some(previous) = previous
            && index <= previous
        {
            return Err(MalformedAnswer::Order { index, previous });
        }
        if index as usize >= length {
            return Err(MalformedAnswer::Range { index, length });
        }
        previous = Some(index);
    }
    Ok(())
}

/// A key that a plugin names.
pub(super) fn key(name: &str) -> Result<Key, MalformedAnswer> {
    if name.len() > MAX_KEY_BYTES {
        return Err(KeyError::TooLong(sanitize(name, 200), name.len()).into());
    }
    Ok(Key::new(name)?)
}

/// A JSON Pointer that a plugin names.
pub(super) fn pointer(text: String) -> Result<String, MalformedAnswer> {
    let mut escapes = text.split('~').skip(1);
    let sound = text.len() <= MAX_POINTER_BYTES
        && (text.is_empty() || text.starts_with('/'))
        && escapes.all(|rest| rest.starts_with(['0', '1']))
        && sanitize(&text, MAX_POINTER_BYTES) == text;
    if sound { Ok(text) } else { Err(MalformedAnswer::Pointer(sanitize(&text, 200))) }
}

/// Refuses reserved names in an open tail; names that start with `x-` are anybody's.
pub(super) fn tail(attributes: &[AttributeResult]) -> Result<(), MalformedAnswer> {
    match attributes.iter().find(|attribute| !attribute.name.starts_with("x-")) {
        Some(unknown) => Err(unknown_name("attribute", &unknown.name)),
        None => Ok(()),
    }
}

/// The error of a name that this host does not know.
pub(super) fn unknown_name(place: &'static str, name: &str) -> MalformedAnswer {
    MalformedAnswer::Unknown { place, name: sanitize(name, CODE_BYTES) }
}

/// A failure that the plugin reports.
pub(super) fn reported(failure: wire::Failure) -> LocatedCause {
    LocatedCause {
        cause: Box::new(FailureCause::Reported {
            code: sanitize(&failure.code, CODE_BYTES),
            message: sanitize(&failure.message, MESSAGE_BYTES),
        }),
        rule: pointer(failure.rule).unwrap_or_default(),
        key: failure.key.map(|key| sanitize(&key, MAX_KEY_BYTES)),
    }
}

/// Findings of one run, within their budget.
pub(super) struct FindingsBudget<'a> {
    plugin: &'a str,
    kept: Vec<Finding>,
    count_left: usize,
    bytes_left: usize,
    dropped: u64,
}

impl<'a> FindingsBudget<'a> {
    pub(super) fn new(plugin: &'a str, limits: &Limits) -> Self {
        Self { plugin, kept: Vec::new(), count_left: limits.findings, bytes_left: limits.finding_bytes, dropped: 0 }
    }

    pub(super) fn add(&mut self, findings: Vec<wire::Finding>) -> Result<(), MalformedAnswer> {
        for finding in findings {
            tail(&finding.attributes)?;
            let finding = Finding {
                plugin: self.plugin.to_owned(),
                code: sanitize(&finding.code, CODE_BYTES),
                severity: match finding.severity {
                    wire::Severity::Info => Severity::Info,
                    wire::Severity::Warning => Severity::Warning,
                    wire::Severity::Error => Severity::Error,
                },
                message: sanitize(&finding.message, MESSAGE_BYTES),
                key: finding.key.map(|key| sanitize(&key, MAX_KEY_BYTES)),
                rule: pointer(finding.rule)?,
            };
            let bytes = finding.code.len()
                + finding.message.len()
                + finding.key.as_ref().map_or(0, String::len)
                + finding.rule.len();
            if self.count_left == 0 || bytes > self.bytes_left {
                self.dropped += 1;
            } else {
                self.count_left -= 1;
                self.bytes_left -= bytes;
                self.kept.push(finding);
            }
        }
        Ok(())
    }

    /// What was kept, and how many were not.
    pub(super) fn end(self) -> (Vec<Finding>, u64) {
        (self.kept, self.dropped)
    }
}

/// Bytes of a run's answers, within their budget.
pub(super) struct AnswerBudget {
    used: u64,
    allowed: u64,
}

impl AnswerBudget {
    pub(super) fn new(limits: &Limits, objects: u64) -> Self {
        Self { used: 0, allowed: limits.answer_bytes_for(objects) }
    }

    pub(super) fn add(&mut self, bytes: usize) -> Result<(), MalformedAnswer> {
        self.used = self.used.saturating_add(bytes as u64);
        if self.used > self.allowed {
            return Err(MalformedAnswer::Size { used: self.used, allowed: self.allowed });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_ascend_within_their_batch() {
        assert_eq!(indexes([0, 1, 5].into_iter(), 6), Ok(()));
        assert_eq!(indexes([].into_iter(), 0), Ok(()));
        assert_eq!(indexes([1, 0].into_iter(), 6), Err(MalformedAnswer::Order { index: 0, previous: 1 }));
        assert_eq!(indexes([1, 1].into_iter(), 6), Err(MalformedAnswer::Order { index: 1, previous: 1 }));
        assert_eq!(indexes([6].into_iter(), 6), Err(MalformedAnswer::Range { index: 6, length: 6 }));
    }

    #[test]
    fn pointers_are_rfc_6901() {
        for good in ["", "/", "/a/0", "/a~1b/~0"] {
            assert!(pointer(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["a", "#/a", "/~", "/~2", "/a\n", &format!("/{}", "x".repeat(MAX_POINTER_BYTES))] {
            assert!(pointer(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
