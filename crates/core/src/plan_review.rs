//! A plan as policies see it, and their judgements.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::PluginMode;
use crate::desired::{DesiredBody, DesiredEntry};
use crate::finding::Finding;
use crate::headers::ObjectHeaders;
use crate::key::Key;
use crate::plan::{Action, ChangeReason, Operation};
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

    /// What an operation does, with the entry that it writes.
    pub(crate) fn of_operation(operation: &'a Operation, entry: Option<&'a DesiredEntry>) -> Self {
        let (kind, headers) = match (&operation.action, operation.reason) {
            (Action::Put { headers, .. }, ChangeReason::New) => (ReviewedKind::Create, Some(headers)),
            (Action::Put { headers, .. }, _) => (ReviewedKind::Update, Some(headers)),
            (Action::Headers { headers, .. }, _) => (ReviewedKind::Headers, Some(headers)),
            (Action::Delete { .. }, _) => (ReviewedKind::Delete, None),
        };
        let body = entry.map(|entry| &entry.body);
        Self {
            key: operation.key.as_str(),
            kind,
            size: operation.size(),
            redirect: body.and_then(DesiredBody::redirect),
            headers,
            reason: operation.reason.as_str(),
            source: body.and_then(DesiredBody::source),
        }
    }

    /// An entry that is kept.
    pub(crate) fn of_kept(entry: &'a DesiredEntry) -> Self {
        Self::of_entry(entry, ReviewedKind::Keep, "unchanged")
    }
}

/// A plan as policies see it.
#[derive(Debug, Clone)]
pub struct PlanReview<'a> {
    /// Sorted by key.
    changes: Vec<ReviewedItem<'a>>,
    totals: Vec<(String, u64)>,
}

/// What a change is made of when a policy sees it: a large plan has millions of them.
#[derive(Debug, Clone)]
pub(crate) enum ReviewedItem<'a> {
    /// An operation, with the entry that it writes.
    Operation(&'a Operation, Option<&'a DesiredEntry>),
    /// An entry that is kept.
    Kept(&'a DesiredEntry),
    /// Anything else, such as an object in the folder of a release.
    Other(Box<ReviewedChange<'a>>),
}

impl<'a> ReviewedItem<'a> {
    fn key(&self) -> &'a str {
        match self {
            Self::Operation(operation, _) => operation.key.as_str(),
            Self::Kept(entry) => entry.key.as_str(),
            Self::Other(change) => change.key,
        }
    }

    fn change(&self) -> ReviewedChange<'a> {
        match self {
            Self::Operation(operation, entry) => ReviewedChange::of_operation(operation, *entry),
            Self::Kept(entry) => ReviewedChange::of_kept(entry),
            Self::Other(change) => **change,
        }
    }
}

impl<'a> PlanReview<'a> {
    /// Takes every key of a plan, in any order, and its totals by name.
    #[must_use]
    pub fn new(changes: Vec<ReviewedChange<'a>>, totals: Vec<(String, u64)>) -> Self {
        Self::of_items(changes.into_iter().map(|change| ReviewedItem::Other(Box::new(change))).collect(), totals)
    }

    pub(crate) fn of_items(mut changes: Vec<ReviewedItem<'a>>, totals: Vec<(String, u64)>) -> Self {
        changes.sort_by(|a, b| a.key().cmp(b.key()));
        Self { changes, totals }
    }

    /// Every key, sorted.
    pub fn changes(&self) -> impl ExactSizeIterator<Item = ReviewedChange<'a>> {
        self.changes.iter().map(ReviewedItem::change)
    }

    /// Totals by name.
    #[must_use]
    pub fn totals(&self) -> &[(String, u64)] {
        &self.totals
    }

    /// The object of the artifact for a key, with its size; `None` for redirects and deletions.
    #[must_use]
    pub fn source(&self, key: &str) -> Option<(&'a Key, u64)> {
        let at = self.changes.binary_search_by(|change| change.key().cmp(key)).ok()?;
        let change = self.changes.get(at)?.change();
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
