//! The log of the function: for every run one line of JSON, and one line with metrics for CloudWatch.
//!
//! Both lines have a bounded length and stay single lines whatever names, keys and messages contain. The full report is
//! stored beside the release.

mod line;
mod metrics;

use std::time::Duration;

use serde::Serialize;
use tidegate_core::config::SiteName;
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::plan::WriteEstimate;
use tidegate_core::report::PublishReport;
use tidegate_core::timestamp::Timestamp;

use crate::trigger::{RunId, Trigger, TriggerCause};

pub use line::{one_line, shorten};
pub use metrics::NAMESPACE;

/// Records runs.
pub trait RunLog: Send + Sync {
    /// Records a run that ended, failed or was continued in another invocation.
    fn write(&self, entry: &RunLogEntry);
}

/// One run, or one invocation's part of a run that was continued.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunLogEntry {
    /// The id of the run, the same in every invocation.
    pub run: String,
    /// The site.
    pub site: SiteName,
    /// What caused the run.
    pub cause: TriggerCause,
    /// The name of the release.
    pub release: String,
    /// How many times the run was continued before.
    pub continuations: u32,
    /// When this part ended.
    pub ended_at: Timestamp,
    /// How long this part took, in milliseconds.
    pub milliseconds: u64,
    /// How this part ended.
    pub ending: RunEnding,
}

/// How a run ended.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunEnding {
    /// The run has a report.
    Report(Box<PublishReport>),
    /// A newer event follows, which is a success. Contains the reason.
    Superseded(String),
    /// Another invocation continues the run.
    Continued,
    /// An execution of the state machine continues the run.
    Distributed {
        /// The execution.
        execution: String,
        /// How long one process would take, if the plan is made.
        estimate: Option<WriteEstimate>,
    },
    /// The run failed before it had a plan. Nothing was changed.
    Failed {
        /// The kind of the error.
        #[serde(rename = "error-type")]
        kind: ErrorKind,
        /// The text of the error.
        reason: String,
    },
}

impl RunLogEntry {
    /// The entry of a run that started at `started` and took `elapsed`.
    #[must_use]
    pub fn new(trigger: &Trigger, run: &RunId, ending: RunEnding, started: Timestamp, elapsed: Duration) -> Self {
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        Self {
            run: run.id.clone(),
            site: trigger.site.clone(),
            cause: trigger.cause,
            release: trigger.release.clone(),
            continuations: run.continuations,
            ended_at: Timestamp::from_milliseconds(started.milliseconds().saturating_add(milliseconds)),
            milliseconds,
            ending,
        }
    }
}
