//! Failures of AWS, told for people: which call, on what, and why.
//!
//! Owns their form; [`hints`] adds what to do. Never retries: the SDK did, by its own rules.

mod hints;

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use tidegate_core::sanitize::{LOG_BYTES, sanitize};

use hints::{Denial, with_advice};

/// One call that failed, after the SDK's retries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call} on `{subject}` failed: {why}")]
pub struct AwsError {
    /// The API call, such as `PutObject`.
    pub call: &'static str,
    /// What it was about: a key, a bucket, a role, a distribution.
    pub subject: String,
    /// AWS's error code, where it answered.
    pub code: Option<String>,
    /// The HTTP status, where it answered.
    pub status: Option<u16>,
    /// The cause, in AWS's words or ours.
    pub why: String,
}

/// Nothing where the answer is that it is not there.
pub fn if_exists<T>(result: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

impl AwsError {
    /// Reads an SDK's error. Control characters are escaped: messages quote keys.
    pub fn new<E>(call: &'static str, subject: impl Into<String>, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let code = error.code().map(str::to_owned);
        let response = error.raw_response();
        let status = response.map(|response| response.status().as_u16());
        let why = match (&code, error.message()) {
            (Some(code), Some(message)) if !message.is_empty() => format!("{code}: {message}"),
            (Some(code), _) => code.clone(),
            (None, _) => match status {
                Some(status) if !(200..300).contains(&status) => format!("HTTP status {status}"),
                _ => chain(error),
            },
        };
        let refusal = Denial {
            call,
            code: code.as_deref(),
            status,
            message: error.message().unwrap_or_default(),
            region: response.and_then(|response| response.headers().get("x-amz-bucket-region")),
        };
        let why = with_advice(&why, refusal.advice());
        Self { call, subject: plain(&subject.into()), code, status, why: plain(&why) }
    }

    /// What one key's place in an answer to many says.
    pub fn of_key(call: &'static str, key: &str, code: &str, message: Option<&str>) -> Self {
        let refusal =
            Denial { call, code: Some(code), status: None, message: message.unwrap_or_default(), region: None };
        let why = with_advice(&format!("{code}: {}", message.unwrap_or("no reason given")), refusal.advice());
        Self { call, subject: plain(key), code: Some(code.to_owned()), status: None, why: plain(&why) }
    }

    /// An answer that is not what AWS documents.
    pub fn malformed(call: &'static str, subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self { call, subject: plain(&subject.into()), code: None, status: None, why: plain(&why.into()) }
    }

    /// Whether the object, bucket or distribution is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status == Some(404)
    }

    /// Whether every other key of the bucket would be refused alike.
    #[must_use]
    pub fn is_of_every_key(&self) -> bool {
        let codes = [
            "AccessControlListNotSupported",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
            "NoSuchBucket",
            "PermanentRedirect",
        ];
        self.code.as_deref().is_some_and(|code| codes.contains(&code) || code.starts_with("KMS."))
    }

    /// Whether a condition (`If-Match`, `If-None-Match`) did not hold.
    #[must_use]
    pub fn is_condition_failed(&self) -> bool {
        self.status == Some(412)
    }

    /// Whether the credentials do not allow the call.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.status == Some(403)
    }
}

/// The innermost causes of an error that never reached AWS, outermost first.
fn chain(error: &dyn Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut inner = error.source();
    while let Some(cause) = inner {
        let text = cause.to_string();
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        inner = cause.source();
    }
    parts.join(": ")
}

/// Text from AWS, sanitized.
pub fn plain(text: &str) -> String {
    sanitize(text, LOG_BYTES)
}
