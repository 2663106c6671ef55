//! Handles one event and makes the answer that its source expects.
//!
//! A failure is reported where the source can act on it: to SQS by message id, to an HTTP client by status, to every other
//! source by a failed invocation, which Lambda retries.

use serde_json::{Value, json};
use tidegate_core::config::SiteName;
use tidegate_core::error_kind::ErrorKind;

use super::response::{batch, http, told};
use super::{EventHandler, RunError, RunResult};
use crate::context::InvocationContext;
use crate::trigger::{
    Carrier, Continuation, Delivery, EventRecord, ParsedRecord, RecordError, RunId, TriggerError, match_sites, read,
};

/// Why an invocation failed.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Nothing of the event can be read.
    #[error(transparent)]
    Event(#[from] TriggerError),
    /// One record of the event cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A run failed before it had a plan.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A run ended with the outcome `failed` or `partial`; the text is its report.
    #[error("the run did not end well: {0}")]
    Ended(String),
    /// The run of one site failed.
    #[error("`{site}`: {error}")]
    Site {
        /// The site.
        site: SiteName,
        /// The failure.
        error: Box<EventError>,
    },
    /// Several records or sites failed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Several(Vec<EventError>),
}

impl EventError {
    /// The kind of the error; of several errors, the kind of the worst.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Event(_) | Self::Record(_) => ErrorKind::Configuration,
            Self::Run(error) => error.kind(),
            Self::Ended(_) => ErrorKind::Cloud,
            Self::Site { error, .. } => error.kind(),
            Self::Several(errors) => {
                errors.iter().map(Self::kind).max_by_key(|kind| severity(*kind)).unwrap_or(ErrorKind::Bug)
            }
        }
    }
}

/// How bad a kind of error is, in the order of the exit codes of `tidegate`.
fn severity(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Plugin => 0,
        ErrorKind::Configuration => 1,
        ErrorKind::Artifact => 2,
        ErrorKind::Cloud => 3,
        ErrorKind::Bug => 4,
    }
}

impl EventHandler {
    /// Handles an event as AWS delivers it, and returns the answer that its source expects. `request` is the id of the
    /// invocation.
    ///
    /// # Errors
    /// [`EventError`], only if a retry of the same event may succeed or if nothing of the event can be read.
    pub async fn event(&self, event: &Value, request: &str, moment: InvocationContext) -> Result<Value, EventError> {
        match read(event)? {
            Delivery::Call(call) => Ok(http(&self.answer(&call, moment).await)),
            Delivery::Continuation(run) => one(self.continued(&run, moment).await),
            Delivery::Invocation(asked) => one(self.invoke(&asked, &RunId::new(request), moment).await),
            Delivery::Events { carrier, records } => self.several(carrier, &records, request, moment).await,
        }
    }

    /// Goes on with a run that another invocation handed on.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn continued(&self, run: &Continuation, moment: InvocationContext) -> Result<RunResult, RunError> {
        self.act(&run.trigger, &run.run, moment).await
    }

    /// Handles every record, whatever becomes of the others.
    async fn several(
        &self,
        carrier: Carrier,
        records: &[EventRecord],
        request: &str,
        moment: InvocationContext,
    ) -> Result<Value, EventError> {
        let (mut reports, mut failures, mut messages) = (Vec::new(), Vec::new(), Vec::new());
        for (at, record) in records.iter().enumerate() {
            match self.record(record, &RunId::new(format!("{request}-{at}")), moment).await {
                Ok(told) => reports.extend(told),
                Err(error) => {
                    tracing::error!(%error, "a record failed");
                    failures.push(error);
                    messages.extend(record.message.clone());
                }
            }
        }
        if carrier == Carrier::Queue {
            return Ok(batch(&messages));
        }
        all(reports, failures).map(Value::Array)
    }

    async fn record(
        &self,
        record: &EventRecord,
        run: &RunId,
        moment: InvocationContext,
    ) -> Result<Vec<Value>, EventError> {
        let stored = match record.notice.as_ref().map_err(Clone::clone)? {
            ParsedRecord::Ignored(why) => {
                tracing::info!(%why, "ignored");
                return Ok(Vec::new());
            }
            ParsedRecord::Continuation(run) => return one(self.continued(run, moment).await).map(|told| vec![told]),
            ParsedRecord::Stored(stored) => stored,
        };
        let claims = match_sites(&self.config, stored);
        for declined in &claims.declined {
            tracing::info!(site = %declined.site, why = %declined.why, "not published");
        }
        let (mut reports, mut failures) = (Vec::new(), Vec::new());
        for trigger in &claims.triggers {
            match one(self.act(trigger, run, moment).await) {
                Ok(report) => reports.push(report),
                Err(error) => failures.push(EventError::Site { site: trigger.site.clone(), error: Box::new(error) }),
            }
        }
        all(reports, failures)
    }
}

/// The reports if nothing failed.
fn all(reports: Vec<Value>, failures: Vec<EventError>) -> Result<Vec<Value>, EventError> {
    if failures.is_empty() { Ok(reports) } else { Err(EventError::Several(failures)) }
}

/// The answer for one run. A denial is a report, not an error: a retry would be denied again. The same holds for a broken
/// artifact and for a failing plugin: the same bytes and the same plugins end alike. An error of the configuration stays an
/// error: the last retry may be hours later, when the configuration has been deployed anew.
fn one(ended: Result<RunResult, RunError>) -> Result<Value, EventError> {
    let ended = match ended {
        Err(error) if matches!(error.kind(), ErrorKind::Artifact | ErrorKind::Plugin) => {
            return Ok(
                json!({ "outcome": "failed", "errorType": error.kind().error_type(), "reason": error.to_string() }),
            );
        }
        ended => ended?,
    };
    let value = told(&ended);
    if ended.failed() { Err(EventError::Ended(value.to_string())) } else { Ok(value) }
}
