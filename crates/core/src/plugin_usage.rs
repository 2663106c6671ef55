//! The resources that one run of one plugin used, for the report.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{EditKind, PluginMode};
use crate::text::count;

/// The level of a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the five usual levels need no explanation")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl LogLevel {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A log record of a plugin. Its text has no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRecord {
    /// The level.
    pub level: LogLevel,
    /// One line.
    pub message: String,
}

impl fmt::Display for LogRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.level.as_str(), self.message)
    }
}

/// What is left of the limits of a run, in percent, rounded down: 100 for an unused limit, 0 for one that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PluginHeadroom {
    /// Of the fuel.
    pub fuel: u8,
    /// Of the time in the plugin.
    pub time: u8,
    /// Of the memory.
    pub memory: u8,
    /// Of the number of reads.
    pub reads: u8,
    /// Of the bytes of content.
    pub bytes_read: u8,
}

/// The resources that one run of a plugin used. Equal inputs give equal values, except for times and what is computed from
/// them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PluginUsage {
    /// The name of the plugin in the configuration.
    pub plugin: String,
    /// Whether it had an effect.
    #[serde(skip_serializing_if = "PluginMode::is_enforced")]
    pub mode: PluginMode,
    /// Entries or changes that it received.
    pub objects: u64,
    /// Fuel that it used.
    pub fuel_used: u64,
    /// Fuel that it may use: for the run, its objects and the bytes that it read.
    pub fuel_allowed: u64,
    /// Time in the plugin, with instantiation, without reads by the host.
    #[serde(rename = "wall_us", serialize_with = "microseconds")]
    pub wall: Duration,
    /// Time that it may use.
    #[serde(rename = "wall_allowed_us", serialize_with = "microseconds")]
    pub wall_allowed: Duration,
    /// Time in reads of the artifact by the host.
    #[serde(rename = "reading_us", serialize_with = "microseconds")]
    pub reading: Duration,
    /// Peak linear memory over all memories, in bytes.
    pub memory_peak: u64,
    /// Memory limit, in bytes.
    pub memory_allowed: u64,
    /// Keys and ranges that it read.
    pub reads: u64,
    /// Keys and ranges that it may read.
    pub reads_allowed: u64,
    /// Bytes of content that it read.
    pub bytes_read: u64,
    /// Bytes of content that it may read.
    pub bytes_read_allowed: u64,
    /// What is left of these limits.
    pub headroom: PluginHeadroom,
    /// Edits that a sync plugin decided, by kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub edits: BTreeMap<EditKind, u64>,
    /// Rules for requests that a sync plugin added.
    #[serde(skip_serializing_if = "is_zero")]
    pub edge_rules: u64,
    /// Its log records.
    pub logs: Vec<LogRecord>,
    /// Log records beyond the limit.
    pub logs_dropped: u64,
    /// Findings beyond the limit.
    pub findings_dropped: u64,
}

impl PluginHeadroom {
    /// What is left of the limit that is used most.
    #[must_use]
    pub fn lowest(&self) -> u8 {
        let Self { fuel, time, memory, reads, bytes_read } = *self;
        [fuel, time, memory, reads, bytes_read].into_iter().min().unwrap_or(0)
    }
}

impl PluginUsage {
    /// Computes what is left of the limits.
    pub fn measure_headroom(&mut self) {
        let time = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.headroom = PluginHeadroom {
            fuel: left(self.fuel_used, self.fuel_allowed),
            time: left(time(self.wall), time(self.wall_allowed)),
            memory: left(self.memory_peak, self.memory_allowed),
            reads: left(self.reads, self.reads_allowed),
            bytes_read: left(self.bytes_read, self.bytes_read_allowed),
        };
    }
}

/// The share of a limit that is left, in percent. Of a limit of zero, everything is left until it is used.
fn left(used: u64, allowed: u64) -> u8 {
    let unused = u128::from(allowed.saturating_sub(used)) * 100;
    let share = unused.checked_div(u128::from(allowed)).unwrap_or(if used == 0 { 100 } else { 0 });
    u8::try_from(share).unwrap_or(100)
}

/// Counts of edits and rules, for people: `3 exclude, 12 set-header`; `None` if there are none.
#[must_use]
pub(crate) fn edits_text(edits: &BTreeMap<EditKind, u64>, edge_rules: u64) -> Option<String> {
    let mut texts: Vec<String> = edits.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if edge_rules > 0 {
        texts.push(count(edge_rules, "edge rule"));
    }
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// One line for people: what the plugin cost, and what is left of each limit that it came near to.
impl fmt::Display for PluginUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, objects, fuel_used, wall, memory_peak, reads, bytes_read, headroom, .. } = self;
        let observed = if self.mode.is_enforced() { "" } else { " (observed)" };
        write!(f, "plugin `{plugin}`{observed}: {}, {:.1} ms", count(*objects, "object"), wall.as_secs_f64() * 1e3)?;
        write!(f, ", {:.1} million units of fuel ({}% left)", to_millions(*fuel_used), headroom.fuel)?;
        write!(f, ", {:.1} MiB of memory ({}% left)", *memory_peak as f64 / f64::from(1 << 20), headroom.memory)?;
        if *reads > 0 {
            write!(
                f,
                ", {} of {bytes_read} bytes ({}% left)",
                count(*reads, "read"),
                headroom.reads.min(headroom.bytes_read)
            )?;
        }
        edits_text(&self.edits, self.edge_rules).map_or(Ok(()), |edits| write!(f, "; {edits}"))
    }
}

fn to_millions(units: u64) -> f64 {
    units as f64 / 1e6
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn microseconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
