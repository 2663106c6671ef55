//! Invalidates what changed on each distribution of a site.
//!
//! The requests of a release are stored before it goes live. If a run dies before they are sent, the next run sends the
//! very same requests: the same reference with the same items is one invalidation, so nothing is paid twice.

use tidegate_core::config::Site;
use tidegate_core::edge::{is_shared_key, is_versioned};
use tidegate_core::invalidation::{ChangedKeys, FREE_PATHS, InvalidationRequest, TaggedCopies, month};
use tidegate_core::plan::Plan;
use tidegate_core::release::ReleaseId;
use tidegate_core::report::{Outcome, PublishReport};

use super::cdn;
use super::edge::PlannedEdge;
use super::plan::Basis;
use super::release::ReleaseRun;
use super::run::Run;
use crate::cloudfront::CloudFront;
use crate::connection::Connection;
use crate::state::PendingInvalidation;

/// The requests of a release: for what this run changed, and for what unfinished runs may have changed.
///
/// Behind a folder of releases, pages in place change without an invalidation: no visitor asks for them. When visitors get them
/// again, a CDN may have copies of any age.
pub(super) async fn plan_requests(release: &ReleaseRun<'_>, connection: &Connection) -> Vec<InvalidationRequest> {
    let returns = release.basis.edge.as_ref().is_some_and(PlannedEdge::leaves_folder);
    let (desired, unfinished) = (&release.basis.desired, &release.history().unfinished);
    let others = unfinished.touched_without(desired);
    let shown = desired.entries().iter().filter(|entry| returns || unfinished.is_touched(&entry.key.stored()));
    let planned = release.plan().operations.iter().map(|operation| operation.key.as_str());
    let shown = shown.map(|entry| entry.key.as_str());
    let mut changed: Vec<&str> = planned.chain(shown).chain(others.iter().map(String::as_str)).collect();
    changed.sort_unstable();
    changed.dedup();
    let earlier = release.pending.iter().filter(|pending| pending.complete).flat_map(|pending| &pending.requests);
    let request = Requests {
        run: release.run,
        basis: release.basis,
        reference: release.record.id.to_string(),
        changed: &changed,
        earlier: earlier.collect(),
        free_left: FREE_PATHS.saturating_sub(paths_sent(release).await),
    };
    request.plan(&CloudFront::new(connection)).await
}

/// Sends the invalidations of a live release, and those that are pending from earlier ones. Returns the releases whose
/// invalidations are pending afterwards.
pub(super) async fn invalidate_release(
    release: &mut ReleaseRun<'_>,
    connection: &Connection,
    report: &mut PublishReport,
) -> Vec<ReleaseId> {
    if !report.done.failures.is_empty() {
        // A later run that sends these requests again must know that not everything was deleted when they were sent
        // first.
        release.record.outcome = Some(Outcome::Partial);
        if let Err(error) = release.store().put_release(&release.record, false).await {
            tracing::warn!(%error, "cannot store that a delete failed");
        }
    }
    let own =
        PendingInvalidation { id: release.record.id, requests: release.record.invalidations.clone(), complete: true };
    let mut pending = std::mem::take(&mut release.pending);
    pending.push(own);
    send_pending(release, connection, pending, report).await
}

/// Sends invalidations that are pending, and counts their paths. Returns the releases that still have some.
pub(super) async fn send_pending(
    release: &ReleaseRun<'_>,
    connection: &Connection,
    pending: Vec<PendingInvalidation>,
    report: &mut PublishReport,
) -> Vec<ReleaseId> {
    let cloudfront = CloudFront::new(connection);
    let mut left = Vec::new();
    for PendingInvalidation { id, requests, .. } in pending {
        if !send(release.run, &cloudfront, &requests, report).await {
            left.push(id);
        }
    }
    count_paths(release, report).await;
    left
}

/// Invalidates what a plan changed on a site without releases. Returns whether every distribution accepted it.
pub(super) async fn invalidate_site(
    run: Run<'_>,
    connection: &Connection,
    plan: &Plan,
    basis: &Basis,
    report: &mut PublishReport,
) -> bool {
    let changed: Vec<&str> = plan.operations.iter().map(|operation| operation.key.as_str()).collect();
    let reference = report.plan.clone().unwrap_or_default();
    let requests = Requests { run, basis, reference, changed: &changed, earlier: Vec::new(), free_left: FREE_PATHS };
    let cloudfront = CloudFront::new(connection);
    let requests = requests.plan(&cloudfront).await;
    send(run, &cloudfront, &requests, report).await
}

/// What requests are planned from.
struct Requests<'a> {
    run: Run<'a>,
    basis: &'a Basis,
    /// Names the release, or the plan.
    reference: String,
    /// Keys that changed, sorted.
    changed: &'a [&'a str],
    /// Requests that are sent before: what they clear needs no second path.
    earlier: Vec<&'a InvalidationRequest>,
    /// What is left of the month's free paths.
    free_left: usize,
}

impl Requests<'_> {
    async fn plan(&self, cloudfront: &CloudFront) -> Vec<InvalidationRequest> {
        let Self { run, basis, changed, .. } = self;
        let (site, mut requests) = (run.site, Vec::<InvalidationRequest>::new());
        let changed: Vec<&str> = changed.iter().copied().filter(|key| is_cached(site, key)).collect();
        if changed.is_empty() {
            return requests;
        }
        for cdn in &site.cdn {
            let used: usize = requests.iter().map(InvalidationRequest::len).sum();
            let quota = cdn::quota(cloudfront, cdn, self.free_left.saturating_sub(used)).await;
            let unchanged = basis.state.unchanged_keys(&basis.desired, &changed).collect();
            let copies =
                cdn.cache_tags.as_ref().map(|tag| TaggedCopies::of(tag, &changed, &basis.desired, &basis.state));
            let earlier = self.earlier.iter().filter(|request| request.distribution == cdn.distribution);
            let cleared = |key: &&str| earlier.clone().any(|request| request.clears(cdn, &site.target, key));
            let changed = changed.iter().copied().filter(|key| !cleared(key)).collect();
            let keys = ChangedKeys { changed, unchanged, copies: copies.unwrap_or_default() };
            requests.extend(InvalidationRequest::new(&site.name, &self.reference, cdn, &site.target, keys, quota));
        }
        requests
    }
}

/// Whether a CDN may have cached another version of a key under its path. The folder of a release never changes once it is
/// served; behind a function, visitors get no page in place but the error page.
fn is_cached(site: &Site, key: &str) -> bool {
    match &site.edge {
        _ if is_versioned(key) => false,
        Some(edge) if edge.is_atomic() => key == edge.not_found() || is_shared_key(key, &edge.shared),
        _ => true,
    }
}

/// Sends requests. Returns whether all of them were accepted.
async fn send(
    run: Run<'_>,
    cloudfront: &CloudFront,
    requests: &[InvalidationRequest],
    report: &mut PublishReport,
) -> bool {
    let mut accepted = true;
    for request in requests {
        let sent = cdn::send(cloudfront, run.site, request).await;
        accepted &= sent.id.is_some();
        report.invalidations.push(sent);
    }
    accepted
}

/// How many paths were sent this month. If that is unknown, none were: it only decides how far folders are folded.
async fn paths_sent(release: &ReleaseRun<'_>) -> usize {
    let Run { site, request, .. } = release.run;
    let Some(root) = site.state_root().filter(|_| !site.cdn.is_empty()) else { return 0 };
    release.store().paths_sent(&root, &month(request.instant)).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read this month's count of invalidation paths");
        0
    })
}

/// Adds the paths that were sent to this month's count.
async fn count_paths(release: &ReleaseRun<'_>, report: &PublishReport) {
    let sent = report.invalidations.iter().filter(|invalidation| invalidation.id.is_some());
    let paths: usize = sent.map(|invalidation| invalidation.paths.len()).sum();
    let Run { site, request, .. } = release.run;
    let Some(root) = site.state_root().filter(|_| paths > 0) else { return };
    if let Err(error) = release.store().count_paths(&root, &month(request.instant), paths).await {
        tracing::warn!(%error, "cannot add to this month's count of invalidation paths");
    }
}
