//! The answers that event sources expect.
//!
//! Sources: AWS Lambda developer guide, "Invoking Lambda function URLs" (response payload) and "Using Lambda with
//! Amazon SQS" (reporting batch item failures).

use serde_json::{Value, json};

use super::result::RunResult;
use super::webhook::WebhookResponse;
use crate::run_log::shorten;
use crate::trigger::MessageId;

/// The answer for a function URL.
pub(super) fn http_response(response: &WebhookResponse) -> Value {
    let body = serde_json::to_string(response).unwrap_or_default();
    json!({
        "statusCode": response.status,
        "headers": { "content-type": "application/json", "cache-control": "no-store" },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// The answer for SQS: the messages to deliver again. An empty list means that all succeeded.
pub(super) fn batch_response<'m>(failed: impl Iterator<Item = &'m MessageId>) -> Value {
    let failures: Vec<Value> = failed.map(|id| json!({ "itemIdentifier": id.as_str() })).collect();
    json!({ "batchItemFailures": failures })
}

/// The answer for one run. Long lists are truncated: Lambda fails an invocation whose answer is longer than 6 MB, and
/// then retries the run.
pub(super) fn run_response(result: &RunResult) -> Value {
    match result {
        RunResult::Report(report) => shorten(report),
        RunResult::Superseded(reason) => json!({ "outcome": "superseded", "reason": reason }),
        RunResult::Distributed { execution, estimate } => {
            json!({ "outcome": "distributed", "execution": execution, "estimate": estimate })
        }
        RunResult::Continued { continuations } => json!({ "outcome": "continued", "continuations": continuations }),
    }
}
