//! The flow of one publish, in the order in which things happen: open, shape, compare, judge, write, invalidate.
//!
//! Owns the order, and which credentials are there when. Planning holds credentials that can read only; those that can
//! write are made from the approved plan, when no plugin is left. Decides nothing that `tidegate-host` decides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tidegate_host::config::Site;
use tidegate_host::desired::{Collision, Desired};
use tidegate_host::diff::{self, Comparison, Removal};
use tidegate_host::document::{Document, DocumentError};
use tidegate_host::finding::Finding;
use tidegate_host::invalidation;
use tidegate_host::listing::Site as SiteState;
use tidegate_host::location::{Location, Source};
use tidegate_host::plan::{FORMAT, Inputs, Kept, Plan};
use tidegate_host::plugin::policy::{self, Judgement};
use tidegate_host::plugin::sync::{self, Trace};
use tidegate_host::plugin::{Facts, Failure, Usage};
use tidegate_host::report::{Invalidation, Outcome, Report};
use tidegate_host::request::Request;
use tidegate_host::verdict::{Approval, Approved, Decision, decide, review};

use crate::chain::{Chain, ChainError, Workshop};
use crate::cloud::CloudError;
use crate::cloudfront::CloudFront;
use crate::connection::Connection;
use crate::execute::{Writer, execute};
use crate::invalidate;
use crate::progress::{Event, Observer, Stage};
use crate::s3::{CopySource, S3};
use crate::source::content::SourceContent;
use crate::source::storage::Objects;
use crate::source::{self, Reader, SourceError};
use crate::sts::Sts;
use crate::survey::{SurveyError, survey};

/// Why a run ended before it had a plan. The site is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The plugins cannot be used: a matter of configuration.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A plugin failed.
    #[error(transparent)]
    Plugin(#[from] Failure),
    /// The source has one key twice: a defect, since sources check it.
    #[error("the source is no site: {0}")]
    Collision(#[from] Collision),
    /// The site cannot be compared.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// AWS failed.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The credentials that the plan needs cannot be described.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A saved plan does not hold any more.
    #[error("the plan no longer holds, make a new one: {}", .0.join("; "))]
    Drifted(Vec<String>),
    /// A saved plan has another form.
    #[error("the plan has the form {0}, this version of Tidegate reads {FORMAT}: make a new one")]
    Format(u32),
    /// The work was dropped.
    #[error("the run was interrupted, run it again")]
    Interrupted,
    /// A defect of Tidegate.
    #[error("the plan could not be written as JSON, which is a defect of Tidegate: {0}")]
    Json(#[from] serde_json::Error),
}

/// Who is at fault when a run ends without a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The configuration, or what was asked.
    Configuration,
    /// A plugin.
    Plugin,
    /// The source or AWS.
    Cloud,
    /// Tidegate.
    Defect,
}

impl PublishError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        use tidegate_host::plugin::Blame;
        match self {
            Self::Chain(ChainError::Object(..)) => Fault::Cloud,
            Self::Chain(_) | Self::Document(_) | Self::Drifted(_) | Self::Format(_) => Fault::Configuration,
            Self::Plugin(failure) if failure.blame() == Blame::Plugin => Fault::Plugin,
            Self::Plugin(_) | Self::Source(_) | Self::Survey(_) | Self::Cloud(_) | Self::Interrupted => Fault::Cloud,
            Self::Collision(_) | Self::Json(_) => Fault::Defect,
        }
    }
}

/// What a run works with.
#[derive(Clone)]
pub struct Publisher {
    /// The caller's own connection to AWS.
    pub connection: Connection,
    /// How plugins are loaded.
    pub workshop: Workshop,
    /// Who hears how it goes.
    pub observer: Arc<dyn Observer>,
    /// What archives may hold, and what is read of directories.
    pub options: source::Options,
    /// How thoroughly the site is compared.
    pub comparison: Comparison,
    /// Largest object that one request copies, in bytes; [`CopySource::LIMIT`] but for tests.
    pub copy_limit: u64,
}

/// A plan with what it takes to carry it out and to explain it.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What policies say of it.
    pub judgements: Vec<Judgement>,
    /// What sync plugins had to say.
    pub findings: Vec<Finding>,
    /// What sync plugins used.
    pub usage: Vec<Usage>,
    /// The site as it should be, with the trail of decisions where it was asked for.
    pub desired: Desired,
    /// Milliseconds by stage.
    pub milliseconds: BTreeMap<String, u64>,
    reader: Reader,
}

impl Publisher {
    /// A publisher with everything at its default but what must be given.
    #[must_use]
    pub fn new(connection: Connection, workshop: Workshop, observer: Arc<dyn Observer>) -> Self {
        let heard = Arc::clone(&observer);
        let progress: source::Progress = Arc::new(move |objects, bytes| heard.hear(Event::Read { objects, bytes }));
        let options = source::Options { progress: Some(progress), ..source::Options::default() };
        Self {
            connection,
            workshop,
            observer,
            options,
            comparison: Comparison::default(),
            copy_limit: CopySource::LIMIT,
        }
    }

    /// Makes a plan and has it judged. Only reads.
    ///
    /// # Errors
    /// [`PublishError`]. A denial is no error: it is in the judgements.
    pub async fn plan(&self, request: &Request, site: &Site, trace: Trace) -> Result<Planned, PublishError> {
        let own = S3::new(&self.connection);
        let chain = self.workshop.chain(site, &own).await?;
        let mut clock = Clock::default();

        self.observer.hear(Event::Stage(Stage::Open));
        let objects: Arc<dyn Objects> = Arc::new(own);
        let opened = source::open(&request.source, &objects, &self.options).await?;
        let reading = self.reading(request, site).await?;
        clock.lap(Stage::Open);

        self.observer.hear(Event::Stage(Stage::Shape));
        let facts = facts(request);
        let unshaped = opened.artifact.len() as u64;
        let artifact = Arc::new(opened.artifact);
        let shaped = {
            let (chain, artifact, facts, reader) =
                (chain.clone(), Arc::clone(&artifact), facts.clone(), opened.reader.clone());
            let handle = tokio::runtime::Handle::current();
            blocking(move || sync::shape(&chain.sync, &artifact, &facts, &SourceContent::new(reader, handle), trace))
                .await??
        };
        let mut desired = shaped.desired;
        clock.lap(Stage::Shape);

        self.observer.hear(Event::Stage(Stage::Compare));
        let s3 = S3::new(&reading);
        let state = survey(&s3, &site.target, &opened.reader, &mut desired, self.comparison, &self.observer).await?;
        let plan = assemble(
            request,
            site,
            &chain,
            &desired,
            &state,
            (artifact.fingerprint().clone(), unshaped),
            self.comparison,
        );
        self.writing_policy(&plan, site, request)?;
        clock.lap(Stage::Compare);

        self.observer.hear(Event::Stage(Stage::Judge));
        let (plan, judgements) = {
            let (chain, reader, desired) = (chain.clone(), opened.reader.clone(), desired.clone());
            let handle = tokio::runtime::Handle::current();
            blocking(move || {
                let content = SourceContent::new(reader, handle);
                let judgements = policy::judge(&chain.policy, &review(&plan, &desired), &facts, &content);
                (plan, judgements)
            })
            .await?
        };
        clock.lap(Stage::Judge);
        let (findings, usage) = (shaped.findings, shaped.usage);
        Ok(Planned { plan, judgements, findings, usage, desired, milliseconds: clock.laps, reader: opened.reader })
    }

    /// Makes the plan of a saved one again, and refuses where anything that it was made from has changed.
    ///
    /// # Errors
    /// [`PublishError::Drifted`] names what changed.
    pub async fn replan(&self, saved: &Plan, request: &Request, site: &Site) -> Result<Planned, PublishError> {
        if saved.format != FORMAT {
            return Err(PublishError::Format(saved.format));
        }
        let planned = self.plan(request, site, Trace::Nothing).await?;
        if planned.plan.to_bytes()? == saved.to_bytes()? {
            return Ok(planned);
        }
        Err(PublishError::Drifted(saved.drift(&planned.plan, 10)))
    }

    /// Carries out a plan, if its policies (or a person, where they hold it) approve it.
    pub async fn apply(&self, planned: Planned, request: &Request, site: &Site, approval: Approval) -> Report {
        let mut report = Report::new(request, site.target.clone(), Outcome::Failed);
        report.planned(&planned.plan);
        report.findings = planned.findings;
        report.usage = planned.usage;
        report.milliseconds = planned.milliseconds;
        let approved = match decide(planned.plan, planned.judgements, approval) {
            Decision::Approved(approved) => approved,
            Decision::Denied(_, judgements) => {
                report.outcome = Outcome::Denied;
                report.judgements = judgements;
                return report;
            }
            Decision::Held(_, judgements) => {
                report.outcome = Outcome::Held;
                report.judgements = judgements;
                return report;
            }
        };
        report.judgements = approved.judgements().to_vec();
        if approved.plan().is_empty() {
            report.outcome = Outcome::Unchanged;
            return report;
        }
        match self.carry_out(&approved, planned.reader, request, site, &mut report).await {
            Ok(outcome) => report.outcome = outcome,
            Err(error) => report.why = Some(error.to_string()),
        }
        report
    }

    async fn carry_out(
        &self,
        approved: &Approved,
        reader: Reader,
        request: &Request,
        site: &Site,
        report: &mut Report,
    ) -> Result<Outcome, PublishError> {
        let plan = approved.plan();
        let mut clock = Clock::default();
        self.observer.hear(Event::Stage(Stage::Write));
        let writing = self.writing(plan, request, site).await?;
        let bytes = plan.totals.bytes_to_write + plan.totals.bytes_to_copy;
        self.observer.hear(Event::Planned { operations: plan.operations.len() as u64, bytes });
        let writer = Arc::new(Writer {
            s3: S3::new(&writing),
            target: site.target.clone(),
            writing: plan.writing.clone(),
            reader,
            copy_limit: self.copy_limit,
        });
        report.done = execute(approved, &writer, &self.observer).await;
        report.milliseconds.insert(Stage::Write.name().to_owned(), clock.lap(Stage::Write));
        if !report.done.failures.is_empty() {
            let done = &report.done;
            // What got no answer may have been done: only what certainly changed nothing has failed.
            let touched = done.written + done.headers + done.deleted + done.unanswered > 0;
            return Ok(if touched { Outcome::Partial } else { Outcome::Failed });
        }
        self.observer.hear(Event::Stage(Stage::Invalidate));
        report.invalidations = invalidate(&CloudFront::new(&writing), plan, site, report.plan.as_deref()).await;
        report.milliseconds.insert(Stage::Invalidate.name().to_owned(), clock.lap(Stage::Invalidate));
        let told = report.invalidations.iter().all(|told| told.id.is_some());
        Ok(if told { Outcome::Live } else { Outcome::LiveNotInvalidated })
    }

    /// A connection that can read the site and nothing else.
    async fn reading(&self, request: &Request, site: &Site) -> Result<Connection, PublishError> {
        let Some(role) = &site.role else { return Ok(self.connection.clone()) };
        let policy = Document::planning(&site.target).session(&site.target)?;
        let session = session(request, "plan");
        Ok(self.connection.with_credentials(Sts::new(&self.connection).assume(role, &session, &policy).await?))
    }

    /// A connection that can do what this plan says and nothing else. Called when no plugin is left.
    async fn writing(&self, plan: &Plan, request: &Request, site: &Site) -> Result<Connection, PublishError> {
        let (Some(role), Some(policy)) = (&site.role, self.writing_policy(plan, site, request)?) else {
            return Ok(self.connection.clone());
        };
        let session = session(request, "publish");
        Ok(self.connection.with_credentials(Sts::new(&self.connection).assume(role, &session, &policy).await?))
    }

    /// The session policy of a plan; its limits are checked while planning, before anything is written.
    fn writing_policy(&self, plan: &Plan, site: &Site, request: &Request) -> Result<Option<String>, DocumentError> {
        let Some(role) = &site.role else { return Ok(None) };
        let distributions: Vec<String> = site.cdn.iter().map(|cdn| cdn.arn(role)).collect();
        let document = Document::writing(plan, staged(&request.source), &distributions);
        if document.is_empty() { Ok(None) } else { document.session(&site.target).map(Some) }
    }
}

/// The prefix that bodies are copied from on the server's side.
fn staged(source: &Source) -> Option<&Location> {
    match source {
        Source::Prefix(location) => Some(location),
        Source::Directory(_) | Source::Archive(_) | Source::Object(_) => None,
    }
}

fn session(request: &Request, purpose: &str) -> String {
    format!("tidegate-{purpose}-{}", request.site)
}

fn facts(request: &Request) -> Facts {
    Facts {
        site: request.site.clone(),
        release: request.release.clone(),
        instant: request.instant,
        attributes: BTreeMap::from([("trigger".to_owned(), request.cause.clone())]),
    }
}

/// Puts a plan together from everything that it depends on.
fn assemble(
    request: &Request,
    site: &Site,
    chain: &Chain,
    desired: &Desired,
    state: &SiteState,
    (artifact, source_objects): (tidegate_host::artifact::Fingerprint, u64),
    comparison: Comparison,
) -> Plan {
    let removal = Removal { delete: site.delete, protect: site.protect.clone() };
    let changes = diff::operations(desired, state, comparison, &removal);
    let mut totals = changes.totals;
    totals.source_objects = source_objects;
    totals.excluded = desired.excluded().len() as u64;
    if staged(&request.source).is_some() {
        // Bodies of a staged prefix never pass through here.
        totals.bytes_to_copy += std::mem::take(&mut totals.bytes_to_write);
    }
    Plan {
        format: FORMAT,
        site: request.site.clone(),
        release: request.release.clone(),
        instant: request.instant,
        source: request.source.clone(),
        target: site.target.clone(),
        writing: site.writing.clone(),
        inputs: Inputs {
            artifact,
            listing: state.listing.digest(),
            kept: digest(&changes.kept),
            plugins: chain.inputs(),
        },
        totals,
        operations: changes.operations,
        kept: changes.kept,
    }
}

/// SHA-256 over the keys that stay, with what visitors get under them.
fn digest(kept: &[Kept]) -> String {
    let mut hash = Sha256::new();
    for key in kept {
        hash.update(key.key.as_str().as_bytes());
        hash.update([0]);
        hash.update(key.size.to_be_bytes());
        for (name, value) in key.headers.iter() {
            hash.update(name.as_str().as_bytes());
            hash.update([0]);
            hash.update(value.as_bytes());
            hash.update([0]);
        }
        for (name, value) in key.headers.metadata() {
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(value.as_bytes());
            hash.update([0]);
        }
        hash.update(key.redirect.as_ref().map(|target| target.as_str()).unwrap_or_default().as_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize())
}

async fn invalidate(cloudfront: &CloudFront, plan: &Plan, site: &Site, digest: Option<&str>) -> Vec<Invalidation> {
    let mut told = Vec::new();
    for cdn in &site.cdn {
        let room = invalidate::room(cloudfront, cdn, invalidation::FREE_PATHS).await;
        let changed = plan.operations.iter().map(|operation| operation.key.as_str());
        let unchanged = plan.kept.iter().map(|kept| kept.key.as_str());
        let batch =
            invalidation::batch(&plan.site, digest.unwrap_or_default(), cdn, &site.target, changed, unchanged, room);
        let Some(batch) = batch else { continue };
        let sent = invalidate::send(cloudfront, &batch).await;
        if let Some(id) = &sent.id
            && cdn.wait_seconds > 0
        {
            let patience = Duration::from_secs(cdn.wait_seconds.into());
            invalidate::wait(cloudfront, &batch, id, patience).await;
        }
        told.push(sent);
    }
    told
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PublishError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| PublishError::Interrupted)
}

/// Measures stages.
struct Clock {
    since: Instant,
    laps: BTreeMap<String, u64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { since: Instant::now(), laps: BTreeMap::new() }
    }
}

impl Clock {
    fn lap(&mut self, stage: Stage) -> u64 {
        let milliseconds = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since = Instant::now();
        self.laps.insert(stage.name().to_owned(), milliseconds);
        milliseconds
    }
}
