//! Sets `cache-control` and other response headers, and on a site with an edge adds rules for those that S3 does not store.
//!
//! The sources in order of precedence, lowest first: a preset for `cache-control`, the `_headers` file of the artifact,
//! the configured rules.

mod edge;
mod file;
mod fingerprint;
mod name;
mod page;
mod path;
mod settings;

pub use settings::{HeaderRule, HeadersFileSettings, HeadersSettings, PresetSettings};

use std::fmt::{self, Write as _};

use tidegate_plugin::edge::{EdgeDialect, add_headers};
use tidegate_plugin::glob::Glob;
use tidegate_plugin::{Decisions, Edit, Entry, Failure, Pointer, Run, Summary, SyncPlugin, content};

use file::{FileHeader, HeadersFile};
use name::SettingHeader;

/// Limit of the `_headers` file, in bytes. Hosts of static sites have much lower limits.
const MAX_FILE_BYTES: usize = 1024 * 1024;

/// The plugin.
#[derive(Debug)]
pub struct HeadersPlugin {
    settings: HeadersSettings,
    file: HeadersFile,
    cache_control: SettingHeader,
    pointers: RulePointers,
}

/// The pointers that decisions name, built once.
#[derive(Debug)]
struct RulePointers {
    fingerprinted: Pointer,
    pages: Pointer,
    others: Pointer,
    file: Pointer,
    rules: Vec<Pointer>,
}

/// A change of one header, with the rule that it comes from.
struct HeaderChange<'a> {
    name: &'a SettingHeader,
    value: Option<&'a str>,
    rule: &'a Pointer,
    reason: HeaderReason<'a>,
}

/// The reason for a change, formatted only if the change has an effect.
enum HeaderReason<'a> {
    Preset(&'static str),
    Line(usize, &'a str),
    Glob(&'a Glob),
}

impl fmt::Display for HeaderReason<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preset(reason) => formatter.write_str(reason),
            Self::Line(line, key) => write!(formatter, "line {line} of `{key}`"),
            Self::Glob(glob) => write!(formatter, "matches `{glob}`"),
        }
    }
}

impl SyncPlugin for HeadersPlugin {
    type Settings = HeadersSettings;

    fn begin(run: &Run, settings: HeadersSettings) -> Result<Self, Failure> {
        let text = if settings.file.enabled { content::text(&settings.file.key, MAX_FILE_BYTES)? } else { None };
        let edge = EdgeDialect::of(run)?;
        let mut file = HeadersFile::parse(&settings.file.key, &text.unwrap_or_default(), edge);
        let pointers = RulePointers::new(&settings);
        let rules = file.edge_rules(&pointers.file);
        if let Some(message) = file.findings.first_warning().filter(|_| settings.file.strict) {
            let failure = Failure::new("headers-file", message);
            return Err(failure.with_key(&*settings.file.key).with_rule(&pointers.file.member("strict")));
        }
        if !rules.is_empty() {
            add_headers(&rules)?;
        }
        Ok(Self { cache_control: SettingHeader::cache_control(), pointers, file, settings })
    }

    fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure> {
        for (index, entry) in batch.iter().enumerate() {
            if self.settings.file.enabled && entry.key == self.settings.file.key {
                decisions.exclude(
                    index,
                    &self.pointers.file.clone().member("key"),
                    "a rules file, not part of the site",
                );
                continue;
            }
            if entry.redirect.is_none() {
                // In ascending order of precedence.
                let mut changes = Vec::new();
                self.add_preset(entry, &mut changes);
                self.add_file(&entry.key, &mut changes);
                self.add_rules(&entry.key, &mut changes);
                apply(index, entry, &changes, decisions);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Summary, Failure> {
        Ok(Summary { findings: self.file.finish(), ..Summary::default() })
    }
}

impl HeadersPlugin {
    /// Adds `cache-control`, unless an earlier plugin set it.
    fn add_preset<'a>(&'a self, entry: &Entry, changes: &mut Vec<HeaderChange<'a>>) {
        if entry.header(self.cache_control.stored()).is_some() {
            return;
        }
        let presets = &self.settings.presets;
        let key = &entry.key;
        let (value, rule, reason) = if page::must_be_fresh(key, entry.header("content-type")) {
            (&presets.pages, &self.pointers.pages, "a page or an entry point")
        } else if presets.fingerprinted.is_some() && fingerprint::has_fingerprint(key) {
            (&presets.fingerprinted, &self.pointers.fingerprinted, "the name has a fingerprint")
        } else if presets.fingerprinted.is_some() && self.settings.fingerprinted_folders.matches(key) {
            (&presets.fingerprinted, &self.pointers.fingerprinted, "in a folder of fingerprinted names")
        } else {
            (&presets.others, &self.pointers.others, "neither a page nor fingerprinted")
        };
        if let Some(value) = value {
            let value = Some(value.as_str());
            changes.push(HeaderChange { name: &self.cache_control, value, rule, reason: HeaderReason::Preset(reason) });
        }
    }

    /// Adds the headers of the `_headers` file.
    fn add_file<'a>(&'a self, key: &str, changes: &mut Vec<HeaderChange<'a>>) {
        for FileHeader { line, name, value } in self.file.headers(key) {
            let reason = HeaderReason::Line(line, &self.settings.file.key);
            changes.push(HeaderChange { name, value: Some(value), rule: &self.pointers.file, reason });
        }
    }

    /// Adds the headers of the configured rules.
    fn add_rules<'a>(&'a self, key: &str, changes: &mut Vec<HeaderChange<'a>>) {
        for (rule, at) in
            self.settings.rules.iter().zip(&self.pointers.rules).filter(|(rule, _)| rule.glob.matches(key))
        {
            // A rule removes first, so it can set what it removes.
            for name in &rule.remove {
                changes.push(HeaderChange { name, value: None, rule: at, reason: HeaderReason::Glob(&rule.glob) });
            }
            for (name, value) in &rule.set {
                let value = Some(value.as_str());
                changes.push(HeaderChange { name, value, rule: at, reason: HeaderReason::Glob(&rule.glob) });
            }
        }
    }
}

impl RulePointers {
    fn new(settings: &HeadersSettings) -> Self {
        let preset = |name| Pointer::root().member("presets").member(name);
        let rules = Pointer::root().member("rules");
        Self {
            fingerprinted: preset("fingerprinted"),
            pages: preset("pages"),
            others: preset("others"),
            file: Pointer::root().member("headers-file"),
            rules: (0..settings.rules.len()).map(|position| rules.clone().index(position)).collect(),
        }
    }
}

/// Decides about the changes that have an effect. A decision names one rule, that of the last change; the reason lists
/// all.
fn apply(index: usize, entry: &Entry, changes: &[HeaderChange<'_>], decisions: &mut Decisions) {
    let mut edits = Vec::new();
    let mut last = None;
    let mut reasons = String::new();
    for (position, change) in changes.iter().enumerate() {
        if changes.iter().skip(position + 1).any(|later| later.name == change.name) {
            continue;
        }
        let Some(edit) = change.name.edit(entry, change.value) else { continue };
        edits.push(edit);
        last = Some(change.rule);
        if !reasons.is_empty() {
            reasons.push_str("; ");
        }
        if let HeaderReason::Preset(reason) = change.reason {
            // Formatting takes several times as long, and every object has this reason.
            let name = change.name.as_str();
            reasons.reserve_exact(name.len() + 2 + reason.len());
            [name, ": ", reason].iter().for_each(|part| reasons.push_str(part));
        } else {
            // Writing to a text does not fail.
            write!(reasons, "{}: {}", change.name, change.reason).unwrap_or_default();
        }
    }
    if let Some(rule) = last {
        decisions.publish(index, edits, rule, reasons);
    }
}

impl SettingHeader {
    /// The edit that sets the header to this value, or removes it; `None` if it has no effect.
    fn edit(&self, entry: &Entry, value: Option<&str>) -> Option<Edit> {
        let name = self.stored();
        let present = if self.is_metadata() { entry.metadata(name) } else { entry.header(name) };
        match (value, self.is_metadata()) {
            (None, _) if present.is_none() => None,
            (Some(value), _) if present == Some(value) => None,
            (None, true) => Some(Edit::RemoveMetadata(name.to_owned())),
            (None, false) => Some(Edit::RemoveHeader(name.to_owned())),
            (Some(value), true) => Some(Edit::metadata(name, value)),
            (Some(value), false) => Some(Edit::header(name, value)),
        }
    }
}

tidegate_plugin::export_sync!(HeadersPlugin);

#[cfg(test)]
mod tests;
