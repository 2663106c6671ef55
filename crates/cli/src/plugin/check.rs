//! `tidegate plugin check`: whether a component is a good plugin, without a site.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;
use serde_json::{Value, json};
use tidegate_core::finding::Finding;
use tidegate_core::plan_review::Verdict;
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::run_facts::RunFacts;
use tidegate_core::sanitize::{sanitize_json, sanitize_name};
use tidegate_host::observed::{ObservedAnswer, ObservedRun, observe_empty};
use tidegate_host::{CONTRACT, ComponentDescription, Plugin, SettingsError, SettingsIssue, describe};
use tidegate_publish::ComponentLoader;

use super::render;
use super::subject::{Subject, SubjectInfo, settings};
use crate::arguments::{CommonArguments, PluginCheckArguments};
use crate::context::{component_loader, now};
use crate::error::{CliError, ExitStatus};
use crate::output::{DIM, GREEN, RED, YELLOW, print_json};

pub(super) fn check(common: &CommonArguments, arguments: &PluginCheckArguments) -> Result<ExitStatus, CliError> {
    let subject = tokio::task::block_in_place(|| Subject::find(&arguments.plugin))?;
    let given = arguments.settings.as_deref().map(settings).transpose()?;
    let description = describe(&subject.name, &subject.bytes).map_err(CliError::usage)?;
    // Compiled anew: the time is part of the result.
    let loader = component_loader(Path::new(""))?;
    let plugin = subject.load_with(&ComponentLoader { cache: None, ..loader })?;
    let result = tokio::task::block_in_place(|| CheckResult::new(&subject, &description, &plugin, given));
    if common.json {
        print_json(&result)?;
    } else {
        result.print();
    }
    Ok(if result.problems().is_empty() { ExitStatus::Success } else { ExitStatus::Usage })
}

/// What a check found.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct CheckResult {
    #[serde(flatten)]
    subject: SubjectInfo,
    ok: bool,
    /// The versions of the contract that it is built for.
    contract: Vec<String>,
    /// The oldest version of the contract of hosts that it runs on.
    runs_on: String,
    imports: Vec<String>,
    exports: Vec<String>,
    structure: BTreeMap<&'static str, Value>,
    compile_us: u64,
    code_bytes: u64,
    settings: SettingsCheck,
    /// A run without objects; `None` if the settings are not accepted.
    empty: Option<EmptyRun>,
}

/// What the plugin says about settings.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct SettingsCheck {
    given: Value,
    /// Whether they were given, or are the `{}` of a configuration without settings.
    explicit: bool,
    canonical: Option<Value>,
    issues: Vec<SettingsIssue>,
    failure: Option<PluginFailure>,
    /// Settings that are too long.
    error: Option<String>,
}

/// What the plugin does without objects.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct EmptyRun {
    verdict: Option<Verdict>,
    redirects: usize,
    findings: Vec<Finding>,
    failure: Option<PluginFailure>,
    usage: PluginUsage,
}

impl CheckResult {
    fn new(subject: &Subject, description: &ComponentDescription, plugin: &Plugin, given: Option<Value>) -> Self {
        let explicit = given.is_some();
        let given = given.unwrap_or_else(|| json!({}));
        let mut settings =
            SettingsCheck { given, explicit, canonical: None, issues: Vec::new(), failure: None, error: None };
        let mut empty = None;
        match plugin.validate(&settings.given) {
            Ok(configured) => {
                settings.canonical = serde_json::from_str(configured.settings()).ok();
                empty = Some(EmptyRun::new(observe_empty(&configured, &facts())));
            }
            Err(SettingsError::Refused { issues, .. }) => settings.issues = issues,
            Err(SettingsError::Failed(failure)) => settings.failure = Some(failure),
            Err(error @ SettingsError::TooLong { .. }) => settings.error = Some(error.to_string()),
        }
        let structure = description.structure.iter();
        let mut result = Self {
            subject: subject.info(plugin),
            ok: true,
            contract: description.contracts.clone(),
            runs_on: format!("{CONTRACT}.{}", latest_patch(&description.contracts)),
            imports: description.imports.clone(),
            exports: description.exports.clone(),
            structure: structure
                .map(|total| (total.what, json!({ "found": total.found, "limit": total.limit })))
                .collect(),
            compile_us: micros(plugin.load_time()),
            code_bytes: plugin.code_bytes(),
            settings,
            empty,
        };
        result.ok = result.problems().is_empty();
        result
    }

    /// What a configuration would fail with, each with lines to print below it.
    fn problems(&self) -> Vec<(String, Vec<String>)> {
        let SettingsCheck { explicit, issues, failure, error, .. } = &self.settings;
        let refused = issues.iter().filter(|_| *explicit).map(|issue| match issue.pointer.as_str() {
            "" => issue.message.clone(),
            pointer => format!("`{pointer}`: {}", issue.message),
        });
        let failures = failure.iter().chain(self.empty.iter().filter_map(|empty| empty.failure.as_ref()));
        let failures = failures.map(|failure| (failure.to_string(), failure.details().collect()));
        error.iter().cloned().chain(refused).map(|problem| (problem, Vec::new())).chain(failures).collect()
    }

    fn print(&self) {
        render::subject(&self.subject);
        outln!(
            "  contract   tidegate:plugin@{}; runs on Tidegate with {} or a later {CONTRACT}, as this one",
            self.contract.join(", "),
            self.runs_on
        );
        outln!("  imports    {}", list(&self.imports));
        outln!("  exports    {}", list(&self.exports));
        outln!(
            "  compiled   {} in {}",
            HumanBytes(self.code_bytes),
            render::nanoseconds(self.compile_us.saturating_mul(1_000))
        );
        for (what, total) in &self.structure {
            let number = |name: &str| HumanCount(total.get(name).and_then(Value::as_u64).unwrap_or_default());
            outln!("  {DIM}{:<16} {:>9} of {:>9}{DIM:#}", what, number("found"), number("limit"));
        }
        self.settings.print();
        if let Some(empty) = &self.empty {
            empty.print();
        }
        let problems = self.problems();
        if problems.is_empty() {
            outln!("  {GREEN}ok{GREEN:#}");
        }
        for (problem, details) in problems {
            outln!("  {RED}problem{RED:#}: {problem}");
            details.iter().for_each(|detail| outln!("    {DIM}{detail}{DIM:#}"));
        }
    }
}

impl SettingsCheck {
    fn print(&self) {
        let given = sanitize_json(&self.given.to_string());
        if let Some(canonical) = &self.canonical {
            outln!("  settings   {given} become {}", sanitize_json(&canonical.to_string()));
            if !self.explicit {
                outln!(
                    "             {DIM}these are its defaults; a component cannot contain a schema of its settings{DIM:#}"
                );
            }
        }
        for SettingsIssue { pointer, message } in &self.issues {
            let at = if pointer.is_empty() { String::new() } else { format!(" at `{pointer}`") };
            outln!("  settings   {given} {YELLOW}are refused{YELLOW:#}{at}: {message}");
        }
    }
}

impl EmptyRun {
    fn new(run: ObservedRun) -> Self {
        let redirects = run.answers.iter().filter(|answer| matches!(answer, ObservedAnswer::Redirect { .. }));
        Self {
            verdict: run.verdict(),
            redirects: redirects.count(),
            findings: run.findings().cloned().collect(),
            failure: run.failure.map(PluginFailure::without_usage),
            usage: run.usage,
        }
    }

    fn print(&self) {
        let outcome = match (&self.failure, self.verdict, self.redirects) {
            (Some(_), ..) => "it fails".to_owned(),
            (None, Some(verdict), _) => format!("its verdict is {verdict}"),
            (None, None, 0) => "it does nothing".to_owned(),
            (None, None, redirects) => format!("it adds {}", tidegate_core::text::count(redirects, "redirect")),
        };
        let PluginUsage { fuel_used, memory_peak, .. } = &self.usage;
        outln!(
            "  no objects {outcome}; {} units of fuel, {} of memory",
            HumanCount(*fuel_used),
            HumanBytes(*memory_peak)
        );
        self.findings.iter().for_each(|finding| outln!("             {finding}"));
    }
}

/// The highest patch version. A patch adds functions, so older hosts do not have them.
fn latest_patch(versions: &[String]) -> u64 {
    versions.iter().filter_map(|version| version.rsplit('.').next()?.parse().ok()).max().unwrap_or_default()
}

fn list(names: &[String]) -> String {
    let short = names.iter().map(|name| sanitize_name(name.strip_prefix("tidegate:plugin/").unwrap_or(name)));
    match names.len() {
        0 => "nothing".to_owned(),
        _ => short.collect::<Vec<_>>().join(", "),
    }
}

fn facts() -> RunFacts {
    RunFacts {
        site: "site".to_owned(),
        release: "check".to_owned(),
        instant: now().milliseconds(),
        attributes: BTreeMap::from([("trigger".to_owned(), "cli".to_owned())]),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
