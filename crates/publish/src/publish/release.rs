//! Carrying out a plan as a release: journal, bodies aside, assets, pages, manifest, pointer, CDN, pruning.
//!
//! Owns that order, which makes a run safe to kill at any point: before the pointer moves, the next run finds what this one
//! meant to do and goes on; afterwards, the pointer says what is still owed. Decides nothing.

use std::collections::BTreeSet;

use tidegate_core::identity::ETag;
use tidegate_core::invalidation::{FREE_PATHS, InvalidationRequest, month};
use tidegate_core::key::StoredKey;
use tidegate_core::release::{FORMAT, ReleaseEntry, ReleaseId, ReleasePointer, ReleaseRecord};
use tidegate_core::report::{Outcome, PublishReport};

use super::finalize::{After, Owed, tell};
use super::stopwatch::Stopwatch;
use super::under::{Under, Work};
use super::{PublishError, ReleaseContext};
use crate::cloudfront::CloudFront;
use crate::execute::{archive_bodies, write_all};
use crate::invalidate;
use crate::progress::Stage;
use crate::state::ReleaseFile;

impl Work<'_> {
    /// Carries the plan out under the lease, which is taken now where planning did not.
    pub(super) async fn release(
        &self,
        mut past: ReleaseContext,
        report: &mut PublishReport,
    ) -> Result<Outcome, PublishError> {
        let held = match past.held.take() {
            Some(held) => held,
            None => self.publisher.hold(&past.state, self.request, self.site).await?,
        };
        let fence = held.fence();
        let under = Under { work: self, past: &past, fence: &fence, count: held.count().await };
        let result = match under.unmoved().await {
            Ok(()) if under.is_unchanged() => under.unchanged(report).await,
            Ok(()) => under.carry_out(report).await,
            Err(error) => Err(error),
        };
        if let Ok(outcome) = &result {
            under.tell(*outcome, report).await;
        }
        held.release().await;
        result
    }
}

impl Under<'_> {
    /// The plan was made for this very state; where the lease was taken only afterwards, another run may have come between.
    async fn unmoved(&self) -> Result<(), PublishError> {
        let now = self.state().pointer().await?;
        let seen = self.history().pointer.as_ref().map(|(_, etag)| etag);
        if now.as_ref().map(|(_, etag)| etag) == seen {
            return Ok(());
        }
        let live = now.and_then(|(pointer, _)| pointer.live().map(|live| live.id));
        let live = live.map_or_else(|| "no release".to_owned(), |id| format!("the release {id}"));
        Err(PublishError::Drifted(vec![format!("{live} is live now")]))
    }

    /// Keeps the report beside the release that it is about. Nothing depends on it, so nothing fails for its want.
    async fn tell(&self, outcome: Outcome, report: &mut PublishReport) {
        report.outcome = outcome;
        let Some(id) = report.id.filter(|_| outcome != Outcome::Failed) else { return };
        if let Err(error) = self.state().put_report(id, report).await {
            tracing::warn!(%error, "the report could not be stored");
        }
    }

    fn is_unchanged(&self) -> bool {
        self.history().is_finalized()
            && self.history().manifest().is_some()
            && self.plan().is_empty()
            && self.work.found.expired() == 0
    }

    fn record(&self, id: ReleaseId, outcome: Option<Outcome>, report: &PublishReport) -> ReleaseRecord {
        let (request, plan) = (self.work.request, self.plan());
        ReleaseRecord {
            format: FORMAT,
            id,
            site: request.site.clone(),
            release: request.release.clone(),
            cause: request.cause.clone(),
            instant: request.instant,
            revision: request.place(),
            source: request.source.clone(),
            target: self.work.site.target.clone(),
            plan: report.plan.clone().unwrap_or_default(),
            inputs: plan.inputs.clone(),
            totals: plan.totals.clone(),
            judgements: serde_json::to_value(&report.judgements).unwrap_or_default(),
            outcome,
            invalidations: Vec::new(),
        }
    }

    fn past(&self, id: ReleaseId, manifest: ReleaseId) -> ReleaseEntry {
        let request = self.work.request;
        ReleaseEntry {
            id,
            release: request.release.clone(),
            cause: request.cause.clone(),
            instant: request.instant,
            revision: request.place(),
            manifest: Some(manifest),
        }
    }

    /// The site is what it should be already: the release is remembered, and what distributions are owed is sent again.
    async fn unchanged(&self, report: &mut PublishReport) -> Result<Outcome, PublishError> {
        let id = self.history().next;
        let (Some(before), Some(manifest)) = (self.history().pointer.as_ref(), self.history().manifest()) else {
            return Ok(Outcome::Unchanged);
        };
        report.id = Some(id);
        self.fence.check()?;
        self.state().put_release(&self.record(id, Some(Outcome::Unchanged), report), true).await?;
        let mut pointer = before.0.clone();
        pointer.fence = self.count;
        // One release that changed nothing stands for all that follow each other.
        if pointer.releases.last().is_some_and(|last| last.manifest == Some(manifest) && last.id != manifest) {
            pointer.releases.pop();
        }
        pointer.releases.retain(|past| past.id >= self.past.horizon || past.manifest == Some(manifest));
        pointer.releases.push(self.past(id, manifest));
        let owed = self.owed().await?;
        if !owed.is_empty() {
            let publisher = self.work.publisher;
            let writing = publisher.writing(self.plan(), self.work.request, self.work.site).await?;
            pointer.pending_invalidations =
                tell(&CloudFront::new(&writing), self.work.site, owed.into_iter(), report).await;
            self.count_paths(report).await;
        }
        self.fence.check()?;
        self.state().move_pointer(&pointer, Some(&before.1)).await?;
        if let Err(error) = self.state().forget(&self.history().strays(&pointer), &[]).await {
            tracing::warn!(%error, "files of releases that are not kept were left, the next run removes them");
        }
        Ok(match (report.invalidations.is_empty(), pointer.pending_invalidations.is_empty()) {
            (true, _) => Outcome::Unchanged,
            (false, true) => Outcome::Live,
            (false, false) => Outcome::LiveNotInvalidated,
        })
    }

    async fn carry_out(&self, report: &mut PublishReport) -> Result<Outcome, PublishError> {
        let publisher = self.work.publisher;
        let id = self.history().next;
        report.id = Some(id);
        let mut clock = Stopwatch::default();
        let owed = self.owed().await?;
        let writing = publisher.writing(self.plan(), self.work.request, self.work.site).await?;

        // From here on, the next run knows what this one meant to do.
        self.fence.check()?;
        self.state().put_plan(id, self.plan()).await?;
        let mut record = self.record(id, None, report);
        self.state().put_release(&record, true).await?;

        let fence = Some(self.fence.clone());
        let writer = publisher.writer(&writing, self.plan(), self.work.site, self.work.reader.clone(), fence);
        let observer = &publisher.observer;
        archive_bodies(self.work.approved, &writer, &self.state().bodies(), &mut report.done).await;
        let outcomes = write_all(self.work.approved, &writer, observer, &mut report.done).await;
        if !report.done.failures.is_empty() {
            return Ok(self.failed(record, report).await);
        }
        let aside = self.next_manifest(id, &outcomes).await?;
        record.invalidations = self.batches(&CloudFront::new(&writing), id, &owed).await;
        self.fence.check()?;
        self.state().put_release(&record, false).await?;
        let (pointer, etag) = self.move_pointer(id, &record).await?;
        report.milliseconds.insert(Stage::Write.name().to_owned(), clock.lap(Stage::Write));

        // The release is live: nothing that happens from here on takes it back.
        let after = After { under: self, writing: &writing, writer: &writer, id };
        Ok(after.finish((pointer, etag), record, owed, aside, report, &mut clock).await)
    }

    /// Releases whose distributions were not all told, with what they were to be told.
    async fn owed(&self) -> Result<Vec<Owed>, PublishError> {
        let mut owed = Vec::new();
        for id in self.pointer().map(|pointer| pointer.pending_invalidations.clone()).unwrap_or_default() {
            if let Some(release) = self.state().release(id).await? {
                // A run that was killed told distributions only once nothing was left to remove.
                owed.push(Owed { id, batches: release.invalidations, unsent: release.outcome.is_none() });
            }
        }
        Ok(owed)
    }

    /// A run that could not write everything. What it touched is the next run's to finish; where it touched nothing, it
    /// never was.
    async fn failed(&self, mut record: ReleaseRecord, report: &PublishReport) -> Outcome {
        let outcome = if report.done.touched() { Outcome::Partial } else { Outcome::Failed };
        record.outcome = Some(outcome);
        let id = record.id;
        let told = if outcome == Outcome::Failed && report.done.archived == 0 {
            self.state().forget(&[(id, ReleaseFile::Release), (id, ReleaseFile::Plan)], &[]).await
        } else {
            self.state().put_release(&record, false).await
        };
        if let Err(error) = told {
            tracing::warn!(%error, "how the run ended could not be stored, the next run looks for itself");
        }
        outcome
    }

    /// What each distribution has to forget: what this run changed, and what runs that did not finish may have.
    async fn batches(&self, cloudfront: &CloudFront, id: ReleaseId, owed: &[Owed]) -> Vec<InvalidationRequest> {
        let site = self.work.site;
        let changed: BTreeSet<&str> = self
            .plan()
            .operations
            .iter()
            .map(|operation| operation.key.as_str())
            .chain(self.history().unfinished.touched().map(StoredKey::as_str))
            .collect();
        let changed: Vec<&str> = changed.into_iter().collect();
        let free = FREE_PATHS.saturating_sub(self.paths_sent().await);
        let first: Vec<InvalidationRequest> =
            owed.iter().filter(|owed| owed.unsent).flat_map(|owed| owed.batches.iter().cloned()).collect();
        let known = (self.work.desired.as_ref(), self.work.found);
        invalidate::plan(cloudfront, site, &id.to_string(), (&changed, &first), known, free).await
    }

    /// How many paths of this month were sent. Where that cannot be told, none were: it only decides how much is folded.
    async fn paths_sent(&self) -> usize {
        let Some(root) = self.work.site.state_root().filter(|_| !self.work.site.cdn.is_empty()) else { return 0 };
        match self.state().paths_sent(&root, &month(self.work.request.instant)).await {
            Ok(paths) => paths,
            Err(error) => {
                tracing::warn!(%error, "this month's invalidation paths could not be counted");
                0
            }
        }
    }

    async fn move_pointer(
        &self,
        id: ReleaseId,
        record: &ReleaseRecord,
    ) -> Result<(ReleasePointer, ETag), PublishError> {
        let before = self.history().pointer.as_ref();
        let old = before.map(|(pointer, _)| pointer);
        let mut releases: Vec<ReleaseEntry> = old.map(|pointer| pointer.releases.clone()).unwrap_or_default();
        for run in self.history().unfinished.runs() {
            releases.push(ReleaseEntry { manifest: None, ..self.past(*run, id) });
        }
        releases.retain(|past| past.id >= self.past.horizon);
        if !self.past.another {
            // The same release once more: it takes the place of the one that it repaired.
            releases.retain(|past| past.manifest != self.history().manifest());
        }
        releases.sort_by_key(|past| past.id);
        releases.push(self.past(id, id));
        let mut owed = old.map(|pointer| pointer.pending_invalidations.clone()).unwrap_or_default();
        owed.extend((!record.invalidations.is_empty()).then_some(id));
        let passed = old.map(|pointer| pointer.skipped.clone()).unwrap_or_default();
        let pointer = ReleasePointer {
            format: FORMAT,
            fence: self.count,
            releases,
            pending_invalidations: owed,
            finalized: false,
            skipped: passed,
        };
        self.fence.check()?;
        let etag = self.state().move_pointer(&pointer, before.map(|(_, etag)| etag)).await?;
        Ok((pointer, etag))
    }
}
