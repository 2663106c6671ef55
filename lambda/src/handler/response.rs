//! What each carrier of events wants back.
//!
//! Owns the forms. Sources: AWS Lambda developer guide, "Invoking Lambda function URLs" (response payload) and "Using Lambda
//! with Amazon SQS" (reporting batch item failures).

use serde_json::{Value, json};

use super::{RunResult, WebhookResponse};
use crate::run_log::short;
use crate::trigger::MessageId;

/// An HTTP answer.
pub(super) fn http(answer: &WebhookResponse) -> Value {
    let body = serde_json::to_string(answer).unwrap_or_default();
    json!({
        "statusCode": answer.status,
        "headers": { "content-type": "application/json", "cache-control": "no-store" },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// The messages of a queue that come again. An empty list says that all went well.
pub(super) fn batch(failed: &[MessageId]) -> Value {
    let items: Vec<Value> = failed.iter().map(|id| json!({ "itemIdentifier": id.as_str() })).collect();
    json!({ "batchItemFailures": items })
}

/// How a run ended, for whoever invoked it. An answer of more than 6 MB would be an error, and the run would be tried again.
pub(super) fn told(ended: &RunResult) -> Value {
    match ended {
        RunResult::Report(report) => short(report),
        RunResult::Superseded(reason) => json!({ "outcome": "superseded", "reason": reason }),
        RunResult::Continued { continuations } => json!({ "outcome": "continued", "continuations": continuations }),
    }
}
