//! One publish, from the lock to the last cleanup.
//!
//! [`Publisher::publish`] is the flow; every step is a function in the file of its name. Planning uses credentials that
//! can only read. The credentials that can write are made from the approved plan, after the last plugin has ended.

mod run;
mod lock;
mod open;
mod transform;
mod edge;
mod inspect;
mod object_settings;
mod plan;
mod approve;
mod credentials;
mod execute;
mod writer;
mod copy_condition;
mod pace;
mod commit;
mod switch;
mod invalidate;
mod cdn;
mod finalize;
mod release;
mod releases;
mod shard_error;
mod shards;
mod stopwatch;
mod top_folder;
#[cfg(feature = "compile")]
mod trial;
mod error;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use tidegate_core::approval::{Approval, Approved};
use tidegate_core::config::Site;
use tidegate_core::desired::DesiredSite;
use tidegate_core::edge::{EdgeKeys, EdgeRules, EdgeSizeError, KeptEdge, edge_keys};
use tidegate_core::finding::Finding;
use tidegate_core::listing_filter::ListingExclusion;
use tidegate_core::manifest::RecordState;
use tidegate_core::observed::ObservedPlugin;
use tidegate_core::plan::{ChangeReason, Plan, WriteEstimate};
use tidegate_core::plan_review::Judgement;
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::release::{ReleaseEntry, ReleaseId, ReleaseRecord};
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_core::request::PublishRequest;
use tidegate_host::sync::Trace;

pub(crate) use edge::kept_edges;
pub use error::{InspectError, PublishError};
pub use releases::{ReleaseChange, ReleaseChangeKind, ReleaseComparison, SiteStatus};
pub use run::Publisher;
pub use shard_error::ShardError;
pub use shards::{DistributedRun, DistributedStart, ExecutionChoice, ShardSummary, ShardTask};
pub(crate) use switch::update_in_order;
#[cfg(feature = "compile")]
pub use trial::{Trial, TrialSpec, TrialTarget};

use crate::progress::Stage;
use crate::s3::S3;
use approve::ReviewedPlan;
use finalize::Pending;
use lock::{Lock, Locked};
use plan::{Basis, PlanSources, SitePlan};
use release::ReleaseRun;
use releases::Releases;
use run::Run;
use stopwatch::Stopwatch;
use transform::TransformedSource;

/// A plan, and everything that is needed to apply and to explain it.
#[derive(Debug)]
pub struct PlannedPublish {
    /// The plan.
    pub plan: Plan,
    /// The judgements of the policies.
    pub judgements: Vec<Judgement>,
    /// The rules for requests that sync plugins added, of a site with an edge.
    pub edge: EdgeRules,
    /// What sync plugins found.
    pub findings: Vec<Finding>,
    /// What sync plugins would have done that are only observed.
    pub observed: Vec<ObservedPlugin>,
    /// What sync plugins used.
    pub usage: Vec<PluginUsage>,
    /// The desired site, with the trace of plugin decisions if it was requested.
    pub desired: Arc<DesiredSite>,
    /// What the listing of the source left out.
    pub exclusions: Vec<ListingExclusion>,
    /// Milliseconds by stage.
    pub milliseconds: BTreeMap<String, u64>,
    basis: Basis,
    releases: Option<Releases>,
}

impl Publisher {
    /// Does `work` until the run is cancelled. Requests in flight are aborted.
    async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, PublishError>>,
    ) -> Result<T, PublishError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(PublishError::Interrupted),
            result = work => result,
        }
    }

    /// Publishes a site. With `saved`, only that very plan is applied. `on_plan` sees the plan before anything is
    /// written.
    ///
    /// # Errors
    /// [`PublishError`]: nothing was changed. A denial and a failed write are reports, not errors.
    pub async fn publish(
        &self,
        request: &PublishRequest,
        site: &Site,
        approval: Approval,
        saved: Option<&Plan>,
        on_plan: impl FnOnce(&PlannedPublish),
    ) -> Result<PublishReport, PublishError> {
        Box::pin(Run { execution: None, publisher: self, request, site }.publish(approval, saved, on_plan)).await
    }

    /// Makes a plan and has the policies review it. Only reads.
    ///
    /// # Errors
    /// [`PublishError`]. A denial is not an error: it is in the judgements.
    pub async fn plan(
        &self,
        request: &PublishRequest,
        site: &Site,
        trace: Trace,
    ) -> Result<PlannedPublish, PublishError> {
        let run = Run { execution: None, publisher: self, request, site };
        open::check_release(request)?;
        let releases = Releases::read(run).await?;
        run.plan(releases, trace).await
    }

    /// Applies a plan of [`Self::plan`].
    pub async fn apply(
        &self,
        planned: PlannedPublish,
        request: &PublishRequest,
        site: &Site,
        approval: Approval,
    ) -> PublishReport {
        let run = Run { execution: None, publisher: self, request, site };
        let lock = match lock::relock(run, planned.releases.clone()).await {
            Ok(lock) => lock,
            Err(error) => return PublishReport { why: Some(error.to_string()), ..planned.report(run) },
        };
        let report = run.apply(planned, approval, lock.as_ref()).await;
        lock::unlock(lock).await;
        report
    }

    /// The releases of a site, and its lease.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn status(&self, site: &Site) -> Result<SiteStatus, PublishError> {
        releases::status(&releases::store(self, site)?).await
    }

    /// What is stored about one release.
    ///
    /// # Errors
    /// [`PublishError::UnknownRelease`] if it is not kept.
    pub async fn release(&self, site: &Site, id: ReleaseId) -> Result<ReleaseRecord, PublishError> {
        releases::release(&releases::store(self, site)?, site, id).await
    }

    /// The release that a rollback goes to: `id`, or the one before the live release.
    ///
    /// # Errors
    /// [`PublishError`] if it is not kept.
    pub async fn earlier(&self, site: &Site, id: Option<ReleaseId>) -> Result<ReleaseEntry, PublishError> {
        releases::earlier(&releases::store(self, site)?, site, id).await
    }

    /// Objects and archived bodies of a key that are kept for earlier releases; none if the site has no releases.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn retained(&self, site: &Site, key: &str) -> Result<Vec<RecordState>, PublishError> {
        match self.state(site) {
            Some(store) => releases::retained(&store, key).await,
            None => Ok(Vec::new()),
        }
    }

    /// How two releases differ.
    ///
    /// # Errors
    /// [`PublishError`] if one of them is not kept.
    pub async fn compare(
        &self,
        site: &Site,
        from: ReleaseId,
        to: ReleaseId,
    ) -> Result<ReleaseComparison, PublishError> {
        releases::compare(&releases::store(self, site)?, site, from, to).await
    }
}

impl PlannedPublish {
    /// The keys of the site's edge if this plan is applied, without those of earlier releases; none without an edge.
    ///
    /// # Errors
    /// [`EdgeSizeError`].
    pub fn edge_keys(&self, site: &Site) -> Result<EdgeKeys, EdgeSizeError> {
        let (Some(edge), Some(releases)) = (&self.basis.edge, &self.releases) else { return Ok(EdgeKeys::new()) };
        let id = releases.history.next;
        let kept = [KeptEdge { id, stored: edge.stored.clone() }];
        edge_keys(&site.name, &kept, id, &EdgeKeys::new())
    }

    /// A report of this plan, before anything of it is done.
    fn report(&self, run: Run<'_>) -> PublishReport {
        let mut report = PublishReport::new(run.request, run.site.target.clone(), Outcome::Failed);
        report.planned(&self.plan);
        report.findings.clone_from(&self.findings);
        report.observed.clone_from(&self.observed);
        report.usage.clone_from(&self.usage);
        report.milliseconds.clone_from(&self.milliseconds);
        report.excluded_folders = self.exclusions.iter().filter(|excluded| excluded.is_folder()).cloned().collect();
        report.credentials = Some(self.basis.credentials.used());
        report.drift = self.basis.state.drift().to_vec();
        report
    }
}

impl Run<'_> {
    /// See [`Publisher::publish`].
    async fn publish(
        self,
        approval: Approval,
        saved: Option<&Plan>,
        on_plan: impl FnOnce(&PlannedPublish),
    ) -> Result<PublishReport, PublishError> {
        open::check_release(self.request)?;
        let lock = match lock::lock(self).await? {
            Lock::Acquired(locked) => Some(locked),
            Lock::NotNeeded => None,
            Lock::Skipped(report) => return Ok(*report),
        };
        let releases = lock.as_ref().map(|locked| locked.releases.clone());
        let work = async {
            // Boxed: the compiler cannot prove that deeper futures may move between threads.
            let planning: BoxFuture<'_, Result<PlannedPublish, PublishError>> =
                Box::pin(self.plan(releases, Trace::Off));
            let planned = planning.await?;
            plan::check_saved(saved, &planned.plan)?;
            on_plan(&planned);
            let applying: BoxFuture<'_, PublishReport> = Box::pin(self.apply(planned, approval, lock.as_ref()));
            Ok(applying.await)
        };
        let report = self.publisher.unless_cancelled(work).await;
        lock::unlock(lock).await;
        report
    }

    /// The steps that only read: open, transform, inspect, plan, review.
    async fn plan(self, releases: Option<Releases>, trace: Trace) -> Result<PlannedPublish, PublishError> {
        let mut stopwatch = Stopwatch::default();
        let plugins = self.publisher.plugins.load(self.site, &S3::new(&self.publisher.connection)).await?;
        self.stage(Stage::Open);
        let (reading, credentials) = credentials::for_planning(self).await?;
        let s3 = S3::new(&reading);
        let splits = match &releases {
            Some(releases) => releases.splits().await,
            None => Vec::new(),
        };
        // The site is listed while the source is opened: neither waits for the other.
        let listing = inspect::list(self, &s3, releases.as_ref(), splits.clone());
        let opened = open::open(self, releases.as_ref(), splits).await?;
        stopwatch.lap(Stage::Open);
        self.stage(Stage::Transform);
        let mut source = transform::transform(self, &plugins, opened, trace).await?;
        stopwatch.lap(Stage::Transform);
        self.stage(Stage::Inspect);
        // Boxed: sites without an edge need no room for it on the stack.
        let edge = Box::pin(edge::plan(self, &s3, releases.as_ref(), &mut source)).await?;
        let state = inspect::inspect(self, &s3, listing, releases.as_ref(), &mut source).await?;
        source.findings.extend(top_folder::find(self, &source.desired, &state));
        let acls = object_settings::read_acls(self, &s3, &source.desired, &state).await?;
        let inputs = PlanSources { source: &source, state: &state, acls: &acls, edge: edge.as_ref() };
        let SitePlan { plan, kept } = plan::plan(self, &plugins, inputs, releases.as_ref())?;
        if let (Some(edge), Some(releases), true) = (&edge, &releases, kept.adds_release) {
            Box::pin(edge::check_size(self, releases, edge, kept.oldest)).await?;
        }
        let credentials = credentials::check_limits(self, credentials, &plan).await?;
        source.findings.extend(credentials.finding());
        stopwatch.lap(Stage::Inspect);
        self.stage(Stage::Review);
        let TransformedSource { desired, edge: rules, reader, exclusions, findings, observed, usage, .. } = source;
        let desired = Arc::new(desired);
        let basis = Basis { desired: Arc::clone(&desired), reader, state, kept, credentials, edge };
        let ReviewedPlan { plan, judgements } = approve::review(self, plugins, plan, &basis).await?;
        stopwatch.lap(Stage::Review);
        let milliseconds = stopwatch.into_laps();
        Ok(PlannedPublish {
            plan,
            judgements,
            edge: rules,
            findings,
            observed,
            usage,
            desired,
            exclusions,
            milliseconds,
            basis,
            releases,
        })
    }

    /// Approves the plan, then writes. A site that has releases is written under its lease.
    async fn apply(self, planned: PlannedPublish, approval: Approval, lock: Option<&Locked>) -> PublishReport {
        let mut report = planned.report(self);
        let PlannedPublish { plan, judgements, basis, .. } = planned;
        if let Some(approved) = approve::approve(plan, judgements, approval, &mut report) {
            self.write(&approved, &basis, lock, &mut report).await;
        }
        report
    }

    /// Carries out an approved plan.
    async fn write(self, approved: &Approved, basis: &Basis, lock: Option<&Locked>, report: &mut PublishReport) {
        let result = match lock {
            Some(locked) => Box::pin(self.write_release(approved, basis, locked, report)).await,
            None => Box::pin(self.write_site(approved, basis, report)).await,
        };
        match result {
            Ok(outcome) => report.outcome = outcome,
            Err(error) => {
                report.why = Some(error.to_string());
                report.outcome = if report.done.touched() { Outcome::Partial } else { Outcome::Failed };
            }
        }
    }

    /// The steps that write a site without releases: execute, invalidate.
    async fn write_site(
        self,
        approved: &Approved,
        basis: &Basis,
        report: &mut PublishReport,
    ) -> Result<Outcome, PublishError> {
        if approved.plan().is_empty() {
            return Ok(Outcome::Unchanged);
        }
        let mut stopwatch = Stopwatch::default();
        let connection = credentials::for_writing(self, &basis.credentials, approved.plan()).await?;
        let writer = execute::writer(self, &connection, approved.plan(), &basis.reader, None);
        execute::write(self, approved, &writer, &mut report.done).await;
        report.findings.extend(writer.conditions.finding());
        execute::remove(self, approved, &[ChangeReason::Stale, ChangeReason::Expired], &writer, &mut report.done).await;
        stopwatch.record(Stage::Write, report);
        if !report.done.failures.is_empty() {
            return Ok(if report.done.touched() { Outcome::Partial } else { Outcome::Failed });
        }
        self.stage(Stage::Invalidate);
        let accepted = invalidate::invalidate_site(self, &connection, approved.plan(), basis, report).await;
        stopwatch.record(Stage::Invalidate, report);
        Ok(if accepted { Outcome::Live } else { Outcome::LiveInvalidationPending })
    }

    /// The steps that write a release: announce, execute, commit, invalidate, finalize. It can be killed between any
    /// two requests: before the commit the next run finds the announced plan, after it the pointer says what is
    /// pending.
    async fn write_release(
        self,
        approved: &Approved,
        basis: &Basis,
        locked: &Locked,
        report: &mut PublishReport,
    ) -> Result<Outcome, PublishError> {
        let mut release = ReleaseRun::begin(self, approved, basis, locked).await?;
        release.remember_staged_headers().await;
        let outcome = if release.is_up_to_date() {
            finalize::confirm(&mut release, report).await?
        } else {
            let mut stopwatch = Stopwatch::default();
            let connection = credentials::for_writing(self, &basis.credentials, approved.plan()).await?;
            let writer = execute::writer(self, &connection, approved.plan(), &basis.reader, Some(&release.fence));
            release.announce(report).await?;
            let started = Instant::now();
            execute::archive_all(approved, &writer, &locked.releases.store.bodies(), &mut report.done).await;
            let written = execute::write(self, approved, &writer, &mut report.done).await;
            report.findings.extend(writer.conditions.finding());
            release.record.writes_per_second = WriteEstimate::measure(report.done.writes(), started.elapsed());
            if report.done.failures.is_empty() {
                let mut live = commit::commit(&mut release, &written, &connection).await?;
                let switched = Box::pin(switch::switch(&release, &connection, &mut live.pointer, report)).await;
                execute::remove(self, approved, &[ChangeReason::Stale], &writer, &mut report.done).await;
                stopwatch.record(Stage::Write, report);
                self.stage(Stage::Invalidate);
                let pending = invalidate::invalidate_release(&mut release, &connection, report).await;
                stopwatch.record(Stage::Invalidate, report);
                execute::remove(self, approved, &[ChangeReason::Expired], &writer, &mut report.done).await;
                finalize::finalize(release, live, Pending { switched, invalidations: pending }, report).await
            } else {
                finalize::abandon(release, report).await
            }
        };
        locked.releases.store_report(outcome, report).await;
        Ok(outcome)
    }
}
