//! Telling distributions what to forget, after the site is live: how much room there is, sending, waiting.
//!
//! Owns what a failure means here, which is never the end of a release: what could not be sent is told with the reason,
//! and sending the same batch later is the same invalidation. Never chooses paths.

use std::time::Duration;

use backon::Retryable;
use futures::{StreamExt, stream};
use tidegate_core::config::{DistributionConfig, Site};
use tidegate_core::desired::DesiredSite;
use tidegate_core::invalidation::{
    ChangedKeys, InvalidationRequest, MAX_PATHS, MAX_WILDCARDS, PathQuota, TaggedCopies, batch, is_wildcard_item,
};
use tidegate_core::report::InvalidationReport;
use tidegate_core::site_state::SiteState;

use crate::aws_error::AwsError;
use crate::cloudfront::CloudFront;

/// How long sending pauses at the most, all pauses together. Invalidations in progress take a minute or two to be
/// complete; a publish within a Lambda has fifteen.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many times a batch is sent again at the most.
const TRIES: usize = 10;

/// How many invalidations in progress are looked at. There are seldom more than a few.
const LOOKED_AT: usize = 100;

/// Requests at a time: CloudFront throttles soon.
const AT_A_TIME: usize = 2;

/// How much room a distribution has. `free_left` is what is left of the month's free paths.
///
/// Needs `cloudfront:ListInvalidations` and `cloudfront:GetInvalidation`. Where they are denied or fail, nothing is taken
/// to be in progress: the worst that follows is that CloudFront refuses the batch until something is complete.
async fn room(cloudfront: &CloudFront, cdn: &DistributionConfig, free_left: usize) -> PathQuota {
    let distribution = &cdn.distribution;
    if free_left == 0 {
        tracing::warn!(%distribution, "the month's free invalidation paths are used up: folders are folded further, and each path is charged");
    }
    // Wildcards clear more the fewer there are: so few paths are never worth what clearing everything costs.
    let whole = PathQuota { free: free_left.max(MAX_WILDCARDS).min(cdn.max_paths), ..PathQuota::default() };
    match in_progress(cloudfront, cdn).await {
        Ok(used) => PathQuota {
            paths: MAX_PATHS.saturating_sub(used.singles),
            wildcards: MAX_WILDCARDS.saturating_sub(used.wildcards),
            ..whole
        },
        Err(error) => {
            let told = "what is in progress could not be counted, so nothing is taken to be";
            // Not to allow it is a choice, to fail is not.
            if error.is_denied() {
                tracing::info!(%distribution, %error, "{told}");
            } else {
                tracing::warn!(%distribution, %error, "{told}");
            }
            whole
        }
    }
}

/// What each distribution of a site has to forget after a release. `changed` is sorted; `first` are batches that are sent
/// before, once everything has changed, so that nobody has to be told of the same key twice.
pub(crate) async fn plan(
    cloudfront: &CloudFront,
    site: &Site,
    release: &str,
    (changed, first): (&[&str], &[InvalidationRequest]),
    (desired, found): (&DesiredSite, &SiteState),
    free_left: usize,
) -> Vec<InvalidationRequest> {
    let mut batches: Vec<InvalidationRequest> = Vec::new();
    if changed.is_empty() {
        return batches;
    }
    for cdn in &site.cdn {
        let used: usize = batches.iter().map(InvalidationRequest::len).sum();
        let room = room(cloudfront, cdn, free_left.saturating_sub(used)).await;
        let unchanged = found.others(desired, changed).collect();
        let name = cdn.cache_tags.as_ref();
        let copies = name.map(|name| TaggedCopies::of(name, changed, desired, found)).unwrap_or_default();
        let told: Vec<&InvalidationRequest> =
            first.iter().filter(|batch| batch.distribution == cdn.distribution).collect();
        let cleared = |key: &&str| told.iter().any(|batch| batch.clears(cdn, &site.target, key));
        let changed = changed.iter().copied().filter(|key| !cleared(key)).collect();
        let keys = ChangedKeys { changed, unchanged, copies };
        batches.extend(batch(site.name.as_str(), release, cdn, &site.target, keys, room));
    }
    batches
}

/// Sends a batch, and waits where the site says so.
pub(crate) async fn send(cloudfront: &CloudFront, site: &Site, batch: &InvalidationRequest) -> InvalidationReport {
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
    // What is not looked at has one path at the least.
    let mut used = PathsInProgress { singles: ids.len().saturating_sub(LOOKED_AT), wildcards: 0 };
    let mut answers = stream::iter(ids.into_iter().take(LOOKED_AT))
        .map(|id| async move { cloudfront.get(&cdn.distribution, &id).await })
        .buffer_unordered(AT_A_TIME);
    while let Some(told) = answers.next().await {
        // It may have been completed since the list was made.
        let told = told?;
        if told.in_progress {
            let wildcards = told.paths.iter().filter(|item| is_wildcard_item(item)).count();
            used.wildcards += wildcards;
            used.singles += told.paths.len() - wildcards;
        }
    }
    Ok(used)
}

/// Sends a batch. What passes with time (throttling, a service that is not available, too much in progress) is tried
/// again within bounds; whatever remains is the reason in `why`.
async fn send_paths(cloudfront: &CloudFront, batch: &InvalidationRequest) -> InvalidationReport {
    let sent = try_send(cloudfront, batch).await;
    statuses(batch, sent)
}

/// The same for a batch with tags, which goes by paths unless the distribution is known to honour tags and takes them.
/// AWS documents that a distribution without a `CacheTagConfig` ignores the header, and no error for a tag that it is told
/// all the same: an invalidation that is taken and clears nothing would leave old pages with visitors. So it is asked
/// first, and what is refused as it stands is sent by paths.
async fn send_tags(
    cloudfront: &CloudFront,
    site: &Site,
    cdn: Option<&DistributionConfig>,
    batch: &InvalidationRequest,
) -> InvalidationReport {
    let distribution = &batch.distribution;
    let by_paths = || async { send_paths(cloudfront, &batch.clone().by_paths()).await };
    let Some(name) = cdn.and_then(|cdn| cdn.cache_tags.as_ref()) else { return by_paths().await };
    match cloudfront.setup(distribution, &site.target.bucket).await {
        Ok(setup) if setup.reads_tags(name) => {}
        Ok(setup) => {
            let reads = setup.tags.unwrap_or_else(|| "no header".to_owned());
            let wanted = name.header();
            tracing::warn!(%distribution, reads, wanted, "the distribution reads cache tags from elsewhere, so it is told by paths");
            return by_paths().await;
        }
        Err(error) => {
            tracing::warn!(%distribution, %error, "whether the distribution reads cache tags is not known, so it is told by paths");
            return by_paths().await;
        }
    }
    match try_send(cloudfront, batch).await {
        Err(error) if error.status == Some(400) && !passes(&error) => {
            tracing::warn!(%distribution, %error, "the distribution takes no cache tags, so it is told by paths");
            by_paths().await
        }
        sent => statuses(batch, sent),
    }
}

fn statuses(batch: &InvalidationRequest, sent: Result<String, AwsError>) -> InvalidationReport {
    let (id, why) = match sent {
        Ok(id) => (Some(id), None),
        Err(error) => (None, Some(error.to_string())),
    };
    InvalidationReport { distribution: batch.distribution.to_string(), paths: batch.items().collect(), id, why }
}

async fn try_send(cloudfront: &CloudFront, batch: &InvalidationRequest) -> Result<String, AwsError> {
    let pauses = cloudfront
        .pauses()
        .with_max_times(if cloudfront.tries_again() { TRIES } else { 0 })
        .with_total_delay(Some(PATIENCE));
    (|| cloudfront.invalidate(batch))
        .retry(pauses)
        .when(passes)
        .notify(|error, pause| {
            tracing::info!(distribution = %batch.distribution, %error, ?pause, "the invalidation is sent again");
        })
        .await
}

/// Whether waiting may help. Sources of the codes: CloudFront API reference, "CreateInvalidation" and "Common errors".
fn passes(error: &AwsError) -> bool {
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
enum Pending {
    InProgress,
    Failed(AwsError),
}

/// Waits until an invalidation is complete; whether it was within `patience`. That it was not, or that nobody may ask, is
/// a warning and no failure: the invalidation is on its way.
async fn wait(cloudfront: &CloudFront, batch: &InvalidationRequest, id: &str, patience: Duration) -> bool {
    let distribution = &batch.distribution;
    let ask = || async {
        match cloudfront.get(distribution, id).await {
            Ok(told) if told.in_progress => Err(Pending::InProgress),
            Ok(_) => Ok(()),
            Err(error) => Err(Pending::Failed(error)),
        }
    };
    let again = |pending: &Pending| match pending {
        Pending::InProgress => true,
        Pending::Failed(error) => passes(error),
    };
    match tokio::time::timeout(patience, ask.retry(cloudfront.pauses()).when(again)).await {
        Ok(Ok(())) => true,
        Ok(Err(Pending::Failed(error))) => {
            tracing::warn!(%distribution, id, %error, "nobody knows whether the invalidation is complete");
            false
        }
        Ok(Err(Pending::InProgress)) | Err(_) => {
            let seconds = patience.as_secs();
            tracing::warn!(%distribution, id, seconds, "the invalidation is not complete yet, caches may hold older pages for a while");
            false
        }
    }
}
