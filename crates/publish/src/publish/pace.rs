//! How many writes are in flight: fewer after S3 asks for that, then more again.

use crate::s3::ThrottleCount;

/// Writes in flight of a run that writes alone. S3 takes 3,500 a second for a prefix, at tens of milliseconds each. It
/// starts with all of them, since a small publish ends before a lower number would have grown.
const ALONE: usize = 32;

/// The first writes in flight of a worker: many workers start at the same time.
const FIRST: usize = 8;

/// Most writes in flight of a worker. Small bodies of 256 KiB are whole in memory, so they take at most 32 MiB.
const MOST: usize = 128;

/// The number of writes in flight. It doubles after as many writes without a throttled response, and halves after one.
#[derive(Debug)]
pub(super) struct WritePace {
    limit: usize,
    most: usize,
    /// Writes that ended since the limit changed.
    ended: usize,
    throttles: ThrottleCount,
    /// Throttled responses that have been acted upon.
    seen: u64,
}

impl WritePace {
    /// The pace of a run that writes alone.
    pub(super) fn alone(throttles: &ThrottleCount) -> Self {
        Self::new(ALONE, ALONE, throttles)
    }

    /// The pace of a worker among many.
    pub(super) fn shared(throttles: &ThrottleCount) -> Self {
        Self::new(FIRST, MOST, throttles)
    }

    fn new(limit: usize, most: usize, throttles: &ThrottleCount) -> Self {
        Self { limit, most, ended: 0, throttles: throttles.clone(), seen: throttles.get() }
    }

    /// How many writes may be in flight.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Notes that a write ended.
    pub(super) fn ended(&mut self) {
        self.ended += 1;
        if self.ended < self.limit {
            return;
        }
        // Once for as many writes as are in flight: their responses are about the same moment.
        self.ended = 0;
        let throttles = self.throttles.get();
        let throttled = throttles > self.seen;
        self.seen = throttles;
        self.limit = if throttled { (self.limit / 2).max(1) } else { (self.limit * 2).min(self.most) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(pace: &mut WritePace, writes: usize) -> usize {
        (0..writes).for_each(|_| pace.ended());
        pace.limit()
    }

    #[test]
    fn doubles_while_nothing_is_throttled_and_halves_once_for_a_burst() {
        let throttles = ThrottleCount::default();
        let mut pace = WritePace::shared(&throttles);
        assert_eq!((pace.limit(), end(&mut pace, 7), end(&mut pace, 1)), (8, 8, 16));
        assert_eq!((end(&mut pace, 16), end(&mut pace, 32), end(&mut pace, 64)), (32, 64, 128));
        assert_eq!(end(&mut pace, 1000), MOST);
        let mut pace = WritePace::shared(&throttles);
        // All writes in flight are throttled together.
        (0..8).for_each(|_| throttles.add());
        assert_eq!((end(&mut pace, 7), end(&mut pace, 1)), (8, 4));
        assert_eq!(end(&mut pace, 4), 8, "none since");
        for _ in 0..10 {
            throttles.add();
            end(&mut pace, 8);
        }
        assert!(pace.limit() >= 1);
    }

    #[test]
    fn a_run_that_writes_alone_is_back_at_its_pace_after_being_throttled() {
        let throttles = ThrottleCount::default();
        let mut pace = WritePace::alone(&throttles);
        assert_eq!((pace.limit(), end(&mut pace, 100)), (32, 32));
        throttles.add();
        assert_eq!(end(&mut pace, 32), 16);
        assert_eq!(end(&mut pace, 16), 32);
    }
}
