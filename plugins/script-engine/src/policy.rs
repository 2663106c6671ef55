//! A script as a policy plugin.

use tidegate_plugin::{Change, ChangeKind, Failure, Finding, Judgement, PolicyPlugin, Run, Totals};

use crate::engine::{Script, ScriptFacts, Visit};
use crate::rules::{Candidate, lines, matched};
use crate::settings::ScriptSettings;

/// Runs the script of its settings over a plan.
pub struct ScriptPolicy(Script);

impl PolicyPlugin for ScriptPolicy {
    type Settings = ScriptSettings<true>;

    fn begin(run: &Run, totals: &Totals, settings: Self::Settings) -> Result<Self, Failure> {
        Script::start(&settings, &ScriptFacts::Policy(run, totals)).map(Self)
    }

    fn review(&mut self, batch: &[Change]) -> Result<Vec<Finding>, Failure> {
        let script = &self.0;
        let candidates = batch.iter().map(|change| Candidate {
            key: &change.key,
            readable: change.redirect.is_none() && !matches!(change.kind, ChangeKind::Delete),
        });
        let matched = matched(&script.state().rules, candidates, script.pointer())?;
        script.visit(|visit| {
            for one in &matched {
                let Some(change) = batch.get(one.index) else { continue };
                let headers = lines(&change.headers);
                for (at, rule) in one.rules.iter().enumerate() {
                    visit(Visit {
                        is_next: at == 0,
                        rule: *rule,
                        head: &one.head,
                        key: &change.key,
                        size: change.size,
                        target: change.redirect.as_deref(),
                        headers: &headers,
                        one: kind(&change.kind),
                        other: &change.reason,
                    })?;
                }
            }
            Ok(())
        })?;
        Ok(self.findings())
    }

    fn conclude(&mut self) -> Result<Judgement, Failure> {
        self.0.finish()?;
        let findings = self.findings();
        let verdict = self.0.state().verdict.clone();
        Ok(Judgement::new(verdict, findings))
    }
}

impl ScriptPolicy {
    /// The findings since the last call.
    fn findings(&self) -> Vec<Finding> {
        let pointer = self.0.pointer();
        self.0.state().findings.drain(..).map(|finding| finding.with_rule(pointer)).collect()
    }
}

/// The kind as the contract names it.
fn kind(kind: &ChangeKind) -> &str {
    match kind {
        ChangeKind::Create => "create",
        ChangeKind::Update => "update",
        ChangeKind::Headers => "headers",
        ChangeKind::Delete => "delete",
        ChangeKind::Keep => "keep",
        ChangeKind::Other(name) => name,
    }
}
