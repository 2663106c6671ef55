//! The flow of one publish, in the order in which things happen: claim, open, shape, compare, judge, write, invalidate.
//!
//! Owns the order, and which credentials are there when. Planning holds credentials that can read only; those that can
//! write are made from the approved plan, when no plugin is left. Decides nothing that `tidegate-host` decides.

mod plan;
mod lock;
mod stopwatch;
mod credentials;
mod error;
mod manifest;
mod release;
mod releases;
mod finalize;
mod transform;
mod under;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::approval::{Approval, Approved, Decision, decide, review};
use tidegate_core::config::Site;
use tidegate_core::desired::DesiredSite;
use tidegate_core::diff::Comparison;
use tidegate_core::finding::Finding;
use tidegate_core::invalidation::{FREE_PATHS, check_tags};
use tidegate_core::location::{Location, Source};
use tidegate_core::plan::{ChangeReason, FORMAT, Plan};
use tidegate_core::plan_review::Judgement;
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::release::ReleaseId;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_core::request::PublishRequest;
use tidegate_core::run_facts::RunFacts;
use tidegate_core::site_state::{SiteState, UnfinishedRuns};
use tidegate_host::policy;
use tidegate_host::sync::Trace;

pub use error::PublishError;
pub use releases::{ReleaseChange, ReleaseComparison, SiteStatus};

use crate::cloudfront::CloudFront;
use crate::connection::Connection;
use crate::execute::{PlanWriter, remove, write_all};
use crate::inspect::{Inspection, KnownRelease, ListingPages};
use crate::invalidate;
use crate::plugins::PluginLoader;
use crate::progress::{ProgressEvent, ProgressObserver, Stage};
use crate::s3::{CopySource, S3};
use crate::source::content::SourceContent;
use crate::source::{self, SourceReader};
use crate::state::{Fence, History, LeaseGuard, StateStore};
use plan::restorable;
use stopwatch::Stopwatch;

/// How long a run waits for another one that publishes the same site.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a run works with.
#[derive(Clone)]
pub struct Publisher {
    /// The caller's own connection to AWS.
    pub connection: Connection,
    /// How plugins are loaded.
    pub workshop: PluginLoader,
    /// Who hears how it goes.
    pub observer: Arc<dyn ProgressObserver>,
    /// What archives may hold, and what is read of directories.
    pub options: source::SourceOptions,
    /// How thoroughly the site is compared.
    pub comparison: Comparison,
    /// Largest object that one request copies, in bytes; [`CopySource::LIMIT`] but for tests.
    pub copy_limit: u64,
    /// Whether the manifest of the live release is believed without listing the site.
    pub trust_manifest: bool,
    /// Whether every object is looked at, whatever the manifest says.
    pub verify: bool,
    /// How long to wait for another run that publishes the same site.
    pub patience: Duration,
}

/// A plan with what it takes to carry it out and to explain it.
#[derive(Debug)]
pub struct PlannedPublish {
    /// The plan.
    pub plan: Plan,
    /// What policies say of it.
    pub judgements: Vec<Judgement>,
    /// What sync plugins had to say.
    pub findings: Vec<Finding>,
    /// What sync plugins used.
    pub usage: Vec<PluginUsage>,
    /// The site as it should be, with the trail of decisions where it was asked for.
    pub desired: Arc<DesiredSite>,
    /// Milliseconds by stage.
    pub milliseconds: BTreeMap<String, u64>,
    reader: SourceReader,
    state: SiteState,
    past: Option<ReleaseContext>,
}

/// What earlier releases have to do with a run, and the right to write, once it was had.
#[derive(Debug)]
struct ReleaseContext {
    state: StateStore,
    history: History,
    horizon: ReleaseId,
    /// Whether the plan makes another release than the live one; else it only repairs that one.
    another: bool,
    held: Option<LeaseGuard>,
}

impl Publisher {
    /// A publisher with everything at its default but what must be given.
    #[must_use]
    pub fn new(connection: Connection, workshop: PluginLoader, observer: Arc<dyn ProgressObserver>) -> Self {
        let heard = Arc::clone(&observer);
        let progress: source::Progress =
            Arc::new(move |objects, bytes| heard.report(ProgressEvent::Read { objects, bytes }));
        let options = source::SourceOptions { progress: Some(progress), ..source::SourceOptions::default() };
        Self {
            connection,
            workshop,
            observer,
            options,
            comparison: Comparison::default(),
            copy_limit: CopySource::LIMIT,
            trust_manifest: false,
            verify: false,
            patience: PATIENCE,
        }
    }

    /// Makes a plan and has it judged. Only reads.
    ///
    /// # Errors
    /// [`PublishError`]. A denial is no error: it is in the judgements.
    pub async fn plan(
        &self,
        request: &PublishRequest,
        site: &Site,
        trace: Trace,
    ) -> Result<PlannedPublish, PublishError> {
        let past = match self.state(site) {
            None => None,
            Some(state) => {
                let history = state.history().await?;
                Some(ReleaseContext { state, history, horizon: ReleaseId::default(), another: true, held: None })
            }
        };
        self.plan_after(past, request, site, trace).await
    }

    /// Where its releases are kept, where it has any.
    pub fn state(&self, site: &Site) -> Option<StateStore> {
        site.state.clone().map(|at| StateStore::new(S3::new(&self.connection), at))
    }

    async fn plan_after(
        &self,
        mut past: Option<ReleaseContext>,
        request: &PublishRequest,
        site: &Site,
        trace: Trace,
    ) -> Result<PlannedPublish, PublishError> {
        let own = S3::new(&self.connection);
        let chain = self.workshop.chain(site, &own).await?;
        let mut clock = Stopwatch::default();

        self.observer.report(ProgressEvent::Stage(Stage::Open));
        let reading = S3::new(&self.reading(request, site).await?);
        let trusted = self.trust_manifest && past.as_ref().is_some_and(|past| past.history.is_finalized());
        // The site is listed while the source is opened: neither waits for the other.
        let pages =
            if trusted { ListingPages::trusted() } else { ListingPages::list(&reading, &site.target, &self.observer) };
        let shaped = self.shape(&chain, past.as_ref(), request, site, trace, &mut clock).await?;
        let mut desired = shaped.desired;
        check_tags(site, &desired)?;

        self.observer.report(ProgressEvent::Stage(Stage::Compare));
        let nothing = UnfinishedRuns::default();
        let history = past.as_ref().map(|past| &past.history);
        let survey = Inspection {
            s3: &reading,
            target: &site.target,
            reader: &shaped.reader,
            comparison: self.comparison,
            observer: &self.observer,
        };
        let known = KnownRelease {
            records: self.records(past.as_ref()).await?,
            live: history.and_then(History::live).unwrap_or_default(),
            horizon: history
                .map_or(ReleaseId::default(), |history| history.oldest_kept(site.keep, request.instant, false)),
            unfinished: history.map_or(&nothing, |history| &history.unfinished),
            verify: self.verify,
        };
        let state = survey.inspect(pages, known, &mut desired).await?;
        let (plan, horizon, another) = self.assemble(
            (request, site),
            &chain,
            &desired,
            &state,
            (shaped.fingerprint, shaped.unshaped),
            past.as_ref().map(|past| &past.history),
        );
        if let Some(past) = &mut past {
            past.horizon = horizon;
            past.another = another;
        }
        restorable(&plan, &shaped.reader, &request.source)?;
        self.check_writing(&plan, request, site).await?;
        clock.lap(Stage::Compare);

        self.observer.report(ProgressEvent::Stage(Stage::Judge));
        let desired = Arc::new(desired);
        let (plan, judgements) = {
            let (chain, reader, desired) = (chain.clone(), shaped.reader.clone(), Arc::clone(&desired));
            let (handle, facts) = (tokio::runtime::Handle::current(), facts(request));
            blocking(move || {
                let content = SourceContent::new(reader, handle);
                let judgements = policy::review(&chain.policy, &review(&plan, &desired), &facts, &content);
                (plan, judgements)
            })
            .await?
        };
        clock.lap(Stage::Judge);
        Ok(PlannedPublish {
            plan,
            judgements,
            findings: shaped.findings,
            usage: shaped.usage,
            desired,
            milliseconds: clock.into_laps(),
            reader: shaped.reader,
            state,
            past,
        })
    }

    /// Makes the plan of a saved one again, and refuses where anything that it was made from has changed.
    ///
    /// # Errors
    /// [`PublishError::Drifted`] names what changed.
    pub async fn replan(
        &self,
        saved: &Plan,
        request: &PublishRequest,
        site: &Site,
    ) -> Result<PlannedPublish, PublishError> {
        let planned = self.plan(request, site, Trace::Off).await?;
        still_holds(saved, &planned.plan)?;
        Ok(planned)
    }

    /// Carries out a plan, if its policies (or a person, where they hold it) approve it.
    pub async fn apply(
        &self,
        planned: PlannedPublish,
        request: &PublishRequest,
        site: &Site,
        approval: Approval,
    ) -> PublishReport {
        let mut report = PublishReport::new(request, site.target.clone(), Outcome::Failed);
        report.planned(&planned.plan);
        report.findings = planned.findings;
        report.usage = planned.usage;
        report.milliseconds = planned.milliseconds;
        report.drift = planned.state.drift().to_vec();
        let approved = match decide(planned.plan, planned.judgements, approval) {
            Decision::Approved(approved) => approved,
            Decision::Denied(_, judgements) => {
                report.outcome = Outcome::Denied;
                report.judgements = judgements;
                leave(planned.past).await;
                return report;
            }
            Decision::Held(_, judgements) => {
                report.outcome = Outcome::Held;
                report.judgements = judgements;
                leave(planned.past).await;
                return report;
            }
        };
        report.judgements = approved.judgements().to_vec();
        let result = match planned.past {
            None if approved.plan().is_empty() => Ok(Outcome::Unchanged),
            None => {
                let known = (planned.desired.as_ref(), &planned.state);
                self.carry_out(&approved, known, planned.reader, (request, site), &mut report).await
            }
            Some(past) => {
                let work = under::Work {
                    publisher: self,
                    request,
                    site,
                    approved: &approved,
                    desired: &planned.desired,
                    found: &planned.state,
                    reader: planned.reader,
                };
                work.release(past, &mut report).await
            }
        };
        match result {
            Ok(outcome) => report.outcome = outcome,
            Err(error) => {
                report.why = Some(error.to_string());
                if report.done.touched() {
                    report.outcome = Outcome::Partial;
                }
            }
        }
        report
    }

    /// Carries out a plan for a site that has no releases.
    async fn carry_out(
        &self,
        approved: &Approved,
        known: (&DesiredSite, &SiteState),
        reader: SourceReader,
        (request, site): (&PublishRequest, &Site),
        report: &mut PublishReport,
    ) -> Result<Outcome, PublishError> {
        let plan = approved.plan();
        let mut clock = Stopwatch::default();
        let writing = self.writing(plan, request, site).await?;
        let writer = self.writer(&writing, plan, site, reader, None);
        write_all(approved, &writer, &self.observer, &mut report.done).await;
        remove(approved, &[ChangeReason::Stale, ChangeReason::Expired], &writer, &self.observer, &mut report.done)
            .await;
        report.milliseconds.insert(Stage::Write.name().to_owned(), clock.lap(Stage::Write));
        if !report.done.failures.is_empty() {
            return Ok(if report.done.touched() { Outcome::Partial } else { Outcome::Failed });
        }
        self.observer.report(ProgressEvent::Stage(Stage::Invalidate));
        let cloudfront = CloudFront::new(&writing);
        let name = report.plan.clone().unwrap_or_default();
        let changed: Vec<&str> = plan.operations.iter().map(|operation| operation.key.as_str()).collect();
        for batch in invalidate::plan(&cloudfront, site, &name, (&changed, &[]), known, FREE_PATHS).await {
            report.invalidations.push(invalidate::send(&cloudfront, site, &batch).await);
        }
        report.milliseconds.insert(Stage::Invalidate.name().to_owned(), clock.lap(Stage::Invalidate));
        let told = report.invalidations.iter().all(|told| told.id.is_some());
        Ok(if told { Outcome::Live } else { Outcome::LiveNotInvalidated })
    }

    fn writer(
        &self,
        writing: &Connection,
        plan: &Plan,
        site: &Site,
        reader: SourceReader,
        fence: Option<Fence>,
    ) -> Arc<PlanWriter> {
        self.observer.report(ProgressEvent::Stage(Stage::Write));
        let bytes = plan.totals.bytes_to_write + plan.totals.bytes_to_copy;
        self.observer.report(ProgressEvent::Planned { operations: plan.operations.len() as u64, bytes });
        Arc::new(PlanWriter {
            s3: S3::new(writing),
            target: site.target.clone(),
            settings: plan.objects.clone(),
            reader,
            copy_limit: self.copy_limit,
            fence,
        })
    }
}

/// Refuses a plan that is not the saved one.
fn still_holds(saved: &Plan, now: &Plan) -> Result<(), PublishError> {
    if saved.format != FORMAT {
        return Err(PublishError::Format(saved.format));
    }
    if now.to_bytes()? == saved.to_bytes()? { Ok(()) } else { Err(PublishError::Drifted(saved.drift(now, 10))) }
}

async fn leave(past: Option<ReleaseContext>) {
    if let Some(held) = past.and_then(|past| past.held) {
        held.release().await;
    }
}

fn facts(request: &PublishRequest) -> RunFacts {
    RunFacts {
        site: request.site.clone(),
        release: request.release.clone(),
        instant: request.instant,
        attributes: BTreeMap::from([("trigger".to_owned(), request.cause.clone())]),
    }
}

/// Whether a source lies where releases are kept, or around it.
/// `fetched` is where the site's own files are that were fetched to be published.
fn publishes_state(source: &Source, state: &Location, fetched: Option<&Location>) -> bool {
    match source {
        Source::Prefix(location) => location.overlaps(state),
        Source::Object(object) => {
            let within = |place: &Location| {
                object.bucket == place.bucket && place.prefix.relative(object.key.as_str()).is_some()
            };
            within(state) && !fetched.is_some_and(within)
        }
        Source::Directory(_) | Source::Archive(_) | Source::Release(_) => false,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PublishError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| PublishError::Interrupted)
}
