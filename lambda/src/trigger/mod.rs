//! What starts a run: reads the event of an invocation and finds out which sites it publishes.
//!
//! Everything here is parsing and matching. [`crate::handler`] acts on the result. An event passes through the files in
//! this order:
//!
//! | File | Step |
//! |---|---|
//! | `http_request` | reads an HTTP request of a function URL; [`crate::webhook`] verifies it |
//! | `envelope` | unwraps SQS and SNS messages |
//! | `s3_event`, `event_bridge` | read one record, in the form of an S3 notification or of EventBridge |
//! | `dedupe` | keeps the newest event of each object |
//! | `execution` | reads a task of the state machine |
//! | `invocation`, `run_id` | read a direct invocation, or a run that another invocation continues here |
//! | `match_sites` | matches a stored object against the `staged` and `builds` of each site |
//! | `artifact_ref` | the result: a [`Trigger`] says which site to publish from which artifact |
//!
//! The types of the crate `aws_lambda_events` are not used. They read a batch as a whole, so that one bad record would
//! lose the others; they require fields that no rule needs and that other S3-compatible servers omit; and they bring a
//! second library for dates.

mod artifact_ref;
mod dedupe;
mod envelope;
mod event_bridge;
mod execution;
mod http_request;
mod invocation;
mod match_sites;
mod run_id;
mod s3_event;

use serde_json::Value;
use tidegate_core::sanitize::sanitize_name;

pub(crate) use artifact_ref::NamedArtifact;
pub use artifact_ref::{
    AmbiguousKey, AmbiguousKeyError, ArtifactRef, KeyReading, ObjectVersion, ReadingState, Trigger, TriggerCause,
};
pub use envelope::EventSource;
pub use execution::{CaughtError, DistributedPublish, DistributedWork, ExecutionState, ExecutionTask, FailedState};
pub use http_request::{HttpRequest, HttpRequestError, MAX_PAYLOAD_BYTES};
pub use invocation::{CONTINUATION_FORMAT, Continuation, Invocation, InvocationError};
pub use match_sites::{MatchedSites, NoMatchReason, UnmatchedSite, match_sites};
pub use run_id::RunId;
pub use s3_event::{
    AlternativeKey, EventObject, EventRecord, IgnoredRecord, MessageGroup, MessageId, ParsedRecord, RecordError,
    StoredObject,
};

/// The event of one invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvocationEvent {
    /// A direct invocation that names what to publish.
    Direct(Invocation),
    /// A run that another invocation of the function continues here.
    Continuation(Box<Continuation>),
    /// A task of the state machine.
    Task(Box<ExecutionTask>),
    /// An HTTP request from a function URL or an API Gateway.
    Http(HttpRequest),
    /// Events of S3. One bad record does not affect the others.
    Records {
        /// The service that invoked the function: the outermost envelope.
        source: EventSource,
        /// The records in their original order.
        records: Vec<EventRecord>,
    },
}

/// Why an event cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// The event has none of the known forms.
    #[error("unknown event: {0}; send an S3 event, a webhook, or `{{\"site\": \"NAME\"}}` to publish a site")]
    Unknown(String),
    /// A direct invocation has an invalid form.
    #[error("invalid invocation: {0}")]
    Invocation(String),
    /// A continuation comes from another version of Tidegate.
    #[error("cannot continue the run: {0}; another version of Tidegate started it, so start it again")]
    Continuation(String),
    /// A task of the state machine comes from another version of Tidegate.
    #[error(
        "cannot do the task of the state machine: {0}; another version of Tidegate started the execution, so start it again"
    )]
    Task(String),
    /// An HTTP request has an invalid form.
    #[error(transparent)]
    Http(#[from] HttpRequestError),
}

/// Reads an event.
///
/// # Errors
/// [`TriggerError`], only if nothing of the event can be read. A bad record among others is an error in its
/// [`EventRecord`].
pub fn read(event: &Value) -> Result<InvocationEvent, TriggerError> {
    let Value::Object(fields) = event else {
        return Err(TriggerError::Unknown("it is not a JSON object".to_owned()));
    };
    let has = |name: &str| fields.contains_key(name);
    if has("requestContext") || has("httpMethod") {
        return Ok(InvocationEvent::Http(HttpRequest::read(event)?));
    }
    if let Some(continuation) = fields.get(Continuation::FIELD) {
        let continuation = Continuation::read(continuation).map_err(TriggerError::Continuation)?;
        return Ok(InvocationEvent::Continuation(Box::new(continuation)));
    }
    if let Some(task) = fields.get(ExecutionTask::FIELD) {
        let task = ExecutionTask::read(task).map_err(TriggerError::Task)?;
        return Ok(InvocationEvent::Task(Box::new(task)));
    }
    if has("site") {
        return Invocation::read(event).map(InvocationEvent::Direct).map_err(TriggerError::Invocation);
    }
    let Some((source, mut records)) = envelope::records(event) else {
        let names: Vec<String> = fields.keys().take(5).map(|name| format!("`{}`", sanitize_name(name))).collect();
        let what = if names.is_empty() { "it is empty".to_owned() } else { format!("it has {}", names.join(", ")) };
        return Err(TriggerError::Unknown(what));
    };
    dedupe::ignore_outdated(&mut records);
    Ok(InvocationEvent::Records { source, records })
}
