//! Policy plugins: they judge a finished plan, each for itself, and all of them run.
//!
//! Owns the plain form in which a plan is shown to them, and what their answers mean. Never changes a plan.

use std::fmt;

use serde::Serialize;

use super::answer::{Findings, reported, tail, unknown_name};
use super::bindings::policy_world::PolicyPlugin;
use super::bindings::policy_world::exports::tidegate::plugin::policy::{
    Change as WireChange, ChangeKind as WireKind, Totals as WireTotals, Verdict as WireVerdict,
};
use super::bindings::sync_world::tidegate::plugin::types::{AttributeParam, Run};
use super::configured::Configured;
use super::facts::Facts;
use super::failure::{Cause, Failure, Fault};
use super::limits::Limits;
use super::loaded::Ready;
use super::reading::Desk;
use super::session::{Order, Session, run};
use super::sync::wire_facts;
use super::usage::Usage;
use crate::content::Content;
use crate::finding::Finding;
use crate::headers::Headers;
use crate::key::Key;
use crate::redirect::Target;

/// What happens to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
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
pub struct Change<'a> {
    /// Relative to the site.
    pub key: &'a str,
    /// What happens to it.
    pub kind: ChangeKind,
    /// Bytes that visitors will get; for a removal, bytes that they got.
    pub size: u64,
    /// Where it will be a redirect: its target.
    pub redirect: Option<&'a Target>,
    /// The headers that it will have; none for a removal.
    pub headers: Option<&'a Headers>,
    /// Why, as the plan says it.
    pub reason: &'a str,
    /// The object of the artifact that holds its bytes; none for a redirect and for a removal. A policy may read it.
    pub source: Option<&'a Key>,
}

/// A plan as policies see it.
#[derive(Debug, Clone)]
pub struct Review<'a> {
    changes: Vec<Change<'a>>,
    totals: Vec<(String, u64)>,
}

impl<'a> Review<'a> {
    /// Takes every key of a plan, in any order, and its totals by name.
    #[must_use]
    pub fn new(mut changes: Vec<Change<'a>>, totals: Vec<(String, u64)>) -> Self {
        changes.sort_by(|a, b| a.key.cmp(b.key));
        Self { changes, totals }
    }

    fn find(&self, key: &str) -> Option<(&'a Key, u64)> {
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
    pub failure: Option<Failure>,
    /// What it used.
    pub usage: Usage,
}

/// Runs every policy over the plan, whatever the others say. One judgement each, in the order of `policies`; a trap, a
/// spent budget or a malformed answer is a denial.
///
/// Blocks; plugins read the artifact through `content`, which is called on this thread.
#[must_use]
pub fn judge(policies: &[Configured], review: &Review<'_>, facts: &Facts, content: &dyn Content) -> Vec<Judgement> {
    policies.iter().map(|policy| ask(policy, review, facts, content)).collect()
}

fn ask(configured: &Configured, review: &Review<'_>, facts: &Facts, content: &dyn Content) -> Judgement {
    let plugin = configured.name().to_owned();
    let Ready::Policy(ready) = configured.plugin().ready() else {
        let cause = Cause::Kind { is: configured.plugin().kind().as_str() };
        let failure = Failure::new(&plugin, "start", cause.into(), None);
        return Judgement {
            plugin,
            verdict: Verdict::Deny,
            findings: Vec::new(),
            failure: Some(failure),
            usage: Usage::default(),
        };
    };
    let engine = configured.plugin().engine();
    let objects = review.changes.len() as u64;
    let find = |key: &str| review.find(key);
    let desk = Desk::new(&find, content, engine.limits(), objects);
    let order = Order { engine, name: configured.name(), objects, desk };
    let mut findings = Findings::new(configured.name(), engine.limits());
    let (verdict, mut usage) = run(
        order,
        |store| ready.instantiate(store),
        |session| converse(session, configured, review, facts, engine.limits(), &mut findings),
    );
    let (findings, dropped) = findings.end();
    usage.findings_dropped = dropped;
    let (verdict, failure) = match verdict {
        Ok(verdict) => (verdict, None),
        Err(failure) => (Verdict::Deny, Some(failure.without_usage())),
    };
    Judgement { plugin, verdict, findings, failure, usage }
}

fn converse(
    session: &mut Session<PolicyPlugin>,
    configured: &Configured,
    review: &Review<'_>,
    facts: &Facts,
    limits: &Limits,
    findings: &mut Findings<'_>,
) -> Result<Verdict, Fault> {
    let attributes = wire_facts(facts);
    let run = Run {
        site: &facts.site,
        release: &facts.release,
        now_ms: facts.instant,
        settings: configured.settings(),
        objects: review.changes.len() as u64,
        attributes: &attributes,
    };
    let counts: Vec<(&str, u64)> = review.totals.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    let totals = WireTotals { counts: &counts, attributes: &[] };
    session
        .call("policy.begin", |plugin, store| plugin.tidegate_plugin_policy().call_begin(store, run, totals))?
        .map_err(reported)?;
    for batch in review.changes.chunks(limits.batch) {
        let found = with_wire(batch, |wire| {
            session.call("policy.review", |plugin, store| plugin.tidegate_plugin_policy().call_review(store, wire))
        })?
        .map_err(reported)?;
        findings.add(found)?;
    }
    let judgement = session
        .call("policy.conclude", |plugin, store| plugin.tidegate_plugin_policy().call_conclude(store))?
        .map_err(reported)?;
    tail(&judgement.attributes)?;
    findings.add(judgement.findings)?;
    match judgement.verdict {
        WireVerdict::Allow => Ok(Verdict::Allow),
        WireVerdict::Hold => Ok(Verdict::Hold),
        WireVerdict::Deny => Ok(Verdict::Deny),
        WireVerdict::Other(name) => Err(unknown_name("verdict", &name).into()),
    }
}

/// Lends a batch in the contract's form, without copying any text.
fn with_wire<R>(batch: &[Change<'_>], lend: impl FnOnce(&[WireChange<'_>]) -> R) -> R {
    let mut attributes = Vec::new();
    let spans: Vec<std::ops::Range<usize>> = batch
        .iter()
        .map(|change| {
            let start = attributes.len();
            let headers = change.headers.into_iter().flat_map(Headers::iter);
            attributes.extend(headers.map(|(name, value)| AttributeParam { name: name.as_str(), value }));
            start..attributes.len()
        })
        .collect();
    let wire: Vec<WireChange<'_>> = batch
        .iter()
        .zip(spans)
        .map(|(change, span)| WireChange {
            key: change.key,
            kind: match change.kind {
                ChangeKind::Create => WireKind::Create,
                ChangeKind::Update => WireKind::Update,
                ChangeKind::Headers => WireKind::Headers,
                ChangeKind::Delete => WireKind::Delete,
                ChangeKind::Keep => WireKind::Keep,
            },
            size: change.size,
            redirect: change.redirect.map(Target::as_str),
            headers: attributes.get(span).unwrap_or_default(),
            reason: change.reason,
            attributes: &[],
        })
        .collect();
    lend(&wire)
}
