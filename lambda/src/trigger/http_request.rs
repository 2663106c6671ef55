//! HTTP requests as function URLs and API Gateways deliver them.
//!
//! The body stays as raw bytes, since signatures cover the bytes.
//! Source: AWS Lambda developer guide, "Invoking Lambda function URLs", payload format 2.0.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;
use tidegate_core::sanitize::sanitize_name;

/// Longest payload of a synchronous invocation, in bytes: 6 MB. A body in base64 has three quarters of it.
/// Source: AWS Lambda developer guide, "Lambda quotas".
pub const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// An HTTP request.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method, in upper case.
    pub method: String,
    /// The path.
    pub path: String,
    /// Headers by lower-case name. A repeated header has all its values, separated by commas.
    headers: BTreeMap<String, String>,
    /// The body, unchanged.
    pub body: Vec<u8>,
}

/// Why a request cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpRequestError {
    /// The older format, which REST APIs and load balancers send.
    #[error("the HTTP event does not have payload format 2.0; use a function URL, or an HTTP API with that format")]
    Version,
    /// The event has an invalid form.
    #[error("invalid HTTP event: {0}")]
    Form(String),
    /// The body is marked as base64 and is not.
    #[error("the body of the HTTP event is not valid base64")]
    Base64,
}

/// Payload format 2.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpEvent {
    raw_path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    request_context: RequestContext,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct RequestContext {
    http: Http,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

impl HttpRequest {
    /// A request from its parts.
    #[must_use]
    pub fn new<'a>(
        method: &str,
        path: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: Vec<u8>,
    ) -> Self {
        let mut joined: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in headers {
            let values = joined.entry(name.to_ascii_lowercase()).or_default();
            if !values.is_empty() {
                values.push(',');
            }
            values.push_str(value.trim());
        }
        Self { method: method.to_ascii_uppercase(), path: path.to_owned(), headers: joined, body }
    }

    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(super) fn read(event: &Value) -> Result<Self, HttpRequestError> {
        if event.pointer("/requestContext/http").is_none() {
            return Err(HttpRequestError::Version);
        }
        let event =
            HttpEvent::deserialize(event).map_err(|error| HttpRequestError::Form(sanitize_name(&error.to_string())))?;
        let text = event.body.unwrap_or_default();
        let body = match event.is_base64_encoded {
            true => BASE64_STANDARD.decode(text).map_err(|_| HttpRequestError::Base64)?,
            false => text.into_bytes(),
        };
        let headers = event.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Ok(Self::new(&event.request_context.http.method, event.raw_path.as_deref().unwrap_or("/"), headers, body))
    }
}

impl fmt::Debug for HttpRequest {
    /// Without what may be secret: the values of headers, and the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &sanitize_name(&self.method))
            .field("path", &sanitize_name(&self.path))
            .field("headers", &self.headers.keys().map(|name| sanitize_name(name)).collect::<Vec<_>>())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}
