//! What a function says of one run, for whoever reads its logs: one line of JSON, and figures that CloudWatch collects.
//!
//! Owns both forms. Each is one line whatever names, keys and messages from outside hold, and of a bounded length; the
//! report that is stored beside the release has everything.

mod line;
mod metrics;

use std::time::Duration;

use serde::Serialize;
use tidegate_core::config::SiteName;
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::report::PublishReport;
use tidegate_core::timestamp::Timestamp;

use crate::trigger::{RunId, Trigger, TriggerCause};

pub use line::{one_line, short};
pub use metrics::NAMESPACE;

/// Records every run, also one that failed.
pub trait RunLog: Send + Sync {
    /// A run ended or was continued.
    fn write(&self, entry: &RunLogEntry);
}

/// One run, or one invocation's share of a run that was handed on.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunLogEntry {
    /// The run's id, the same however often it is handed on.
    pub run: String,
    /// The site.
    pub site: SiteName,
    /// Who or what asked.
    pub cause: TriggerCause,
    /// What was to be published.
    pub release: String,
    /// How often the run was handed on before.
    pub continuations: u32,
    /// When it ended.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// How it ended.
    pub ending: RunEnding,
}

/// How a run ended, as its log tells it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunEnding {
    /// It came to an end.
    Report(Box<PublishReport>),
    /// Nothing had to be done; a success.
    Superseded(String),
    /// Another invocation goes on.
    Continued,
    /// It came to no plan. The site is as it was.
    Failed {
        /// Whose fault it is, told by its stable name.
        #[serde(rename = "error-type")]
        kind: ErrorKind,
        /// One sentence.
        reason: String,
    },
}

impl RunLogEntry {
    /// The entry of a run that began at `began` and took `took`.
    #[must_use]
    pub fn new(trigger: &Trigger, run: &RunId, ending: RunEnding, began: Timestamp, took: Duration) -> Self {
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Self {
            run: run.id.clone(),
            site: trigger.site.clone(),
            cause: trigger.cause,
            release: trigger.release.clone(),
            continuations: run.continuations,
            at: Timestamp::from_milliseconds(began.milliseconds().saturating_add(milliseconds)),
            milliseconds,
            ending,
        }
    }
}
