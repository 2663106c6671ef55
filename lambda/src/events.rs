//! One invocation, whatever it brings.
//!
//! Owns who is asked what, and which failure is told to whom: a queue by message, a caller by status, everybody else by a
//! failed invocation, which Lambda then tries again.

use lambda_runtime::Diagnostic;
use serde_json::Value;
use tidegate_deploy::publish::Fault;
use tidegate_deploy::trigger::{Ended, Moment, Reactor, RunError};
use tidegate_host::trigger::{Carrier, Delivery, HandedOn, Notice, Record, TriggerError, claim, read};

use crate::answer::{batch, http, told};

/// Why an invocation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvocationError {
    #[error(transparent)]
    Event(#[from] TriggerError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("{}", .0.join("; "))]
    Several(Vec<String>),
    #[error("the run did not end well: {0}")]
    Ended(String),
}

impl From<InvocationError> for Diagnostic {
    /// A stable name, so that alarms and retries can tell what may change by itself.
    fn from(error: InvocationError) -> Self {
        let kind = match &error {
            InvocationError::Run(cause) => match cause.fault() {
                Fault::Configuration => "Tidegate.Configuration",
                Fault::Plugin => "Tidegate.Plugin",
                Fault::Cloud => "Tidegate.Cloud",
                Fault::Defect => "Tidegate.Defect",
            },
            InvocationError::Several(_) | InvocationError::Ended(_) => "Tidegate.Cloud",
            InvocationError::Event(_) => "Tidegate.Configuration",
        };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

pub(crate) async fn act(
    reactor: &Reactor,
    event: &Value,
    request: &str,
    moment: Moment,
) -> Result<Value, InvocationError> {
    match read(event)? {
        Delivery::Call(call) => Ok(http(&reactor.answer(&call, moment).await)),
        Delivery::HandedOn(run) => one(handed_on(reactor, &run, moment).await),
        Delivery::Invocation(asked) => one(reactor.invoke(&asked, request, moment).await),
        Delivery::Events { carrier, records } => several(reactor, carrier, &records, request, moment).await,
    }
}

async fn handed_on(reactor: &Reactor, run: &HandedOn, moment: Moment) -> Result<Ended, RunError> {
    reactor.act(&run.trigger, &run.run, run.times, moment).await
}

/// A denial is a report, not an error: asking again would be denied again.
fn one(ended: Result<Ended, RunError>) -> Result<Value, InvocationError> {
    let ended = ended?;
    let value = told(&ended);
    tracing::info!(report = %value, "run");
    if ended.failed() { Err(InvocationError::Ended(value.to_string())) } else { Ok(value) }
}

/// Every record is acted on, whatever becomes of the others.
async fn several(
    reactor: &Reactor,
    carrier: Carrier,
    records: &[Record],
    request: &str,
    moment: Moment,
) -> Result<Value, InvocationError> {
    let (mut reports, mut failures, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    for (at, record) in records.iter().enumerate() {
        match acted_on(reactor, record, &format!("{request}-{at}"), moment).await {
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
    if failures.is_empty() { Ok(Value::Array(reports)) } else { Err(InvocationError::Several(failures)) }
}

async fn acted_on(reactor: &Reactor, record: &Record, run: &str, moment: Moment) -> Result<Vec<Value>, String> {
    let stored = match &record.notice {
        Err(error) => return Err(error.to_string()),
        Ok(Notice::Ignored(why)) => {
            tracing::info!(%why, "ignored");
            return Ok(Vec::new());
        }
        Ok(Notice::HandedOn(run)) => {
            return one(handed_on(reactor, run, moment).await)
                .map(|told| vec![told])
                .map_err(|error| error.to_string());
        }
        Ok(Notice::Stored(stored)) => stored,
    };
    let claims = claim(&reactor.config, stored);
    for declined in &claims.declined {
        tracing::info!(site = %declined.site, why = %declined.why, "not published");
    }
    let (mut told, mut failures) = (Vec::new(), Vec::new());
    for trigger in &claims.triggers {
        match one(reactor.act(trigger, run, 0, moment).await) {
            Ok(value) => told.push(value),
            Err(error) => failures.push(format!("`{}`: {error}", trigger.site)),
        }
    }
    if failures.is_empty() { Ok(told) } else { Err(failures.join("; ")) }
}
