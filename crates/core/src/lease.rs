//! The lease of a site: one small object that says who may write.
//!
//! Owns its form and when it may be taken. Never reads a clock: whoever waits says how long it saw the same lease, by a
//! clock that only goes forward, so that no two machines need to agree on the time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::release::FORMAT;

/// Whoever holds the right to write to a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// Counts every time that the lease was taken: a holder with a smaller count has lost it.
    pub fence: u64,
    /// The holder's own random name; nobody where it is empty.
    pub holder: String,
    /// What the holder publishes, for people.
    pub release: String,
    /// How long it lasts without renewal, in seconds, as its holder promised.
    pub seconds: u16,
    /// Counts renewals, so that every renewal is another object.
    pub renewals: u64,
}

impl LeaseRecord {
    /// The lease that takes the place of `before`.
    #[must_use]
    pub fn taken(before: Option<&Self>, holder: &str, release: &str, seconds: u16) -> Self {
        Self {
            format: FORMAT,
            fence: before.map_or(0, |before| before.fence).saturating_add(1),
            holder: holder.to_owned(),
            release: release.to_owned(),
            seconds,
            renewals: 0,
        }
    }

    /// The same lease for longer.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self { renewals: self.renewals.saturating_add(1), ..self.clone() }
    }

    /// Nobody's lease, with the count that the next holder goes on from.
    #[must_use]
    pub fn released(&self) -> Self {
        Self { holder: String::new(), ..self.renewed() }
    }

    /// Whether somebody else may take it who saw it unchanged for so long.
    #[must_use]
    pub fn is_free(&self, unchanged: Duration) -> bool {
        self.holder.is_empty() || unchanged >= self.lasts()
    }

    /// How long it lasts after each renewal, for those who wait.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds))
    }

    /// How long its holder may write after each renewal: less than it lasts, so that a request that is under way has
    /// ended before anybody takes over, and measured from before the renewal was sent.
    #[must_use]
    pub fn may_write_for(&self) -> Duration {
        self.lasts() * 2 / 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_taken_when_it_is_free_or_was_left() {
        let first = LeaseRecord::taken(None, "a", "c1", 30);
        assert_eq!((first.fence, first.is_free(Duration::from_secs(29))), (1, false));
        assert!(first.is_free(Duration::from_secs(30)));
        assert!(first.released().is_free(Duration::ZERO));
        assert_eq!(LeaseRecord::taken(Some(&first.released()), "b", "c2", 30).fence, 2);
        assert!(first.may_write_for() < first.lasts());
        assert_ne!(first.renewed(), first);
    }
}
