//! Policy plugins: they judge a finished plan, each for itself, and all of them run.
//!
//! Owns the plain form in which a plan is shown to them, and what their answers mean. Never changes a plan.

use tidegate_core::content::ContentReader;
use tidegate_core::headers::ObjectHeaders;
use tidegate_core::plan_review::{Judgement, PlanReview, ReviewedChange, ReviewedKind, Verdict};
use tidegate_core::plugin_failure::{FailureCause, LocatedCause, PluginFailure};
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::redirect::RedirectTarget;
use tidegate_core::run_facts::RunFacts;

use super::answer::{FindingsBudget, reported, tail, unknown_name};
use super::bindings::policy_world::PolicyPlugin;
use super::bindings::policy_world::exports::tidegate::plugin::policy::{
    Change as WireChange, ChangeKind as WireKind, Totals as WireTotals, Verdict as WireVerdict,
};
use super::bindings::sync_world::tidegate::plugin::types::{AttributeParam, Run};
use super::configured::ConfiguredPlugin;
use super::content_server::ContentServer;
use super::instance::{Instance, RunSpec, run};
use super::limits::Limits;
use super::loaded::ReadyPlugin;
use super::sync::wire_facts;

/// Runs every policy over the plan, whatever the others say. One judgement each, in the order of `policies`; a trap, a
/// spent budget or a malformed answer is a denial.
///
/// Blocks; plugins read the artifact through `content`, which is called on this thread.
#[must_use]
pub fn review(
    policies: &[ConfiguredPlugin],
    review: &PlanReview<'_>,
    facts: &RunFacts,
    content: &dyn ContentReader,
) -> Vec<Judgement> {
    policies.iter().map(|policy| review_one(policy, review, facts, content)).collect()
}

fn review_one(
    configured: &ConfiguredPlugin,
    review: &PlanReview<'_>,
    facts: &RunFacts,
    content: &dyn ContentReader,
) -> Judgement {
    let plugin = configured.name().to_owned();
    let ReadyPlugin::Policy(ready) = configured.plugin().ready() else {
        let cause = FailureCause::Kind { is: configured.plugin().kind().as_str() };
        let failure = PluginFailure::new(&plugin, "start", cause.into(), None);
        return Judgement {
            plugin,
            verdict: Verdict::Deny,
            findings: Vec::new(),
            failure: Some(failure),
            usage: PluginUsage::default(),
        };
    };
    let engine = configured.plugin().engine();
    let objects = review.changes().len() as u64;
    let find = |key: &str| review.source(key);
    let desk = ContentServer::new(&find, content, engine.limits(), objects);
    let order = RunSpec { engine, name: configured.name(), objects, content: desk };
    let mut findings = FindingsBudget::new(configured.name(), engine.limits());
    let (verdict, mut usage) = run(
        order,
        |store| ready.instantiate(store),
        |session| call_plugin(session, configured, review, facts, engine.limits(), &mut findings),
    );
    let (findings, dropped) = findings.end();
    usage.findings_dropped = dropped;
    let (verdict, failure) = match verdict {
        Ok(verdict) => (verdict, None),
        Err(failure) => (Verdict::Deny, Some(failure.without_usage())),
    };
    Judgement { plugin, verdict, findings, failure, usage }
}

fn call_plugin(
    session: &mut Instance<PolicyPlugin>,
    configured: &ConfiguredPlugin,
    review: &PlanReview<'_>,
    facts: &RunFacts,
    limits: &Limits,
    findings: &mut FindingsBudget<'_>,
) -> Result<Verdict, LocatedCause> {
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
fn with_wire<R>(batch: &[ReviewedChange<'_>], lend: impl FnOnce(&[WireChange<'_>]) -> R) -> R {
    let mut attributes = Vec::new();
    let spans: Vec<std::ops::Range<usize>> = batch
        .iter()
        .map(|change| {
            let start = attributes.len();
            let headers = change.headers.into_iter().flat_map(ObjectHeaders::iter);
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
                ReviewedKind::Create => WireKind::Create,
                ReviewedKind::Update => WireKind::Update,
                ReviewedKind::Headers => WireKind::Headers,
                ReviewedKind::Delete => WireKind::Delete,
                ReviewedKind::Keep => WireKind::Keep,
            },
            size: change.size,
            redirect: change.redirect.map(RedirectTarget::as_str),
            headers: attributes.get(span).unwrap_or_default(),
            reason: change.reason,
            attributes: &[],
        })
        .collect();
    lend(&wire)
}
