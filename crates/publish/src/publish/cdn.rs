//! Sends invalidations to CloudFront: how many paths a distribution has left, sending, waiting.
//!
//! A failure here never ends a release: what could not be sent is reported, and sending the same request later is the
//! same invalidation.

use std::time::Duration;

use backon::Retryable;
use futures::{StreamExt, stream};
use tidegate_core::config::{DistributionConfig, Site};
use tidegate_core::invalidation::{InvalidationRequest, MAX_PATHS, MAX_WILDCARDS, PathQuota, is_wildcard_item};
use tidegate_core::report::InvalidationReport;

use crate::aws_error::AwsError;
use crate::cloudfront::CloudFront;

/// Longest time for all retries of one request. An invalidation in progress completes in a minute
/// or two; a publish within a Lambda has fifteen.
const RETRY_TIME: Duration = Duration::from_secs(120);

/// Most attempts after the first.
const RETRIES: usize = 10;

/// Most invalidations in progress whose paths are counted. There are seldom more than a few.
const MAX_COUNTED: usize = 100;

/// Requests in flight: CloudFront throttles early.
const REQUESTS_IN_FLIGHT: usize = 2;

/// How many paths a distribution has left. `free_left` is what remains of the month's free paths.
///
/// Needs `cloudfront:ListInvalidations` and `cloudfront:GetInvalidation`. If they are denied or fail, nothing counts as
/// in progress: at worst, CloudFront refuses the request until something completes.
pub(super) async fn quota(cloudfront: &CloudFront, cdn: &DistributionConfig, free_left: usize) -> PathQuota {
    let distribution = &cdn.distribution;
    if free_left == 0 {
        tracing::warn!(%distribution, "the month's free invalidation paths are used up: folders are folded further, and each path is charged");
    }
    // Fewer wildcards clear more: so few paths never justify clearing everything.
    let whole = PathQuota { free: free_left.max(MAX_WILDCARDS).min(cdn.max_paths), ..PathQuota::default() };
    match in_progress(cloudfront, cdn).await {
        Ok(used) => PathQuota {
            paths: MAX_PATHS.saturating_sub(used.singles),
            wildcards: MAX_WILDCARDS.saturating_sub(used.wildcards),
            ..whole
        },
        Err(error) => {
            let message = "cannot count invalidations in progress, so none are assumed";
            // A missing permission is a choice, a failure is not.
            if error.is_denied() {
                tracing::info!(%distribution, %error, "{message}");
            } else {
                tracing::warn!(%distribution, %error, "{message}");
            }
            whole
        }
    }
}

/// Sends a request, and waits for it to complete if the site says so.
pub(super) async fn send(cloudfront: &CloudFront, site: &Site, batch: &InvalidationRequest) -> InvalidationReport {
    let cdn = site.cdn.iter().find(|cdn| cdn.distribution == batch.distribution);
    let sent = if batch.tags.is_empty() {
        send_paths(cloudfront, batch).await
    } else {
        send_tags(cloudfront, site, cdn, batch).await
    };
    if let (Some(id), Some(cdn)) = (&sent.id, cdn.filter(|cdn| cdn.wait_seconds > 0)) {
        wait(cloudfront, batch, id, Duration::from_secs(cdn.wait_seconds.into())).await;
    }
    sent
}

/// Paths in progress.
#[derive(Debug, Default)]
struct PathsInProgress {
    singles: usize,
    wildcards: usize,
}

async fn in_progress(cloudfront: &CloudFront, cdn: &DistributionConfig) -> Result<PathsInProgress, AwsError> {
    let mut ids = Vec::new();
    let mut from = None;
    // The newest come first, so a page without any in progress is the last one that could have some.
    loop {
        let page = cloudfront.list(&cdn.distribution, from.as_deref()).await?;
        let found = !page.in_progress.is_empty();
        ids.extend(page.in_progress);
        match page.next.filter(|_| found) {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    // One that is not counted has at least one path.
    let mut used = PathsInProgress { singles: ids.len().saturating_sub(MAX_COUNTED), wildcards: 0 };
    let mut statuses = stream::iter(ids.into_iter().take(MAX_COUNTED))
        .map(|id| async move { cloudfront.get(&cdn.distribution, &id).await })
        .buffer_unordered(REQUESTS_IN_FLIGHT);
    while let Some(status) = statuses.next().await {
        // It may have completed since it was listed.
        let status = status?;
        if status.in_progress {
            let wildcards = status.paths.iter().filter(|item| is_wildcard_item(item)).count();
            used.wildcards += wildcards;
            used.singles += status.paths.len() - wildcards;
        }
    }
    Ok(used)
}

/// Sends a request by paths. Transient errors (throttling, an unavailable service, too many invalidations in progress)
/// are retried within bounds.
async fn send_paths(cloudfront: &CloudFront, batch: &InvalidationRequest) -> InvalidationReport {
    let sent = try_send(cloudfront, batch).await;
    report(batch, sent)
}

/// Sends a request by cache tags, or by paths if the distribution is not known to honour tags, or refuses them.
///
/// AWS documents that a distribution without a `CacheTagConfig` ignores the header, but documents no error for a tag
/// that is sent to it: such an invalidation may succeed and clear nothing. So the distribution's configuration is read
/// first.
async fn send_tags(
    cloudfront: &CloudFront,
    site: &Site,
    cdn: Option<&DistributionConfig>,
    batch: &InvalidationRequest,
) -> InvalidationReport {
    let distribution = &batch.distribution;
    let by_paths = || async { send_paths(cloudfront, &batch.clone().by_paths()).await };
    let Some(name) = cdn.and_then(|cdn| cdn.cache_tags.as_ref()) else { return by_paths().await };
    match cloudfront.settings(distribution, &site.target.bucket).await {
        Ok(settings) if settings.reads_tags(name) => {}
        Ok(settings) => {
            let reads = settings.tag_header.unwrap_or_else(|| "no header".to_owned());
            let expected = name.header();
            tracing::warn!(%distribution, reads, expected, "the distribution reads cache tags from another header; invalidating by paths");
            return by_paths().await;
        }
        Err(error) => {
            tracing::warn!(%distribution, %error, "cannot read whether the distribution uses cache tags; invalidating by paths");
            return by_paths().await;
        }
    }
    match try_send(cloudfront, batch).await {
        Err(error) if error.status == Some(400) && !is_transient(&error) => {
            tracing::warn!(%distribution, %error, "the distribution refuses cache tags; invalidating by paths");
            by_paths().await
        }
        sent => report(batch, sent),
    }
}

fn report(batch: &InvalidationRequest, sent: Result<String, AwsError>) -> InvalidationReport {
    let (id, why) = match sent {
        Ok(id) => (Some(id), None),
        Err(error) => (None, Some(error.to_string())),
    };
    InvalidationReport { distribution: batch.distribution.to_string(), paths: batch.items().collect(), id, why }
}

async fn try_send(cloudfront: &CloudFront, batch: &InvalidationRequest) -> Result<String, AwsError> {
    let backoff = cloudfront
        .backoff()
        .with_max_times(if cloudfront.retries() { RETRIES } else { 0 })
        .with_total_delay(Some(RETRY_TIME));
    (|| cloudfront.invalidate(batch))
        .retry(backoff)
        .when(is_transient)
        .notify(|error, pause| {
            tracing::info!(distribution = %batch.distribution, %error, ?pause, "retrying the invalidation");
        })
        .await
}

/// Whether a retry may succeed. Sources of the codes: CloudFront API reference, "CreateInvalidation" and "Common
/// errors".
fn is_transient(error: &AwsError) -> bool {
    let by_code = error.code.as_deref().is_some_and(|code| {
        matches!(
            code,
            "TooManyInvalidationsInProgress"
                | "Throttling"
                | "ThrottlingException"
                | "RequestThrottled"
                | "TooManyRequestsException"
                | "PriorRequestNotComplete"
                | "ServiceUnavailable"
        )
    });
    by_code || matches!(error.status, Some(429 | 503))
}

/// Why an invalidation is not known to be complete.
enum Incomplete {
    InProgress,
    Failed(AwsError),
}

/// Waits at most `limit` until an invalidation is complete. If it is not, that is a warning, not a failure.
async fn wait(cloudfront: &CloudFront, batch: &InvalidationRequest, id: &str, limit: Duration) {
    let distribution = &batch.distribution;
    let ask = || async {
        match cloudfront.get(distribution, id).await {
            Ok(status) if status.in_progress => Err(Incomplete::InProgress),
            Ok(_) => Ok(()),
            Err(error) => Err(Incomplete::Failed(error)),
        }
    };
    let again = |incomplete: &Incomplete| match incomplete {
        Incomplete::InProgress => true,
        Incomplete::Failed(error) => is_transient(error),
    };
    match tokio::time::timeout(limit, ask.retry(cloudfront.backoff()).when(again)).await {
        Ok(Ok(())) => {}
        Ok(Err(Incomplete::Failed(error))) => {
            tracing::warn!(%distribution, id, %error, "cannot read whether the invalidation is complete");
        }
        Ok(Err(Incomplete::InProgress)) | Err(_) => {
            let seconds = limit.as_secs();
            tracing::warn!(%distribution, id, seconds, "the invalidation is not complete yet; caches may serve older pages for a while");
        }
    }
}
