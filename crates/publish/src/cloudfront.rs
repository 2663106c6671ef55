//! CloudFront: the only place that names its SDK.
//!
//! Owns the requests, and how long to pause between two that are the same. Never chooses paths:
//! `tidegate_core::invalidation` does; and never decides what a failure means: `invalidate` does.

use std::time::Duration;

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::config::Builder;
use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};
use aws_smithy_types::retry::RetryConfig;
use backon::ExponentialBuilder;
use tidegate_core::config::{DistributionId, MetadataName};
use tidegate_core::invalidation::InvalidationRequest;
use tidegate_core::location::Bucket;

use crate::aws_error::AwsError;
use crate::connection::Connection;

/// Most attempts of the SDK for one request. Fewer than for S3: CloudFront throttles after six or seven requests in a row,
/// and what passes with time is tried again by `invalidate`, which waits longer.
const ATTEMPTS: u32 = 3;

/// What `GetInvalidation` answers for an invalidation that still counts against the limits. Source: CloudFront API
/// reference, "Invalidation".
const IN_PROGRESS: &str = "InProgress";

/// A client of CloudFront.
#[derive(Debug, Clone)]
pub struct CloudFront {
    client: Client,
    retry: RetryConfig,
}

/// How a distribution is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistributionSetup {
    /// Whether it reads the bucket by an origin access identity.
    pub by_identity: bool,
    /// The header that it reads cache tags from, if it reads any.
    pub tags: Option<String>,
}

impl DistributionSetup {
    /// Whether it reads tags from this user metadata. HTTP tells no upper case from lower case in names of headers.
    pub fn reads_tags(&self, name: &MetadataName) -> bool {
        self.tags.as_ref().is_some_and(|header| header.eq_ignore_ascii_case(&name.header()))
    }
}

/// One page of a distribution's invalidations, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidationPage {
    /// The ids of those in progress.
    pub in_progress: Vec<String>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// An invalidation as CloudFront tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidationStatus {
    /// Whether it still counts against the limits, and caches may still hold what it clears.
    pub in_progress: bool,
    /// Its paths and tags.
    pub paths: Vec<String>,
}

impl CloudFront {
    /// Makes a client.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        let retry = connection.config().retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let attempts = retry.max_attempts().min(ATTEMPTS);
        let config = Builder::from(connection.config()).retry_config(retry.clone().with_max_attempts(attempts)).build();
        Self { client: Client::from_conf(config), retry }
    }

    /// How a distribution is set up, as far as it concerns a site in a bucket.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn setup(&self, distribution: &DistributionId, bucket: &Bucket) -> Result<DistributionSetup, AwsError> {
        let answer = self.client.get_distribution_config().id(distribution.as_str()).send().await;
        let answer =
            answer.map_err(|error| AwsError::new("GetDistributionConfig", distribution.to_string(), &error))?;
        let config = answer.distribution_config;
        let host = format!("{bucket}.s3");
        let by_identity = config.as_ref().and_then(|config| config.origins()).is_some_and(|origins| {
            origins.items().iter().any(|origin| {
                let identity = origin.s3_origin_config().map(|config| config.origin_access_identity());
                origin.domain_name().starts_with(&host) && identity.is_some_and(|identity| !identity.is_empty())
            })
        });
        let tags = config.and_then(|config| config.cache_tag_config).map(|tags| tags.header_name);
        Ok(DistributionSetup { by_identity, tags: tags.filter(|header| !header.is_empty()) })
    }

    /// Pauses between two requests that are the same: growing, with a random part, from the connection's own first pause
    /// to its longest one.
    #[must_use]
    pub fn pauses(&self) -> ExponentialBuilder {
        let first = self.retry.initial_backoff().max(Duration::from_millis(1));
        ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(self.retry.max_backoff().max(first))
            .without_max_times()
            .with_jitter()
    }

    /// Whether the connection tries a request more than once.
    #[must_use]
    pub fn tries_again(&self) -> bool {
        self.retry.max_attempts() > 1
    }

    /// Asks a distribution to forget; answers the invalidation's id. The same batch is the same invalidation, so sending
    /// it again costs nothing.
    ///
    /// # Errors
    /// [`AwsError`]; its code tells throttling and `TooManyInvalidationsInProgress` from the rest.
    pub async fn invalidate(&self, batch: &InvalidationRequest) -> Result<String, AwsError> {
        let subject = batch.distribution.as_str();
        let quantity = i32::try_from(batch.len()).unwrap_or(i32::MAX);
        let items = batch.items().collect();
        let asked = Paths::builder()
            .quantity(quantity)
            .set_items(Some(items))
            .build()
            .and_then(|paths| InvalidationBatch::builder().paths(paths).caller_reference(&batch.reference).build())
            .map_err(|error| AwsError::malformed("CreateInvalidation", subject, error.to_string()))?;
        let answer = self
            .client
            .create_invalidation()
            .distribution_id(subject)
            .invalidation_batch(asked)
            .send()
            .await
            .map_err(|error| AwsError::new("CreateInvalidation", subject, &error))?;
        answer
            .invalidation
            .map(|made| made.id)
            .ok_or_else(|| AwsError::malformed("CreateInvalidation", subject, "the answer has no invalidation"))
    }

    /// Which of a distribution's invalidations are in progress, a page at a time.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn list(&self, distribution: &DistributionId, from: Option<&str>) -> Result<InvalidationPage, AwsError> {
        let subject = distribution.as_str();
        let answer = self
            .client
            .list_invalidations()
            .distribution_id(subject)
            .set_marker(from.map(str::to_owned))
            .send()
            .await
            .map_err(|error| AwsError::new("ListInvalidations", subject, &error))?;
        let list = answer
            .invalidation_list
            .ok_or_else(|| AwsError::malformed("ListInvalidations", subject, "the answer has no list"))?;
        let in_progress = list.items().iter().filter(|told| told.status() == IN_PROGRESS);
        Ok(InvalidationPage {
            in_progress: in_progress.map(|told| told.id().to_owned()).collect(),
            next: list.next_marker().filter(|_| list.is_truncated()).map(str::to_owned),
        })
    }

    /// One invalidation.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn get(&self, distribution: &DistributionId, id: &str) -> Result<InvalidationStatus, AwsError> {
        let subject = distribution.as_str();
        let answer = self
            .client
            .get_invalidation()
            .distribution_id(subject)
            .id(id)
            .send()
            .await
            .map_err(|error| AwsError::new("GetInvalidation", subject, &error))?;
        let told = answer
            .invalidation
            .ok_or_else(|| AwsError::malformed("GetInvalidation", subject, "the answer has no invalidation"))?;
        let paths = told.invalidation_batch().and_then(InvalidationBatch::paths).map(Paths::items).unwrap_or_default();
        Ok(InvalidationStatus { in_progress: told.status() == IN_PROGRESS, paths: paths.to_vec() })
    }
}
