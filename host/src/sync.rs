//! Runs sync plugins: from an artifact to the desired site.

use std::collections::HashSet;
use std::sync::Arc;

use tidegate_core::config::PluginMode;
use tidegate_core::content::ContentReader;
use tidegate_core::desired::{DesiredBody, DesiredEntry, DesiredSite};
use tidegate_core::edge::EdgeRules;
use tidegate_core::finding::Finding;
use tidegate_core::key::{Key, MAX_KEY_BYTES};
use tidegate_core::observed::ObservedPlugin;
use tidegate_core::plugin_failure::{FailureCause, LocatedCause, MalformedAnswer, PluginFailure};
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::run_facts::RunFacts;
use tidegate_core::sanitize::{REASON_BYTES, sanitize};

use super::answer::{AnswerBudget, FindingsBudget, check_attributes, check_indexes, check_pointer, reported_failure};
pub use super::apply_decisions::Trace;
use super::apply_decisions::{AddedRedirect, CheckedDecision, DecisionContext, EntryDecision, PluginDecisions, apply};
use super::bindings::sync_world::SyncPlugin;
use super::bindings::sync_world::exports::tidegate::plugin::sync::{Action, Decision, Edit, Extra};
use super::configured::ConfiguredPlugin;
use super::content_server::ContentServer;
use super::instance::{Instance, RunSpec, START, run};
use super::limits::Limits;
use super::loaded::LinkedPlugin;
use super::observe_only::observe;
use super::wire::{with_entries, with_run};

const DECIDE: &str = "sync.decide";
const FINISH: &str = "sync.finish";

/// The result of all sync plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransformedArtifact {
    /// The desired site.
    pub desired: DesiredSite,
    /// The rules for requests, in the order of the plugins.
    pub edge: EdgeRules,
    /// The findings, in the order of the plugins.
    pub findings: Vec<Finding>,
    /// What plugins would have done that are only observed.
    pub observed: Vec<ObservedPlugin>,
    /// What each plugin used, in the order of the plugins.
    pub usage: Vec<PluginUsage>,
}

/// Runs the plugins in order. Each one gets the entries as the previous one left them, sorted by the bytes of their
/// keys.
///
/// Blocks; plugins read the artifact through `content`, which is called on this thread.
///
/// A plugin that is only observed changes nothing, and its failure is a finding.
///
/// # Errors
/// The first [`PluginFailure`]. Later plugins have not run then.
pub fn transform(
    plugins: &[ConfiguredPlugin],
    artifact: impl Into<DesiredSite>,
    facts: &RunFacts,
    content: &dyn ContentReader,
    trace: Trace,
) -> Result<TransformedArtifact, PluginFailure> {
    let mut desired = artifact.into();
    let mut edge = EdgeRules::default();
    let (mut findings, mut usages, mut observed) = (Vec::new(), Vec::new(), Vec::new());
    for configured in plugins {
        if configured.mode() == PluginMode::Observe {
            let watched = observe(configured, &mut desired, facts, content, trace);
            findings.extend(watched.findings);
            observed.push(watched.decisions);
            usages.push(watched.usage);
            continue;
        }
        let (answers, mut usage) = run_plugin(configured, desired.entries(), facts, content, trace);
        let answers = answers?;
        (usage.edits, usage.edge_rules) = (answers.decisions.count_edits(), answers.edge_rules());
        let context = DecisionContext { plugin: configured.name(), grant: configured.grant(), trace };
        desired = apply(&context, desired, answers.decisions)
            .map_err(|cause| PluginFailure::new(configured.name(), answers.last_call, cause, Some(usage.clone())))?;
        edge.append(answers.edge);
        usage.findings_dropped = answers.findings_dropped;
        findings.extend(answers.findings);
        usages.push(usage);
    }
    Ok(TransformedArtifact { desired, edge, findings, observed, usage: usages })
}

/// All answers of one plugin. Their edits are not checked yet.
pub(super) struct PluginAnswers {
    pub(super) decisions: PluginDecisions,
    pub(super) edge: EdgeRules,
    pub(super) findings: Vec<Finding>,
    pub(super) findings_dropped: u64,
    /// The size of all answers, in bytes.
    pub(super) bytes: u64,
    /// The call that a failure to apply the decisions names.
    pub(super) last_call: &'static str,
}

impl PluginAnswers {
    /// The number of rules for requests.
    pub(super) fn edge_rules(&self) -> u64 {
        (self.edge.redirects.len() + self.edge.headers.len()) as u64
    }
}

pub(super) fn run_plugin(
    configured: &ConfiguredPlugin,
    entries: &[DesiredEntry],
    facts: &RunFacts,
    content: &dyn ContentReader,
    trace: Trace,
) -> (Result<PluginAnswers, PluginFailure>, PluginUsage) {
    let LinkedPlugin::Sync(plugin) = configured.plugin().linked() else {
        let cause = FailureCause::Kind { is: configured.plugin().kind().as_str() };
        return (Err(PluginFailure::new(configured.name(), START, cause.into(), None)), PluginUsage::default());
    };
    let engine = configured.plugin().engine();
    let objects = entries.len() as u64;
    let find = |key: &str| -> Option<(&Key, u64)> {
        let at = entries.binary_search_by(|entry| entry.key.as_str().cmp(key)).ok()?;
        match &entries.get(at)?.body {
            DesiredBody::Object { source, size, .. } => Some((source, *size)),
            DesiredBody::Redirect(_) => None,
        }
    };
    let grant = configured.grant();
    let content = ContentServer::new(&find, content, engine.limits(), objects, grant.map(|grant| grant.reads));
    run(
        RunSpec { engine, name: configured.name(), objects, content, has_edge: facts.has_edge(), grant },
        |store| plugin.instantiate(store),
        |instance| call_plugin(instance, configured, entries, facts, engine.limits(), trace),
    )
}

fn call_plugin(
    instance: &mut Instance<SyncPlugin>,
    configured: &ConfiguredPlugin,
    entries: &[DesiredEntry],
    facts: &RunFacts,
    limits: &Limits,
    trace: Trace,
) -> Result<PluginAnswers, LocatedCause> {
    let objects = entries.len() as u64;
    with_run(facts, configured.settings(), objects, |run| {
        instance.call("sync.begin", |plugin, store| plugin.tidegate_plugin_sync().call_begin(store, run))
    })?
    .map_err(reported_failure)?;
    let mut budget = AnswerBudget::new(limits, objects);
    let mut decided = Vec::new();
    let mut known = KnownDecisions::default();
    for (number, batch) in entries.chunks(limits.batch).enumerate() {
        let first = number * limits.batch;
        let decisions = with_entries(batch, |batch| {
            instance.call(DECIDE, |plugin, store| plugin.tidegate_plugin_sync().call_decide(store, batch))
        })?
        .map_err(reported_failure)?;
        check_indexes(decisions.iter().map(|decision| decision.index), batch.len())?;
        for decision in decisions {
            budget.add(decision_bytes(&decision))?;
            let position = first + decision.index as usize;
            let checked = check_decision(decision, trace).map_err(|malformed| {
                let key = entries.get(position).map(|entry| entry.key.to_string());
                LocatedCause { key, ..malformed.into() }
            })?;
            decided.push(EntryDecision { position, decision: known.share(checked) });
        }
    }
    let summary = instance
        .call(FINISH, |plugin, store| plugin.tidegate_plugin_sync().call_finish(store))?
        .map_err(reported_failure)?;
    check_attributes(&summary.attributes)?;
    let edge = instance.take_edge_rules();
    let mut findings = FindingsBudget::new(configured.name(), limits);
    findings.add(summary.findings)?;
    let mut redirects = Vec::with_capacity(summary.extras.len());
    for extra in summary.extras {
        budget.add(extra.key.len() + extra.redirect.len() + extra.rule.len() + extra.reason.len())?;
        let key = Some(sanitize(&extra.key, MAX_KEY_BYTES));
        redirects.push(check_extra(extra).map_err(|malformed| LocatedCause { key, ..malformed.into() })?);
    }
    let (findings, findings_dropped) = findings.finish();
    let last_call = if redirects.is_empty() { DECIDE } else { FINISH };
    let decisions = PluginDecisions { entries: decided, redirects };
    Ok(PluginAnswers { decisions, edge, findings, findings_dropped, bytes: budget.used(), last_call })
}

/// Shares the memory of equal decisions: a large site has one for every object, and most of them are equal.
#[derive(Default)]
struct KnownDecisions {
    known: HashSet<Arc<CheckedDecision>>,
    /// The last one, which is compared first: neighbours in a folder are often alike.
    last: Option<Arc<CheckedDecision>>,
}

impl KnownDecisions {
    fn share(&mut self, decision: CheckedDecision) -> Arc<CheckedDecision> {
        if let Some(last) = self.last.as_ref().filter(|last| ***last == decision) {
            return Arc::clone(last);
        }
        if decision.has_new_key() {
            return Arc::new(decision);
        }
        let shared = match self.known.get(&decision) {
            Some(known) => Arc::clone(known),
            None => {
                let decision = Arc::new(decision);
                self.known.insert(Arc::clone(&decision));
                decision
            }
        };
        self.last = Some(Arc::clone(&shared));
        shared
    }
}

/// Without a trace the reason is dropped: a large site has one for every object.
fn check_decision(decision: Decision, trace: Trace) -> Result<CheckedDecision, MalformedAnswer> {
    Ok(CheckedDecision {
        action: decision.action,
        rule: check_pointer(decision.rule)?,
        reason: match trace {
            Trace::Off => String::new(),
            Trace::On => sanitize(&decision.reason, REASON_BYTES),
        },
    })
}

fn check_extra(extra: Extra) -> Result<AddedRedirect, MalformedAnswer> {
    check_attributes(&extra.attributes)?;
    Ok(AddedRedirect {
        key: extra.key,
        redirect: extra.redirect,
        rule: check_pointer(extra.rule)?,
        reason: sanitize(&extra.reason, REASON_BYTES),
    })
}

/// The approximate size of a decision in memory, in bytes.
fn decision_bytes(decision: &Decision) -> usize {
    let edits = match &decision.action {
        Action::Publish(edits) => edits.iter().map(|edit| size_of::<Edit>() + edit_bytes(edit)).sum(),
        Action::Exclude => 0,
        Action::Other(attribute) => attribute.name.len() + attribute.value.len(),
    };
    size_of::<Decision>() + edits + decision.rule.len() + decision.reason.len()
}

fn edit_bytes(edit: &Edit) -> usize {
    match edit {
        Edit::Rename(text) | Edit::RemoveHeader(text) | Edit::RemoveMetadata(text) | Edit::Redirect(text) => text.len(),
        Edit::SetHeader(attribute) | Edit::SetMetadata(attribute) | Edit::Other(attribute) => {
            attribute.name.len() + attribute.value.len()
        }
    }
}
