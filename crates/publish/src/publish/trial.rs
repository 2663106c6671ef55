//! What a plugin is run on without publishing: the site that it would see, or the plan that it would review.

use std::sync::Arc;

use tidegate_core::approval;
use tidegate_core::config::Site;
use tidegate_core::content::ContentReader;
use tidegate_core::desired::DesiredSite;
use tidegate_core::finding::Finding;
use tidegate_core::listing_filter::ListingExclusion;
use tidegate_core::plan::{Plan, PlanTotals};
use tidegate_core::plan_review::{PlanReview, ReviewedChange, ReviewedKind};
use tidegate_core::request::PublishRequest;
use tidegate_core::run_facts::{EDGE_REDIRECTS, RunFacts};
use tidegate_host::PluginKind;
use tidegate_host::observed::RunInput;
use tidegate_host::sync::Trace;

use super::PlannedPublish;
use super::error::PublishError;
use super::open;
use super::run::{Publisher, Run};
use super::transform::{TransformedSource, blocking, facts, transform};
use crate::plugins::SitePlugins;
use crate::s3::S3;
use crate::source::SourceReader;
use crate::source::content::SourceContent;

/// What a plugin is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialTarget {
    /// A site without objects. No request is sent for it.
    Empty,
    /// The target of the site.
    Site,
}

/// Which input a plugin is given.
#[derive(Debug, Clone, Copy)]
pub struct TrialSpec<'a> {
    /// The kind of the plugin.
    pub kind: PluginKind,
    /// What the plan of a policy is compared with.
    pub target: TrialTarget,
    /// The dialect of the edge that the plugin sees, if the site itself has none.
    pub edge: Option<&'a str>,
}

/// What a plugin is run on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trial(Arc<TrialFields>);

#[derive(Debug)]
struct TrialFields {
    kind: PluginKind,
    desired: Arc<DesiredSite>,
    plan: Option<Plan>,
    totals: PlanTotals,
    reader: SourceReader,
    facts: RunFacts,
    findings: Vec<Finding>,
    exclusions: Vec<ListingExclusion>,
}

impl Publisher {
    /// Makes what a plugin would be given: the sync plugins of the site run before it. Only reads.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn trial(
        &self,
        request: &PublishRequest,
        site: &Site,
        spec: TrialSpec<'_>,
    ) -> Result<Trial, PublishError> {
        // Releases are neither read nor locked.
        let site = &Site { state: None, policy: Vec::new(), ..site.clone() };
        let run = Run { execution: None, publisher: self, request, site };
        open::check_release(request)?;
        let TrialSpec { kind, target, edge } = spec;
        let mut facts = facts(run);
        if let Some(edge) = edge {
            facts.attributes.entry(EDGE_REDIRECTS.to_owned()).or_insert_with(|| edge.to_owned());
        }
        if kind == PluginKind::Policy && target == TrialTarget::Site {
            let planned = self.plan(request, site, Trace::Off).await?;
            let PlannedPublish { plan, desired, findings, exclusions, basis, .. } = planned;
            let (totals, plan, reader) = (plan.totals.clone(), Some(plan), basis.reader);
            return Ok(Trial(Arc::new(TrialFields {
                kind,
                desired,
                plan,
                totals,
                reader,
                facts,
                findings,
                exclusions,
            })));
        }
        let plugins = match site.sync.as_slice() {
            // Not even the policy that every site has is needed.
            [] => SitePlugins::default(),
            _ => self.plugins.load(site, &S3::new(&self.connection)).await?,
        };
        let opened = open::open(run, None, Vec::new()).await?;
        let source = transform(run, &plugins, opened, Trace::Off).await?;
        let totals = totals_of_creation(&source);
        let TransformedSource { desired, reader, findings, exclusions, .. } = source;
        let (desired, plan) = (Arc::new(desired), None);
        Ok(Trial(Arc::new(TrialFields { kind, desired, plan, totals, reader, facts, findings, exclusions })))
    }
}

impl Trial {
    /// Works with the input on a thread that may block.
    ///
    /// # Errors
    /// [`PublishError::Interrupted`].
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(RunInput<'_>, &RunFacts, &dyn ContentReader) -> T + Send + 'static,
    ) -> Result<T, PublishError> {
        let trial = self.clone();
        let content = SourceContent::new(trial.0.reader.clone(), tokio::runtime::Handle::current());
        blocking(move || {
            let TrialFields { kind, desired, plan, totals, facts, .. } = &*trial.0;
            match (kind, plan) {
                (PluginKind::Sync, _) => work(RunInput::Site(desired), facts, &content),
                (PluginKind::Policy, Some(plan)) => {
                    work(RunInput::Plan(&approval::review(plan, desired)), facts, &content)
                }
                (PluginKind::Policy, None) => {
                    let creation = |entry| ReviewedChange::of_entry(entry, ReviewedKind::Create, "new");
                    let changes = desired.entries().iter().map(creation).collect();
                    work(RunInput::Plan(&PlanReview::new(changes, totals.named())), facts, &content)
                }
            }
        })
        .await
    }

    /// The site that a sync plugin sees, and that the plan of a policy creates.
    #[must_use]
    pub fn desired(&self) -> &DesiredSite {
        &self.0.desired
    }

    /// The facts of the run.
    #[must_use]
    pub fn facts(&self) -> &RunFacts {
        &self.0.facts
    }

    /// Findings about the source, and of the sync plugins before this one.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0.findings
    }

    /// What the listing of the source left out.
    #[must_use]
    pub fn exclusions(&self) -> &[ListingExclusion] {
        &self.0.exclusions
    }
}

/// The totals of a plan for a site without objects.
fn totals_of_creation(source: &TransformedSource) -> PlanTotals {
    let entries = source.desired.entries();
    let objects = entries.len() as u64;
    let bytes = entries.iter().map(|entry| entry.body.size()).sum();
    PlanTotals {
        create: objects,
        source_objects: source.source_objects + source.exclusions.len() as u64,
        excluded: source.desired.excluded().len() as u64 + source.exclusions.len() as u64,
        published_objects: objects,
        published_bytes: bytes,
        bytes_to_write: bytes,
        ..PlanTotals::default()
    }
}
