//! The event: as it is in the file, or made from the body of a webhook. With `--local`, ETags and signatures are filled in.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tidegate_core::timestamp::Timestamp;
use tidegate_lambda::webhook::sign as signature_headers;

use super::emulator::{EmulatedObject, LocalSecrets};
use crate::error::CliError;

/// Parses an event. If `github` is the kind of a webhook, the text is its body.
pub(super) fn parse(text: &str, github: Option<&str>) -> Result<Value, CliError> {
    let event: Value =
        serde_json::from_str(text).map_err(|error| CliError::Usage(format!("the event is not valid JSON: {error}")))?;
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

/// Sets ETag and version in every record of an object, also in the messages of a queue or a topic.
pub(super) fn set_object(event: &mut Value, object: &EmulatedObject) {
    match event {
        Value::Array(list) => list.iter_mut().for_each(|entry| set_object(entry, object)),
        Value::Object(fields) => {
            if fields.get("key").and_then(Value::as_str).is_some_and(|name| is_key(name, &object.key)) {
                set_fields(fields, object);
            }
            fields.values_mut().for_each(|field| set_object(field, object));
        }
        Value::String(text) => {
            // The text of a message. It is written anew only if a record in it changed.
            let Ok(mut message @ Value::Object(_)) = serde_json::from_str::<Value>(text) else { return };
            let before = message.clone();
            set_object(&mut message, object);
            if message != before {
                *text = message.to_string();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Sets the fields that the record of an object has. S3 and EventBridge write them differently.
fn set_fields(fields: &mut Map<String, Value>, object: &EmulatedObject) {
    for name in ["eTag", "etag"] {
        if let Some(field) = fields.get_mut(name) {
            *field = json!(object.etag);
        }
    }
    for name in ["versionId", "version-id"] {
        if fields.remove(name).is_some()
            && let Some(version) = &object.version
        {
            fields.insert(name.to_owned(), json!(version));
        }
    }
}

/// Whether a key of an event, which may be form-encoded, is `key`.
fn is_key(name: &str, key: &str) -> bool {
    name == key || percent_decode_str(&name.replace('+', " ")).decode_utf8_lossy() == key
}

/// Signs an HTTP request with the local secret, since the real one is not available: the signature is not tested.
pub(super) fn sign(event: &mut Value, secrets: &LocalSecrets, now: Timestamp) {
    let text = event.get("body").and_then(Value::as_str).unwrap_or_default();
    let body = match event.get("isBase64Encoded").and_then(Value::as_bool) {
        Some(true) => BASE64_STANDARD.decode(text).unwrap_or_default(),
        Some(false) | None => text.as_bytes().to_vec(),
    };
    let Some(headers) = event.get_mut("headers").and_then(Value::as_object_mut) else { return };
    let github = contains(headers, "x-github-event");
    let Some(secret) = secrets.secret() else { return };
    for (name, value) in signature_headers(&secret, &body, github, now) {
        headers.retain(|header, _| !header.eq_ignore_ascii_case(name));
        headers.insert(name.to_owned(), json!(value));
    }
}

fn contains(headers: &Map<String, Value>, name: &str) -> bool {
    headers.keys().any(|header| header.eq_ignore_ascii_case(name))
}
