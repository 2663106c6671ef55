//! S3: the only place that names its SDK.
//!
//! Owns the client and the requests that Tidegate sends. Never decides what to write or to delete.

mod condition;
mod copy;
mod delete;
mod document;
mod list;
mod uploads;
mod head;
mod get;
mod put;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::RetryClassifierPriority;
use aws_smithy_types::retry::ErrorKind;
use tidegate_core::location::Location;

pub use condition::PutCondition;
pub use copy::CopySource;
pub(crate) use delete::DeleteOutcome;
pub use get::StagedObject;
pub use head::ObjectHead;
pub use list::{ListError, ListPage};
pub(crate) use put::{BodyBytes, Opener, PutOptions};

use crate::connection::Connection;

/// A client of S3.
#[derive(Debug, Clone)]
pub struct S3 {
    client: Client,
}

impl S3 {
    /// Makes a client. Checksums are the ones that Tidegate computes itself: the SDK adds its own only where S3 demands
    /// one, since other servers refuse them.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        let config = aws_sdk_s3::config::Builder::from(connection.config())
            .force_path_style(connection.path_style())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_classifier(RetryConflicts)
            .build();
        Self { client: Client::from_conf(config) }
    }

    /// The SDK's client, for requests that are not about publishing.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// The whole key of `key` at `location`.
fn whole(location: &Location, key: &str) -> String {
    location.prefix.join(key)
}

/// A conditional write that raced another answers 409 and may be sent again; 412 may not.
/// Source: Amazon S3 user guide, "Conditional requests".
#[derive(Debug)]
struct RetryConflicts;

impl ClassifyRetry for RetryConflicts {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().map(|response| response.status().as_u16()) {
            Some(409) => RetryAction::retryable_error(ErrorKind::TransientError),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "conflict of conditional writes"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::http_status_code_classifier())
    }
}
