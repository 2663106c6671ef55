//! A plan as policies see it, and what they say of it.

use std::fmt;

use serde::Serialize;

use crate::finding::Finding;
use crate::headers::ObjectHeaders;
use crate::key::Key;
use crate::plugin_failure::PluginFailure;
use crate::plugin_usage::PluginUsage;
use crate::redirect::RedirectTarget;

/// What happens to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReviewedKind {
    /// The site does not have it yet.
    Create,
    /// The site has it with other bytes, or as something else.
    Update,
    /// Same bytes, other headers, metadata or redirect target.
    Headers,
    /// The site has it and will not have it any more.
    Delete,
    /// Nothing.
    Keep,
}

/// One key of the plan, those that stay included.
#[derive(Debug, Clone, Copy)]
pub struct ReviewedChange<'a> {
    /// Relative to the site.
    pub key: &'a str,
    /// What happens to it.
    pub kind: ReviewedKind,
    /// Bytes that visitors will get; for a removal, bytes that they got.
    pub size: u64,
    /// Where it will be a redirect: its target.
    pub redirect: Option<&'a RedirectTarget>,
    /// The headers that it will have; none for a removal.
    pub headers: Option<&'a ObjectHeaders>,
    /// Why, as the plan says it.
    pub reason: &'a str,
    /// The object of the artifact that holds its bytes; none for a redirect and for a removal. A policy may read it.
    pub source: Option<&'a Key>,
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

    /// The object of the artifact behind a key, with its size; nothing for redirects and removals.
    #[must_use]
    pub fn source(&self, key: &str) -> Option<(&'a Key, u64)> {
        let at = self.changes.binary_search_by(|change| change.key.cmp(key)).ok()?;
        let change = self.changes.get(at)?;
        Some((change.source?, change.size))
    }
}

/// What a policy says of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It may be carried out.
    Allow,
    /// A person has to approve exactly this plan.
    Hold,
    /// It must not be carried out.
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

/// What became of one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Its name in the configuration.
    pub plugin: String,
    /// What it says; [`Verdict::Deny`] where it failed.
    pub verdict: Verdict,
    /// What it had to say besides, also before it failed.
    pub findings: Vec<Finding>,
    /// Why it failed, where it did.
    pub failure: Option<PluginFailure>,
    /// What it used.
    pub usage: PluginUsage,
}
