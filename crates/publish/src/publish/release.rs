//! A release that is being made, under the site's lease.

use tidegate_core::approval::Approved;
use tidegate_core::plan::Plan;
use tidegate_core::plan_review::Judgement;
use tidegate_core::release::{FORMAT, ReleaseEntry, ReleaseId, ReleasePointer, ReleaseRecord};
use tidegate_core::report::PublishReport;

use super::error::PublishError;
use super::lock::Locked;
use super::plan::Basis;
use super::releases::Releases;
use super::run::Run;
use crate::source::SourceReader;
use crate::state::{Fence, History, PendingInvalidation, StateStore};

/// Most findings of one policy in the record of a release. The report has all of them.
const MAX_FINDINGS: usize = 100;

/// A release that is being made.
pub(super) struct ReleaseRun<'a> {
    pub(super) run: Run<'a>,
    pub(super) approved: &'a Approved,
    pub(super) basis: &'a Basis,
    pub(super) releases: &'a Releases,
    /// Whether the lease is still held.
    pub(super) fence: Fence,
    /// The lease's fencing counter.
    pub(super) counter: u64,
    /// What is stored about the release.
    pub(super) record: ReleaseRecord,
    /// Invalidations of earlier releases that were not all accepted.
    pub(super) pending: Vec<PendingInvalidation>,
}

impl<'a> ReleaseRun<'a> {
    /// Begins a release, after workers of its own execution have ended. Refuses if the site has a newer one than the plan
    /// was made for.
    pub(super) async fn begin(
        run: Run<'a>,
        approved: &'a Approved,
        basis: &'a Basis,
        locked: &'a Locked,
    ) -> Result<Self, PublishError> {
        let Locked { releases, lease } = locked;
        lease.alone().await;
        let (fence, counter) = (lease.fence(), lease.fencing_counter());
        let record = record(run, approved, releases.history.next);
        let mut release = Self { run, approved, basis, releases, fence, counter, record, pending: Vec::new() };
        release.check_pointer().await?;
        release.pending = release.store().pending_invalidations(release.pointer()).await?;
        Ok(release)
    }

    /// If the lease was taken after the plan was made, another run may have published in between.
    async fn check_pointer(&self) -> Result<(), PublishError> {
        let now = self.store().pointer().await?;
        let planned = self.history().pointer.as_ref().map(|(_, etag)| etag);
        if now.as_ref().map(|(_, etag)| etag) == planned {
            return Ok(());
        }
        let live = now.and_then(|(pointer, _)| pointer.live().map(|live| live.id));
        let live = live.map_or_else(|| "no release".to_owned(), |id| format!("the release {id}"));
        Err(PublishError::Drifted(vec![format!("{live} is live now")]))
    }

    pub(super) fn plan(&self) -> &Plan {
        self.approved.plan()
    }

    pub(super) fn store(&self) -> &StateStore {
        &self.releases.store
    }

    pub(super) fn history(&self) -> &History {
        &self.releases.history
    }

    pub(super) fn pointer(&self) -> Option<&ReleasePointer> {
        self.history().pointer.as_ref().map(|(pointer, _)| pointer)
    }

    /// Whether the live release is complete and the plan changes nothing.
    pub(super) fn is_up_to_date(&self) -> bool {
        self.history().is_finalized()
            && self.history().manifest().is_some()
            && self.plan().is_empty()
            && !(self.basis.edge.is_some() && self.basis.kept.adds_release)
            && self.basis.state.expired() == 0
    }

    /// Stores what this run is about to do. From here on, the next run knows.
    pub(super) async fn announce(&mut self, report: &mut PublishReport) -> Result<(), PublishError> {
        report.id = Some(self.record.id);
        // Guarded: after the lease is lost, another run may store its plan under the same number.
        self.fence.guard(self.store().put_plan(self.record.id, self.plan())).await??;
        self.store().put_release(&self.record, true).await?;
        Ok(())
    }

    /// Stores what the objects of a staged prefix declare, so that the next run needs no requests for them. If that fails,
    /// the next run asks again.
    pub(super) async fn remember_staged_headers(&self) {
        let SourceReader::Prefix(prefix) = &self.basis.reader else { return };
        if prefix.has_news()
            && self.fence.check().is_ok()
            && let Err(error) = self.store().put_staged_headers(self.record.id, prefix.records()).await
        {
            tracing::warn!(%error, "cannot store the headers of staged objects; the next run asks for them again");
        }
    }

    /// The release in the pointer. `manifest` is the release whose manifest says what it holds.
    pub(super) fn entry(&self, id: ReleaseId, manifest: Option<ReleaseId>) -> ReleaseEntry {
        let ReleaseRecord { release, cause, instant, revision, .. } = &self.record;
        let (release, cause, revision) = (release.clone(), cause.clone(), revision.clone());
        ReleaseEntry { id, release, cause, instant: *instant, revision, manifest }
    }
}

/// The judgements, with the first findings of each: there can be one for every object.
fn short_judgements(approved: &Approved) -> Vec<Judgement> {
    let short = |judgement: &Judgement| {
        let findings = judgement.findings.iter().take(MAX_FINDINGS).cloned().collect();
        Judgement { findings, ..judgement.clone() }
    };
    approved.judgements().iter().map(short).collect()
}

fn record(run: Run<'_>, approved: &Approved, id: ReleaseId) -> ReleaseRecord {
    let (request, plan) = (run.request, approved.plan());
    ReleaseRecord {
        format: FORMAT,
        id,
        site: request.site.clone(),
        release: request.release.clone(),
        cause: request.cause.clone(),
        instant: request.instant,
        revision: request.place(),
        source: request.source.clone(),
        target: run.site.target.clone(),
        plan: plan.digest().unwrap_or_default(),
        inputs: plan.inputs.clone(),
        totals: plan.totals.clone(),
        judgements: serde_json::to_value(short_judgements(approved)).unwrap_or_default(),
        outcome: None,
        invalidations: Vec::new(),
        writes_per_second: None,
    }
}
