//! A script as a sync plugin.

use tidegate_plugin::{Decisions, Entry, Failure, Run, Summary, SyncPlugin};

use crate::engine::{Script, ScriptFacts, Visit};
use crate::native::PendingDecision;
use crate::rules::{Candidate, lines, matched};
use crate::settings::ScriptSettings;

/// Runs the script of its settings over what is published.
pub struct ScriptSync(Script);

impl SyncPlugin for ScriptSync {
    type Settings = ScriptSettings<false>;

    fn begin(run: &Run, settings: Self::Settings) -> Result<Self, Failure> {
        Script::start(&settings, &ScriptFacts::Sync(run)).map(Self)
    }

    fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure> {
        let script = &self.0;
        let candidates = batch.iter().map(|entry| Candidate { key: &entry.key, readable: entry.redirect.is_none() });
        let matched = matched(&script.state().rules, candidates, script.pointer())?;
        script.visit(|visit| {
            for one in &matched {
                let Some(entry) = batch.get(one.index) else { continue };
                let (headers, metadata) = (lines(&entry.headers), lines(&entry.metadata));
                let mut deciding = None;
                for (at, rule) in one.rules.iter().enumerate() {
                    visit(Visit {
                        is_next: at == 0,
                        rule: *rule,
                        head: &one.head,
                        key: &entry.key,
                        size: entry.size,
                        target: entry.redirect.as_deref(),
                        headers: &headers,
                        one: &metadata,
                        other: "",
                    })?;
                    if deciding.is_none() && script.state().decision.is_made() {
                        deciding = Some(*rule);
                    }
                }
                let mut state = script.state();
                let PendingDecision { excluded, edits, reason } = std::mem::take(&mut state.decision);
                let reason = match deciding.and_then(|rule| state.rules.get(rule)?.place.clone()) {
                    Some(place) if reason.is_empty() => place,
                    _ => reason,
                };
                if excluded {
                    decisions.exclude(one.index, script.pointer(), reason);
                } else {
                    decisions.publish(one.index, edits, script.pointer(), reason);
                }
            }
            Ok(())
        })
    }

    fn finish(&mut self) -> Result<Summary, Failure> {
        let script = &self.0;
        script.finish()?;
        let mut state = script.state();
        let mut summary = Summary::default();
        for (key, target, reason) in std::mem::take(&mut state.redirects) {
            summary.redirect(key, target, script.pointer(), reason);
        }
        summary.findings = state.findings.drain(..).map(|finding| finding.with_rule(script.pointer())).collect();
        Ok(summary)
    }
}
