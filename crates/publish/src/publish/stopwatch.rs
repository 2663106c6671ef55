//! Measures how long each stage of a run takes.

use std::collections::BTreeMap;
use std::time::Instant;

use tidegate_core::report::PublishReport;

use crate::progress::Stage;

/// Measures stages, one after the other.
#[derive(Debug)]
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
    /// Ends a stage.
    pub(super) fn lap(&mut self, stage: Stage) {
        let milliseconds = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since = Instant::now();
        self.laps.insert(stage.name().to_owned(), milliseconds);
    }

    /// Ends a stage, and notes it in the report.
    pub(super) fn record(&mut self, stage: Stage, report: &mut PublishReport) {
        self.lap(stage);
        report.milliseconds.append(&mut self.laps);
    }

    /// Milliseconds by stage.
    pub(super) fn into_laps(self) -> BTreeMap<String, u64> {
        self.laps
    }
}
