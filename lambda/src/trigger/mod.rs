//! What starts a run: an event as AWS delivers it, read into notices, and what a notice asks of which site.
//!
//! Owns the forms of events and of nested ones, and the rules between an event and a request. Never answers anybody, never
//! looks into a bucket, and verifies no signature: that is [`crate::webhook`]'s.
//!
//! The types of `aws_lambda_events` do not serve here. They read a batch as a whole, so one bad record would lose the
//! others; they demand fields that no rule needs and that other servers of S3's protocol leave out; and they bring a second
//! library of dates. What is read here are the dozen fields that decide something, record by record.

mod http_request;
mod match_sites;
mod event_bridge;
mod invocation;
mod envelope;
mod run_id;
mod s3_event;
mod dedupe;
mod artifact_ref;

use serde_json::Value;

pub(crate) use artifact_ref::NamedArtifact;
pub use artifact_ref::{
    AmbiguousKey, AmbiguousKeyError, ArtifactRef, KeyReading, ObjectVersion, Trigger, TriggerCause,
};
pub use envelope::Carrier;
pub use http_request::{FUNCTION_PAYLOAD_BYTES, HttpRequest, HttpRequestError};
pub use invocation::{CONTINUATION_FORMAT, Continuation, Invocation, InvocationError};
pub use match_sites::{MatchedSites, NoMatchReason, UnmatchedSite, match_sites};
pub use run_id::RunId;
pub use s3_event::{EventObject, EventRecord, IgnoredRecord, MessageId, ParsedRecord, RecordError, StoredObject};

use tidegate_core::sanitize::sanitize_name;

/// What one invocation brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Whoever may invoke the function names what to publish.
    Invocation(Invocation),
    /// An earlier invocation of the same function hands a run on.
    Continuation(Box<Continuation>),
    /// An HTTP request, of a Function URL or an API Gateway.
    Call(HttpRequest),
    /// Events of S3. Each record stands for itself: a bad one keeps none of the others from being acted on.
    Events {
        /// The outermost envelope.
        carrier: Carrier,
        /// The records in the order in which they stood.
        records: Vec<EventRecord>,
    },
}

/// Why an invocation cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// Not a kind of event that is known.
    #[error(
        "the event is of no known kind ({0}), send an event of S3, a webhook, or `{{\"site\": \"NAME\"}}` to publish by hand"
    )]
    Unknown(String),
    /// A request by hand in a wrong form.
    #[error("the request cannot be read: {0}")]
    Invocation(String),
    /// A run that was handed on by another version of Tidegate.
    #[error("the run was handed on by another version of Tidegate ({0}), start it again")]
    HandedOn(String),
    /// An HTTP request in a wrong form.
    #[error(transparent)]
    Call(#[from] HttpRequestError),
}

/// Reads an event.
///
/// # Errors
/// [`TriggerError`], only where nothing of it can be read; a bad record among others is told in its [`EventRecord`].
pub fn read(event: &Value) -> Result<Delivery, TriggerError> {
    let Value::Object(fields) = event else {
        return Err(TriggerError::Unknown("it is no JSON object".to_owned()));
    };
    let has = |name: &str| fields.contains_key(name);
    if has("requestContext") || has("httpMethod") {
        return Ok(Delivery::Call(HttpRequest::read(event)?));
    }
    if let Some(run) = fields.get(Continuation::FIELD) {
        return Ok(Delivery::Continuation(Box::new(Continuation::read(run).map_err(TriggerError::HandedOn)?)));
    }
    if has("site") {
        return Invocation::read(event).map(Delivery::Invocation).map_err(TriggerError::Invocation);
    }
    let Some((carrier, mut records)) = envelope::records(event) else {
        let names: Vec<String> = fields.keys().take(5).map(|name| format!("`{}`", sanitize_name(name))).collect();
        let told = if names.is_empty() { "it is empty".to_owned() } else { format!("it has {}", names.join(", ")) };
        return Err(TriggerError::Unknown(told));
    };
    dedupe::settle(&mut records);
    Ok(Delivery::Events { carrier, records })
}
