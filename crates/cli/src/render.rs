//! A plan for people: one line an operation, then the totals and the verdicts. `anstream` removes colors in a pipe.

use indicatif::HumanBytes;
use tidegate_core::config::{PluginGrant, PluginMode, PluginReference};
use tidegate_core::edge::is_versioned;
use tidegate_core::finding::{Finding, Severity};
use tidegate_core::listing_filter::ListingExclusion;
use tidegate_core::location::Source;
use tidegate_core::observed::ObservedPlugin;
use tidegate_core::plan::{Action, Operation, OperationKind, Plan, PlannedBody, PluginInput};
use tidegate_core::plan_review::{Judgement, Verdict};
use tidegate_core::plugin_signature::SignedPlugin;
use tidegate_core::plugin_usage::{LogRecord, PluginUsage};
use tidegate_core::text::{count, rest};

use crate::output::{BOLD, CYAN, DIM, GREEN, RED, SHOWN, YELLOW};

/// Prints a plan.
pub(crate) fn plan(plan: &Plan) {
    outln!("{BOLD}{}{BOLD:#}  {} {DIM}→{DIM:#} {}", plan.site, plan.source, plan.target);
    // The folder of a release has what is in place as well.
    let all = || plan.operations.iter().filter(|operation| !is_versioned(operation.key.as_str()));
    let shown = || all().take(SHOWN);
    let width = shown().map(|operation| operation.key.to_string().chars().count()).max().unwrap_or(0).min(60);
    for operation in shown() {
        print_operation(operation, width);
    }
    if let Some(rest) = rest(all().count(), SHOWN, "operation") {
        outln!("  {DIM}{rest}{DIM:#}");
    }
    totals(plan);
}

fn totals(plan: &Plan) {
    let totals = &plan.totals;
    let is_release = matches!(plan.source, Source::Release(_));
    if plan.is_empty() && is_release && plan.inputs.edge.is_some() {
        outln!("  nothing to write, {} unchanged; the edge switches to this release", count(totals.keep, "object"));
    } else if plan.is_empty() {
        outln!("  up to date, {} unchanged", count(totals.keep, "object"));
    } else {
        outln!(
            "  {GREEN}{} to create{GREEN:#}, {YELLOW}{} to update{YELLOW:#}, {CYAN}{} headers to update{CYAN:#}, {RED}{} to delete{RED:#}, {} unchanged",
            totals.create,
            totals.update,
            totals.headers,
            totals.delete,
            totals.keep,
        );
        outln!(
            "  {DIM}{} to upload, {} to copy; the site will have {}, {}{DIM:#}",
            HumanBytes(totals.bytes_to_write),
            HumanBytes(totals.bytes_to_copy),
            count(totals.published_objects, "object"),
            HumanBytes(totals.published_bytes),
        );
    }
    let others = [
        (totals.excluded.saturating_sub(totals.excluded_folders), "file", "excluded by plugins"),
        (totals.excluded_folders, "folder", "excluded by plugins, and not read"),
        (totals.versioned, "object", "to write to the folder of the release"),
        (totals.untracked, "object", "on the site but not in the source, left unchanged"),
        (totals.retained, "object", "kept for earlier releases"),
        (plan.archive.len() as u64, "body", "to archive for earlier releases"),
        (totals.drifted, "object", "changed outside Tidegate since the last release"),
    ];
    for (number, noun, what) in others.into_iter().filter(|(number, ..)| *number > 0) {
        outln!("  {DIM}{} {what}{DIM:#}", count(number, noun));
    }
}

/// Prints the folders that were not read.
pub(crate) fn excluded_folders(exclusions: &[ListingExclusion]) {
    let folders = || exclusions.iter().filter(|excluded| excluded.is_folder());
    for folder in folders().take(SHOWN) {
        outln!("    {DIM}`{folder}`: {}{DIM:#}", folder.rule.reason);
    }
    if let Some(rest) = rest(folders().count(), SHOWN, "folder") {
        outln!("    {DIM}{rest}{DIM:#}");
    }
}

fn print_operation(operation: &Operation, width: usize) {
    let key = operation.key.to_string();
    let (style, sign) = match operation.kind() {
        OperationKind::Create => (GREEN, "+"),
        OperationKind::Update => (YELLOW, "~"),
        OperationKind::Headers => (CYAN, "±"),
        OperationKind::Delete => (RED, "-"),
    };
    let size = HumanBytes(operation.size()).to_string();
    outln!("  {style}{sign} {key:<width$}{style:#}  {size:>10}  {DIM}{}{DIM:#}{}", operation.reason, origin(operation));
    if let Action::Headers { differences, .. } = &operation.action {
        let value =
            |value: &Option<String>| value.as_ref().map_or_else(|| "none".to_owned(), |text| format!("`{text}`"));
        for difference in differences {
            let (has, wants) = (value(&difference.has), value(&difference.wants));
            outln!("      {DIM}{}: {has} → {wants}{DIM:#}", difference.name);
        }
    }
}

/// Where a body comes from, unless it is the file of the same name.
fn origin(operation: &Operation) -> String {
    match &operation.action {
        Action::Put { body: PlannedBody::Redirect(target), .. } => format!("  → {target}"),
        Action::Put { body: PlannedBody::Site { key, .. }, .. } => format!("  copied from `{key}`"),
        Action::Put { body: PlannedBody::Source(source), .. } if source.as_str() != operation.key.as_str() => {
            format!("  from `{source}`")
        }
        Action::Put { .. } | Action::Headers { .. } | Action::Delete { .. } => String::new(),
    }
}

/// Prints what plugins that are not bundled may do, and which ones are only observed.
pub(crate) fn trust(plugins: &[PluginInput]) {
    for PluginInput { name, signed, grant, mode, .. } in plugins {
        if let Some(trust) = describe_trust(signed.as_ref(), grant.as_ref(), *mode, name) {
            outln!("  {trust}");
        }
    }
}

/// What a plugin may do and who signed it; nothing about a bundled one, which may do everything.
pub(crate) fn describe_trust(
    signed: Option<&SignedPlugin>,
    grant: Option<&PluginGrant>,
    mode: PluginMode,
    plugin: &str,
) -> Option<String> {
    let is_bundled = matches!(PluginReference::try_from(plugin.to_owned()), Ok(PluginReference::Bundled(_)));
    if is_bundled && grant.is_none() && mode.is_enforced() {
        return None;
    }
    let observed = if mode.is_enforced() { "" } else { " (observed, changes nothing)" };
    let grant = match grant {
        Some(grant) => format!(": {grant}"),
        None if mode.is_enforced() => ": may do everything, without a `grant`".to_owned(),
        None => String::new(),
    };
    let signed = signed.map(|signed| format!("; {signed}")).unwrap_or_default();
    Some(format!("plugin `{plugin}`{observed}{grant}{signed}"))
}

/// Prints what plugins would have done that are only observed.
pub(crate) fn observed(observed: &[ObservedPlugin]) {
    for plugin in observed {
        plugin.to_string().lines().for_each(|line| outln!("  {line}"));
    }
}

/// Prints what each plugin cost.
pub(crate) fn usage(sync: &[PluginUsage], judgements: &[Judgement]) {
    for usage in sync.iter().chain(judgements.iter().map(|judgement| &judgement.usage)) {
        outln!("  {DIM}{usage}{DIM:#}");
        for LogRecord { level, message } in &usage.logs {
            outln!("    {DIM}{}: {message}{DIM:#}", level.as_str());
        }
        if usage.logs_dropped > 0 {
            outln!("    {DIM}{} dropped{DIM:#}", count(usage.logs_dropped, "log record"));
        }
    }
}

/// Prints the verdicts and findings of policies.
pub(crate) fn judgements(judgements: &[Judgement]) {
    for judgement in judgements {
        let style = match judgement.enforced_verdict() {
            Verdict::Allow => GREEN,
            Verdict::Hold => YELLOW,
            Verdict::Deny => RED,
        };
        let observed = if judgement.mode.is_enforced() { "" } else { " (observed, not enforced)" };
        outln!("  policy `{}`: {style}{}{style:#}{observed}", judgement.plugin, judgement.verdict);
        for finding in &judgement.findings {
            outln!("    {finding}");
        }
        if let Some(failure) = &judgement.failure {
            outln!("    {RED}{failure}{RED:#}");
            failure.details().for_each(|detail| outln!("      {DIM}{detail}{DIM:#}"));
        }
    }
}

/// Prints the findings of sync plugins, the most severe first.
pub(crate) fn findings(findings: &[Finding]) {
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        for finding in findings.iter().filter(|finding| finding.severity == severity) {
            outln!("  {finding}");
        }
    }
}
