//! Records of runs: what a plugin was given, what it read and what it answered, as lines of JSON that replay without the
//! source.
//!
//! Lines are about objects, not about calls, so a record is the same for every size of batches, and a difference between
//! two records is readable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tidegate_core::content::ContentReader;
use tidegate_core::desired::{DesiredBody, DesiredEntry, Trail};
use tidegate_core::headers::ObjectHeaders;
use tidegate_core::identity::ContentIdentity;
use tidegate_core::key::Key;
use tidegate_core::plan_review::{ReviewedChange, ReviewedKind};
use tidegate_core::plugin_usage::LogRecord;
use tidegate_core::redirect::RedirectTarget;
use tidegate_core::run_facts::RunFacts;

use super::admission_error::CONTRACT;
use super::configured::ConfiguredPlugin;
use super::kind::PluginKind;
use super::observed::{ObservedAnswer, ObservedRun, RunInput, observe};
use super::recorded_content::{RecordedRead, RecordingContent};

/// The format of records. It increases with every change that older versions cannot read.
pub(super) const FORMAT: u32 = 1;

/// Longest record, in bytes.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// One line of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub(super) enum RecordLine {
    /// The first line.
    Record(RecordHeader),
    /// The settings, and their canonical form.
    Settings { given: Value, canonical: Value },
    /// The facts of the run.
    Run(RecordedFacts),
    /// The totals of a plan.
    Totals(Vec<(String, u64)>),
    /// An entry that a sync plugin saw.
    Entry(RecordedEntry),
    /// A change that a policy saw.
    Change(RecordedChange),
    /// Content that it read.
    Read(RecordedRead),
    /// A log record.
    Log(LogRecord),
    /// An answer.
    Answer(ObservedAnswer),
    /// The last line: the number of lines before it, and their SHA-256.
    End { lines: usize, sha256: String },
}

/// The first line of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RecordHeader {
    /// The format of the record.
    pub format: u32,
    /// The version of the contract.
    pub contract: String,
    /// The kind of the plugin.
    pub kind: PluginKind,
    /// The name of the plugin.
    pub plugin: String,
    /// SHA-256 of its component.
    pub sha256: String,
    /// The version of Tidegate that wrote the record.
    pub tidegate: String,
}

/// The facts of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RecordedFacts {
    pub(super) site: String,
    pub(super) release: String,
    pub(super) now_ms: u64,
    pub(super) attributes: BTreeMap<String, String>,
}

/// An entry of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedEntry {
    key: Key,
    /// The object of the source; `None` for a redirect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<RecordedObject>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redirect: Option<RedirectTarget>,
    #[serde(default, skip_serializing_if = "is_default")]
    headers: ObjectHeaders,
}

/// An object of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedObject {
    /// Its key in the source, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Key>,
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// A change of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedChange {
    pub(super) key: String,
    kind: ReviewedKind,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redirect: Option<RedirectTarget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    headers: Option<ObjectHeaders>,
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Key>,
}

fn is_default(headers: &ObjectHeaders) -> bool {
    *headers == ObjectHeaders::default()
}

/// A record, and the run that it is of.
#[derive(Debug)]
pub struct RecordedRun {
    /// The text of the record.
    pub text: String,
    /// The run.
    pub run: ObservedRun,
}

/// A run cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RunRecordError {
    /// The record is too long.
    #[error("the record has {0} bytes, and the limit is {MAX_RECORD_BYTES}; record a smaller source")]
    TooLong(usize),
    /// A line is not JSON.
    #[error("cannot write a line of the record: {0}")]
    Json(#[from] serde_json::Error),
}

/// Runs a plugin and records the run. `given` are the settings before their validation.
///
/// # Errors
/// [`RunRecordError`]. A plugin that fails is no error: its failure is recorded.
pub fn record(
    configured: &ConfiguredPlugin,
    given: &Value,
    input: RunInput<'_>,
    facts: &RunFacts,
    content: &dyn ContentReader,
) -> Result<RecordedRun, RunRecordError> {
    let recording = RecordingContent::new(content);
    let run = observe(configured, input, facts, &recording);
    let plugin = configured.plugin();
    let mut lines = vec![
        RecordLine::Record(RecordHeader {
            format: FORMAT,
            contract: CONTRACT.to_owned(),
            kind: plugin.kind(),
            plugin: configured.name().to_owned(),
            sha256: plugin.sha256().to_string(),
            tidegate: env!("CARGO_PKG_VERSION").to_owned(),
        }),
        RecordLine::Settings { given: given.clone(), canonical: serde_json::from_str(configured.settings())? },
        RecordLine::Run(RecordedFacts::of(facts)),
    ];
    match input {
        RunInput::Site(desired) => {
            lines.extend(desired.entries().iter().map(|entry| RecordLine::Entry(RecordedEntry::of(entry))));
        }
        RunInput::Plan(review) => {
            lines.push(RecordLine::Totals(review.totals().to_vec()));
            lines.extend(review.changes().map(|change| RecordLine::Change(RecordedChange::of(&change))));
        }
    }
    lines.extend(recording.finish().into_iter().map(RecordLine::Read));
    lines.extend(run.usage.logs.iter().cloned().map(RecordLine::Log));
    lines.extend(run.answers.iter().cloned().map(RecordLine::Answer));
    let mut text = String::new();
    let count = lines.len();
    for line in lines {
        text.push_str(&serde_json::to_string(&line)?);
        text.push('\n');
        if text.len() > MAX_RECORD_BYTES {
            return Err(RunRecordError::TooLong(text.len()));
        }
    }
    let end = RecordLine::End { lines: count, sha256: digest(text.lines()) };
    text.push_str(&serde_json::to_string(&end)?);
    text.push('\n');
    Ok(RecordedRun { text, run })
}

/// SHA-256 of lines, whatever ends them: version control may change the ends.
pub(super) fn digest<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new();
    for line in lines {
        digest.update(line.trim_end_matches('\r').as_bytes());
        digest.update(b"\n");
    }
    hex::encode(digest.finalize())
}

impl RecordedFacts {
    fn of(facts: &RunFacts) -> Self {
        let RunFacts { site, release, instant, attributes } = facts.clone();
        Self { site, release, now_ms: instant, attributes }
    }

    pub(super) fn facts(self) -> RunFacts {
        let Self { site, release, now_ms, attributes } = self;
        RunFacts { site, release, instant: now_ms, attributes }
    }
}

impl RecordedEntry {
    fn of(entry: &DesiredEntry) -> Self {
        let DesiredEntry { key, body, headers, .. } = entry;
        let object = match body {
            DesiredBody::Object { source, size, identity } => Some(RecordedObject {
                source: (source != key).then(|| source.clone()),
                size: *size,
                sha256: identity.sha256().map(hex::encode),
            }),
            DesiredBody::Redirect(_) => None,
        };
        Self { key: key.clone(), object, redirect: body.redirect().cloned(), headers: headers.clone() }
    }

    /// The entry; `None` if it is neither an object nor a redirect, or has a wrong digest.
    pub(super) fn entry(self) -> Option<DesiredEntry> {
        let Self { key, object, redirect, headers } = self;
        let body = match (object, redirect) {
            (Some(RecordedObject { source, size, sha256 }), None) => {
                let sha256 = match sha256 {
                    Some(text) => Some(hex::decode(text).ok()?.try_into().ok()?),
                    None => None,
                };
                let identity = ContentIdentity { sha256, ..ContentIdentity::default() };
                DesiredBody::Object { source: source.unwrap_or_else(|| key.clone()), size, identity: identity.into() }
            }
            (None, Some(target)) => DesiredBody::Redirect(target),
            _ => return None,
        };
        Some(DesiredEntry { key, body, headers, trail: Trail::new() })
    }
}

impl RecordedChange {
    fn of(change: &ReviewedChange<'_>) -> Self {
        Self {
            key: change.key.to_owned(),
            kind: change.kind,
            size: change.size,
            redirect: change.redirect.cloned(),
            headers: change.headers.cloned(),
            reason: change.reason.to_owned(),
            source: change.source.cloned(),
        }
    }

    pub(super) fn reviewed(&self) -> ReviewedChange<'_> {
        ReviewedChange {
            key: &self.key,
            kind: self.kind,
            size: self.size,
            redirect: self.redirect.as_ref(),
            headers: self.headers.as_ref(),
            reason: &self.reason,
            source: self.source.as_ref(),
        }
    }
}
