//! Policy plugins: they judge a finished plan, each for itself, and all of them run.
//!
//! Owns the plain form in which a plan is shown to them, and what their answers mean. Never changes a plan.

use tidegate_core::content::Content;
use tidegate_core::headers::Headers;
use tidegate_core::plan_review::{Change, ChangeKind, Judgement, Review, Verdict};
use tidegate_core::plugin_failure::{Cause, Failure, Fault};
use tidegate_core::plugin_usage::Usage;
use tidegate_core::redirect::Target;
use tidegate_core::run_facts::Facts;

use super::answer::{Findings, reported, tail, unknown_name};
use super::bindings::policy_world::PolicyPlugin;
use super::bindings::policy_world::exports::tidegate::plugin::policy::{
    Change as WireChange, ChangeKind as WireKind, Totals as WireTotals, Verdict as WireVerdict,
};
use super::bindings::sync_world::tidegate::plugin::types::{AttributeParam, Run};
use super::configured::Configured;
use super::content_server::Desk;
use super::instance::{Order, Session, run};
use super::limits::Limits;
use super::loaded::Ready;
use super::sync::wire_facts;

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
    let objects = review.changes().len() as u64;
    let find = |key: &str| review.source(key);
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
        objects: review.changes().len() as u64,
        attributes: &attributes,
    };
    let counts: Vec<(&str, u64)> = review.totals().iter().map(|(name, count)| (name.as_str(), *count)).collect();
    let totals = WireTotals { counts: &counts, attributes: &[] };
    session
        .call("policy.begin", |plugin, store| plugin.tidegate_plugin_policy().call_begin(store, run, totals))?
        .map_err(reported)?;
    for batch in review.changes().chunks(limits.batch) {
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
