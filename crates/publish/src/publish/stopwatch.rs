//! How long each stage of a run took.
//!
//! Owns the measuring. Nothing is decided by it.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::progress::Stage;

/// Measures stages.
pub(super) struct Stopwatch {
    since: Instant,
    laps: BTreeMap<String, u64>,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self { since: Instant::now(), laps: BTreeMap::new() }
    }
}

impl Stopwatch {
    /// Ends a stage; in milliseconds.
    pub(super) fn lap(&mut self, stage: Stage) -> u64 {
        let milliseconds = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since = Instant::now();
        self.laps.insert(stage.name().to_owned(), milliseconds);
        milliseconds
    }

    /// Milliseconds by stage.
    pub(super) fn into_laps(self) -> BTreeMap<String, u64> {
        self.laps
    }
}
