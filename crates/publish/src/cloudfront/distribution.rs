//! Distributions of CloudFront, as far as the edge of a site is concerned: reading what they are, and changing it.

use std::collections::BTreeMap;

use aws_sdk_cloudfront::types::{DefaultCacheBehavior, DistributionConfig, EventType, Origin};
use tidegate_core::config::DistributionId;
use tidegate_core::location::Bucket;

use super::edit::{DistributionEdit, ErrorPage, ViewerEvent, edited};
use super::{CloudFront, reads_bucket};
use crate::aws_error::AwsError;

/// The status of a distribution of which all edge locations have the configuration. Source: CloudFront API reference,
/// "Distribution".
const DEPLOYED: &str = "Deployed";

/// How a distribution reads its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginKind {
    /// The REST endpoint of the bucket, with access control or an access identity.
    Private,
    /// The REST endpoint of the bucket, without credentials.
    Public,
    /// The website endpoint of the bucket.
    Website,
    /// Something else.
    Other,
}

/// The origin of a distribution's default behavior.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeOrigin {
    /// Its domain.
    pub domain: String,
    /// Its path.
    pub path: String,
    /// What it is.
    pub kind: OriginKind,
}

/// A distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeDistribution {
    /// Its ARN.
    pub arn: String,
    /// Whether all edge locations have its configuration.
    pub deployed: bool,
    /// The origin of its default behavior.
    pub origin: EdgeOrigin,
    /// The object that answers `/`.
    pub root_object: Option<String>,
    /// ARNs of the functions of its default behavior.
    pub functions: BTreeMap<ViewerEvent, String>,
    /// ARNs of Lambda@Edge functions at viewer events of its default behavior.
    pub viewer_lambdas: Vec<String>,
    /// Custom error responses by status.
    pub error_pages: BTreeMap<i32, ErrorPage>,
    /// Id of the response headers policy of its default behavior.
    pub headers_policy: Option<String>,
    /// Path patterns of other behaviors that read the same origin.
    pub other_paths: Vec<String>,
}

fn viewer_event(event: &EventType) -> Option<ViewerEvent> {
    match event {
        EventType::ViewerRequest => Some(ViewerEvent::Request),
        EventType::ViewerResponse => Some(ViewerEvent::Response),
        _ => None,
    }
}

fn origin(config: &DistributionConfig, behavior: &DefaultCacheBehavior, bucket: &Bucket) -> EdgeOrigin {
    let origins = config.origins().map(|origins| origins.items()).unwrap_or_default();
    let found = origins.iter().find(|origin| origin.id() == behavior.target_origin_id());
    let Some(found) = found else {
        return EdgeOrigin {
            domain: behavior.target_origin_id().to_owned(),
            path: String::new(),
            kind: OriginKind::Other,
        };
    };
    EdgeOrigin {
        domain: found.domain_name().to_owned(),
        path: found.origin_path().unwrap_or_default().to_owned(),
        kind: origin_kind(found, bucket),
    }
}

fn origin_kind(origin: &Origin, bucket: &Bucket) -> OriginKind {
    let domain = origin.domain_name().to_ascii_lowercase();
    if !reads_bucket(&domain, bucket) {
        return OriginKind::Other;
    }
    let endpoint = domain.get(bucket.as_str().len() + 1..).unwrap_or_default();
    if endpoint.starts_with("s3-website") {
        return OriginKind::Website;
    }
    let has_control = origin.origin_access_control_id().is_some_and(|id| !id.is_empty());
    let has_identity = origin.s3_origin_config().is_some_and(|config| !config.origin_access_identity().is_empty());
    if has_control || has_identity { OriginKind::Private } else { OriginKind::Public }
}

fn error_pages(config: &DistributionConfig) -> BTreeMap<i32, ErrorPage> {
    let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let pages = config.custom_error_responses().map(|pages| pages.items()).unwrap_or_default();
    let page = |page: &aws_sdk_cloudfront::types::CustomErrorResponse| {
        let found = ErrorPage {
            page: text(page.response_page_path()),
            status: text(page.response_code()),
            seconds: page.error_caching_min_ttl(),
        };
        (page.error_code(), found)
    };
    pages.iter().map(page).collect()
}

fn other_paths(config: &DistributionConfig, behavior: &DefaultCacheBehavior) -> Vec<String> {
    let others = config.cache_behaviors().map(|others| others.items()).unwrap_or_default();
    let same = others.iter().filter(|other| other.target_origin_id() == behavior.target_origin_id());
    same.map(|other| other.path_pattern().to_owned()).collect()
}

impl CloudFront {
    /// A distribution, for a site in a bucket.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn distribution(&self, id: &DistributionId, bucket: &Bucket) -> Result<EdgeDistribution, AwsError> {
        let subject = id.as_str();
        let output = send!("GetDistribution", subject, self.client.get_distribution().id(subject))?;
        let malformed = |what| AwsError::malformed("GetDistribution", subject, format!("the response has no {what}"));
        let found = output.distribution.ok_or_else(|| malformed("distribution"))?;
        let config = found.distribution_config.ok_or_else(|| malformed("configuration"))?;
        let behavior = config.default_cache_behavior().ok_or_else(|| malformed("default behavior"))?;
        let functions = behavior.function_associations().map(|functions| functions.items()).unwrap_or_default();
        let lambdas = behavior.lambda_function_associations().map(|lambdas| lambdas.items()).unwrap_or_default();
        let at_viewers = lambdas.iter().filter(|lambda| viewer_event(lambda.event_type()).is_some());
        Ok(EdgeDistribution {
            arn: found.arn,
            deployed: found.status == DEPLOYED,
            origin: origin(&config, behavior, bucket),
            root_object: config.default_root_object().filter(|object| !object.is_empty()).map(str::to_owned),
            functions: functions
                .iter()
                .filter_map(|one| viewer_event(one.event_type()).map(|event| (event, one.function_arn().to_owned())))
                .collect(),
            viewer_lambdas: at_viewers.map(|lambda| lambda.lambda_function_arn().to_owned()).collect(),
            error_pages: error_pages(&config),
            headers_policy: behavior.response_headers_policy_id().filter(|id| !id.is_empty()).map(str::to_owned),
            other_paths: other_paths(&config, behavior),
        })
    }

    /// Changes a distribution, if nothing else changes it at the same time.
    ///
    /// # Errors
    /// [`AwsError`]; a failed condition where something else changed the distribution in the meantime.
    pub async fn edit_distribution(&self, id: &DistributionId, edits: &[DistributionEdit]) -> Result<(), AwsError> {
        let subject = id.as_str();
        let output = send!("GetDistributionConfig", subject, self.client.get_distribution_config().id(subject))?;
        let malformed = |why: String| AwsError::malformed("UpdateDistribution", subject, why);
        let config =
            output.distribution_config.ok_or_else(|| malformed("the distribution has no configuration".into()))?;
        let config = edited(config, edits).map_err(|error| malformed(error.to_string()))?;
        let request = self.client.update_distribution().id(subject).set_if_match(output.e_tag);
        send!("UpdateDistribution", subject, request.distribution_config(config)).map(drop)
    }
}
