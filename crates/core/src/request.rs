//! A request to publish one site, and its revision: which of two requests is newer.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::location::Source;

/// A request to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// The name of the site in the configuration.
    pub site: String,
    /// What is published, for people: a commit, a file name.
    pub release: String,
    /// Where the artifact is.
    pub source: Source,
    /// The time of the run, in milliseconds since the Unix epoch.
    pub instant: u64,
    /// What started the run: `cli`, `watch`, …
    pub cause: String,
    /// The revision of the artifact, if known: an older one never replaces a newer one. Without it the time of the run
    /// counts, so that a person who runs `publish` always publishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

/// The position of a release in the history of its site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// Milliseconds since the Unix epoch: the time of a commit or of an event.
    pub at: u64,
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

impl Revision {
    /// A revision by time alone.
    #[must_use]
    pub fn at(milliseconds: u64) -> Self {
        Self { at: milliseconds, sequencer: None }
    }

    /// Orders two revisions; the greater one is newer.
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
    /// The revision, or the time of the run.
    #[must_use]
    pub fn place(&self) -> Revision {
        self.revision.clone().unwrap_or_else(|| Revision::at(self.instant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: u64, object: &str, value: &str) -> Revision {
        Revision { at, sequencer: Some(Sequencer { object: object.to_owned(), value: value.to_owned() }) }
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
    fn times_decide_otherwise() {
        assert_eq!(event(1, "b/k", "ff").compare(&event(2, "b/other", "00")), Ordering::Less);
        assert_eq!(event(3, "b/k", "ff").compare(&Revision::at(2)), Ordering::Greater);
        assert_eq!(Revision::at(2).compare(&Revision::at(2)), Ordering::Equal);
    }
}
