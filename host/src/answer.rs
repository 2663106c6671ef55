//! Checks of a plugin's answers: indexes, keys, pointers, attributes, findings and their budgets.

use tidegate_core::finding::{Finding, Severity};
use tidegate_core::key::{Key, KeyError, MAX_KEY_BYTES};
use tidegate_core::plugin_failure::{FailureCause, LocatedCause, MalformedAnswer};
use tidegate_core::sanitize::{CODE_BYTES, MESSAGE_BYTES, is_unsafe, sanitize};

use super::bindings::sync_world::tidegate::plugin::types::{self as wire, AttributeResult};
use super::limits::Limits;

/// Limit of a JSON Pointer, in bytes.
const MAX_POINTER_BYTES: usize = 1_024;

/// Checks that the indexes of an answer ascend and are in the batch.
pub(super) fn check_indexes(indexes: impl Iterator<Item = u32>, length: usize) -> Result<(), MalformedAnswer> {
    let mut previous: Option<u32> = None;
    for index in indexes {
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

/// Parses a key.
pub(super) fn parse_key(name: &str) -> Result<Key, MalformedAnswer> {
    if name.len() > MAX_KEY_BYTES {
        return Err(KeyError::TooLong(sanitize(name, 200), name.len()).into());
    }
    Ok(Key::new(name)?)
}

/// Checks a JSON Pointer (RFC 6901).
pub(super) fn check_pointer(text: String) -> Result<String, MalformedAnswer> {
    let mut escapes = text.split('~').skip(1);
    let is_valid = text.len() <= MAX_POINTER_BYTES
        && (text.is_empty() || text.starts_with('/'))
        && escapes.all(|rest| rest.starts_with(['0', '1']))
        && !text.chars().any(is_unsafe);
    if is_valid { Ok(text) } else { Err(MalformedAnswer::Pointer(sanitize(&text, 200))) }
}

/// Refuses reserved names among open attributes. Names that start with `x-` are not reserved.
pub(super) fn check_attributes(attributes: &[AttributeResult]) -> Result<(), MalformedAnswer> {
    match attributes.iter().find(|attribute| !attribute.name.starts_with("x-")) {
        Some(unknown) => Err(unknown_name("attribute", &unknown.name)),
        None => Ok(()),
    }
}

/// The error for a name that this host does not know.
pub(super) fn unknown_name(place: &'static str, name: &str) -> MalformedAnswer {
    MalformedAnswer::Unknown { place, name: sanitize(name, CODE_BYTES) }
}

/// A failure that the plugin reports.
pub(super) fn reported_failure(failure: wire::Failure) -> LocatedCause {
    LocatedCause {
        cause: Box::new(FailureCause::Reported {
            code: sanitize(&failure.code, CODE_BYTES),
            message: sanitize(&failure.message, MESSAGE_BYTES),
        }),
        rule: check_pointer(failure.rule).unwrap_or_default(),
        key: failure.key.map(|key| sanitize(&key, MAX_KEY_BYTES)),
        backtrace: Vec::new(),
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
            check_attributes(&finding.attributes)?;
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
                rule: check_pointer(finding.rule)?,
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

    /// The findings that were kept, and the number of those that were dropped.
    pub(super) fn finish(self) -> (Vec<Finding>, u64) {
        (self.kept, self.dropped)
    }
}

/// The size of a run's answers, within its budget.
pub(super) struct AnswerBudget {
    used: u64,
    allowed: u64,
}

impl AnswerBudget {
    pub(super) fn new(limits: &Limits, objects: u64) -> Self {
        Self { used: 0, allowed: limits.answer_bytes_for(objects) }
    }

    /// Bytes so far.
    pub(super) fn used(&self) -> u64 {
        self.used
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
    fn checks_the_order_and_range_of_indexes() {
        assert_eq!(check_indexes([0, 1, 5].into_iter(), 6), Ok(()));
        assert_eq!(check_indexes([].into_iter(), 0), Ok(()));
        assert_eq!(check_indexes([1, 0].into_iter(), 6), Err(MalformedAnswer::Order { index: 0, previous: 1 }));
        assert_eq!(check_indexes([1, 1].into_iter(), 6), Err(MalformedAnswer::Order { index: 1, previous: 1 }));
        assert_eq!(check_indexes([6].into_iter(), 6), Err(MalformedAnswer::Range { index: 6, length: 6 }));
    }

    #[test]
    fn checks_json_pointers() {
        for good in ["", "/", "/a/0", "/a~1b/~0"] {
            assert!(check_pointer(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["a", "#/a", "/~", "/~2", "/a\n", &format!("/{}", "x".repeat(MAX_POINTER_BYTES))] {
            assert!(check_pointer(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
