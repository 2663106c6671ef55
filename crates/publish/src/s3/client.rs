//! The S3 client that all requests share.

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::RetryClassifierPriority;
use aws_smithy_types::retry::ErrorKind;
use tidegate_core::kms_key::KmsKey;
use tidegate_core::put_options::ObjectSettings;

use super::bucket_owner::ExpectOwner;
use super::throttles::ThrottleCount;
use crate::connection::Connection;

/// An S3 client.
#[derive(Debug, Clone)]
pub struct S3 {
    pub(super) client: Client,
    /// How documents of the state are written.
    pub(super) document_settings: Arc<ObjectSettings>,
    throttles: ThrottleCount,
}

impl S3 {
    /// Creates a client. The SDK adds checksums only where S3 requires them, because other servers reject them.
    /// Tidegate sends the checksums that it computes itself.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        let throttles = ThrottleCount::default();
        let config = aws_sdk_s3::config::Builder::from(connection.config())
            .force_path_style(connection.path_style())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_classifier(RetryConflicts)
            .interceptor(throttles.clone());
        let config = match connection.owners() {
            owners if owners.is_empty() => config,
            owners => config.interceptor(ExpectOwner(Arc::clone(owners))),
        };
        Self { client: Client::from_conf(config.build()), document_settings: Arc::default(), throttles }
    }

    /// The same client, with the KMS key of the state's documents.
    #[must_use]
    pub fn with_document_key(self, key: Option<KmsKey>) -> Self {
        Self { document_settings: Arc::new(ObjectSettings::with_key(key)), ..self }
    }

    /// Responses to this client and its clones that asked for fewer requests.
    pub(crate) fn throttles(&self) -> &ThrottleCount {
        &self.throttles
    }

    /// The SDK's client, for requests that are not about publishing.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// Retries conditional writes that raced another one. S3 answers 409 to them; 412 is final.
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
