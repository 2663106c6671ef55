//! A request to publish one site, and its revision: which of two requests is newer.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::external_text::ExternalText;
use crate::location::Source;

/// A request to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// The name of the site in the configuration.
    pub site: String,
    /// What is published, for people: a commit, a file name.
    pub release: ExternalText,
    /// Where the artifact is.
    pub source: Source,
    /// The time of the run, in milliseconds since the Unix epoch.
    pub instant: u64,
    /// What started the run: `cli`, `watch`, …
    pub cause: ExternalText,
    /// The revision of the artifact, if known: an older one never replaces a newer one. Without it the time of the run
    /// counts, so that a person who runs `publish` always publishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

/// The position of a release in the history of its site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// Milliseconds since the Unix epoch: the time of an event, or of a commit.
    pub at: u64,
    /// Whether `at` is the time of a commit. A commit is older than its publish, so the two are not comparable with the time
    /// of an event or of a run.
    #[serde(default, skip_serializing_if = "is_false")]
    pub commit: bool,
    /// The sequencer of an S3 event. It decides between two events of one object, instead of the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<Sequencer>,
}

/// The sequencer of an S3 event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequencer {
    /// Bucket and key: sequencers of different objects are not comparable.
    pub object: String,
    /// Hexadecimal digits, of any length.
    pub value: String,
}

/// Longest name of a release, in bytes: more than the address of an object in S3.
pub const MAX_RELEASE_BYTES: usize = 2048;

/// How far a revision may be ahead of the time of its run, in milliseconds: clocks differ by a few minutes.
pub const MAX_CLOCK_SKEW: u64 = 5 * 60 * 1000;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Revision {
    /// The revision of an event or a run, by its time.
    #[must_use]
    pub fn at(milliseconds: u64) -> Self {
        Self { at: milliseconds, commit: false, sequencer: None }
    }

    /// The revision of a commit, by its time.
    #[must_use]
    pub fn of_commit(milliseconds: u64) -> Self {
        Self { at: milliseconds, commit: true, sequencer: None }
    }

    /// The revision of a run at `instant`. A publish cannot come from the future, or every later one would be superseded:
    /// a time beyond [`MAX_CLOCK_SKEW`] counts as `instant`.
    #[must_use]
    pub fn clamped(&self, instant: u64) -> Self {
        let at = if self.is_in_future_of(instant) { instant } else { self.at };
        Self { at, ..self.clone() }
    }

    /// Whether the time is more than [`MAX_CLOCK_SKEW`] after `instant`.
    #[must_use]
    pub fn is_in_future_of(&self, instant: u64) -> bool {
        self.at > instant.saturating_add(MAX_CLOCK_SKEW)
    }

    /// Whether both are of the same S3 event.
    #[must_use]
    pub fn is_same_event(&self, other: &Self) -> bool {
        match (&self.sequencer, &other.sequencer) {
            (Some(ours), Some(theirs)) => ours.object == theirs.object && ours.compare(theirs).is_eq(),
            _ => false,
        }
    }

    /// The revision to compare with `other`: the time of a commit is compared with that of another commit only. Otherwise
    /// the time of the run counts, so that the pipeline that runs last publishes last.
    #[must_use]
    pub fn comparable(self, instant: u64, other: &Self) -> Self {
        if self.commit && !other.commit { Self::at(instant) } else { self }
    }

    /// Orders two comparable revisions; the greater one is newer.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        match (&self.sequencer, &other.sequencer) {
            (Some(ours), Some(theirs)) if ours.object == theirs.object => ours.compare(theirs),
            _ => self.at.cmp(&other.at),
        }
    }
}

impl Sequencer {
    /// Compares digit by digit, as if the shorter value was padded with zeros at the end.
    /// Source: Amazon S3 user guide, "Event message structure".
    fn compare(&self, other: &Self) -> Ordering {
        let longest = self.value.len().max(other.value.len());
        let digits = |value: &str| -> Vec<u8> {
            let mut digits = value.to_ascii_uppercase().into_bytes();
            digits.resize(longest, b'0');
            digits
        };
        digits(&self.value).cmp(&digits(&other.value))
    }
}

impl PublishRequest {
    /// The revision, which is never in the future, or the time of the run.
    #[must_use]
    pub fn place(&self) -> Revision {
        self.revision.as_ref().map_or_else(|| Revision::at(self.instant), |revision| revision.clamped(self.instant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: u64, object: &str, value: &str) -> Revision {
        Revision {
            at,
            commit: false,
            sequencer: Some(Sequencer { object: object.to_owned(), value: value.to_owned() }),
        }
    }

    #[test]
    fn a_sequencer_decides_among_events_of_one_object() {
        assert_eq!(
            event(9, "b/k", "0055AED6DCD90281E5").compare(&event(1, "b/k", "0055AED6DCD90281E6")),
            Ordering::Less
        );
        assert_eq!(event(9, "b/k", "00").compare(&event(1, "b/k", "000000")), Ordering::Equal);
        assert_eq!(event(1, "b/k", "01").compare(&event(9, "b/k", "0055aed6")), Ordering::Greater);
        assert_eq!(event(1, "b/k", "00ff").compare(&event(1, "b/k", "00FE")), Ordering::Greater);
    }

    #[test]
    fn a_revision_is_never_in_the_future() {
        let now = 1_000_000_000;
        assert_eq!(Revision::at(now + MAX_CLOCK_SKEW).clamped(now).at, now + MAX_CLOCK_SKEW);
        assert_eq!(Revision::at(now + MAX_CLOCK_SKEW + 1).clamped(now).at, now);
        assert_eq!(event(u64::MAX, "b/k", "ff").clamped(now), event(now, "b/k", "ff"));
    }

    #[test]
    fn times_decide_otherwise() {
        assert_eq!(event(1, "b/k", "ff").compare(&event(2, "b/other", "00")), Ordering::Less);
        assert_eq!(event(3, "b/k", "ff").compare(&Revision::at(2)), Ordering::Greater);
        assert_eq!(Revision::at(2).compare(&Revision::at(2)), Ordering::Equal);
    }
}
