//! Carrying out a plan as a release: journal, bodies aside, assets, pages, manifest, pointer, CDN, pruning.
//!
//! Owns that order, which makes a run safe to kill at any point: before the pointer moves, the next run finds what this one
//! meant to do and goes on; afterwards, the pointer says what is still owed. Decides nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt;
use futures::stream::{self, BoxStream};
use tidegate_host::config::Site;
use tidegate_host::desired::Desired;
use tidegate_host::invalidation::{Batch, FREE_PATHS, month};
use tidegate_host::manifest::{Record, Standing as Place};
use tidegate_host::merge::Site as SiteState;
use tidegate_host::plan::{Plan, Reason};
use tidegate_host::release::{FORMAT, Past, Pointer, Release, ReleaseId};
use tidegate_host::report::{Outcome, Report};
use tidegate_host::request::Request;
use tidegate_host::succession::{Outcomes, Progress, Succession};
use tidegate_host::verdict::Approved;
use tokio::sync::mpsc::{Sender, channel};

use super::clock::Clock;
use super::{PublishError, Publisher, Standing};
use crate::cloudfront::CloudFront;
use crate::connection::Connection;
use crate::execute::{Writer, remove, set_aside, write_all};
use crate::invalidate;
use crate::progress::{Event, Stage};
use crate::source::Reader;
use crate::state::{File, History, State, StateError};

/// What a release is made from.
pub(super) struct Work<'a> {
    pub(super) publisher: &'a Publisher,
    pub(super) request: &'a Request,
    pub(super) site: &'a Site,
    pub(super) approved: &'a Approved,
    pub(super) desired: &'a Arc<Desired>,
    pub(super) found: &'a SiteState,
    pub(super) reader: Reader,
}

/// What the next manifest does not name any more, or names for the first time.
#[derive(Debug, Default)]
struct Aside {
    /// Bodies that no release needs.
    expired: Vec<String>,
    /// Bodies that a release needs.
    needed: BTreeSet<String>,
}

/// What distributions have to be told for one release.
#[derive(Debug)]
struct Owed {
    id: ReleaseId,
    batches: Vec<Batch>,
    /// Whether nothing that the release removes was still there when they were told, if they were told at all.
    unsent: bool,
}

impl Aside {
    fn note(&mut self, records: &[Record], listing: bool) {
        let needed = records.iter().filter(|record| listing && matches!(record.standing, Place::Preserved(_)));
        self.needed.extend(needed.map(Record::body_name));
    }
}

/// Batches of records that wait to be stored.
const BATCHES_AHEAD: usize = 4;

impl Work<'_> {
    /// Carries the plan out under the lease, which is taken now where planning did not.
    pub(super) async fn release(&self, mut past: Standing, report: &mut Report) -> Result<Outcome, PublishError> {
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
        held.leave().await;
        result
    }
}

/// A release under way, with the lease.
struct Under<'a> {
    work: &'a Work<'a>,
    past: &'a Standing,
    fence: &'a crate::state::Fence,
    count: u64,
}

impl Under<'_> {
    fn plan(&self) -> &Plan {
        self.work.approved.plan()
    }

    fn state(&self) -> &State {
        &self.past.state
    }

    fn history(&self) -> &History {
        &self.past.history
    }

    fn pointer(&self) -> Option<&Pointer> {
        self.history().pointer.as_ref().map(|(pointer, _)| pointer)
    }

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

    fn is_unchanged(&self) -> bool {
        self.history().is_settled()
            && self.history().manifest().is_some()
            && self.plan().is_empty()
            && self.work.found.expired() == 0
    }

    fn record(&self, id: ReleaseId, outcome: Option<Outcome>, report: &Report) -> Release {
        let (request, plan) = (self.work.request, self.plan());
        Release {
            format: FORMAT,
            id,
            site: request.site.clone(),
            release: request.release.clone(),
            cause: request.cause.clone(),
            instant: request.instant,
            order: request.place(),
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

    fn past(&self, id: ReleaseId, manifest: ReleaseId) -> Past {
        let request = self.work.request;
        Past {
            id,
            release: request.release.clone(),
            cause: request.cause.clone(),
            instant: request.instant,
            order: request.place(),
            manifest: Some(manifest),
        }
    }

    /// The site is what it should be already: the release is remembered, and what distributions are owed is sent again.
    async fn unchanged(&self, report: &mut Report) -> Result<Outcome, PublishError> {
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
            let writing = publisher.writing(self.plan(), self.work.request, self.work.site, true).await?;
            pointer.owed = tell(&CloudFront::new(&writing), self.work.site, owed.into_iter(), report).await;
            self.count_paths(report).await;
        }
        self.fence.check()?;
        self.state().move_pointer(&pointer, Some(&before.1)).await?;
        let gone = dropped(&before.0, &pointer);
        if let Err(error) = self.state().forget(&[gone, self.history().stray.clone()].concat(), &[]).await {
            tracing::warn!(%error, "files of releases that are not kept were left, the next run removes them");
        }
        Ok(match (report.invalidations.is_empty(), pointer.owed.is_empty()) {
            (true, _) => Outcome::Unchanged,
            (false, true) => Outcome::Live,
            (false, false) => Outcome::LiveNotInvalidated,
        })
    }

    async fn carry_out(&self, report: &mut Report) -> Result<Outcome, PublishError> {
        let publisher = self.work.publisher;
        let id = self.history().next;
        report.id = Some(id);
        let mut clock = Clock::default();
        let owed = self.owed().await?;
        let writing = publisher.writing(self.plan(), self.work.request, self.work.site, true).await?;

        // From here on, the next run knows what this one meant to do.
        self.fence.check()?;
        self.state().put_plan(id, self.plan()).await?;
        let mut record = self.record(id, None, report);
        self.state().put_release(&record, true).await?;

        let fence = Some(self.fence.clone());
        let writer = publisher.writer(&writing, self.plan(), self.work.site, self.work.reader.clone(), fence);
        let observer = &publisher.observer;
        set_aside(self.work.approved, &writer, &self.state().bodies(), &mut report.done).await;
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
        for id in self.pointer().map(|pointer| pointer.owed.clone()).unwrap_or_default() {
            if let Some(release) = self.state().release(id).await? {
                // A run that was killed told distributions only once nothing was left to remove.
                owed.push(Owed { id, batches: release.invalidations, unsent: release.outcome.is_none() });
            }
        }
        Ok(owed)
    }

    /// A run that could not write everything. What it touched is the next run's to finish; where it touched nothing, it
    /// never was.
    async fn failed(&self, mut record: Release, report: &Report) -> Outcome {
        let outcome = if report.done.touched() { Outcome::Partial } else { Outcome::Failed };
        record.outcome = Some(outcome);
        let id = record.id;
        let told = if outcome == Outcome::Failed && report.done.preserved == 0 {
            self.state().forget(&[(id, File::Release), (id, File::Plan)], &[]).await
        } else {
            self.state().put_release(&record, false).await
        };
        if let Err(error) = told {
            tracing::warn!(%error, "how the run ended could not be stored, the next run looks for itself");
        }
        outcome
    }

    /// Writes the manifest of what was just written.
    async fn next_manifest(&self, id: ReleaseId, outcomes: &Outcomes) -> Result<Aside, PublishError> {
        let history = self.history();
        let succession = Succession {
            desired: self.work.desired,
            plan: self.plan(),
            site: self.work.found,
            unfinished: &history.unfinished,
            outcomes,
            before: history.live().unwrap_or_default(),
            horizon: self.past.horizon,
        };
        let old = self.work.publisher.records(Some(self.past)).await?;
        let listing = !history.is_settled();
        self.fence.check()?;
        let (sender, mut receiver) = channel(BATCHES_AHEAD);
        let records = stream::poll_fn(move |context| receiver.poll_recv(context));
        let (made, stored) =
            tokio::join!(succeed(&succession, old, sender, listing), self.state().put_manifest(id, records));
        stored?;
        Ok(made)
    }

    /// What each distribution has to forget: what this run changed, and what runs that did not finish may have.
    async fn batches(&self, cloudfront: &CloudFront, id: ReleaseId, owed: &[Owed]) -> Vec<Batch> {
        let site = self.work.site;
        let changed: BTreeSet<&str> = self
            .plan()
            .operations
            .iter()
            .map(|operation| operation.key.as_str())
            .chain(self.history().unfinished.touched().map(tidegate_host::key::StoredKey::as_str))
            .collect();
        let changed: Vec<&str> = changed.into_iter().collect();
        let free = FREE_PATHS.saturating_sub(self.paths_sent().await);
        let first: Vec<Batch> =
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

    async fn count_paths(&self, report: &Report) {
        let paths: usize =
            report.invalidations.iter().filter(|told| told.id.is_some()).map(|told| told.paths.len()).sum();
        let Some(root) = self.work.site.state_root().filter(|_| paths > 0) else { return };
        if let Err(error) = self.state().count_paths(&root, &month(self.work.request.instant), paths).await {
            tracing::warn!(%error, "this month's invalidation paths could not be counted");
        }
    }

    async fn move_pointer(
        &self,
        id: ReleaseId,
        record: &Release,
    ) -> Result<(Pointer, tidegate_host::identity::ETag), PublishError> {
        let before = self.history().pointer.as_ref();
        let old = before.map(|(pointer, _)| pointer);
        let mut releases: Vec<Past> = old.map(|pointer| pointer.releases.clone()).unwrap_or_default();
        for run in self.history().unfinished.runs() {
            releases.push(Past { manifest: None, ..self.past(*run, id) });
        }
        releases.retain(|past| past.id >= self.past.horizon);
        if !self.past.another {
            // The same release once more: it takes the place of the one that it repaired.
            releases.retain(|past| past.manifest != self.history().manifest());
        }
        releases.sort_by_key(|past| past.id);
        releases.push(self.past(id, id));
        let mut owed = old.map(|pointer| pointer.owed.clone()).unwrap_or_default();
        owed.extend((!record.invalidations.is_empty()).then_some(id));
        let passed = old.map(|pointer| pointer.passed.clone()).unwrap_or_default();
        let pointer = Pointer { format: FORMAT, fence: self.count, releases, owed, settled: false, passed };
        self.fence.check()?;
        let etag = self.state().move_pointer(&pointer, before.map(|(_, etag)| etag)).await?;
        Ok((pointer, etag))
    }
}

/// Makes the records of the next manifest, which go out through `sender`; so does a failure to read the old one.
async fn succeed(
    succession: &Succession<'_>,
    mut old: BoxStream<'static, Result<Vec<Record>, StateError>>,
    sender: Sender<Result<Vec<Record>, StateError>>,
    listing: bool,
) -> Aside {
    let (mut aside, mut progress) = (Aside::default(), Progress::default());
    loop {
        let mut records = Vec::new();
        match old.try_next().await {
            Ok(Some(batch)) => {
                batch.into_iter().for_each(|record| succession.push(&mut progress, record, &mut records));
            }
            Ok(None) => {
                let expired = succession.finish(std::mem::take(&mut progress), &mut records);
                aside.note(&records, listing);
                aside.expired = expired;
                drop(sender.send(Ok(records)).await);
                return aside;
            }
            Err(error) => {
                drop(sender.send(Err(error)).await);
                return aside;
            }
        }
        aside.note(&records, listing);
        if sender.send(Ok(records)).await.is_err() {
            return aside;
        }
    }
}

/// What is done once a release is live.
struct After<'a> {
    under: &'a Under<'a>,
    writing: &'a Connection,
    writer: &'a Arc<Writer>,
    id: ReleaseId,
}

impl After<'_> {
    async fn finish(
        &self,
        (mut pointer, etag): (Pointer, tidegate_host::identity::ETag),
        mut record: Release,
        owed: Vec<Owed>,
        aside: Aside,
        report: &mut Report,
        clock: &mut Clock,
    ) -> Outcome {
        let publisher = self.under.work.publisher;
        let approved = self.under.work.approved;
        // What visitors must not get any more goes before the CDN forgets it, or it would learn it anew.
        remove(approved, &[Reason::Stale], self.writer, &publisher.observer, &mut report.done).await;
        publisher.observer.hear(Event::Stage(Stage::Invalidate));
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
        pointer.owed = tell(&cloudfront, site, owed.into_iter().chain([mine]), report).await;
        self.under.count_paths(report).await;
        report.milliseconds.insert(Stage::Invalidate.name().to_owned(), clock.lap(Stage::Invalidate));
        remove(approved, &[Reason::Expired], self.writer, &publisher.observer, &mut report.done).await;
        let pruned = match self.prune(&pointer, aside).await {
            Ok(()) => report.done.failures.is_empty(),
            Err(error) => {
                tracing::warn!(%error, "what earlier releases left could not be removed, the next run does it");
                false
            }
        };
        let outcome = match (report.done.failures.is_empty(), pointer.owed.is_empty()) {
            (false, _) => Outcome::Partial,
            (true, false) => Outcome::LiveNotInvalidated,
            (true, true) => Outcome::Live,
        };
        record.outcome = Some(outcome);
        pointer.settled = pruned;
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
    async fn prune(&self, pointer: &Pointer, aside: Aside) -> Result<(), StateError> {
        let under = self.under;
        let mut bodies = aside.expired;
        if !under.history().is_settled() {
            // A run that was killed may have left bodies that no manifest names.
            let there = under.state().body_names().await?;
            bodies = there.into_iter().filter(|name| !aside.needed.contains(name)).collect();
        }
        let mut files = under.history().stray.clone();
        files.extend(under.pointer().map(|before| dropped(before, pointer)).unwrap_or_default());
        under.fence.check()?;
        under.state().forget(&files, &bodies).await
    }
}

/// Tells distributions what they have to forget; the answer names releases whose distributions were not all told. The
/// same words with the same reference are the same invalidation, so nothing is paid twice.
async fn tell(
    cloudfront: &CloudFront,
    site: &Site,
    batches: impl Iterator<Item = Owed>,
    report: &mut Report,
) -> Vec<ReleaseId> {
    let mut owed = Vec::new();
    for Owed { id, batches, .. } in batches {
        let mut told = true;
        for batch in batches {
            let answer = invalidate::tell(cloudfront, site, &batch).await;
            told &= answer.id.is_some();
            report.invalidations.push(answer);
        }
        owed.extend((!told).then_some(id));
    }
    owed
}

/// Files of releases that one pointer names and the next does not.
fn dropped(before: &Pointer, now: &Pointer) -> Vec<(ReleaseId, File)> {
    let gone = before.releases.iter().filter(|past| now.release(past.id).is_none());
    gone.flat_map(|past| [(past.id, File::Release), (past.id, File::Plan), (past.id, File::Manifest)])
        .filter(|(id, file)| *file != File::Manifest || !now.releases.iter().any(|past| past.manifest == Some(*id)))
        .collect()
}
