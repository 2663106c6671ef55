//! What follows the moment at which a release is live: removing pages that went, telling the CDN, pruning, settling.
//!
//! Owns its order. Nothing here can take a release back: what fails is owed by the next run.

use std::sync::Arc;

use tidegate_core::config::Site;
use tidegate_core::identity::ETag;
use tidegate_core::invalidation::{InvalidationRequest, month};
use tidegate_core::plan::ChangeReason;
use tidegate_core::release::{ReleaseId, ReleasePointer, ReleaseRecord};
use tidegate_core::report::{Outcome, PublishReport};

use super::manifest::ArchivedBodies;
use super::stopwatch::Stopwatch;
use super::under::Under;
use crate::cloudfront::CloudFront;
use crate::connection::Connection;
use crate::execute::{PlanWriter, remove};
use crate::invalidate;
use crate::progress::{ProgressEvent, Stage};
use crate::state::StateError;

/// What distributions have to be told for one release.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) id: ReleaseId,
    pub(super) batches: Vec<InvalidationRequest>,
    /// Whether nothing that the release removes was still there when they were told, if they were told at all.
    pub(super) unsent: bool,
}

/// What is done once a release is live.
pub(super) struct After<'a> {
    pub(super) under: &'a Under<'a>,
    pub(super) writing: &'a Connection,
    pub(super) writer: &'a Arc<PlanWriter>,
    pub(super) id: ReleaseId,
}

impl After<'_> {
    pub(super) async fn finish(
        &self,
        (mut pointer, etag): (ReleasePointer, ETag),
        mut record: ReleaseRecord,
        owed: Vec<Owed>,
        aside: ArchivedBodies,
        report: &mut PublishReport,
        clock: &mut Stopwatch,
    ) -> Outcome {
        let publisher = self.under.work.publisher;
        let approved = self.under.work.approved;
        // What visitors must not get any more goes before the CDN forgets it, or it would learn it anew.
        remove(approved, &[ChangeReason::Stale], self.writer, &publisher.observer, &mut report.done).await;
        publisher.observer.report(ProgressEvent::Stage(Stage::Invalidate));
        if !report.done.failures.is_empty() {
            // Whoever sends this release's invalidations again must know that something was still there when they were
            // sent first.
            record.outcome = Some(Outcome::Partial);
            if let Err(error) = self.under.state().put_release(&record, false).await {
                tracing::warn!(%error, "that something could not be removed could not be stored");
            }
        }
        let mine = Owed { id: self.id, batches: record.invalidations.clone(), unsent: true };
        let (cloudfront, site) = (CloudFront::new(self.writing), self.under.work.site);
        pointer.pending_invalidations = tell(&cloudfront, site, owed.into_iter().chain([mine]), report).await;
        self.under.count_paths(report).await;
        report.milliseconds.insert(Stage::Invalidate.name().to_owned(), clock.lap(Stage::Invalidate));
        remove(approved, &[ChangeReason::Expired], self.writer, &publisher.observer, &mut report.done).await;
        let pruned = match self.prune(&pointer, aside).await {
            Ok(()) => report.done.failures.is_empty(),
            Err(error) => {
                tracing::warn!(%error, "what earlier releases left could not be removed, the next run does it");
                false
            }
        };
        let outcome = match (report.done.failures.is_empty(), pointer.pending_invalidations.is_empty()) {
            (false, _) => Outcome::Partial,
            (true, false) => Outcome::LiveNotInvalidated,
            (true, true) => Outcome::Live,
        };
        record.outcome = Some(outcome);
        pointer.finalized = pruned;
        let settle = async {
            self.under.state().put_release(&record, false).await?;
            self.under.fence.check()?;
            self.under.state().move_pointer(&pointer, Some(&etag)).await
        };
        if let Err(error) = settle.await {
            tracing::warn!(%error, "the release is live, and the next run looks after what it may have left");
        }
        outcome
    }

    /// Removes what no kept release needs from the state.
    async fn prune(&self, pointer: &ReleasePointer, aside: ArchivedBodies) -> Result<(), StateError> {
        let under = self.under;
        let mut bodies = aside.expired;
        if !under.history().is_finalized() {
            // A run that was killed may have left bodies that no manifest names.
            let there = under.state().body_names().await?;
            bodies = there.into_iter().filter(|name| !aside.needed.contains(name)).collect();
        }
        under.fence.check()?;
        under.state().forget(&under.history().strays(pointer), &bodies).await
    }
}

/// Tells distributions what they have to forget; the answer names releases whose distributions were not all told. The
/// same words with the same reference are the same invalidation, so nothing is paid twice.
pub(super) async fn tell(
    cloudfront: &CloudFront,
    site: &Site,
    batches: impl Iterator<Item = Owed>,
    report: &mut PublishReport,
) -> Vec<ReleaseId> {
    let mut owed = Vec::new();
    for Owed { id, batches, .. } in batches {
        let mut told = true;
        for batch in batches {
            let answer = invalidate::send(cloudfront, site, &batch).await;
            told &= answer.id.is_some();
            report.invalidations.push(answer);
        }
        owed.extend((!told).then_some(id));
    }
    owed
}

impl Under<'_> {
    /// Adds the paths that were sent to this month's.
    pub(super) async fn count_paths(&self, report: &PublishReport) {
        let paths: usize =
            report.invalidations.iter().filter(|told| told.id.is_some()).map(|told| told.paths.len()).sum();
        let Some(root) = self.work.site.state_root().filter(|_| paths > 0) else { return };
        if let Err(error) = self.state().count_paths(&root, &month(self.work.request.instant), paths).await {
            tracing::warn!(%error, "this month's invalidation paths could not be counted");
        }
    }
}
