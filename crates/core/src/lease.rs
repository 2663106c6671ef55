//! The lease of a site: a small object that says which run may write.
//!
//! No clock is shared. A waiting run measures with its own monotonic clock how long it has seen the same lease, so machines
//! need not agree on the time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::execution_arn::ExecutionArn;
use crate::external_text::ExternalText;
use crate::release::layout::FORMAT;

/// The stored lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// The fencing counter: grows with every acquisition. A holder with a smaller count has lost the lease.
    pub fence: u64,
    /// The name of the holder: random, or that of an execution. Empty if the lease is released.
    pub holder: String,
    /// The release that the holder publishes, for people.
    pub release: ExternalText,
    /// How long it lasts without renewal, in seconds.
    pub seconds: u16,
    /// The number of renewals, so that every renewal changes the object.
    pub renewals: u64,
}

/// The run that acquires a lease.
#[derive(Debug, Clone, Copy)]
pub struct LeaseHolder<'a> {
    /// A random name, or that of an execution.
    pub name: &'a str,
    /// The release that it publishes, for people.
    pub release: &'a ExternalText,
}

/// The name of an execution: one publish that several processes carry out, one after another or side by side. All of them
/// hold the lease under this name, so it must never be used for another publish.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExecutionName(String);

/// Longest name of an execution, in characters: room for the ARN of one of Step Functions.
const MAX_EXECUTION_NAME: usize = 256;

/// Not the name of an execution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid name of an execution: use 1 to {MAX_EXECUTION_NAME} visible ASCII characters")]
pub struct ExecutionNameError;

impl ExecutionName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`ExecutionNameError`].
    pub fn new(text: &str) -> Result<Self, ExecutionNameError> {
        let valid = (1..=MAX_EXECUTION_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if valid { Ok(Self(text.to_owned())) } else { Err(ExecutionNameError) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&ExecutionArn> for ExecutionName {
    /// An ARN has at most 80 characters for the state machine, 80 for the execution, and about 60 for the rest.
    fn from(arn: &ExecutionArn) -> Self {
        Self(arn.to_string())
    }
}

impl TryFrom<String> for ExecutionName {
    type Error = ExecutionNameError;
    fn try_from(text: String) -> Result<Self, ExecutionNameError> {
        Self::new(&text)
    }
}

impl From<ExecutionName> for String {
    fn from(name: ExecutionName) -> Self {
        name.0
    }
}

/// The lease under which an execution's workers write: that of its coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseTerm {
    /// The execution.
    pub holder: ExecutionName,
    /// The fencing counter.
    pub fence: u64,
}

impl LeaseRecord {
    /// The lease that replaces `previous`.
    #[must_use]
    pub fn acquire(previous: Option<&Self>, holder: LeaseHolder<'_>, seconds: u16) -> Self {
        Self {
            format: FORMAT,
            fence: previous.map_or(0, |previous| previous.fence).saturating_add(1),
            holder: holder.name.to_owned(),
            release: holder.release.clone(),
            seconds,
            renewals: 0,
        }
    }

    /// The renewed lease.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self { renewals: self.renewals.saturating_add(1), ..self.clone() }
    }

    /// The released lease, which keeps the counter for the next holder.
    #[must_use]
    pub fn released(&self) -> Self {
        Self { holder: String::new(), ..self.renewed() }
    }

    /// Whether another run that has seen it unchanged for this long may acquire it.
    #[must_use]
    pub fn is_free(&self, unchanged: Duration) -> bool {
        self.holder.is_empty() || unchanged >= self.duration()
    }

    /// Whether it is still the one that the workers of an execution share.
    #[must_use]
    pub fn is_of(&self, term: &LeaseTerm) -> bool {
        self.holder == term.holder.as_str() && self.fence == term.fence
    }

    /// How long it lasts after each renewal.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds))
    }

    /// How long the holder may write, measured from before it sent the renewal. Shorter than the lease, so that requests in
    /// flight end before another run acquires it.
    #[must_use]
    pub fn write_window(&self) -> Duration {
        self.duration() * 2 / 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_can_be_acquired_when_released_or_expired() {
        let acquire = |previous, name, release: &str| {
            let release = &ExternalText::from(release);
            LeaseRecord::acquire(previous, LeaseHolder { name, release }, 30)
        };
        let first = acquire(None, "a", "c1");
        assert_eq!((first.fence, first.is_free(Duration::from_secs(29))), (1, false));
        assert!(first.is_free(Duration::from_secs(30)));
        assert!(first.released().is_free(Duration::ZERO));
        assert_eq!(acquire(Some(&first.released()), "b", "c2").fence, 2);
        assert!(first.write_window() < first.duration());
        assert_ne!(first.renewed(), first);
    }

    #[test]
    fn workers_share_one_acquisition_of_their_execution() {
        let (holder, release) = (ExecutionName::new("run-1").unwrap(), &ExternalText::from("c1"));
        let first = LeaseRecord::acquire(None, LeaseHolder { name: holder.as_str(), release }, 30);
        let term = LeaseTerm { holder, fence: first.fence };
        assert!(first.is_of(&term) && first.renewed().is_of(&term));
        assert!(!first.released().is_of(&term), "no worker brings a released lease back");
        assert!(!LeaseRecord::acquire(Some(&first), LeaseHolder { name: "run-1", release }, 30).is_of(&term));
        assert!(!LeaseRecord { holder: "run-2".to_owned(), ..first }.is_of(&term));
        for bad in ["", "a b", "é", &"x".repeat(257)] {
            assert_eq!(ExecutionName::new(bad), Err(ExecutionNameError), "{bad:?}");
        }
    }
}
