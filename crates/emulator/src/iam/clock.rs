//! The emulator's clock: the machine's time, which tests can advance to expire credentials and cached copies. The age
//! of a signature is always checked against the machine's own time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// The clock that all services of an account share. All clones are the same clock.
#[derive(Debug, Clone, Default)]
pub struct IamClock {
    /// Milliseconds ahead of the machine's clock.
    ahead: Arc<AtomicU64>,
}

impl IamClock {
    /// The current time of this clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let ahead = Duration::from_millis(self.ahead.load(Ordering::Relaxed));
        Timestamp::now().checked_add(ahead).unwrap_or(Timestamp::MAX)
    }

    /// Advances the clock by whole milliseconds.
    pub fn advance(&self, by: Duration) {
        let milliseconds = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.ahead.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

/// A timestamp as AWS writes it in answers: UTC, whole seconds, `2026-01-31T12:00:00Z`.
#[must_use]
pub(crate) fn iso8601(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_advance_together() {
        let clock = IamClock::default();
        let other = clock.clone();
        clock.advance(Duration::from_secs(3_600));
        assert!(other.now().duration_since(Timestamp::now()).as_secs() >= 3_598);
    }

    #[test]
    fn writes_timestamps_in_whole_seconds() {
        let timestamp: Timestamp = "2026-01-31T12:00:00.75Z".parse().expect("a timestamp");
        assert_eq!(iso8601(timestamp), "2026-01-31T12:00:00Z");
    }
}
