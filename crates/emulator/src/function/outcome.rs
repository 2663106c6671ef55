//! What a function may return, by the rules that CloudFront checks.
//!
//! Source: CloudFront Developer Guide, "CloudFront Functions event structure" and "Restrictions on all edge functions".
//! Where the guide is silent, an unusual result is refused.

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::EdgeFunctionError;
use super::event::is_hidden;

/// Longest path with its query, in characters.
const MAX_URI: usize = 8_191;

/// Headers of a request that a function can read, but not change.
const READ_ONLY_REQUEST: [&str; 5] = ["cdn-loop", "content-length", "host", "transfer-encoding", "via"];
/// Headers of a response that a function can read, but not change.
const READ_ONLY_RESPONSE: [&str; 2] = ["via", "warning"];

type Checked<T> = Result<T, EdgeFunctionError>;

fn refuse<T>(message: impl Into<String>) -> Checked<T> {
    Err(EdgeFunctionError::Validation(message.into()))
}

fn object<'a>(value: &'a Value, name: &str) -> Checked<&'a Map<String, Value>> {
    match value.as_object() {
        Some(object) => Ok(object),
        None => refuse(format!("The function returned an invalid value: {name} must be an object.")),
    }
}

/// Checks what a function returned for a request: a request, or a response that has a `statusCode`.
///
/// # Errors
/// The rule that the result breaks.
pub fn check_request(event: &Value, returned: Value) -> Result<Value, EdgeFunctionError> {
    let own = object(&returned, "the result")?;
    if own.contains_key("statusCode") {
        check_response_object(own, &Map::new())?;
        return Ok(returned);
    }
    let empty = Map::new();
    let sent = event.get("request").and_then(Value::as_object).unwrap_or(&empty);
    let names = ["method", "uri", "querystring", "headers", "cookies"];
    check_names(own, &names, "request")?;
    if let Some(missing) = names.into_iter().find(|name| !own.contains_key(*name)) {
        return refuse(format!("The function returned an invalid value: request.{missing} is missing."));
    }
    if own.get("method") != sent.get("method") {
        return refuse("The function tried to change request.method, which is read-only.");
    }
    let Some(uri) = own.get("uri").and_then(Value::as_str) else {
        return refuse("The function returned an invalid value: request.uri must be a string.");
    };
    if !uri.starts_with('/') {
        return refuse("The function returned an invalid value: request.uri must begin with a slash (/).");
    }
    if !uri.chars().all(|character| character.is_ascii_graphic() && !matches!(character, '?' | '#')) {
        return refuse(
            "The function returned an invalid value: request.uri contains a character that must be encoded.",
        );
    }
    let mut length = uri.len();
    for (name, entry) in member(own, "querystring")? {
        for value in values(entry, &format!("request.querystring.{name}"), &["value"])? {
            if !name.chars().chain(value.chars()).all(|character| character.is_ascii_graphic() && character != '#') {
                return refuse(format!("The function returned an invalid value in request.querystring.{name}."));
            }
            length += name.len() + value.len() + 2;
        }
    }
    if length > MAX_URI {
        return refuse(format!("The function returned a URI of more than {MAX_URI} characters."));
    }
    check_headers(member(own, "headers")?, sent.get("headers"), &READ_ONLY_REQUEST, "cookie", "request")?;
    for (name, entry) in member(own, "cookies")? {
        values(entry, &format!("request.cookies.{name}"), &["value"])?;
    }
    Ok(returned)
}

/// Checks what a function returned for a response.
///
/// # Errors
/// The rule that the result breaks.
pub fn check_response(event: &Value, returned: Value) -> Result<Value, EdgeFunctionError> {
    let empty = Map::new();
    let sent = event.get("response").and_then(Value::as_object).unwrap_or(&empty);
    check_response_object(object(&returned, "the result")?, sent)?;
    Ok(returned)
}

fn check_response_object(own: &Map<String, Value>, sent: &Map<String, Value>) -> Checked<()> {
    check_names(own, &["statusCode", "statusDescription", "headers", "cookies", "body"], "response")?;
    if !own.get("statusCode").and_then(Value::as_u64).is_some_and(|status| (200..=599).contains(&status)) {
        return refuse("The function returned an invalid value: response.statusCode must be a number from 200 to 599.");
    }
    if own.get("statusDescription").is_some_and(|description| !description.is_string()) {
        return refuse("The function returned an invalid value: response.statusDescription must be a string.");
    }
    if own.contains_key("headers") {
        check_headers(member(own, "headers")?, sent.get("headers"), &READ_ONLY_RESPONSE, "set-cookie", "response")?;
    }
    if own.contains_key("cookies") {
        for (name, entry) in member(own, "cookies")? {
            values(entry, &format!("response.cookies.{name}"), &["value", "attributes"])?;
        }
    }
    match own.get("body") {
        None | Some(Value::String(_)) => Ok(()),
        Some(body) => {
            let body = object(body, "response.body")?;
            check_names(body, &["encoding", "data"], "response.body")?;
            let encoding = body.get("encoding").and_then(Value::as_str).unwrap_or("text");
            let data = body.get("data").and_then(Value::as_str);
            match (encoding, data) {
                ("text", Some(_)) => Ok(()),
                ("base64", Some(data)) if super::bytes::parse(data, "base64").is_ok() => Ok(()),
                _ => refuse("The function returned an invalid value: response.body is neither text nor base64."),
            }
        }
    }
}

fn check_names(own: &Map<String, Value>, names: &[&str], of: &str) -> Checked<()> {
    match own.keys().find(|name| !names.contains(&name.as_str())) {
        Some(unknown) => refuse(format!("The function returned an invalid value: {of}.{unknown} is unknown.")),
        None => Ok(()),
    }
}

fn member<'a>(own: &'a Map<String, Value>, name: &str) -> Checked<&'a Map<String, Value>> {
    object(own.get(name).unwrap_or(&Value::Null), name)
}

/// The values of an entry: those of `multiValue` if it has them, or its own.
fn values<'a>(entry: &'a Value, path: &str, names: &[&str]) -> Checked<Vec<&'a str>> {
    let own = object(entry, path)?;
    let multiple = own.get("multiValue");
    let allowed: Vec<&str> = names.iter().copied().chain(["multiValue"]).collect();
    check_names(own, &allowed, path)?;
    let text = |entry: &'a Map<String, Value>| {
        let is_text = names.iter().all(|name| entry.get(*name).is_none_or(Value::is_string));
        match entry.get("value").and_then(Value::as_str) {
            Some(value) if is_text => Ok(value),
            _ => refuse(format!("The function returned an invalid value: {path}.value must be a string.")),
        }
    };
    match multiple {
        None => Ok(vec![text(own)?]),
        Some(Value::Array(entries)) => entries
            .iter()
            .map(|entry| {
                let entry = object(entry, path)?;
                check_names(entry, names, path)?;
                text(entry)
            })
            .collect(),
        Some(_) => refuse(format!("The function returned an invalid value: {path}.multiValue must be an array.")),
    }
}

fn check_headers(
    own: &Map<String, Value>,
    sent: Option<&Value>,
    read_only: &[&str],
    cookies: &str,
    of: &str,
) -> Checked<()> {
    for (name, entry) in own {
        let path = format!("{of}.headers.{name}");
        let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
        if !is_lower || HeaderName::try_from(name.as_str()).is_err() || is_hidden(name) || name == cookies {
            return refuse(format!("The function returned the header `{name}`, which is disallowed."));
        }
        for value in values(entry, &path, &["value"])? {
            if HeaderValue::from_str(value).is_err() {
                return refuse(format!("The function returned an invalid value in {path}."));
            }
        }
    }
    for name in read_only {
        if own.get(*name) != sent.and_then(|sent| sent.get(*name)) {
            return refuse(format!("The function tried to add, delete, or change the read-only header `{name}`."));
        }
    }
    Ok(())
}
