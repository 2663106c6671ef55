//! Dispatches one event and makes the answer that its source expects.
//!
//! A failure is reported where the source can act on it: to SQS by message id, to an HTTP client by status, and to
//! every other source by a failed invocation, which Lambda retries.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidegate_core::config::SiteName;
use tidegate_core::error_kind::ErrorKind;

use super::EventHandler;
use super::response::{batch_response, http_response, run_response};
use super::result::{RunError, RunResult};
use crate::context::InvocationContext;
use crate::trigger::{
    Continuation, EventRecord, EventSource, InvocationEvent, ParsedRecord, RecordError, RunId, TriggerError,
    match_sites, read,
};

/// Why an invocation failed.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The event cannot be read.
    #[error(transparent)]
    Event(#[from] TriggerError),
    /// One record of the event cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A run failed before it had a plan.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A run ended with the outcome `failed` or `partial`. Contains its report.
    #[error("the run failed: {0}")]
    Report(String),
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
    /// Whether no run was started, so that the run log has nothing about it.
    #[must_use]
    pub fn is_before_run(&self) -> bool {
        match self {
            Self::Event(_) | Self::Record(_) => true,
            Self::Run(_) | Self::Report(_) => false,
            Self::Site { error, .. } => error.is_before_run(),
            Self::Several(errors) => errors.iter().any(Self::is_before_run),
        }
    }

    /// The name of the error in AWS.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Run(error) => error.error_type(),
            _ => self.kind().error_type(),
        }
    }

    /// The kind of the error; of several errors, the kind of the worst one.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Event(_) | Self::Record(_) => ErrorKind::Configuration,
            Self::Run(error) => error.kind(),
            Self::Report(_) => ErrorKind::Cloud,
            Self::Site { error, .. } => error.kind(),
            Self::Several(errors) => {
                errors.iter().map(Self::kind).max_by_key(|kind| severity(*kind)).unwrap_or(ErrorKind::Bug)
            }
        }
    }
}

/// Ranks kinds of errors like the exit codes of the CLI do.
fn severity(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Plugin => 0,
        ErrorKind::Configuration => 1,
        ErrorKind::Artifact => 2,
        ErrorKind::Cloud => 3,
        ErrorKind::Bug => 4,
    }
}

/// What became of an event.
#[derive(Debug)]
pub struct EventResponse {
    /// The answer that the source of the event expects.
    pub answer: Value,
    /// The failures that the answer reports: those of some messages of a queue.
    pub failures: Vec<EventError>,
}

impl From<Value> for EventResponse {
    fn from(answer: Value) -> Self {
        Self { answer, failures: Vec::new() }
    }
}

impl EventHandler {
    /// Handles an event as AWS delivers it, and returns the answer that its source expects. `request_id` is the id of
    /// the invocation.
    ///
    /// # Errors
    /// [`EventError`], only if a retry of the same event may succeed, or if the event cannot be read.
    pub async fn handle(
        &self,
        event: &Value,
        request_id: &str,
        context: InvocationContext,
    ) -> Result<Value, EventError> {
        let log = |error: &EventError| tracing::error!(%error, "a record failed");
        match self.respond(event, request_id, context).await {
            Ok(EventResponse { answer, failures }) => {
                failures.iter().for_each(log);
                Ok(answer)
            }
            Err(error) => {
                if let EventError::Several(errors) = &error {
                    errors.iter().for_each(log);
                }
                Err(error)
            }
        }
    }

    /// Like [`Self::handle`], with the failures that are part of the answer, which are not logged.
    ///
    /// # Errors
    /// Those of [`Self::handle`].
    pub async fn respond(
        &self,
        event: &Value,
        request_id: &str,
        context: InvocationContext,
    ) -> Result<EventResponse, EventError> {
        match read(event)? {
            InvocationEvent::Http(request) => Ok(http_response(&self.answer_webhook(&request, context).await).into()),
            InvocationEvent::Continuation(continuation) => {
                answer(self.resume(&continuation, context).await).map(EventResponse::from)
            }
            InvocationEvent::Task(task) => {
                let state = Box::pin(self.task(*task, context)).await?;
                Ok(state.into())
            }
            InvocationEvent::Direct(invocation) => {
                answer(self.invoke(&invocation, &RunId::new(request_id), context).await).map(EventResponse::from)
            }
            InvocationEvent::Records { source, records } => {
                Box::pin(self.records(source, &records, request_id, context)).await
            }
        }
    }

    /// Continues a run of another invocation.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn resume(&self, continuation: &Continuation, context: InvocationContext) -> Result<RunResult, RunError> {
        self.run(&continuation.trigger, &continuation.run, context).await
    }

    /// Handles every record, even if another one failed.
    async fn records(
        &self,
        source: EventSource,
        records: &[EventRecord],
        request_id: &str,
        context: InvocationContext,
    ) -> Result<EventResponse, EventError> {
        let (mut answers, mut failures, mut failed_messages) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut failed_groups = BTreeSet::new();
        for (index, record) in records.iter().enumerate() {
            // SQS delivers the rest of a group again only if it is reported as failed, too. Source: AWS Lambda developer
            // guide, "Handling errors for an SQS event source in Lambda".
            if record.group.as_ref().is_some_and(|group| failed_groups.contains(group)) {
                tracing::info!(message = index, "a message waits: an earlier message of its group failed");
                failed_messages.insert(record.message_id.as_ref());
                continue;
            }
            match self.record(record, &RunId::new(format!("{request_id}-{index}")), context).await {
                Ok(record_answers) => answers.extend(record_answers),
                Err(error) => {
                    failures.push(error);
                    failed_groups.extend(&record.group);
                    failed_messages.insert(record.message_id.as_ref());
                }
            }
        }
        if source == EventSource::Sqs {
            // If every message failed, so does the invocation: SQS then delivers them again even if the mapping does not
            // ask for a report of the failed ones. A message without an id cannot be reported.
            let messages: BTreeSet<_> = records.iter().map(|record| record.message_id.as_ref()).collect();
            let fails = failed_messages == messages || failed_messages.contains(&None);
            if failures.is_empty() || !fails {
                let answer = batch_response(failed_messages.into_iter().flatten());
                return Ok(EventResponse { answer, failures });
            }
        }
        all(answers, failures).map(|answers| Value::Array(answers).into())
    }

    async fn record(
        &self,
        record: &EventRecord,
        id: &RunId,
        context: InvocationContext,
    ) -> Result<Vec<Value>, EventError> {
        let stored = match record.content.as_ref().map_err(Clone::clone)? {
            ParsedRecord::Ignored(reason) => {
                tracing::info!(%reason, "a record was ignored");
                return Ok(Vec::new());
            }
            ParsedRecord::Continuation(continuation) => {
                return answer(self.resume(continuation, context).await).map(|answer| vec![answer]);
            }
            ParsedRecord::Stored(stored) => stored,
        };
        let matched = match_sites(&self.config, stored);
        for unmatched in &matched.unmatched {
            tracing::info!(site = %unmatched.site, reason = %unmatched.reason, "an upload does not publish a site");
        }
        let (mut answers, mut failures) = (Vec::new(), Vec::new());
        for trigger in &matched.triggers {
            match answer(self.run(trigger, id, context).await) {
                Ok(answer) => answers.push(answer),
                Err(error) => failures.push(EventError::Site { site: trigger.site.clone(), error: Box::new(error) }),
            }
        }
        all(answers, failures)
    }
}

/// The answers, or the failures if there are any.
fn all(answers: Vec<Value>, failures: Vec<EventError>) -> Result<Vec<Value>, EventError> {
    if failures.is_empty() { Ok(answers) } else { Err(EventError::Several(failures)) }
}

/// The answer for one run.
///
/// A denial is an answer, not an error: a retry would be denied again. So are a broken artifact and a failing plugin,
/// since the same bytes and the same plugins fail again. A configuration error stays an error: the last retry may be
/// hours later, when a corrected configuration is deployed.
fn answer(result: Result<RunResult, RunError>) -> Result<Value, EventError> {
    let result = match result {
        Err(error) if matches!(error.kind(), ErrorKind::Artifact | ErrorKind::Plugin) => {
            return Ok(
                json!({ "outcome": "failed", "errorType": error.kind().error_type(), "reason": error.to_string() }),
            );
        }
        result => result?,
    };
    let answer = run_response(&result);
    if result.failed() { Err(EventError::Report(answer.to_string())) } else { Ok(answer) }
}
