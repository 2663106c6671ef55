//! What a run did: one value for machines (serde) and for people (`Display`).
//!
//! Owns its form. Never hides a failure and never holds a secret.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::finding::{Finding, Severity};
use crate::location::{Location, Source};
use crate::plan::{Plan, PlanTotals};
use crate::plan_review::{Judgement, Verdict};
use crate::plugin_usage::PluginUsage;
use crate::release::ReleaseId;
use crate::request::PublishRequest;
use crate::site_state::Drift;

pub use crate::outcome::Outcome;

/// One operation that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedOperation {
    /// The key, relative to the site.
    pub key: String,
    /// `create`, `update`, `headers`, `delete`.
    pub operation: String,
    /// Why.
    pub why: String,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WriteCounts {
    /// Objects written.
    pub written: u64,
    /// Objects whose headers were replaced.
    pub headers: u64,
    /// Objects deleted.
    pub deleted: u64,
    /// Bodies that were set aside before they were replaced or removed.
    #[serde(skip_serializing_if = "is_zero")]
    pub archived: u64,
    /// Objects that were to be deleted and were replaced by somebody else meanwhile, so they were left.
    pub kept_replaced: u64,
    /// Operations that were not tried, since an earlier one had failed.
    pub skipped: u64,
    /// Operations that failed without an answer, so that they may have been done all the same.
    pub unanswered: u64,
    /// Operations that failed.
    pub failures: Vec<FailedOperation>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What one distribution was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InvalidationReport {
    /// Its id.
    pub distribution: String,
    /// The paths, and cache tags as `#tag`.
    pub paths: Vec<String>,
    /// The invalidation's id, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The report of one run.
#[derive(Debug, Clone, Serialize)]
pub struct PublishReport {
    /// The site.
    pub site: String,
    /// The release that this run made, where the site has releases and the run got that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ReleaseId>,
    /// What was published.
    pub release: String,
    /// Who asked.
    pub cause: String,
    /// The run's instant, in milliseconds since the Unix epoch.
    pub instant: u64,
    /// Where the artifact came from.
    pub source: Source,
    /// Where the site is.
    pub target: Location,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it did not end well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// SHA-256 of the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The plan's counts.
    pub totals: PlanTotals,
    /// What was done.
    pub done: WriteCounts,
    /// What somebody else had changed since the last release; the plan says what became of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// What the CDN was told.
    pub invalidations: Vec<InvalidationReport>,
    /// What sync plugins had to say.
    pub findings: Vec<Finding>,
    /// What policies said.
    pub judgements: Vec<Judgement>,
    /// What sync plugins used.
    pub usage: Vec<PluginUsage>,
    /// Milliseconds by stage.
    pub milliseconds: BTreeMap<String, u64>,
}

impl WriteCounts {
    /// Whether the site may have changed. What got no answer may have been done: only what certainly changed nothing has
    /// failed.
    #[must_use]
    pub fn touched(&self) -> bool {
        self.written + self.headers + self.deleted + self.unanswered > 0
    }
}

impl PublishReport {
    /// An empty report of a request; `outcome` is what it ends with unless something better is known.
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
            plan: None,
            totals: PlanTotals::default(),
            done: WriteCounts::default(),
            drift: Vec::new(),
            invalidations: Vec::new(),
            findings: Vec::new(),
            judgements: Vec::new(),
            usage: Vec::new(),
            milliseconds: BTreeMap::new(),
        }
    }

    /// Fills in what a plan says.
    pub fn planned(&mut self, plan: &Plan) {
        self.totals = plan.totals.clone();
        self.plan = plan.digest().ok();
    }
}

/// Most failures and findings that a person is shown; a machine gets all of them.
const SHOWN: usize = 20;

impl fmt::Display for PublishReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => writeln!(f, "{} {id}: {}", self.site, self.outcome.sentence())?,
            None => writeln!(f, "{}: {}", self.site, self.outcome.sentence())?,
        }
        if let Some(why) = &self.why {
            writeln!(f, "  {why}")?;
        }
        let done = &self.done;
        if done.written + done.headers + done.deleted > 0 {
            writeln!(
                f,
                "  {} written, {} with new headers, {} deleted, {} unchanged",
                done.written, done.headers, done.deleted, self.totals.keep
            )?;
        }
        let changed = done.written + done.headers + done.deleted > 0;
        if changed && done.archived + self.totals.retained > 0 {
            let (kept, aside) = (self.totals.retained, done.archived);
            let bodies = if aside == 1 { "body" } else { "bodies" };
            writeln!(f, "  {kept} kept on the site and {aside} {bodies} set aside for earlier releases")?;
        }
        for drift in self.drift.iter().take(SHOWN) {
            writeln!(f, "  {drift}")?;
        }
        more(f, self.drift.len(), "changes of somebody else")?;
        if done.kept_replaced > 0 {
            writeln!(f, "  {} not deleted, since they were replaced meanwhile", done.kept_replaced)?;
        }
        if done.skipped > 0 {
            writeln!(f, "  {} operations not tried after the failures below", done.skipped)?;
        }
        if done.unanswered > 0 {
            writeln!(f, "  {} got no answer and may have been done all the same", done.unanswered)?;
        }
        for failed in done.failures.iter().take(SHOWN) {
            writeln!(f, "  failed to {} `{}`: {}", failed.operation, failed.key, failed.why)?;
        }
        more(f, done.failures.len(), "failures")?;
        for told in &self.invalidations {
            match (&told.id, &told.why) {
                (Some(id), _) => {
                    let paths = if told.paths.len() == 1 { "path" } else { "paths" };
                    writeln!(f, "  {}: {} {paths} invalidated ({id})", told.distribution, told.paths.len())?;
                }
                (None, Some(why)) => writeln!(f, "  {}: not invalidated: {why}", told.distribution)?,
                (None, None) => {}
            }
        }
        let remarks = || self.findings.iter().chain(self.judgements.iter().flat_map(|judgement| &judgement.findings));
        for finding in remarks().take(SHOWN) {
            writeln!(f, "  {finding}")?;
        }
        more(f, remarks().count(), "findings")?;
        for judgement in &self.judgements {
            if let Some(failure) = &judgement.failure {
                writeln!(f, "  {failure}")?;
            } else if judgement.verdict != Verdict::Allow {
                writeln!(f, "  `{}` says {}", judgement.plugin, judgement.verdict)?;
            }
        }
        Ok(())
    }
}

fn more(f: &mut fmt::Formatter<'_>, count: usize, what: &str) -> fmt::Result {
    match count.checked_sub(SHOWN) {
        Some(rest) if rest > 0 => writeln!(f, "  and {rest} more {what}, `--json` shows all"),
        _ => Ok(()),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Info => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{word} from `{}`: {}", self.plugin, self.message)?;
        if let Some(key) = &self.key {
            write!(f, " (`{key}`)")?;
        }
        if !self.rule.is_empty() {
            write!(f, " [{}]", self.rule)?;
        }
        Ok(())
    }
}
