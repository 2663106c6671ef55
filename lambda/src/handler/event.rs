//! One invocation, whatever it brings.
//!
//! Owns who is asked what, and which failure is told to whom: a queue by message, a caller by status, everybody else by a
//! failed invocation, which Lambda then tries again.

use serde_json::{Value, json};
use tidegate_core::error_kind::ErrorKind;

use super::response::{batch, http, told};
use super::{EventHandler, RunError, RunResult};
use crate::context::InvocationContext;
use crate::trigger::{Carrier, Continuation, Delivery, EventRecord, ParsedRecord, TriggerError, match_sites, read};

/// Why an invocation failed.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Nothing of the event can be read.
    #[error(transparent)]
    Event(#[from] TriggerError),
    /// The one run that it asked for failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Some of the runs that it asked for failed.
    #[error("{}", .0.join("; "))]
    Several(Vec<String>),
    /// A run came to an end, but not to the end that was asked for.
    #[error("the run did not end well: {0}")]
    Ended(String),
}

impl EventError {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Run(cause) => cause.kind(),
            Self::Several(_) | Self::Ended(_) => ErrorKind::Cloud,
            Self::Event(_) => ErrorKind::Configuration,
        }
    }
}

impl EventHandler {
    /// Acts on an event, as AWS delivers it, and says what its carrier wants back. `request` is the invocation's id.
    ///
    /// # Errors
    /// [`EventError`], only where trying the same event again may be right, or where nothing of it can be read.
    pub async fn event(&self, event: &Value, request: &str, moment: InvocationContext) -> Result<Value, EventError> {
        match read(event)? {
            Delivery::Call(call) => Ok(http(&self.answer(&call, moment).await)),
            Delivery::Continuation(run) => one(self.continued(&run, moment).await),
            Delivery::Invocation(asked) => one(self.invoke(&asked, request, moment).await),
            Delivery::Events { carrier, records } => self.several(carrier, &records, request, moment).await,
        }
    }

    /// Goes on with a run that another invocation handed on.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn continued(&self, run: &Continuation, moment: InvocationContext) -> Result<RunResult, RunError> {
        self.act(&run.trigger, &run.run, run.times, moment).await
    }

    /// Every record is acted on, whatever becomes of the others.
    async fn several(
        &self,
        carrier: Carrier,
        records: &[EventRecord],
        request: &str,
        moment: InvocationContext,
    ) -> Result<Value, EventError> {
        let (mut reports, mut failures, mut messages) = (Vec::new(), Vec::new(), Vec::new());
        for (at, record) in records.iter().enumerate() {
            match self.record(record, &format!("{request}-{at}"), moment).await {
                Ok(told) => reports.extend(told),
                Err(why) => {
                    tracing::error!(error = why, "a record failed");
                    failures.push(why);
                    messages.extend(record.message.clone());
                }
            }
        }
        if carrier == Carrier::Queue {
            return Ok(batch(&messages));
        }
        if failures.is_empty() { Ok(Value::Array(reports)) } else { Err(EventError::Several(failures)) }
    }

    async fn record(&self, record: &EventRecord, run: &str, moment: InvocationContext) -> Result<Vec<Value>, String> {
        let stored = match &record.notice {
            Err(error) => return Err(error.to_string()),
            Ok(ParsedRecord::Ignored(why)) => {
                tracing::info!(%why, "ignored");
                return Ok(Vec::new());
            }
            Ok(ParsedRecord::Continuation(run)) => {
                let told = one(self.continued(run, moment).await);
                return told.map(|told| vec![told]).map_err(|error| error.to_string());
            }
            Ok(ParsedRecord::Stored(stored)) => stored,
        };
        let claims = match_sites(&self.config, stored);
        for declined in &claims.declined {
            tracing::info!(site = %declined.site, why = %declined.why, "not published");
        }
        let (mut told, mut failures) = (Vec::new(), Vec::new());
        for trigger in &claims.triggers {
            match one(self.act(trigger, run, 0, moment).await) {
                Ok(value) => told.push(value),
                Err(error) => failures.push(format!("`{}`: {error}", trigger.site)),
            }
        }
        if failures.is_empty() { Ok(told) } else { Err(failures.join("; ")) }
    }
}

/// A denial is a report, not an error: asking again would be denied again. So is an artifact that is broken, and a plugin that
/// fails, which denies the run: the same bytes and the same plugins end alike. A configuration may be another one by the time of
/// the last attempt, hours later.
fn one(ended: Result<RunResult, RunError>) -> Result<Value, EventError> {
    let ended = match ended {
        Err(error) if matches!(error.kind(), ErrorKind::Artifact | ErrorKind::Plugin) => {
            return Ok(
                json!({ "outcome": "failed", "errorType": error.kind().error_type(), "why": error.to_string() }),
            );
        }
        ended => ended?,
    };
    let value = told(&ended);
    if ended.failed() { Err(EventError::Ended(value.to_string())) } else { Ok(value) }
}
