//! The chain of sync plugins: from an artifact to what the site should be.
//!
//! Owns the order of calls and the batches. Never decides what an edit does (`shaping` does) and never sees a site.

use std::collections::HashSet;
use std::sync::Arc;

use tidegate_core::artifact::Artifact;
use tidegate_core::content::ContentReader;
use tidegate_core::desired::{DesiredBody, DesiredEntry, DesiredSite};
use tidegate_core::finding::Finding;
use tidegate_core::key::Key;
use tidegate_core::plugin_failure::{FailureCause, LocatedCause, MalformedAnswer, PluginFailure};
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::run_facts::RunFacts;
use tidegate_core::sanitize::{REASON_BYTES, sanitize};

use super::answer::{AnswerBudget, FindingsBudget, indexes, pointer, reported, tail};
use super::apply_decisions::{AddedRedirect, CheckedDecision, DecisionContext, apply};
use super::bindings::sync_world::SyncPlugin;
use super::bindings::sync_world::exports::tidegate::plugin::sync::{
    self as wire, Action, Decision, Edit, Entry as WireEntry,
};
use super::bindings::sync_world::tidegate::plugin::types::{AttributeParam, Run};
use super::configured::ConfiguredPlugin;
use super::content_server::ContentServer;
use super::instance::{Instance, RunSpec, run};
use super::limits::Limits;
use super::loaded::ReadyPlugin;

/// Whether decisions are remembered with the entries that they are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// No: a publish needs none.
    Off,
    /// Every decision about every entry, for `explain`.
    On,
}

/// What a chain made of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransformedArtifact {
    /// What the site should be.
    pub desired: DesiredSite,
    /// What the plugins had to say, in the order of the chain.
    pub findings: Vec<Finding>,
    /// What each plugin used, in the order of the chain.
    pub usage: Vec<PluginUsage>,
}

/// Runs the chain. Each plugin sees what the one before it left, in the order of the keys' bytes.
///
/// Blocks; plugins read the artifact through `content`, which is called on this thread.
///
/// # Errors
/// The first [`PluginFailure`], with whose fault it is. Later plugins have not run then.
pub fn transform(
    chain: &[ConfiguredPlugin],
    artifact: &Artifact,
    facts: &RunFacts,
    content: &dyn ContentReader,
    trace: Trace,
) -> Result<TransformedArtifact, PluginFailure> {
    let mut shaped =
        TransformedArtifact { desired: DesiredSite::unshaped(artifact), findings: Vec::new(), usage: Vec::new() };
    for configured in chain {
        let (answers, mut usage) = run_plugin(configured, shaped.desired.entries(), facts, content, trace);
        let answers = answers?;
        let failed = |fault| PluginFailure::new(configured.name(), answers.last_call, fault, Some(usage.clone()));
        let (entries, excluded) = shaped.desired.into_parts();
        let shaping = DecisionContext { plugin: configured.name(), trace };
        shaped.desired = apply(&shaping, entries, excluded, answers.decided, answers.extras).map_err(failed)?;
        usage.findings_dropped = answers.findings_dropped;
        shaped.findings.extend(answers.findings);
        shaped.usage.push(usage);
    }
    Ok(shaped)
}

/// All answers of one plugin, checked but for what they do to entries.
struct PluginAnswers {
    /// By place of the listing, ascending.
    decided: Vec<(usize, Arc<CheckedDecision>)>,
    extras: Vec<AddedRedirect>,
    findings: Vec<Finding>,
    findings_dropped: u64,
    /// The call that failures to apply them are blamed on.
    last_call: &'static str,
}

fn run_plugin(
    configured: &ConfiguredPlugin,
    entries: &[DesiredEntry],
    facts: &RunFacts,
    content: &dyn ContentReader,
    trace: Trace,
) -> (Result<PluginAnswers, PluginFailure>, PluginUsage) {
    let ReadyPlugin::Sync(ready) = configured.plugin().ready() else {
        let cause = FailureCause::Kind { is: configured.plugin().kind().as_str() };
        return (Err(PluginFailure::new(configured.name(), "start", cause.into(), None)), PluginUsage::default());
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
    let desk = ContentServer::new(&find, content, engine.limits(), objects);
    let order = RunSpec { engine, name: configured.name(), objects, content: desk };
    run(
        order,
        |store| ready.instantiate(store),
        |session| call_plugin(session, configured, entries, facts, engine.limits(), trace),
    )
}

fn call_plugin(
    session: &mut Instance<SyncPlugin>,
    configured: &ConfiguredPlugin,
    entries: &[DesiredEntry],
    facts: &RunFacts,
    limits: &Limits,
    trace: Trace,
) -> Result<PluginAnswers, LocatedCause> {
    let attributes = wire_facts(facts);
    let objects = entries.len() as u64;
    let run = Run {
        site: &facts.site,
        release: &facts.release,
        now_ms: facts.instant,
        settings: configured.settings(),
        objects,
        attributes: &attributes,
    };
    session
        .call("sync.begin", |plugin, store| plugin.tidegate_plugin_sync().call_begin(store, run))?
        .map_err(reported)?;
    let mut answered = AnswerBudget::new(limits, objects);
    let mut decided = Vec::new();
    // A large site has one decision for every object, and most of them are the same as many others.
    let mut known: HashSet<Arc<CheckedDecision>> = HashSet::new();
    for (number, batch) in entries.chunks(limits.batch).enumerate() {
        let first = number * limits.batch;
        let decisions = with_wire(batch, |wire| {
            session.call(DECIDE, |plugin, store| plugin.tidegate_plugin_sync().call_decide(store, wire))
        })?
        .map_err(reported)?;
        indexes(decisions.iter().map(|decision| decision.index), batch.len())?;
        for decision in decisions {
            answered.add(decision_bytes(&decision))?;
            let at = first + decision.index as usize;
            let key = || entries.get(at).map(|entry| entry.key.to_string());
            let found =
                checked(decision, trace).map_err(|malformed| LocatedCause { key: key(), ..malformed.into() })?;
            let kept = known.get(&found).cloned().unwrap_or_else(|| {
                let kept = Arc::new(found);
                known.insert(Arc::clone(&kept));
                kept
            });
            decided.push((at, kept));
        }
    }
    let summary = session
        .call("sync.finish", |plugin, store| plugin.tidegate_plugin_sync().call_finish(store))?
        .map_err(reported)?;
    tail(&summary.attributes)?;
    let mut findings = FindingsBudget::new(configured.name(), limits);
    findings.add(summary.findings)?;
    let mut extras = Vec::with_capacity(summary.extras.len());
    for extra in summary.extras {
        answered.add(extra.key.len() + extra.redirect.len() + extra.rule.len() + extra.reason.len())?;
        let key = Some(sanitize(&extra.key, tidegate_core::key::MAX_KEY_BYTES));
        extras.push(added(extra).map_err(|malformed| LocatedCause { key, ..malformed.into() })?);
    }
    let (findings, findings_dropped) = findings.end();
    let last_call = if extras.is_empty() { DECIDE } else { "sync.finish" };
    Ok(PluginAnswers { decided, extras, findings, findings_dropped, last_call })
}

const DECIDE: &str = "sync.decide";

/// The reason is only kept where somebody will read it: a large site has one for every object.
fn checked(decision: Decision, trace: Trace) -> Result<CheckedDecision, MalformedAnswer> {
    Ok(CheckedDecision {
        action: decision.action,
        rule: pointer(decision.rule)?,
        reason: match trace {
            Trace::Off => String::new(),
            Trace::On => sanitize(&decision.reason, REASON_BYTES),
        },
    })
}

fn added(extra: wire::Extra) -> Result<AddedRedirect, MalformedAnswer> {
    tail(&extra.attributes)?;
    Ok(AddedRedirect {
        key: extra.key,
        redirect: extra.redirect,
        rule: pointer(extra.rule)?,
        reason: sanitize(&extra.reason, REASON_BYTES),
    })
}

/// Facts as the contract has them; the caller keeps them alive for the call.
pub(super) fn wire_facts(facts: &RunFacts) -> Vec<AttributeParam<'_>> {
    facts.attributes.iter().map(|(name, value)| AttributeParam { name, value }).collect()
}

/// Lends a batch in the contract's form, without copying any text but the digests.
fn with_wire<R>(batch: &[DesiredEntry], lend: impl FnOnce(&[WireEntry<'_>]) -> R) -> R {
    struct Spans {
        headers: std::ops::Range<usize>,
        metadata: std::ops::Range<usize>,
        digest: Option<String>,
    }
    let mut attributes = Vec::new();
    let spans: Vec<Spans> = batch
        .iter()
        .map(|entry| {
            let start = attributes.len();
            attributes.extend(entry.headers.iter().map(|(name, value)| AttributeParam { name: name.as_str(), value }));
            let middle = attributes.len();
            attributes.extend(entry.headers.metadata().map(|(name, value)| AttributeParam { name, value }));
            let digest = match &entry.body {
                DesiredBody::Object { identity, .. } => {
                    identity.sha256.map(|digest| format!("sha256:{}", hex::encode(digest)))
                }
                DesiredBody::Redirect(_) => None,
            };
            Spans { headers: start..middle, metadata: middle..attributes.len(), digest }
        })
        .collect();
    let wire: Vec<WireEntry<'_>> = batch
        .iter()
        .zip(&spans)
        .map(|(entry, spans)| WireEntry {
            key: entry.key.as_str(),
            size: entry.body.size(),
            digest: spans.digest.as_deref(),
            redirect: entry.body.redirect().map(tidegate_core::redirect::RedirectTarget::as_str),
            headers: attributes.get(spans.headers.clone()).unwrap_or_default(),
            metadata: attributes.get(spans.metadata.clone()).unwrap_or_default(),
            attributes: &[],
        })
        .collect();
    lend(&wire)
}

/// About the bytes that a decision occupies while it is held.
fn decision_bytes(decision: &Decision) -> usize {
    let edits = match &decision.action {
        Action::Publish(edits) => edits.iter().map(|edit| size_of::<Edit>() + edit_text(edit)).sum(),
        Action::Exclude => 0,
        Action::Other(attribute) => attribute.name.len() + attribute.value.len(),
    };
    size_of::<Decision>() + edits + decision.rule.len() + decision.reason.len()
}

fn edit_text(edit: &Edit) -> usize {
    match edit {
        Edit::Rename(text) | Edit::RemoveHeader(text) | Edit::RemoveMetadata(text) | Edit::Redirect(text) => text.len(),
        Edit::SetHeader(attribute) | Edit::SetMetadata(attribute) | Edit::Other(attribute) => {
            attribute.name.len() + attribute.value.len()
        }
    }
}
