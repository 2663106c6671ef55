//! Replays a record: runs a plugin with what was recorded, and compares what it answers.

use std::collections::BTreeMap;

use serde_json::Value;
use tidegate_core::desired::{DesiredBody, DesiredEntry, DesiredSite};
use tidegate_core::key::Key;
use tidegate_core::plan_review::{PlanReview, ReviewedChange};
use tidegate_core::run_facts::RunFacts;
use tidegate_core::sanitize::sanitize_name;

use super::admission_error::CONTRACT;
use super::configured::{ConfiguredPlugin, SettingsError};
use super::kind::PluginKind;
use super::loaded::Plugin;
use super::observed::{ObservedAnswer, ObservedRun, RunInput, observe};
use super::record::{FORMAT, MAX_RECORD_BYTES, RecordHeader, RecordLine, RecordedChange, digest};
use super::recorded_content::{MissingRead, RecordedRead, ReplayedContent};

/// A record that was read.
#[derive(Debug)]
pub struct Record {
    header: RecordHeader,
    given: Value,
    canonical: Value,
    facts: RunFacts,
    input: RecordedInput,
    reads: Vec<RecordedRead>,
    /// The answers, each with the number of its line.
    answers: Vec<(usize, ObservedAnswer)>,
}

/// What the plugin was given.
#[derive(Debug)]
enum RecordedInput {
    Site(DesiredSite),
    Plan { totals: Vec<(String, u64)>, changes: Vec<RecordedChange> },
}

/// A record cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file is too long to be a record.
    #[error("it has {0} bytes, and a record has at most {MAX_RECORD_BYTES}")]
    TooLong(usize),
    /// The first line is not that of a record.
    #[error("its first line is not that of a record; make one with `tidegate plugin record`")]
    NotRecord,
    /// Another format.
    #[error("it has format {0}, and this version of Tidegate reads {FORMAT}; record it again")]
    Format(u32),
    /// Another version of the contract.
    #[error("it is of the contract {}, and this host has {CONTRACT}; record it again", sanitize_name(.0))]
    Contract(String),
    /// A line that is not one of a record.
    #[error("line {line} is damaged ({why}); record it again")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// The last line is missing.
    #[error("its last line is missing, so it is not complete; record it again")]
    Incomplete,
    /// The digest of the lines is not that of the last line.
    #[error("its lines are not those that were recorded: {0}; record it again instead of editing it")]
    Changed(&'static str),
    /// The plugin is of another kind.
    #[error("it is a record of a {} plugin, and this is a {} plugin", record.as_str(), plugin.as_str())]
    Kind {
        /// The kind of the record.
        record: PluginKind,
        /// The kind of the plugin.
        plugin: PluginKind,
    },
    /// The plugin does not accept the recorded settings.
    #[error("the plugin does not accept the recorded settings: {0}")]
    Settings(#[from] SettingsError),
}

/// What a replay showed.
#[derive(Debug)]
pub struct Replay {
    /// The run.
    pub run: ObservedRun,
    /// The first difference; `None` if all answers are equal.
    pub difference: Option<ReplayDifference>,
    /// The answers that were compared.
    pub answers: usize,
}

/// The first difference between a record and its replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayDifference {
    /// The canonical form of the settings.
    Settings {
        /// The recorded one.
        recorded: String,
        /// That of the plugin.
        replayed: String,
    },
    /// An answer. `None` on the side that has none.
    Answer {
        /// The line of the record, from 1.
        line: Option<usize>,
        /// The recorded one.
        recorded: Option<Box<ObservedAnswer>>,
        /// That of the plugin.
        replayed: Option<Box<ObservedAnswer>>,
    },
    /// The plugin reads what was not recorded, so that its answers cannot be compared.
    Read(MissingRead),
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// [`ReplayError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ReplayError> {
        if text.len() > MAX_RECORD_BYTES {
            return Err(ReplayError::TooLong(text.len()));
        }
        let first = text.lines().next().unwrap_or_default();
        let header = read_header(first)?;
        let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| !line.is_empty());
        lines.next();
        let mut parts = Parts::default();
        for (line, text) in lines {
            if parts.end.is_some() {
                return Err(damaged(line, "it follows the last line"));
            }
            let parsed: RecordLine =
                serde_json::from_str(text).map_err(|error| damaged(line, &sanitize_name(&error.to_string())))?;
            parts.add(line, parsed)?;
        }
        let (count, sha256) = parts.end.take().ok_or(ReplayError::Incomplete)?;
        let recorded: Vec<&str> = text.lines().filter(|line| !line.is_empty()).take(count).collect();
        if text.lines().filter(|line| !line.is_empty()).count() != count + 1 {
            return Err(ReplayError::Changed("their number differs"));
        }
        if digest(recorded.into_iter()) != sha256 {
            return Err(ReplayError::Changed("their SHA-256 differs"));
        }
        parts.finish(header)
    }

    /// The first line.
    #[must_use]
    pub fn header(&self) -> &RecordHeader {
        &self.header
    }

    /// Runs a plugin with what was recorded, and compares.
    ///
    /// # Errors
    /// [`ReplayError`] if the plugin does not fit the record.
    pub fn replay(&self, plugin: &Plugin) -> Result<Replay, ReplayError> {
        if plugin.kind() != self.header.kind {
            return Err(ReplayError::Kind { record: self.header.kind, plugin: plugin.kind() });
        }
        let configured = plugin.validate(&self.given)?;
        let content =
            ReplayedContent::new(self.sizes(), &self.reads).map_err(|error| damaged(0, &error.to_string()))?;
        let run = match &self.input {
            RecordedInput::Site(desired) => observe(&configured, RunInput::Site(desired), &self.facts, &content),
            RecordedInput::Plan { totals, changes } => {
                let changes = changes.iter().map(RecordedChange::reviewed).collect::<Vec<ReviewedChange<'_>>>();
                let review = PlanReview::new(changes, totals.clone());
                observe(&configured, RunInput::Plan(&review), &self.facts, &content)
            }
        };
        let difference = match content.missing() {
            Some(missing) => Some(ReplayDifference::Read(missing)),
            None => self.compare_settings(&configured).or_else(|| self.compare_answers(&run.answers)),
        };
        Ok(Replay { run, difference, answers: self.answers.len() })
    }

    fn compare_settings(&self, configured: &ConfiguredPlugin) -> Option<ReplayDifference> {
        let (recorded, replayed) = (self.canonical.to_string(), configured.settings().to_owned());
        let is_equal = serde_json::from_str::<Value>(&replayed).is_ok_and(|replayed| replayed == self.canonical);
        (!is_equal).then_some(ReplayDifference::Settings { recorded, replayed })
    }

    fn compare_answers(&self, replayed: &[ObservedAnswer]) -> Option<ReplayDifference> {
        let longest = self.answers.len().max(replayed.len());
        let mut pairs = (0..longest).map(|at| (self.answers.get(at), replayed.get(at)));
        let (recorded, replayed) =
            pairs.find(|(recorded, replayed)| recorded.map(|(_, answer)| answer) != *replayed)?;
        Some(ReplayDifference::Answer {
            line: recorded.map(|(line, _)| *line),
            recorded: recorded.map(|(_, answer)| Box::new(answer.clone())),
            replayed: replayed.cloned().map(Box::new),
        })
    }

    /// The sizes of all objects by their keys in the source.
    fn sizes(&self) -> BTreeMap<Key, u64> {
        match &self.input {
            RecordedInput::Site(desired) => {
                let objects = desired.entries().iter().filter_map(|entry| match &entry.body {
                    DesiredBody::Object { source, size, .. } => Some((source.clone(), *size)),
                    DesiredBody::Redirect(_) => None,
                });
                objects.collect()
            }
            RecordedInput::Plan { changes, .. } => {
                changes.iter().filter_map(|change| Some((change.source.clone()?, change.size))).collect()
            }
        }
    }
}

/// Reads the first line: its format and its contract before everything else, which may differ in other versions.
fn read_header(line: &str) -> Result<RecordHeader, ReplayError> {
    let value: Value = serde_json::from_str(line).map_err(|_| ReplayError::NotRecord)?;
    let header = value.get("record").ok_or(ReplayError::NotRecord)?;
    let format = header.get("format").and_then(Value::as_u64).ok_or(ReplayError::NotRecord)?;
    if format != u64::from(FORMAT) {
        return Err(ReplayError::Format(u32::try_from(format).unwrap_or(u32::MAX)));
    }
    match header.get("contract").and_then(Value::as_str) {
        Some(CONTRACT) => {}
        Some(other) => return Err(ReplayError::Contract(other.to_owned())),
        None => return Err(ReplayError::NotRecord),
    }
    serde_json::from_value(header.clone()).map_err(|error| damaged(1, &sanitize_name(&error.to_string())))
}

fn damaged(line: usize, why: &str) -> ReplayError {
    ReplayError::Line { line, why: why.to_owned() }
}

/// The lines of a record after the first one, sorted by what they hold.
#[derive(Default)]
struct Parts {
    settings: Option<(Value, Value)>,
    facts: Option<RunFacts>,
    totals: Option<Vec<(String, u64)>>,
    entries: Vec<DesiredEntry>,
    changes: Vec<RecordedChange>,
    reads: Vec<RecordedRead>,
    answers: Vec<(usize, ObservedAnswer)>,
    end: Option<(usize, String)>,
}

impl Parts {
    fn add(&mut self, number: usize, line: RecordLine) -> Result<(), ReplayError> {
        let is_repeated = match line {
            RecordLine::Record(_) => true,
            RecordLine::Settings { given, canonical } => self.settings.replace((given, canonical)).is_some(),
            RecordLine::Run(facts) => self.facts.replace(facts.facts()).is_some(),
            RecordLine::Totals(totals) => self.totals.replace(totals).is_some(),
            RecordLine::Entry(entry) => {
                let why = "it is neither an object nor a redirect, or its digest is invalid";
                self.entries.push(entry.entry().ok_or_else(|| damaged(number, why))?);
                false
            }
            RecordLine::Change(change) => {
                self.changes.push(change);
                false
            }
            RecordLine::Read(read) => {
                read.answer.decode().map(drop).map_err(|error| damaged(number, &error.to_string()))?;
                self.reads.push(read);
                false
            }
            RecordLine::Log(_) => false,
            RecordLine::Answer(answer) => {
                self.answers.push((number, answer));
                false
            }
            RecordLine::End { lines, sha256 } => self.end.replace((lines, sha256)).is_some(),
        };
        if is_repeated { Err(damaged(number, "a record has one such line")) } else { Ok(()) }
    }

    fn finish(self, header: RecordHeader) -> Result<Record, ReplayError> {
        let (Some((given, canonical)), Some(facts)) = (self.settings, self.facts) else {
            return Err(ReplayError::Incomplete);
        };
        let input = match header.kind {
            PluginKind::Sync => {
                let desired = DesiredSite::new(self.entries, Vec::new());
                RecordedInput::Site(desired.map_err(|error| damaged(0, &error.to_string()))?)
            }
            PluginKind::Policy => {
                RecordedInput::Plan { totals: self.totals.unwrap_or_default(), changes: self.changes }
            }
        };
        Ok(Record { header, given, canonical, facts, input, reads: self.reads, answers: self.answers })
    }
}
