//! How long one process takes to carry out a plan: whether an invocation of a function is long enough.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Plan;

/// Writes a second that are assumed before a release was measured. A function that writes alone has 32 requests in flight;
/// at 100 ms each, three times what S3 usually takes, they are as many.
const DEFAULT_RATE: u32 = 300;

/// Bytes a second that a function sends, about. See [`SHARD_BYTES`](super::shards::SHARD_BYTES).
const BYTES_PER_SECOND: u64 = 70_000_000;

/// Fewest writes that measure a rate: the first ones wait for connections.
const MEASURABLE: u64 = 1_000;

/// How long one process takes to carry out a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WriteEstimate {
    /// Objects to write, and bodies to archive.
    pub writes: u64,
    /// Bytes to send. Copies within S3 send none.
    pub bytes: u64,
    /// Writes a second.
    pub rate: u32,
    /// Whether an earlier release was measured. Otherwise the rate is an assumption.
    pub measured: bool,
}

impl WriteEstimate {
    /// The estimate for a plan. `measured` is the rate of an earlier release, in writes a second.
    #[must_use]
    pub fn new(plan: &Plan, measured: Option<u32>) -> Self {
        Self {
            writes: plan.sharded_operations(),
            bytes: plan.totals.bytes_to_write,
            rate: measured.unwrap_or(DEFAULT_RATE).max(1),
            measured: measured.is_some(),
        }
    }

    /// The rate of a run, in writes a second; nothing if it was too short to measure.
    #[must_use]
    pub fn measure(writes: u64, elapsed: Duration) -> Option<u32> {
        let milliseconds = elapsed.as_millis();
        (writes >= MEASURABLE && milliseconds > 0)
            .then(|| u32::try_from(u128::from(writes) * 1_000 / milliseconds).unwrap_or(u32::MAX))
    }

    /// How long it takes.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs((self.writes / u64::from(self.rate.max(1))).max(self.bytes / BYTES_PER_SECOND))
    }
}

/// When a publish is distributed. One without writes never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DistributeWhen {
    /// If it has more writes than that.
    Writes(u64),
    /// If one process needs more time than that, by the estimate.
    Takes(Duration),
}

impl DistributeWhen {
    /// Whether a plan with this estimate is distributed.
    #[must_use]
    pub fn holds(self, estimate: &WriteEstimate) -> bool {
        match self {
            Self::Writes(most) => estimate.writes > most,
            Self::Takes(most) => estimate.writes > 0 && estimate.duration() > most,
        }
    }
}

impl fmt::Display for WriteEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.duration().as_secs();
        let time = match seconds {
            0..60 => format!("{} s", seconds.max(1)),
            60..7_200 => format!("{} min", seconds / 60),
            _ => format!("{} h", seconds / 3_600),
        };
        let source = if self.measured { "measured" } else { "assumed" };
        write!(f, "{} writes take about {time} at {} a second ({source})", self.writes, self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(writes: u64, bytes: u64, rate: u32) -> WriteEstimate {
        WriteEstimate { writes, bytes, rate, measured: true }
    }

    #[test]
    fn the_slower_of_requests_and_bytes_counts() {
        assert_eq!(estimate(3_000, 0, 300).duration(), Duration::from_secs(10));
        assert_eq!(estimate(3_000, 7_000_000_000, 300).duration(), Duration::from_secs(100));
        assert_eq!(
            estimate(1_800_000, 0, 500).to_string(),
            "1800000 writes take about 60 min at 500 a second (measured)"
        );
    }

    #[test]
    fn a_short_run_measures_nothing() {
        assert_eq!(WriteEstimate::measure(999, Duration::from_secs(1)), None);
        assert_eq!(WriteEstimate::measure(5_000, Duration::from_millis(2_500)), Some(2_000));
        assert_eq!(WriteEstimate::measure(5_000, Duration::ZERO), None);
    }
}
