//! Envelopes in envelopes: events of S3 or EventBridge in a topic, in a queue, and in a topic in a queue, raw or not.
//!
//! Owns finding the records. Never reads what a record says.

use serde::Deserialize;
use serde_json::Value;
use tidegate_core::sanitize::sanitize_name;

use super::event_bridge;
use super::invocation::Continuation;
use super::s3_event::{self, EventRecord, IgnoredRecord, MessageId, ParsedRecord, RecordError, form};

/// Envelopes within each other at the most: a queue, a topic in it, and what S3 sent.
const MAX_DEPTH: usize = 3;

/// The event that S3 sends once when notifications are configured.
const TEST_EVENT: &str = "s3:TestEvent";

/// Who carried events to the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// S3 itself.
    Notification,
    /// An event bus.
    EventBridge,
    /// A topic of SNS.
    Topic,
    /// A queue of SQS, which is told by message id what failed.
    Queue,
}

type Notices = Vec<Result<ParsedRecord, RecordError>>;

/// A message of a queue.
#[derive(Deserialize)]
struct SqsMessage {
    body: String,
}

/// A message of a topic, in an event of the topic.
#[derive(Deserialize)]
struct SnsMessage {
    #[serde(rename = "Sns")]
    content: SnsRecord,
}

/// A message of a topic, as it stands in an event, or as the body of a queue's message where delivery is not raw.
#[derive(Deserialize)]
struct SnsRecord {
    #[serde(rename = "Message")]
    message: String,
}

/// The records of an event; nothing where it is of no known kind.
pub(super) fn records(event: &Value) -> Option<(Carrier, Vec<EventRecord>)> {
    let list = event.get("Records").and_then(Value::as_array);
    let carrier = match list.and_then(|list| list.first()) {
        Some(first) => carrier(first),
        None if event.get("detail-type").is_some() => Carrier::EventBridge,
        None if is_topic(event) => Carrier::Topic,
        None => Carrier::Notification,
    };
    let plain = |notice| EventRecord { message: None, notice };
    let Some(list) = list.filter(|_| carrier == Carrier::Queue) else {
        return Some((carrier, notices(event, MAX_DEPTH)?.into_iter().map(plain).collect()));
    };
    let mut records = Vec::new();
    for message in list {
        let id = message.get("messageId").and_then(Value::as_str).map(|id| MessageId(id.to_owned()));
        let notices = match SqsMessage::deserialize(message) {
            Ok(queued) => within(&queued.body, MAX_DEPTH - 1),
            Err(error) => vec![Err(form(&error))],
        };
        records.extend(notices.into_iter().map(|notice| EventRecord { message: id.clone(), notice }));
    }
    Some((carrier, records))
}

fn carrier(record: &Value) -> Carrier {
    // SQS and S3 write a small letter, SNS a capital one.
    let source = record.get("eventSource").or_else(|| record.get("EventSource")).and_then(Value::as_str);
    match source {
        Some("aws:sqs") => Carrier::Queue,
        Some("aws:sns") => Carrier::Topic,
        _ => Carrier::Notification,
    }
}

fn is_topic(value: &Value) -> bool {
    value.get("Type").and_then(Value::as_str) == Some("Notification") && value.get("Message").is_some()
}

/// What one event says; nothing where it is of no known kind.
fn notices(event: &Value, depth: usize) -> Option<Notices> {
    if event.get("Event").and_then(Value::as_str) == Some(TEST_EVENT) {
        return Some(vec![Ok(ParsedRecord::Ignored(IgnoredRecord::Test))]);
    }
    if let Some(list) = event.get("Records").and_then(Value::as_array) {
        return Some(list.iter().flat_map(|record| record_notices(record, depth)).collect());
    }
    if event.get("detail-type").is_some() {
        return Some(vec![event_bridge::read(event)]);
    }
    if is_topic(event) {
        return Some(match SnsRecord::deserialize(event) {
            Ok(topic) => within(&topic.message, depth.saturating_sub(1)),
            Err(error) => vec![Err(form(&error))],
        });
    }
    let run = event.get(Continuation::FIELD)?;
    let run = Continuation::read(run).map_err(RecordError::HandedOn);
    Some(vec![run.map(|run| ParsedRecord::Continuation(Box::new(run)))])
}

fn record_notices(record: &Value, depth: usize) -> Notices {
    match carrier(record) {
        Carrier::Topic => match SnsMessage::deserialize(record) {
            Ok(published) => within(&published.content.message, depth.saturating_sub(1)),
            Err(error) => vec![Err(form(&error))],
        },
        // Only an invocation can have messages of a queue, since only it can answer which ones failed.
        Carrier::Queue => vec![Err(RecordError::Depth)],
        Carrier::Notification | Carrier::EventBridge => vec![s3_event::read(record)],
    }
}

/// What the text of a message says.
fn within(text: &str, depth: usize) -> Notices {
    if depth == 0 {
        return vec![Err(RecordError::Depth)];
    }
    let unknown = |why: String| vec![Err(RecordError::Unknown(why))];
    match serde_json::from_str::<Value>(text) {
        Ok(event) => notices(&event, depth).unwrap_or_else(|| unknown(format!("it says `{}`", sanitize_name(text)))),
        Err(error) => unknown(sanitize_name(&error.to_string())),
    }
}
