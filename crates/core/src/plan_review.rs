//! A plan as policies see it, and their judgements.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::PluginMode;
use crate::desired::DesiredEntry;
use crate::finding::Finding;
use crate::headers::ObjectHeaders;
use crate::key::Key;
use crate::plugin_failure::PluginFailure;
use crate::plugin_usage::PluginUsage;
use crate::redirect::RedirectTarget;

/// What happens to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewedKind {
    /// The site does not have it yet.
    Create,
    /// The site has it with other bytes, or as something else.
    Update,
    /// The same bytes with other headers, metadata or redirect target.
    Headers,
    /// The site has it, and it is deleted.
    Delete,
    /// It is unchanged.
    Keep,
}

/// One key of the plan; kept keys are included.
#[derive(Debug, Clone, Copy)]
pub struct ReviewedChange<'a> {
    /// Relative to the site.
    pub key: &'a str,
    /// What happens to it.
    pub kind: ReviewedKind,
    /// Size after the publish, in bytes; for a deletion, the size before it.
    pub size: u64,
    /// The target, if it becomes a redirect.
    pub redirect: Option<&'a RedirectTarget>,
    /// The headers after the publish; `None` for a deletion.
    pub headers: Option<&'a ObjectHeaders>,
    /// The reason in the plan.
    pub reason: &'a str,
    /// The object of the artifact with its bytes, which a policy may read; `None` for a redirect or a deletion.
    pub source: Option<&'a Key>,
}

impl<'a> ReviewedChange<'a> {
    /// What happens to a desired entry.
    #[must_use]
    pub fn of_entry(entry: &'a DesiredEntry, kind: ReviewedKind, reason: &'a str) -> Self {
        Self {
            key: entry.key.as_str(),
            kind,
            size: entry.body.size(),
            redirect: entry.body.redirect(),
            headers: Some(&entry.headers),
            reason,
            source: entry.body.source(),
        }
    }
}

/// A plan as policies see it.
#[derive(Debug, Clone)]
pub struct PlanReview<'a> {
    changes: Vec<ReviewedChange<'a>>,
    totals: Vec<(String, u64)>,
}

impl<'a> PlanReview<'a> {
    /// Takes every key of a plan, in any order, and its totals by name.
    #[must_use]
    pub fn new(mut changes: Vec<ReviewedChange<'a>>, totals: Vec<(String, u64)>) -> Self {
        changes.sort_by(|a, b| a.key.cmp(b.key));
        Self { changes, totals }
    }

    /// Every key, sorted.
    #[must_use]
    pub fn changes(&self) -> &[ReviewedChange<'a>] {
        &self.changes
    }

    /// Totals by name.
    #[must_use]
    pub fn totals(&self) -> &[(String, u64)] {
        &self.totals
    }

    /// The object of the artifact for a key, with its size; `None` for redirects and deletions.
    #[must_use]
    pub fn source(&self, key: &str) -> Option<(&'a Key, u64)> {
        let at = self.changes.binary_search_by(|change| change.key.cmp(key)).ok()?;
        let change = self.changes.get(at)?;
        Some((change.source?, change.size))
    }
}

/// The verdict of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The plan may be executed.
    Allow,
    /// A person must approve exactly this plan.
    Hold,
    /// The plan must not be executed.
    Deny,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Hold => "hold",
            Self::Deny => "deny",
        })
    }
}

/// The result of one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Its name in the configuration.
    pub plugin: String,
    /// Whether the verdict counts.
    #[serde(skip_serializing_if = "PluginMode::is_enforced")]
    pub mode: PluginMode,
    /// The verdict; [`Verdict::Deny`] if the policy failed.
    pub verdict: Verdict,
    /// Findings, including those from before a failure.
    pub findings: Vec<Finding>,
    /// Why it failed, if it failed.
    pub failure: Option<PluginFailure>,
    /// The resources that it used.
    pub usage: PluginUsage,
}

impl Judgement {
    /// The verdict that counts: an observed policy allows everything.
    #[must_use]
    pub fn enforced_verdict(&self) -> Verdict {
        match self.mode {
            PluginMode::Enforce if self.failure.is_some() => Verdict::Deny,
            PluginMode::Enforce => self.verdict,
            PluginMode::Observe => Verdict::Allow,
        }
    }
}
