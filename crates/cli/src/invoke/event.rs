//! The event: as it is in the file, or made from the body of a webhook. With `--local`, ETags and signatures are filled in.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tidegate_core::timestamp::Timestamp;
use tidegate_lambda::webhook::sign as signature_headers;

use super::emulator::LocalSecrets;
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

/// Sets the ETag in every record of an object.
pub(super) fn set_etag(event: &mut Value, key: &str, etag: &str) {
    match event {
        Value::Array(list) => list.iter_mut().for_each(|entry| set_etag(entry, key, etag)),
        Value::Object(fields) => {
            let matches = fields.get("key").and_then(Value::as_str).is_some_and(|name| is_key(name, key));
            for name in ["eTag", "etag"] {
                if let Some(field) = fields.get_mut(name).filter(|_| matches) {
                    *field = json!(etag);
                }
            }
            fields.values_mut().for_each(|field| set_etag(field, key, etag));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
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
