//! Runs policy plugins: each one reviews the finished plan.

use tidegate_core::config::PluginMode;
use tidegate_core::content::ContentReader;
use tidegate_core::plan_review::{Judgement, PlanReview, ReviewedChange, Verdict};
use tidegate_core::plugin_failure::{FailureCause, LocatedCause, PluginFailure};
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::run_facts::RunFacts;

use super::answer::{FindingsBudget, check_attributes, reported_failure, unknown_name};
use super::bindings::policy_world::PolicyPlugin;
use super::bindings::policy_world::exports::tidegate::plugin::policy::{Totals, Verdict as WireVerdict};
use super::configured::ConfiguredPlugin;
use super::content_server::ContentServer;
use super::instance::{Instance, RunSpec, START, run};
use super::limits::Limits;
use super::loaded::LinkedPlugin;
use super::observe_only::failure_finding;
use super::wire::{with_changes, with_run};

/// Runs every policy, even after a denial. Returns one judgement for each, in the order of `policies`. A trap, a spent
/// budget or a malformed answer is a denial, and a finding of a policy that is only observed.
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

pub(super) fn review_one(
    configured: &ConfiguredPlugin,
    review: &PlanReview<'_>,
    facts: &RunFacts,
    content: &dyn ContentReader,
) -> Judgement {
    let plugin = configured.name().to_owned();
    let LinkedPlugin::Policy(policy) = configured.plugin().linked() else {
        let cause = FailureCause::Kind { is: configured.plugin().kind().as_str() };
        let failure = Some(PluginFailure::new(&plugin, START, cause.into(), None));
        let (findings, usage) = (Vec::new(), PluginUsage::default());
        return Judgement { plugin, mode: PluginMode::Enforce, verdict: Verdict::Deny, findings, failure, usage };
    };
    let engine = configured.plugin().engine();
    let objects = review.changes().len() as u64;
    let find = |key: &str| review.source(key);
    let (grant, mode) = (configured.grant(), configured.mode());
    let content = ContentServer::new(&find, content, engine.limits(), objects, grant.map(|grant| grant.reads));
    let mut findings = FindingsBudget::new(configured.name(), engine.limits());
    let (verdict, mut usage) = run(
        RunSpec { engine, name: configured.name(), objects, content, has_edge: false, grant },
        |store| policy.instantiate(store),
        |instance| call_plugin(instance, configured, review, facts, engine.limits(), &mut findings),
    );
    let (mut findings, dropped) = findings.finish();
    (usage.findings_dropped, usage.mode) = (dropped, mode);
    let (verdict, failure) = match verdict {
        Ok(verdict) => (verdict, None),
        Err(failure) if mode == PluginMode::Observe => {
            findings.push(failure_finding(&failure));
            (Verdict::Deny, None)
        }
        Err(failure) => (Verdict::Deny, Some(failure.without_usage())),
    };
    Judgement { plugin, mode, verdict, findings, failure, usage }
}

fn call_plugin(
    instance: &mut Instance<PolicyPlugin>,
    configured: &ConfiguredPlugin,
    review: &PlanReview<'_>,
    facts: &RunFacts,
    limits: &Limits,
    findings: &mut FindingsBudget<'_>,
) -> Result<Verdict, LocatedCause> {
    let counts: Vec<(&str, u64)> = review.totals().iter().map(|(name, count)| (name.as_str(), *count)).collect();
    let totals = Totals { counts: &counts, attributes: &[] };
    with_run(facts, configured.settings(), review.changes().len() as u64, |run| {
        instance.call("policy.begin", |plugin, store| plugin.tidegate_plugin_policy().call_begin(store, run, totals))
    })?
    .map_err(reported_failure)?;
    let mut changes = review.changes();
    while changes.len() > 0 {
        let batch: Vec<ReviewedChange<'_>> = changes.by_ref().take(limits.batch).collect();
        let reviewed = with_changes(&batch, |batch| {
            instance.call("policy.review", |plugin, store| plugin.tidegate_plugin_policy().call_review(store, batch))
        })?
        .map_err(reported_failure)?;
        findings.add(reviewed)?;
    }
    let judgement = instance
        .call("policy.conclude", |plugin, store| plugin.tidegate_plugin_policy().call_conclude(store))?
        .map_err(reported_failure)?;
    check_attributes(&judgement.attributes)?;
    findings.add(judgement.findings)?;
    match judgement.verdict {
        WireVerdict::Allow => Ok(Verdict::Allow),
        WireVerdict::Hold => Ok(Verdict::Hold),
        WireVerdict::Deny => Ok(Verdict::Deny),
        WireVerdict::Other(name) => Err(unknown_name("verdict", &name).into()),
    }
}
