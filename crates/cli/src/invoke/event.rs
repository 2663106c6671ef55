//! The event: as it was written, or made from the body of a webhook.
//!
//! Owns what is filled in where nobody else has: ETags of what was just put, and signatures by secrets that nobody has.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tidegate_core::timestamp::Timestamp;
use tidegate_lambda::webhook::sign as signed;

use super::emulator::LocalSecrets;
use crate::error::CliError;

/// The event of a text, which is the body of a webhook of GitHub where its kind is given.
pub(super) fn read(text: &str, github: Option<&str>) -> Result<Value, CliError> {
    let refused = |error| CliError::Usage(format!("the event is no JSON: {error}"));
    let event: Value = serde_json::from_str(text).map_err(refused)?;
    let Some(kind) = github else { return Ok(event) };
    Ok(json!({
        "version": "2.0",
        "rawPath": "/",
        "headers": {
            "content-type": "application/json",
            "x-github-event": kind,
            "x-github-delivery": "00000000-0000-0000-0000-000000000000",
        },
        "requestContext": { "http": { "method": "POST" } },
        "body": text,
        "isBase64Encoded": false,
    }))
}

/// Gives every record of an object the ETag that the object has now.
pub(super) fn pin(event: &mut Value, key: &str, etag: &str) {
    match event {
        Value::Array(list) => list.iter_mut().for_each(|entry| pin(entry, key, etag)),
        Value::Object(fields) => {
            let named = fields.get("key").and_then(Value::as_str).is_some_and(|name| is(name, key));
            for name in ["eTag", "etag"] {
                if let Some(told) = fields.get_mut(name).filter(|_| named) {
                    *told = json!(etag);
                }
            }
            fields.values_mut().for_each(|field| pin(field, key, etag));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a name in an event, which may be encoded as a form is, is that key.
fn is(name: &str, key: &str) -> bool {
    name == key || percent_decode_str(&name.replace('+', " ")).decode_utf8_lossy() == key
}

/// Signs an HTTP request anew, since nobody has the secrets here: the signature is what is not tried.
pub(super) fn sign(event: &mut Value, secrets: &LocalSecrets, now: Timestamp) {
    let text = event.get("body").and_then(Value::as_str).unwrap_or_default();
    let body = match event.get("isBase64Encoded").and_then(Value::as_bool) {
        Some(true) => BASE64_STANDARD.decode(text).unwrap_or_default(),
        Some(false) | None => text.as_bytes().to_vec(),
    };
    let Some(headers) = event.get_mut("headers").and_then(Value::as_object_mut) else { return };
    let github = has(headers, "x-github-event");
    let Some(secret) = secrets.secret() else { return };
    for (name, value) in signed(&secret, &body, github, now) {
        headers.retain(|header, _| !header.eq_ignore_ascii_case(name));
        headers.insert(name.to_owned(), json!(value));
    }
}

fn has(headers: &Map<String, Value>, name: &str) -> bool {
    headers.keys().any(|header| header.eq_ignore_ascii_case(name))
}
