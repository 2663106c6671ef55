//! Sync plugins that are only observed: they run like others, and what they would change is counted instead of applied.

use std::collections::BTreeMap;

use tidegate_core::config::EditKind;
use tidegate_core::content::ContentReader;
use tidegate_core::desired::{DesiredSite, TraceStep};
use tidegate_core::finding::{Finding, Severity};
use tidegate_core::key::MAX_KEY_BYTES;
use tidegate_core::observed::{ObservedDecision, ObservedPlugin};
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::run_facts::RunFacts;
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};

use super::apply_decisions::{
    CheckedDecision, DecisionContext, EntryDecision, PluginDecisions, Trace, apply, apply_decision, edit_kind,
};
use super::bindings::sync_world::exports::tidegate::plugin::sync::Action;
use super::configured::ConfiguredPlugin;
use super::sync::{PluginAnswers, run_plugin};

/// Examples of each kind of edit.
const EXAMPLES: u64 = 5;

/// The code of the finding about a failure.
const FAILED: &str = "observed-plugin-failed";

/// What is known of an observed plugin.
pub(super) struct Observation {
    pub(super) decisions: ObservedPlugin,
    pub(super) findings: Vec<Finding>,
    pub(super) usage: PluginUsage,
}

/// Runs a plugin, and applies its decisions to a copy: an error shows there as it would if they were enforced. With a trace,
/// the trail of each entry says what was decided about it.
pub(super) fn observe(
    configured: &ConfiguredPlugin,
    desired: &mut DesiredSite,
    facts: &RunFacts,
    content: &dyn ContentReader,
    trace: Trace,
) -> Observation {
    // With reasons, for the examples.
    let (answers, mut usage) = run_plugin(configured, desired.entries(), facts, content, Trace::On);
    usage.mode = configured.mode();
    let plugin = configured.name().to_owned();
    let context = DecisionContext { plugin: &plugin, grant: configured.grant(), trace: Trace::Off };
    let tried = answers.and_then(|answers| {
        let (edits, edge_rules) = (answers.decisions.count_edits(), answers.edge_rules());
        let examples = examples(&context, desired, &answers.decisions);
        let steps = if trace == Trace::On { steps(&context, desired, &answers.decisions) } else { Vec::new() };
        (usage.edits, usage.edge_rules) = (edits.clone(), edge_rules);
        usage.findings_dropped = answers.findings_dropped;
        let PluginAnswers { decisions, findings, last_call, .. } = answers;
        apply(&context, desired.clone(), decisions)
            .map_err(|cause| PluginFailure::new(&plugin, last_call, cause, None))?;
        steps.into_iter().for_each(|(position, step)| desired.add_step(position, step));
        let decisions = ObservedPlugin { plugin: plugin.clone(), edits, edge_rules, examples, failed: false };
        Ok((decisions, findings))
    });
    match tried {
        Ok((decisions, findings)) => Observation { decisions, findings, usage },
        Err(failure) => {
            let findings = vec![failure_finding(&failure)];
            let decisions = ObservedPlugin { plugin, failed: true, ..ObservedPlugin::default() };
            Observation { decisions, findings, usage }
        }
    }
}

/// The finding about an observed plugin that failed.
pub(super) fn failure_finding(failure: &PluginFailure) -> Finding {
    Finding {
        plugin: failure.plugin().to_owned(),
        code: FAILED.to_owned(),
        severity: Severity::Warning,
        message: sanitize(&format!("enforced, it would deny this run: {failure}"), MESSAGE_BYTES),
        key: failure.key().map(str::to_owned),
        rule: failure.rule().to_owned(),
    }
}

/// The first decisions of each kind, in the order of the entries.
fn examples(
    context: &DecisionContext<'_>,
    desired: &DesiredSite,
    decisions: &PluginDecisions,
) -> Vec<ObservedDecision> {
    let mut seen: BTreeMap<EditKind, u64> = BTreeMap::new();
    let mut examples = Vec::new();
    for decided in &decisions.entries {
        let kinds = decided.decision.kinds();
        if !kinds.keys().any(|kind| seen.get(kind).is_none_or(|count| *count < EXAMPLES)) {
            continue;
        }
        kinds.into_keys().for_each(|kind| *seen.entry(kind).or_default() += 1);
        let key = desired.entries().get(decided.position).map(|entry| entry.key.to_string());
        if let (Some(key), Some(TraceStep { rule, reason, effects, .. })) = (key, step(context, desired, decided)) {
            examples.push(ObservedDecision { key, effects, rule, reason });
        }
    }
    let redirects = decisions.redirects.iter().take(usize::try_from(EXAMPLES).unwrap_or(usize::MAX));
    examples.extend(redirects.map(|added| ObservedDecision {
        key: sanitize(&added.key, MAX_KEY_BYTES),
        effects: vec![format!("added as a redirect to {}", sanitize(&added.redirect, MESSAGE_BYTES))],
        rule: added.rule.clone(),
        reason: added.reason.clone(),
    }));
    examples
}

/// All decisions about entries, by their positions.
fn steps(context: &DecisionContext<'_>, desired: &DesiredSite, decisions: &PluginDecisions) -> Vec<(usize, TraceStep)> {
    let step = |decided: &EntryDecision| Some((decided.position, step(context, desired, decided)?));
    decisions.entries.iter().filter_map(step).collect()
}

/// What a decision would change; `None` if it is not valid.
fn step(context: &DecisionContext<'_>, desired: &DesiredSite, decided: &EntryDecision) -> Option<TraceStep> {
    let traced = DecisionContext { trace: Trace::On, ..*context };
    let mut entry = desired.entries().get(decided.position)?.clone();
    entry.trail.clear();
    apply_decision(&traced, &mut entry, &decided.decision).ok()?;
    entry.trail.pop().map(|step| TraceStep { observed: true, ..step })
}

impl CheckedDecision {
    /// Its edits by kind.
    fn kinds(&self) -> BTreeMap<EditKind, u64> {
        let mut kinds = BTreeMap::new();
        match &self.action {
            Action::Publish(edits) => {
                edits.iter().filter_map(edit_kind).for_each(|kind| *kinds.entry(kind).or_default() += 1);
            }
            Action::Exclude => drop(kinds.insert(EditKind::Exclude, 1)),
            Action::Other(_) => {}
        }
        kinds
    }
}

impl PluginDecisions {
    /// All edits by kind.
    pub(super) fn count_edits(&self) -> BTreeMap<EditKind, u64> {
        let mut counts = [0_u64; EditKind::ALL.len()];
        let mut count = |kind: EditKind| {
            if let Some(count) = counts.get_mut(kind as usize) {
                *count += 1;
            }
        };
        for decided in &self.entries {
            match &decided.decision.action {
                Action::Publish(edits) => edits.iter().filter_map(edit_kind).for_each(&mut count),
                Action::Exclude => count(EditKind::Exclude),
                Action::Other(_) => {}
            }
        }
        self.redirects.iter().for_each(|_| count(EditKind::AddRedirect));
        EditKind::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect()
    }
}
