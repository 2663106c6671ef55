//! Unwraps events: S3 and EventBridge records in SNS messages, in SQS messages, and in SNS messages in SQS messages,
//! with and without raw message delivery.

use serde::Deserialize;
use serde_json::Value;
use tidegate_core::sanitize::sanitize_name;

use super::event_bridge;
use super::invocation::Continuation;
use super::s3_event::{self, EventRecord, IgnoredRecord, MessageGroup, MessageId, ParsedRecord, RecordError, form};

/// Most envelopes around each other: an SQS message, an SNS message in it, and the event of S3 in that.
const MAX_DEPTH: usize = 3;

/// The event that S3 sends once when notifications are configured.
const TEST_EVENT: &str = "s3:TestEvent";

/// The service that invoked the function with events of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventSource {
    /// S3 itself.
    S3,
    /// EventBridge.
    EventBridge,
    /// SNS.
    Sns,
    /// SQS, which expects the ids of the messages that failed.
    Sqs,
}

type Records = Vec<Result<ParsedRecord, RecordError>>;

/// An SQS message.
#[derive(Deserialize)]
struct SqsMessage {
    body: String,
}

/// An SNS message in an event from SNS.
#[derive(Deserialize)]
struct SnsMessage {
    #[serde(rename = "Sns")]
    content: SnsRecord,
}

/// The content of an SNS message. It is also the body of an SQS message if delivery is not raw.
#[derive(Deserialize)]
struct SnsRecord {
    #[serde(rename = "Message")]
    message: String,
}

/// The records of an event, or `None` if the event has no known form.
pub(super) fn records(event: &Value) -> Option<(EventSource, Vec<EventRecord>)> {
    let list = event.get("Records").and_then(Value::as_array);
    let source = match list.and_then(|list| list.first()) {
        Some(first) => source_of(first),
        None if event.get("detail-type").is_some() => EventSource::EventBridge,
        None if is_sns(event) => EventSource::Sns,
        None => EventSource::S3,
    };
    let Some(list) = list.filter(|_| source == EventSource::Sqs) else {
        let records = unwrap(event, MAX_DEPTH)?.into_iter();
        return Some((source, records.map(|content| EventRecord { message_id: None, group: None, content }).collect()));
    };
    let mut records = Vec::new();
    for message in list {
        let id = message.get("messageId").and_then(Value::as_str).map(|id| MessageId(id.to_owned()));
        let contents = match SqsMessage::deserialize(message) {
            Ok(message) => unwrap_text(&message.body, MAX_DEPTH - 1),
            Err(error) => vec![Err(form(&error))],
        };
        let group = fifo_group(message);
        let record = |content| EventRecord { message_id: id.clone(), group: group.clone(), content };
        records.extend(contents.into_iter().map(record));
    }
    Some((source, records))
}

/// The group of a message in a FIFO queue. Messages of standard queues can have a group too, which orders nothing.
fn fifo_group(message: &Value) -> Option<MessageGroup> {
    let queue = message.get("eventSourceARN").and_then(Value::as_str)?;
    let group = message.pointer("/attributes/MessageGroupId").and_then(Value::as_str)?;
    queue.ends_with(".fifo").then(|| MessageGroup(group.to_owned()))
}

fn source_of(record: &Value) -> EventSource {
    // SNS writes the name with a capital letter.
    let source = record.get("eventSource").or_else(|| record.get("EventSource")).and_then(Value::as_str);
    match source {
        Some("aws:sqs") => EventSource::Sqs,
        Some("aws:sns") => EventSource::Sns,
        _ => EventSource::S3,
    }
}

fn is_sns(value: &Value) -> bool {
    value.get("Type").and_then(Value::as_str) == Some("Notification") && value.get("Message").is_some()
}

/// The records in one event, or `None` if the event has no known form.
fn unwrap(event: &Value, depth: usize) -> Option<Records> {
    if event.get("Event").and_then(Value::as_str) == Some(TEST_EVENT) {
        return Some(vec![Ok(ParsedRecord::Ignored(IgnoredRecord::Test))]);
    }
    if let Some(list) = event.get("Records").and_then(Value::as_array) {
        return Some(list.iter().flat_map(|record| unwrap_record(record, depth)).collect());
    }
    if event.get("detail-type").is_some() {
        return Some(vec![event_bridge::read(event)]);
    }
    if is_sns(event) {
        return Some(match SnsRecord::deserialize(event) {
            Ok(record) => unwrap_text(&record.message, depth.saturating_sub(1)),
            Err(error) => vec![Err(form(&error))],
        });
    }
    let continuation = event.get(Continuation::FIELD)?;
    let continuation = Continuation::read(continuation).map_err(RecordError::Continuation);
    Some(vec![continuation.map(|run| ParsedRecord::Continuation(Box::new(run)))])
}

fn unwrap_record(record: &Value, depth: usize) -> Records {
    match source_of(record) {
        EventSource::Sns => match SnsMessage::deserialize(record) {
            Ok(message) => unwrap_text(&message.content.message, depth.saturating_sub(1)),
            Err(error) => vec![Err(form(&error))],
        },
        // SQS messages are valid at the outermost level only: only there can the function report which ones failed.
        EventSource::Sqs => vec![Err(RecordError::Depth)],
        EventSource::S3 | EventSource::EventBridge => vec![s3_event::read(record)],
    }
}

/// The records in the text of a message.
fn unwrap_text(text: &str, depth: usize) -> Records {
    if depth == 0 {
        return vec![Err(RecordError::Depth)];
    }
    let unknown = |what: String| vec![Err(RecordError::Unknown(what))];
    match serde_json::from_str::<Value>(text) {
        Ok(event) => unwrap(&event, depth).unwrap_or_else(|| unknown(format!("`{}`", sanitize_name(text)))),
        Err(error) => unknown(sanitize_name(&error.to_string())),
    }
}
