//! The resources that one run of one plugin used, for the report.

use std::time::Duration;

use serde::Serialize;

/// The level of a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the five usual levels need no explanation")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// A log record of a plugin. Its text has no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRecord {
    /// The level.
    pub level: LogLevel,
    /// One line.
    pub message: String,
}

/// The resources that one run of a plugin used. Equal inputs give equal values, except for the two durations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PluginUsage {
    /// The name of the plugin in the configuration.
    pub plugin: String,
    /// Entries or changes that it received.
    pub objects: u64,
    /// Fuel that it used.
    pub fuel_used: u64,
    /// Fuel that it may use: for the run, its objects and the bytes that it read.
    pub fuel_allowed: u64,
    /// Time in the plugin, with instantiation, without reads by the host.
    #[serde(rename = "wall_us", serialize_with = "microseconds")]
    pub wall: Duration,
    /// Time in reads of the artifact by the host.
    #[serde(rename = "reading_us", serialize_with = "microseconds")]
    pub reading: Duration,
    /// Peak linear memory over all memories, in bytes.
    pub memory_peak: u64,
    /// Memory limit, in bytes.
    pub memory_allowed: u64,
    /// Keys and ranges that it read.
    pub reads: u64,
    /// Bytes of content that it read.
    pub bytes_read: u64,
    /// Its log records.
    pub logs: Vec<LogRecord>,
    /// Log records beyond the limit.
    pub logs_dropped: u64,
    /// Findings beyond the limit.
    pub findings_dropped: u64,
}

fn microseconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
