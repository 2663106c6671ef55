//! Who is told of runs as they end. Entries decide what becomes of it: lines of a log, or words for a person.

use std::time::Duration;

use tidegate_core::timestamp::Timestamp;

use super::{Ended, RunError};
use crate::run_log::{Ending, Entry};
use crate::trigger::Trigger;

/// Hears of every run, also of one that failed.
pub trait Journal: Send + Sync {
    /// A run ended, or was handed on.
    fn enter(&self, entry: &Entry);
}

/// What is told of a run that began at `began` in the sense of people, and took `took`.
pub(super) fn entry(
    trigger: &Trigger,
    (run, times): (&str, u32),
    ended: &Result<Ended, RunError>,
    began: Timestamp,
    took: Duration,
) -> Entry {
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Entry {
        run: run.to_owned(),
        site: trigger.site.clone(),
        cause: trigger.cause,
        release: trigger.release.clone(),
        times,
        at: Timestamp::from_milliseconds(began.milliseconds().saturating_add(milliseconds)),
        milliseconds,
        ending: match ended {
            Ok(Ended::Report(report)) => Ending::Report(report.clone()),
            Ok(Ended::Superseded(why)) => Ending::Superseded(why.clone()),
            Ok(Ended::HandedOn { .. }) => Ending::HandedOn,
            Err(error) => Ending::Failed { fault: error.fault(), why: error.to_string() },
        },
    }
}
