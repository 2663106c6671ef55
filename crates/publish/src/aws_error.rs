//! Failed AWS calls, as people read them: which call, on what, and why.

mod hints;

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use tidegate_core::sanitize::{LOG_BYTES, sanitize};

use crate::connection::NoResponse;

pub use hints::NO_CREDENTIALS;
use hints::{FailedCall, with_hint};

/// One call that failed, after the SDK's retries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call} on `{subject}` failed: {why}")]
pub struct AwsError {
    /// The API call, such as `PutObject`.
    pub call: &'static str,
    /// What it was about: a key, a bucket, a role, a distribution.
    pub subject: String,
    /// AWS's error code, if it answered.
    pub code: Option<String>,
    /// The HTTP status, if it answered.
    pub status: Option<u16>,
    /// The cause: AWS's message or ours.
    pub why: String,
}

/// Returns nothing if the error is that the resource does not exist.
pub fn if_exists<T>(result: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

impl AwsError {
    /// Reads an SDK error, and sanitizes its message: messages quote keys.
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
                _ => causes(error),
            },
        };
        let failed = FailedCall {
            call,
            code: code.as_deref(),
            status,
            message: error.message().unwrap_or_default(),
            region: response.and_then(|response| response.headers().get("x-amz-bucket-region")),
        };
        let why = with_hint(&why, failed.hint());
        Self { call, subject: sanitized(&subject.into()), code, status, why: sanitized(&why) }
    }

    /// The error of one key in the response to a call for many keys.
    pub fn for_key(call: &'static str, key: &str, code: &str, message: Option<&str>) -> Self {
        let failed =
            FailedCall { call, code: Some(code), status: None, message: message.unwrap_or_default(), region: None };
        let why = with_hint(&format!("{code}: {}", message.unwrap_or("no reason given")), failed.hint());
        Self { call, subject: sanitized(key), code: Some(code.to_owned()), status: None, why: sanitized(&why) }
    }

    /// A request or response that is not what AWS documents.
    pub fn malformed(call: &'static str, subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self { call, subject: sanitized(&subject.into()), code: None, status: None, why: sanitized(&why.into()) }
    }

    /// Whether the object, bucket or distribution does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status == Some(404)
    }

    /// Whether the same call would fail for every other key of the bucket.
    #[must_use]
    pub fn affects_every_key(&self) -> bool {
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

    /// Whether AWS asked for fewer requests. S3 answers `SlowDown` with this status.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.status == Some(503)
    }

    /// Whether the credentials do not allow the call.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.status == Some(403)
    }
}

/// An error that never reached AWS and its causes, outermost first, without repetitions; or only ours, if it has a remedy.
fn causes(error: &(dyn Error + 'static)) -> String {
    if let Some(error) = chain(error).find_map(<dyn Error>::downcast_ref::<NoResponse>) {
        return error.to_string();
    }
    if chain(error).any(|cause| matches!(cause.downcast_ref(), Some(CredentialsError::CredentialsNotLoaded(_)))) {
        return NO_CREDENTIALS.to_owned();
    }
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

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn sanitized(text: &str) -> String {
    sanitize(text, LOG_BYTES)
}
