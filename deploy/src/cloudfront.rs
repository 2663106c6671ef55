//! CloudFront: the only place that names its SDK.
//!
//! Owns the request. Never chooses paths: `tidegate_host::invalidation` does.

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};
use tidegate_host::config::DistributionId;
use tidegate_host::invalidation::Path;

use crate::cloud::CloudError;
use crate::connection::Connection;

/// A client of CloudFront.
#[derive(Debug, Clone)]
pub(crate) struct CloudFront {
    client: Client,
}

impl CloudFront {
    /// Makes a client.
    #[must_use]
    pub(crate) fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }

    /// Asks a distribution to forget paths; returns the invalidation's id. The same `reference` with the same paths is
    /// the same invalidation, so sending it again costs nothing.
    ///
    /// # Errors
    /// [`CloudError`]; its code tells throttling and `TooManyInvalidationsInProgress` from the rest.
    pub(crate) async fn invalidate(
        &self,
        distribution: &DistributionId,
        paths: &[Path],
        reference: &str,
    ) -> Result<String, CloudError> {
        let subject = distribution.as_str();
        let quantity = i32::try_from(paths.len()).unwrap_or(i32::MAX);
        let items = paths.iter().map(|path| path.as_str().to_owned()).collect();
        let batch = Paths::builder()
            .quantity(quantity)
            .set_items(Some(items))
            .build()
            .and_then(|paths| InvalidationBatch::builder().paths(paths).caller_reference(reference).build())
            .map_err(|error| CloudError::malformed("CreateInvalidation", subject, error.to_string()))?;
        let answer = self
            .client
            .create_invalidation()
            .distribution_id(subject)
            .invalidation_batch(batch)
            .send()
            .await
            .map_err(|error| CloudError::new("CreateInvalidation", subject, &error))?;
        answer
            .invalidation
            .map(|made| made.id)
            .ok_or_else(|| CloudError::malformed("CreateInvalidation", subject, "the answer has no invalidation"))
    }
}
