//! Output for people: what a plugin changes, and what a run cost.

use indicatif::{HumanBytes, HumanCount};
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize, sanitize_name};
use tidegate_core::text::{count, rest};
use tidegate_host::cost::{PluginCost, Resource, ResourceCost};
use tidegate_host::difference::{DifferenceKind, ObjectDifference};
use tidegate_host::observed::ObservedAnswer;

use super::subject::SubjectInfo;
use crate::output::{BOLD, CYAN, DIM, GREEN, RED, SHOWN, YELLOW};

/// Objects from which what each of them costs is more than noise.
const FEW: usize = 100;

/// Prints the plugin.
pub(super) fn subject(info: &SubjectInfo) {
    let SubjectInfo { plugin, kind, sha256, bytes } = info;
    outln!("{BOLD}{plugin}{BOLD:#}  {kind}  {}  {DIM}sha256 {sha256}{DIM:#}", HumanBytes(*bytes));
}

/// Prints what a sync plugin changes, and a count of each kind.
pub(super) fn differences(differences: &[ObjectDifference], objects: usize, all: bool) {
    let changed = || differences.iter().filter(|difference| difference.kind != DifferenceKind::Same);
    let shown = if all { usize::MAX } else { SHOWN };
    changed().take(shown).for_each(print_difference);
    if let Some(rest) = rest(changed().count(), shown, "object") {
        outln!("  {DIM}{}{DIM:#}", rest.replace("with `--json`", "with `--all` or `--json`"));
    }
    let number = |kind| differences.iter().filter(|difference| difference.kind == kind).count();
    let counts = DifferenceKind::ALL.into_iter().filter(|kind| *kind != DifferenceKind::Same);
    let mut parts: Vec<String> =
        counts.map(|kind| (kind, number(kind))).filter(|(_, number)| *number > 0).map(part).collect();
    let unchanged = objects.saturating_sub(changed().filter(|change| change.kind != DifferenceKind::Added).count());
    parts.push(format!("{unchanged} unchanged"));
    outln!("  {}", parts.join(", "));
    let same = number(DifferenceKind::Same);
    if same > 0 {
        outln!("  {DIM}{} without effect{DIM:#}", count(same, "decision"));
    }
}

fn part((kind, number): (DifferenceKind, usize)) -> String {
    match kind {
        DifferenceKind::Excluded => format!("{number} excluded"),
        DifferenceKind::Renamed => format!("{number} renamed"),
        DifferenceKind::Redirected => format!("{number} made redirects"),
        DifferenceKind::Headers => format!("{number} with other headers"),
        DifferenceKind::Added => format!("{} added", count(number, "redirect")),
        DifferenceKind::Same => format!("{number} unchanged"),
    }
}

fn print_difference(difference: &ObjectDifference) {
    let ObjectDifference { key, kind, renamed, redirect, headers, rule, reason } = difference;
    let (style, sign) = match kind {
        DifferenceKind::Excluded => (RED, "-"),
        DifferenceKind::Renamed | DifferenceKind::Redirected => (YELLOW, "~"),
        DifferenceKind::Headers | DifferenceKind::Same => (CYAN, "±"),
        DifferenceKind::Added => (GREEN, "+"),
    };
    let mut line = format!("{style}{sign} {}{style:#}", sanitize_name(key));
    if let Some(key) = renamed {
        line.push_str(&format!(" renamed to {}", sanitize_name(key)));
    }
    if let Some(target) = redirect {
        line.push_str(&format!(" → {}", sanitize_name(target)));
    }
    outln!("  {line}  {DIM}{}{DIM:#}", origin(reason, rule));
    for header in headers {
        let value = |value: &Option<String>| {
            value.as_ref().map_or_else(|| "none".to_owned(), |text| format!("`{}`", sanitize(text, MESSAGE_BYTES)))
        };
        outln!("      {DIM}{}: {} → {}{DIM:#}", header.name, value(&header.has), value(&header.wants));
    }
}

fn origin(reason: &str, rule: &str) -> String {
    let reason = sanitize(reason, MESSAGE_BYTES);
    if rule.is_empty() { reason } else { format!("{reason} [{}]", sanitize_name(rule)) }
}

/// Prints rules for requests.
pub(super) fn edge_rules(answers: &[ObservedAnswer], all: bool) {
    let line = |answer: &ObservedAnswer| match answer {
        ObservedAnswer::EdgeRedirect { path, query, status, to, rule, reason, .. } => {
            let to = to.as_ref().map(|to| format!(" → {}", sanitize_name(to))).unwrap_or_default();
            let query: String = query.iter().map(|condition| format!(" {}", sanitize_name(condition))).collect();
            Some(format!("{status} {}{query}{to}  {DIM}{}{DIM:#}", sanitize_name(path), origin(reason, rule)))
        }
        ObservedAnswer::EdgeHeaders { path, headers, removals, rule, reason, .. } => {
            let set = headers.iter().map(|(name, value)| format!("{name}: {}", sanitize_name(value)));
            let removed = removals.iter().map(|name| format!("no {name}"));
            let headers: Vec<String> = removed.chain(set).collect();
            Some(format!("{}  {}  {DIM}{}{DIM:#}", sanitize_name(path), headers.join(", "), origin(reason, rule)))
        }
        _ => None,
    };
    let lines: Vec<String> = answers.iter().filter_map(line).collect();
    if lines.is_empty() {
        return;
    }
    outln!("  {}:", format_args!("{} for requests", count(lines.len(), "rule")));
    let shown = if all { usize::MAX } else { SHOWN };
    lines.iter().take(shown).for_each(|line| outln!("    {line}"));
    if let Some(rest) = rest(lines.len(), shown, "rule") {
        outln!("    {DIM}{rest}{DIM:#}");
    }
}

/// Prints what a run cost beside its limits.
pub(super) fn cost(cost: &PluginCost, objects: usize) {
    outln!("  {DIM}{:<14}{:>16}{:>16}{:>10}{DIM:#}", "", "used", "limit", "headroom");
    for resource in &cost.resources {
        let ResourceCost { resource: of, used, limit } = resource;
        let (used, limit) = (amount(*of, *used), amount(*of, *limit));
        outln!("  {:<14}{used:>16}{limit:>16}{:>9.1} %", of.name(), resource.headroom_percent());
    }
    if let (Some(fuel), Some(time)) = (cost.fuel_per_object, cost.nanoseconds_per_object) {
        let few = if objects < FEW { ", an estimate from few objects" } else { "" };
        outln!("  per object: {} units of fuel, {}{few}", HumanCount(fuel), nanoseconds(time));
        match cost.largest_site {
            Some(largest) => outln!(
                "  largest site at this cost: about {} objects, limited by {}",
                HumanCount(two_digits(largest.objects)),
                largest.limited_by.name()
            ),
            None => outln!("  largest site at this cost: not limited, because every limit grows with the site"),
        }
    }
}

fn amount(resource: Resource, amount: u64) -> String {
    match resource {
        Resource::Fuel | Resource::Reads => HumanCount(amount).to_string(),
        Resource::Time => nanoseconds(amount.saturating_mul(1_000)),
        Resource::Memory | Resource::ReadBytes | Resource::AnswerBytes => HumanBytes(amount).to_string(),
    }
}

/// A time with its unit.
pub(super) fn nanoseconds(time: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits for people")]
    let time = time as f64;
    match time {
        0.0..1e3 => format!("{time} ns"),
        1e3..1e6 => format!("{:.1} µs", time / 1e3),
        1e6..1e9 => format!("{:.1} ms", time / 1e6),
        _ => format!("{:.1} s", time / 1e9),
    }
}

/// The first two digits of a number that is only an estimate.
fn two_digits(number: u64) -> u64 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number / unit * unit
}
