//! A plan as people read it: a diff with reasons, then the counts.
//!
//! Owns the drawing. Colours go out on a terminal only (`anstream` strips them elsewhere).

use anstyle::{AnsiColor, Style};
use indicatif::HumanBytes;
use tidegate_core::finding::Severity;
use tidegate_core::plan::{Action, Operation, Plan, PlannedBody};
use tidegate_core::plan_review::{Judgement, Verdict};

/// Most operations that are drawn; a saved plan and `--json` have all of them.
const SHOWN: usize = 200;

const CREATE: Style = AnsiColor::Green.on_default();
const UPDATE: Style = AnsiColor::Yellow.on_default();
const HEADERS: Style = AnsiColor::Cyan.on_default();
const DELETE: Style = AnsiColor::Red.on_default();
const FAINT: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Draws a plan.
pub(crate) fn plan(plan: &Plan) {
    anstream::println!("{BOLD}{}{BOLD:#}  {} {FAINT}→{FAINT:#} {}", plan.site, plan.source, plan.target);
    let width =
        plan.operations.iter().take(SHOWN).map(|one| one.key.to_string().chars().count()).max().unwrap_or(0).min(60);
    for one in plan.operations.iter().take(SHOWN) {
        operation(one, width);
    }
    match plan.operations.len().checked_sub(SHOWN) {
        Some(rest) if rest > 0 => anstream::println!("  {FAINT}and {rest} more, `--json` shows all{FAINT:#}"),
        _ => {}
    }
    let totals = &plan.totals;
    if plan.is_empty() {
        anstream::println!("  nothing to do, {} objects are as they should be", totals.keep);
    } else {
        anstream::println!(
            "  {CREATE}{} to create{CREATE:#}, {UPDATE}{} to update{UPDATE:#}, {HEADERS}{} with other headers{HEADERS:#}, {DELETE}{} to delete{DELETE:#}, {} unchanged",
            totals.create,
            totals.update,
            totals.headers,
            totals.delete,
            totals.keep,
        );
        anstream::println!(
            "  {FAINT}{} to send, {} to copy; the site will have {} objects, {}{FAINT:#}",
            HumanBytes(totals.bytes_to_write),
            HumanBytes(totals.bytes_to_copy),
            totals.published_objects,
            HumanBytes(totals.published_bytes),
        );
    }
    let aside = [
        (totals.excluded, "left out by plugins"),
        (totals.untracked, "of the site left alone"),
        (totals.retained, "of the site kept for earlier releases"),
        (plan.archive.len() as u64, "of earlier releases set aside first"),
        (totals.drifted, "changed by somebody else since the last release"),
    ];
    for (count, what) in aside.into_iter().filter(|(count, _)| *count > 0) {
        anstream::println!("  {FAINT}{count} {what}{FAINT:#}");
    }
}

fn operation(one: &Operation, width: usize) {
    let key = one.key.to_string();
    let (style, sign) = match one.verb() {
        "create" => (CREATE, "+"),
        "headers" => (HEADERS, "±"),
        "delete" => (DELETE, "-"),
        _ => (UPDATE, "~"),
    };
    let size = HumanBytes(one.size()).to_string();
    anstream::println!(
        "  {style}{sign} {key:<width$}{style:#}  {size:>10}  {FAINT}{}{FAINT:#}{}",
        one.reason,
        detail(one)
    );
    if let Action::Headers { differences, .. } = &one.action {
        for difference in differences {
            let shown =
                |value: &Option<String>| value.as_ref().map_or_else(|| "none".to_owned(), |text| format!("`{text}`"));
            anstream::println!(
                "      {FAINT}{}: {} → {}{FAINT:#}",
                difference.name,
                shown(&difference.has),
                shown(&difference.wants)
            );
        }
    }
}

fn detail(one: &Operation) -> String {
    match &one.action {
        Action::Put { body: PlannedBody::Redirect(target), .. } => format!("  → {target}"),
        Action::Put { body: PlannedBody::Site { key, .. }, .. } => format!("  copied from `{key}`"),
        Action::Put { body: PlannedBody::Source(source), .. } if source.as_str() != one.key.as_str() => {
            format!("  from `{source}`")
        }
        Action::Put { .. } | Action::Headers { .. } | Action::Delete { .. } => String::new(),
    }
}

/// Draws what policies say.
pub(crate) fn judgements(judgements: &[Judgement]) {
    for judgement in judgements {
        let style = match judgement.verdict {
            Verdict::Allow => CREATE,
            Verdict::Hold => UPDATE,
            Verdict::Deny => DELETE,
        };
        anstream::println!("  policy `{}`: {style}{}{style:#}", judgement.plugin, judgement.verdict);
        for finding in &judgement.findings {
            anstream::println!("    {finding}");
        }
        if let Some(failure) = &judgement.failure {
            anstream::println!("    {DELETE}{failure}{DELETE:#}");
        }
    }
}

/// Draws what sync plugins had to say, worst first.
pub(crate) fn findings(findings: &[tidegate_core::finding::Finding]) {
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        for finding in findings.iter().filter(|finding| finding.severity == severity) {
            anstream::println!("  {finding}");
        }
    }
}
