//! Denies plans that publish secrets: keys, tokens and passwords in files, and files that are not for publishing.
//!
//! Files are judged by their names and by their content. Content is read once, when it is published. A message never has
//! more of a secret than its first four characters.

mod binary;
mod check;
mod detect;
mod format;
mod names;
mod rules;
mod scan;
mod settings;

pub use settings::{AllowedFiles, LeakSettings, RuleResponse};

use tidegate_plugin::reader::{ObjectReader, ObjectToRead, Progress};
use tidegate_plugin::violations::{FirstFew, Response, Violations};
use tidegate_plugin::{Attribute, Change, ChangeKind, Failure, Finding, Judgement, PolicyPlugin, Run, Totals};

use names::Names;
use scan::{FileScan, Found, SecretScanner};

/// Limit of the findings that a report has for each response.
const MAX_NAMED: usize = 50;

/// Limit of what is read of one file, in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The plugin.
#[derive(Debug)]
pub struct Leaks {
    settings: LeakSettings,
    names: Names,
    scanner: SecretScanner,
    reader: ObjectReader,
    denied: FirstFew<Finding>,
    held: FirstFew<Finding>,
    reported: FirstFew<Finding>,
    /// Files that were not read completely.
    unread: FirstFew<String>,
}

impl PolicyPlugin for Leaks {
    type Settings = LeakSettings;

    fn begin(run: &Run, _totals: &Totals, settings: LeakSettings) -> Result<Self, Failure> {
        Ok(Self {
            names: Names::new(),
            scanner: SecretScanner::new(|rule| settings.response(rule.name).is_some()),
            reader: ObjectReader::new(run, MAX_FILE_BYTES),
            denied: FirstFew::new(MAX_NAMED),
            held: FirstFew::new(MAX_NAMED),
            reported: FirstFew::new(MAX_NAMED),
            unread: FirstFew::new(5),
            settings,
        })
    }

    fn review(&mut self, batch: &[Change]) -> Result<Vec<Finding>, Failure> {
        let mut found = Vec::new();
        let mut files = Vec::new();
        for (position, change) in batch.iter().enumerate() {
            if change.kind == ChangeKind::Delete || change.redirect.is_some() {
                continue;
            }
            let by_name = self.names.matching(&change.key).filter(|rule| self.applies(&change.key, rule.name));
            if let Some(rule) = by_name {
                found.push((position, Found { rule: rule.name, what: rule.what, line: 0, shown: None, count: 1 }));
            } else if self.is_read(change) {
                files.push((position, ObjectToRead { key: &change.key, size: change.size }));
            }
        }
        let (positions, files): (Vec<usize>, Vec<ObjectToRead<'_>>) = files.into_iter().unzip();
        let scanner = &self.scanner;
        let mut scans: Vec<FileScan> = files.iter().map(|_| FileScan::default()).collect();
        let unread = self.reader.read(&files, |position, part| {
            let (Some(scan), Some(file)) = (scans.get_mut(position), files.get(position)) else {
                return Progress::Skip;
            };
            let more = scanner.scan(scan, file.key, part.bytes, part.offset == 0, part.last);
            if more { Progress::Continue } else { Progress::Skip }
        })?;
        for (position, scan) in positions.into_iter().zip(scans) {
            found.extend(scan.found.into_iter().map(|found| (position, found)));
        }
        // In the order of keys, in which the first findings are kept.
        found.sort_by_key(|(position, _)| *position);
        for (position, found) in found {
            if let Some(change) = batch.get(position).filter(|change| self.applies(&change.key, found.rule)) {
                self.add(&change.key, &found);
            }
        }
        for file in unread.0.iter().filter_map(|position| files.get(*position)) {
            self.unread.add(|| file.key.to_owned());
        }
        Ok(Vec::new())
    }

    fn conclude(&mut self) -> Result<Judgement, Failure> {
        let mut violations = Violations::default();
        let lists = [
            (Response::Deny, self.denied.take()),
            (Response::Hold, self.held.take()),
            (Response::Report, self.reported.take()),
        ];
        for (response, (findings, more)) in lists {
            findings.into_iter().for_each(|finding| violations.add(response, finding));
            if more > 0 {
                let message = format!("{more} more {} secrets", if more == 1 { "file has" } else { "files have" });
                violations.add(response, Finding::error("more-secrets", message));
            }
        }
        let (first, more) = self.unread.take();
        if !first.is_empty() {
            let count = first.len() as u64 + more;
            let named: Vec<String> = first.iter().map(|key| format!("`{key}`")).collect();
            let message = format!(
                "{count} {} not read completely, since they are large: {}{}",
                if count == 1 { "file was" } else { "files were" },
                named.join(", "),
                if more > 0 { ", and others" } else { "" }
            );
            violations.remark(Finding::warning("not-read", message));
        }
        Ok(violations.into_judgement())
    }
}

impl Leaks {
    fn applies(&self, key: &str, rule: &str) -> bool {
        self.settings.response(rule).is_some() && !self.settings.allows(key, rule)
    }

    fn is_read(&self, change: &Change) -> bool {
        let is_new = matches!(change.kind, ChangeKind::Create | ChangeKind::Update);
        let header = |name: &str| value(&change.headers, name);
        (is_new || self.settings.include_unchanged)
            && change.size > 0
            && !binary::is_binary(&change.key, header("content-type"), header("content-encoding"))
    }

    fn add(&mut self, key: &str, found: &Found) {
        let Some((response, pointer)) = self.settings.response(found.rule) else { return };
        let list = match response {
            Response::Deny => &mut self.denied,
            Response::Hold => &mut self.held,
            Response::Report => &mut self.reported,
        };
        list.add(|| Finding::error(found.rule, message(key, found)).with_key(key).with_rule(&pointer));
    }
}

fn value<'a>(headers: &'a [Attribute], name: &str) -> Option<&'a str> {
    headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
}

fn message(key: &str, found: &Found) -> String {
    let Found { rule, what, line, shown, count } = found;
    let allow = format!("or add it to `allow` with the rule `{rule}`");
    if *line == 0 {
        return format!("`{key}` is {what}; exclude it, {allow}");
    }
    let shown = shown.as_ref().map(|shown| format!(", which starts with `{shown}`")).unwrap_or_default();
    let more = if *count > 1 { format!(", and {} more", count - 1) } else { String::new() };
    let remedy = if *rule == "source-map" { "build without it" } else { "revoke it and remove it from the build" };
    format!("`{key}` has {what} in line {line}{shown}{more}; {remedy}, {allow}")
}

tidegate_plugin::export_policy!(Leaks);

#[cfg(test)]
mod tests;
