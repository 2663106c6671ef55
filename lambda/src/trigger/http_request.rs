//! HTTP requests as Function URLs and API Gateway deliver them.
//!
//! Owns their form and the raw bytes of the body, over which signatures are made. Never reads a body.
//! Source: AWS Lambda developer guide, "Invoking Lambda function URLs", payload format 2.0.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;
use tidegate_core::sanitize::sanitize_name;

/// Longest payload of a synchronous invocation, in bytes: 6 MB. In base64, three quarters of it are left for a body.
/// Source: AWS Lambda developer guide, "Lambda quotas".
pub const FUNCTION_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// An HTTP request.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method, in capitals.
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// Headers by name in small letters; a name that was sent twice has both values, with a comma between them.
    headers: BTreeMap<String, String>,
    /// The body, byte for byte as it was sent.
    pub body: Vec<u8>,
}

/// Why a request cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpRequestError {
    /// The older form, which REST APIs and load balancers send.
    #[error("the HTTP event is not of payload format 2.0, use a Function URL or an HTTP API with that format")]
    Format,
    /// Not of the form.
    #[error("the HTTP event cannot be read: {0}")]
    Form(String),
    /// A body that says it is base64 and is not.
    #[error("the body of the HTTP event is not the base64 that it says it is")]
    Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PayloadVersion {
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

    /// The value of a header, whose name is given in small letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(super) fn read(event: &Value) -> Result<Self, HttpRequestError> {
        if event.pointer("/requestContext/http").is_none() {
            return Err(HttpRequestError::Format);
        }
        let form = PayloadVersion::deserialize(event)
            .map_err(|error| HttpRequestError::Form(sanitize_name(&error.to_string())))?;
        let text = form.body.unwrap_or_default();
        let body = match form.is_base64_encoded {
            true => BASE64_STANDARD.decode(text).map_err(|_| HttpRequestError::Base64)?,
            false => text.into_bytes(),
        };
        let headers = form.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Ok(Self::new(&form.request_context.http.method, form.raw_path.as_deref().unwrap_or("/"), headers, body))
    }
}

impl fmt::Debug for HttpRequest {
    /// Without what may be secret: values of headers, and the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &sanitize_name(&self.method))
            .field("path", &sanitize_name(&self.path))
            .field("headers", &self.headers.keys().map(|name| sanitize_name(name)).collect::<Vec<_>>())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}
