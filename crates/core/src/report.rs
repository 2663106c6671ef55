//! The report of one run: serde for machines, `Display` for people. It lists every failure by key and holds no secret.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::UsedCredentials;
use crate::external_text::ExternalText;
use crate::finding::Finding;
use crate::listing_filter::ListingExclusion;
use crate::location::{Location, Source};
use crate::observed::ObservedPlugin;
use crate::plan::{Plan, PlanTotals};
use crate::plan_review::{Judgement, Verdict};
use crate::plugin_usage::PluginUsage;
use crate::release::ReleaseId;
use crate::request::PublishRequest;
use crate::site_state::Drift;
use crate::text::{count, rest};

pub use crate::outcome::Outcome;

/// One operation that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedOperation {
    /// The key, relative to the site.
    pub key: String,
    /// `create`, `update`, `headers`, `delete`, `archive` or `write`.
    pub operation: String,
    /// The cause.
    pub why: String,
    /// Whether S3 still asked for fewer requests after all retries.
    #[serde(default, skip_serializing_if = "is_false")]
    pub throttled: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// Counts of what a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WriteCounts {
    /// Objects written.
    pub written: u64,
    /// Objects whose headers were replaced.
    pub headers: u64,
    /// Objects deleted.
    pub deleted: u64,
    /// Bodies archived before they were replaced or deleted.
    #[serde(skip_serializing_if = "is_zero")]
    pub archived: u64,
    /// Objects that were not deleted, because they were replaced after the plan was made.
    pub kept_replaced: u64,
    /// Operations that were not tried, because an earlier one failed.
    pub skipped: u64,
    /// Operations that failed without a response, so they may have taken effect.
    pub unanswered: u64,
    /// Operations that failed.
    pub failures: Vec<FailedOperation>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The invalidation of one distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InvalidationReport {
    /// The distribution's id.
    pub distribution: String,
    /// The paths, and cache tags as `#tag`.
    pub paths: Vec<String>,
    /// The invalidation's id, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why there is none, where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The switch of a site's edge to a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EdgeSwitchReport {
    /// The release.
    pub release: ReleaseId,
    /// Updates of the key value store, each of at most 50 keys.
    pub updates: usize,
    /// Keys that were written or deleted.
    pub keys: usize,
    /// Why it was not switched, where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The report of one run.
#[derive(Debug, Clone, Serialize)]
pub struct PublishReport {
    /// The site.
    pub site: String,
    /// The release that this run made, if the site has releases and the run got that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ReleaseId>,
    /// The name of what was published.
    pub release: ExternalText,
    /// What started the run, such as `cli` or `upload`.
    pub cause: ExternalText,
    /// When the run started, in milliseconds since the Unix epoch.
    pub instant: u64,
    /// The source that was read.
    pub source: Source,
    /// The site's target.
    pub target: Location,
    /// The outcome.
    pub outcome: Outcome,
    /// The cause of an outcome that needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The credentials that planned and wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<UsedCredentials>,
    /// SHA-256 of the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The plan's counts.
    pub totals: PlanTotals,
    /// What the run did.
    pub done: WriteCounts,
    /// Objects that were changed outside Tidegate since the last release.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// Folders of the source that were not read, because plugins exclude everything in them.
    #[serde(rename = "excluded-folders", skip_serializing_if = "Vec::is_empty")]
    pub excluded_folders: Vec<ListingExclusion>,
    /// Invalidations, one for each distribution.
    pub invalidations: Vec<InvalidationReport>,
    /// The switch of the site's edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<EdgeSwitchReport>,
    /// Findings of sync plugins.
    pub findings: Vec<Finding>,
    /// What sync plugins would have done that are only observed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<ObservedPlugin>,
    /// Verdicts and findings of policies.
    pub judgements: Vec<Judgement>,
    /// Resources that sync plugins used.
    pub usage: Vec<PluginUsage>,
    /// Milliseconds of each stage.
    pub milliseconds: BTreeMap<String, u64>,
}

impl WriteCounts {
    /// Objects and bodies written.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.written + self.headers + self.archived
    }

    /// Whether the site may have changed. An operation without a response may have taken effect.
    #[must_use]
    pub fn touched(&self) -> bool {
        self.written + self.headers + self.deleted + self.unanswered > 0
    }
}

impl PublishReport {
    /// An empty report of a request, with the outcome that stands unless the run changes it.
    #[must_use]
    pub fn new(request: &PublishRequest, target: Location, outcome: Outcome) -> Self {
        Self {
            site: request.site.clone(),
            id: None,
            release: request.release.clone(),
            cause: request.cause.clone(),
            instant: request.instant,
            source: request.source.clone(),
            target,
            outcome,
            why: None,
            credentials: None,
            plan: None,
            totals: PlanTotals::default(),
            done: WriteCounts::default(),
            drift: Vec::new(),
            excluded_folders: Vec::new(),
            invalidations: Vec::new(),
            edge: None,
            findings: Vec::new(),
            observed: Vec::new(),
            judgements: Vec::new(),
            usage: Vec::new(),
            milliseconds: BTreeMap::new(),
        }
    }

    /// Adds the totals and the digest of a plan.
    pub fn planned(&mut self, plan: &Plan) {
        self.totals = plan.totals.clone();
        self.plan = plan.digest().ok();
    }
}

/// Entries of a list that people see; machines get all of them.
const SHOWN: usize = 20;

impl fmt::Display for PublishReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => writeln!(f, "{} {id}: {}", self.site, self.outcome)?,
            None => writeln!(f, "{}: {}", self.site, self.outcome)?,
        }
        if let Some(why) = &self.why {
            writeln!(f, "  {why}")?;
        }
        self.write_counts(f)?;
        if let Some(credentials) = self.credentials.as_ref().filter(|_| self.done.touched()) {
            writeln!(f, "  {credentials}")?;
        }
        for folder in self.excluded_folders.iter().take(SHOWN) {
            writeln!(f, "  `{folder}` was not read: excluded by `{}`: {}", folder.rule.plugin, folder.rule.reason)?;
        }
        write_rest(f, self.excluded_folders.len(), "folder")?;
        for drift in self.drift.iter().take(SHOWN) {
            writeln!(f, "  {drift}")?;
        }
        write_rest(f, self.drift.len(), "change")?;
        self.write_failures(f)?;
        match &self.edge {
            Some(EdgeSwitchReport { release, why: Some(why), .. }) => {
                writeln!(f, "  edge: not switched to {release}: {why}")?;
            }
            Some(EdgeSwitchReport { release, updates, keys, why: None }) => {
                writeln!(
                    f,
                    "  edge: switched to {release} ({} in {})",
                    count(*keys, "key"),
                    count(*updates, "update")
                )?;
            }
            None => {}
        }
        for invalidation in &self.invalidations {
            let InvalidationReport { distribution, paths, id, why } = invalidation;
            match (id, why) {
                (Some(id), _) => writeln!(f, "  {distribution}: {} invalidated ({id})", count(paths.len(), "path"))?,
                (None, Some(why)) => writeln!(f, "  {distribution}: not invalidated: {why}")?,
                (None, None) => {}
            }
        }
        let enforced = || self.judgements.iter().filter(|judgement| judgement.mode.is_enforced());
        let findings = || self.findings.iter().chain(enforced().flat_map(|judgement| &judgement.findings));
        for finding in findings().take(SHOWN) {
            writeln!(f, "  {finding}")?;
        }
        write_rest(f, findings().count(), "finding")?;
        for observed in &self.observed {
            observed.to_string().lines().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        for judgement in &self.judgements {
            if let Some(failure) = &judgement.failure {
                writeln!(f, "  {failure}")?;
                for detail in failure.details() {
                    writeln!(f, "    {detail}")?;
                }
            } else if !judgement.mode.is_enforced() {
                writeln!(f, "  policy `{}`: {} (observed, not enforced)", judgement.plugin, judgement.verdict)?;
                judgement.findings.iter().take(SHOWN).try_for_each(|finding| writeln!(f, "    {finding}"))?;
                write_rest(f, judgement.findings.len(), "finding")?;
            } else if judgement.verdict != Verdict::Allow {
                writeln!(f, "  policy `{}`: {}", judgement.plugin, judgement.verdict)?;
            }
        }
        Ok(())
    }
}

impl PublishReport {
    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WriteCounts { written, headers, deleted, archived, .. } = self.done;
        let PlanTotals { keep, retained, .. } = self.totals;
        if written + headers + deleted == 0 {
            return Ok(());
        }
        writeln!(f, "  {written} written, {headers} headers updated, {deleted} deleted, {keep} unchanged")?;
        if archived + retained > 0 {
            let (objects, bodies) = (count(retained, "object"), count(archived, "body"));
            writeln!(f, "  {objects} kept and {bodies} archived for earlier releases")?;
        }
        Ok(())
    }

    fn write_failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = &self.done;
        if done.kept_replaced > 0 {
            writeln!(f, "  {} not deleted: replaced since the plan was made", count(done.kept_replaced, "object"))?;
        }
        if done.skipped > 0 {
            writeln!(f, "  {} skipped because of the failures below", count(done.skipped, "operation"))?;
        }
        if done.unanswered > 0 {
            writeln!(f, "  {} without a response, which may have taken effect", count(done.unanswered, "operation"))?;
        }
        for FailedOperation { key, operation, why, .. } in done.failures.iter().take(SHOWN) {
            writeln!(f, "  `{key}`: {operation} failed: {why}")?;
        }
        write_rest(f, done.failures.len(), "failure")
    }
}

fn write_rest(f: &mut fmt::Formatter<'_>, total: usize, noun: &str) -> fmt::Result {
    rest(total, SHOWN, noun).map_or(Ok(()), |line| writeln!(f, "  {line}"))
}
