//! `tidegate plugin run`: what a plugin decides on real data, and what that costs.

use serde::Serialize;
use serde_json::Value;
use tidegate_core::finding::Finding;
use tidegate_core::plan_review::Verdict;
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::sanitize::sanitize_json;
use tidegate_core::text::{count, rest};
use tidegate_host::PluginKind;
use tidegate_host::cost::{Baselines, PluginCost};
use tidegate_host::difference::{ObjectDifference, differences};
use tidegate_host::observed::{ObservedAnswer, ObservedRun, observe};

use super::input::TrialInput;
use super::render;
use super::subject::SubjectInfo;
use crate::arguments::{CommonArguments, PluginRunArguments};
use crate::error::{CliError, ExitStatus};
use crate::output::{DIM, GREEN, RED, SHOWN, YELLOW, print_json};

/// Runs a plugin once.
pub(super) async fn run(common: &CommonArguments, arguments: &PluginRunArguments) -> Result<ExitStatus, CliError> {
    let input = TrialInput::open(common, &arguments.input).await?;
    let configured = input.configured.clone();
    let (run, baselines) = input
        .trial
        .with(move |given, facts, content| {
            (observe(&configured, given, facts, content), Baselines::observe(&configured, given, facts, content))
        })
        .await?;
    let cost = PluginCost::new(&run, &baselines, input.limits());
    let result = PluginRunResult::new(&input, run, cost);
    if common.json {
        print_json(&result)?;
    } else {
        result.print(arguments.all);
    }
    Ok(result.status())
}

/// The result of a run.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct PluginRunResult {
    #[serde(flatten)]
    subject: SubjectInfo,
    /// The settings in their canonical form.
    settings: Value,
    source: String,
    objects: usize,
    /// What a sync plugin changes, object by object.
    changes: Vec<ObjectDifference>,
    /// Rules for requests.
    rules: Vec<ObservedAnswer>,
    verdict: Option<Verdict>,
    findings: Vec<Finding>,
    failure: Option<PluginFailure>,
    cost: PluginCost,
    usage: PluginUsage,
}

impl PluginRunResult {
    fn new(input: &TrialInput, run: ObservedRun, cost: PluginCost) -> Self {
        let is_rule = |answer: &&ObservedAnswer| {
            matches!(answer, ObservedAnswer::EdgeRedirect { .. } | ObservedAnswer::EdgeHeaders { .. })
        };
        let desired = input.trial.desired();
        Self {
            subject: input.subject.info(input.configured.plugin()),
            settings: serde_json::from_str(input.configured.settings()).unwrap_or_default(),
            source: input.source.to_string(),
            objects: desired.entries().len(),
            changes: differences(desired, &run.answers),
            rules: run.answers.iter().filter(is_rule).cloned().collect(),
            verdict: run.verdict(),
            findings: input.trial.findings().iter().chain(run.findings()).cloned().collect(),
            failure: run.failure.map(PluginFailure::without_usage),
            cost,
            usage: run.usage,
        }
    }

    fn status(&self) -> ExitStatus {
        match (&self.failure, self.verdict) {
            (Some(failure), _) => failure.kind().into(),
            (None, Some(Verdict::Deny | Verdict::Hold)) => ExitStatus::Denied,
            (None, _) => ExitStatus::Success,
        }
    }

    fn print(&self, all: bool) {
        render::subject(&self.subject);
        outln!("  {DIM}settings {}{DIM:#}", sanitize_json(&self.settings.to_string()));
        outln!("  {DIM}{} from {}{DIM:#}", count(self.objects, "object"), self.source);
        let is_sync = self.subject.kind == PluginKind::Sync.as_str();
        if is_sync && self.failure.is_none() {
            render::differences(&self.changes, self.objects, all);
            render::edge_rules(&self.rules, all);
        }
        let shown = if all { usize::MAX } else { SHOWN };
        self.findings.iter().take(shown).for_each(|finding| outln!("  {finding}"));
        if let Some(rest) = rest(self.findings.len(), shown, "finding") {
            outln!("  {DIM}{rest}{DIM:#}");
        }
        if let Some(verdict) = self.verdict {
            let style = match verdict {
                Verdict::Allow => GREEN,
                Verdict::Hold => YELLOW,
                Verdict::Deny => RED,
            };
            outln!("  verdict: {style}{verdict}{style:#}");
        }
        match &self.failure {
            Some(failure) => {
                outln!("  {RED}{failure}{RED:#}");
                failure.details().for_each(|detail| outln!("    {DIM}{detail}{DIM:#}"));
            }
            // A failure shows the last records.
            None => self.usage.logs.iter().take(shown).for_each(|record| outln!("  {DIM}log: {record}{DIM:#}")),
        }
        render::cost(&self.cost, self.objects);
    }
}
