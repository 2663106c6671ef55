//! Who is told of runs as they end. Entries decide what becomes of it: lines of a log, or words for a person.

use std::time::Duration;

use tidegate_core::timestamp::Timestamp;

use super::{RunError, RunResult};
use crate::run_log::{RunEnding, RunLogEntry};
use crate::trigger::Trigger;

/// Hears of every run, also of one that failed.
pub trait RunLog: Send + Sync {
    /// A run ended, or was handed on.
    fn write(&self, entry: &RunLogEntry);
}

/// What is told of a run that began at `began` in the sense of people, and took `took`.
pub(super) fn log_entry(
    trigger: &Trigger,
    (run, times): (&str, u32),
    ended: &Result<RunResult, RunError>,
    began: Timestamp,
    took: Duration,
) -> RunLogEntry {
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    RunLogEntry {
        run: run.to_owned(),
        site: trigger.site.clone(),
        cause: trigger.cause,
        release: trigger.release.clone(),
        times,
        at: Timestamp::from_milliseconds(began.milliseconds().saturating_add(milliseconds)),
        milliseconds,
        ending: match ended {
            Ok(RunResult::Report(report)) => RunEnding::Report(report.clone()),
            Ok(RunResult::Superseded(why)) => RunEnding::Superseded(why.clone()),
            Ok(RunResult::Continued { .. }) => RunEnding::Continued,
            Err(error) => RunEnding::Failed { kind: error.kind(), why: error.to_string() },
        },
    }
}
