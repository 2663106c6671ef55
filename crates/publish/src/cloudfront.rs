//! CloudFront requests. Nothing else in this crate names the CloudFront SDK. `tidegate_core::invalidation` chooses the
//! paths, and `publish::cdn` retries and handles failures. The files of this folder are for the edge of a site.

/// Sends a request. An error names the call and its subject.
macro_rules! send {
    ($call:literal, $subject:expr, $request:expr) => {
        $request.send().await.map_err(|error| $crate::aws_error::AwsError::new($call, $subject, &error))
    };
}

mod distribution;
mod edit;
mod function;
mod headers_policy;
mod store;

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

pub use distribution::{EdgeDistribution, EdgeOrigin, OriginKind};
pub use edit::{DistributionEdit, ErrorPage, ViewerEvent};
pub use function::{EdgeFunctionSpec, EdgeStage, EdgeTestOutput, FoundEdgeFunction};
pub use headers_policy::{FoundHeadersPolicy, SiteHeaders, headers_policy_config};
pub use store::EdgeStore;

/// Most attempts of the SDK for one request. Fewer than for S3: CloudFront throttles after six or seven requests in a
/// row. `publish::cdn` retries transient errors as well, and waits longer.
const ATTEMPTS: u32 = 3;

/// The status of an invalidation that still counts against the limits. Source: CloudFront API reference,
/// "Invalidation".
const IN_PROGRESS: &str = "InProgress";

/// A CloudFront client.
#[derive(Debug, Clone)]
pub struct CloudFront {
    client: Client,
    retry: RetryConfig,
}

/// The settings of a distribution that matter for a site in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistributionSettings {
    /// Whether it reads the bucket with an origin access identity.
    pub uses_origin_access_identity: bool,
    /// The header that it reads cache tags from, if any.
    pub tag_header: Option<String>,
}

/// A distribution that reads a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketDistribution {
    /// Its id.
    pub id: String,
    /// The origin path that it prepends to every request for the bucket.
    pub origin_path: String,
}

/// Whether the domain of an origin is an endpoint of a bucket: REST, website or dual-stack. Source: AWS General Reference,
/// "Amazon Simple Storage Service endpoints and quotas".
fn reads_bucket(domain: &str, bucket: &Bucket) -> bool {
    let domain = domain.to_ascii_lowercase();
    let Some(endpoint) = domain.strip_prefix(bucket.as_str()).and_then(|rest| rest.strip_prefix('.')) else {
        return false;
    };
    let suffixes = [".amazonaws.com", ".amazonaws.com.cn"];
    let Some(service) = suffixes.iter().find_map(|suffix| endpoint.strip_suffix(suffix)) else { return false };
    let mut labels = service.split('.');
    // A bucket may be called `docs.s3`, so what follows must be a region.
    let is_region = |label: &str| label == "dualstack" || (label.contains('-') && !label.starts_with("s3"));
    labels.next().is_some_and(|first| first == "s3" || first.starts_with("s3-")) && labels.all(is_region)
}

impl DistributionSettings {
    /// Whether it reads tags from this user metadata. Header names are case-insensitive.
    pub fn reads_tags(&self, name: &MetadataName) -> bool {
        self.tag_header.as_ref().is_some_and(|header| header.eq_ignore_ascii_case(&name.header()))
    }
}

/// One page of a distribution's invalidations, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidationPage {
    /// The ids of those in progress.
    pub in_progress: Vec<String>,
    /// The marker of the next page, if there is one.
    pub next: Option<String>,
}

/// The status of an invalidation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidationStatus {
    /// Whether it still counts against the limits. Caches may still hold what it clears.
    pub in_progress: bool,
    /// Its paths and tags.
    pub paths: Vec<String>,
}

impl CloudFront {
    /// Creates a client.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        let retry = connection.config().retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let attempts = retry.max_attempts().min(ATTEMPTS);
        let config = Builder::from(connection.config()).retry_config(retry.clone().with_max_attempts(attempts)).build();
        Self { client: Client::from_conf(config), retry }
    }

    /// The settings of a distribution.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn settings(
        &self,
        distribution: &DistributionId,
        bucket: &Bucket,
    ) -> Result<DistributionSettings, AwsError> {
        let output = self.client.get_distribution_config().id(distribution.as_str()).send().await;
        let output =
            output.map_err(|error| AwsError::new("GetDistributionConfig", distribution.to_string(), &error))?;
        let config = output.distribution_config;
        let host = format!("{bucket}.s3");
        let uses_origin_access_identity = config.as_ref().and_then(|config| config.origins()).is_some_and(|origins| {
            origins.items().iter().any(|origin| {
                let identity = origin.s3_origin_config().map(|config| config.origin_access_identity());
                origin.domain_name().starts_with(&host) && identity.is_some_and(|identity| !identity.is_empty())
            })
        });
        let tag_header = config.and_then(|config| config.cache_tag_config).map(|tags| tags.header_name);
        let tag_header = tag_header.filter(|header| !header.is_empty());
        Ok(DistributionSettings { uses_origin_access_identity, tag_header })
    }

    /// The distributions that read a bucket, each with the origin path of that origin.
    ///
    /// # Errors
    /// [`AwsError`]; access denied where the caller may not list distributions.
    pub async fn of_bucket(&self, bucket: &Bucket) -> Result<Vec<BucketDistribution>, AwsError> {
        let mut found = Vec::new();
        let mut pages = self.client.list_distributions().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new("ListDistributions", "the account", &error))?;
            for distribution in page.distribution_list.and_then(|list| list.items).unwrap_or_default() {
                let origins = distribution.origins().map(|origins| origins.items()).unwrap_or_default();
                let mut origins = origins.iter().filter(|origin| reads_bucket(origin.domain_name(), bucket));
                if let Some(origin) = origins.next() {
                    found.push(BucketDistribution {
                        id: distribution.id.clone(),
                        origin_path: origin.origin_path().unwrap_or_default().to_owned(),
                    });
                }
            }
        }
        Ok(found)
    }

    /// Exponential backoff with jitter between two attempts, within the bounds of the connection's retry configuration.
    #[must_use]
    pub fn backoff(&self) -> ExponentialBuilder {
        let first = self.retry.initial_backoff().max(Duration::from_millis(1));
        ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(self.retry.max_backoff().max(first))
            .without_max_times()
            .with_jitter()
    }

    /// Whether the connection retries requests.
    #[must_use]
    pub fn retries(&self) -> bool {
        self.retry.max_attempts() > 1
    }

    /// Creates an invalidation and returns its id. The same request is the same invalidation, so sending it again costs
    /// nothing.
    ///
    /// # Errors
    /// [`AwsError`]; its code distinguishes throttling and `TooManyInvalidationsInProgress` from other errors.
    pub async fn invalidate(&self, request: &InvalidationRequest) -> Result<String, AwsError> {
        let subject = request.distribution.as_str();
        let quantity = i32::try_from(request.len()).unwrap_or(i32::MAX);
        let items = request.items().collect();
        let batch = Paths::builder()
            .quantity(quantity)
            .set_items(Some(items))
            .build()
            .and_then(|paths| InvalidationBatch::builder().paths(paths).caller_reference(&request.reference).build())
            .map_err(|error| AwsError::malformed("CreateInvalidation", subject, error.to_string()))?;
        let output = self
            .client
            .create_invalidation()
            .distribution_id(subject)
            .invalidation_batch(batch)
            .send()
            .await
            .map_err(|error| AwsError::new("CreateInvalidation", subject, &error))?;
        output
            .invalidation
            .map(|invalidation| invalidation.id)
            .ok_or_else(|| AwsError::malformed("CreateInvalidation", subject, "the response has no invalidation"))
    }

    /// One page of a distribution's invalidations in progress. `from` is the marker of the page before.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn list(&self, distribution: &DistributionId, from: Option<&str>) -> Result<InvalidationPage, AwsError> {
        let subject = distribution.as_str();
        let output = self
            .client
            .list_invalidations()
            .distribution_id(subject)
            .set_marker(from.map(str::to_owned))
            .send()
            .await
            .map_err(|error| AwsError::new("ListInvalidations", subject, &error))?;
        let list = output
            .invalidation_list
            .ok_or_else(|| AwsError::malformed("ListInvalidations", subject, "the response has no list"))?;
        let in_progress = list.items().iter().filter(|invalidation| invalidation.status() == IN_PROGRESS);
        Ok(InvalidationPage {
            in_progress: in_progress.map(|invalidation| invalidation.id().to_owned()).collect(),
            next: list.next_marker().filter(|_| list.is_truncated()).map(str::to_owned),
        })
    }

    /// The status of one invalidation.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn get(&self, distribution: &DistributionId, id: &str) -> Result<InvalidationStatus, AwsError> {
        let subject = distribution.as_str();
        let output = self
            .client
            .get_invalidation()
            .distribution_id(subject)
            .id(id)
            .send()
            .await
            .map_err(|error| AwsError::new("GetInvalidation", subject, &error))?;
        let invalidation = output
            .invalidation
            .ok_or_else(|| AwsError::malformed("GetInvalidation", subject, "the response has no invalidation"))?;
        let paths =
            invalidation.invalidation_batch().and_then(InvalidationBatch::paths).map(Paths::items).unwrap_or_default();
        Ok(InvalidationStatus { in_progress: invalidation.status() == IN_PROGRESS, paths: paths.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_of_a_bucket_is_recognized_and_no_other() {
        let bucket = |name: &str| Bucket::new(name).unwrap();
        for endpoint in [
            "s3.amazonaws.com",
            "s3.eu-west-1.amazonaws.com",
            "s3-eu-west-1.amazonaws.com",
            "s3.dualstack.eu-west-1.amazonaws.com",
            "s3-website-us-east-1.amazonaws.com",
            "s3-website.eu-central-1.amazonaws.com",
            "s3-website.cn-north-1.amazonaws.com.cn",
            "s3.cn-north-1.amazonaws.com.cn",
        ] {
            assert!(reads_bucket(&format!("docs.acme.com.{endpoint}"), &bucket("docs.acme.com")), "{endpoint}");
            assert!(reads_bucket(&format!("Docs.S3.{endpoint}"), &bucket("docs.s3")), "{endpoint}");
            assert!(!reads_bucket(&format!("docs.s3.{endpoint}"), &bucket("docs")), "{endpoint}");
            assert!(!reads_bucket(&format!("docs2.{endpoint}"), &bucket("docs")), "{endpoint}");
            assert!(!reads_bucket(&format!("my.docs.{endpoint}"), &bucket("docs")), "{endpoint}");
        }
        for other in [
            "docs.example.com",
            "docs.s3.example.com",
            "docs.s3.amazonaws.com.evil.example",
            "docs",
            "docs.ec2.amazonaws.com",
        ] {
            assert!(!reads_bucket(other, &bucket("docs")), "{other}");
        }
    }
}
