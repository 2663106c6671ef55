//! What one run of one plugin used, for the report.
//!
//! Owns the values. Never decides whether it was too much: the limits do.

use std::time::Duration;

use serde::Serialize;

/// How loud a log record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the usual five levels say it themselves")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// One log record of a plugin. Its text holds no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRecord {
    /// How loud.
    pub level: LogLevel,
    /// One line.
    pub message: String,
}

/// What one run of one plugin used. Equal for equal inputs, but for the two durations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PluginUsage {
    /// The plugin's name in the configuration.
    pub plugin: String,
    /// Entries or changes that it was given.
    pub objects: u64,
    /// Units of fuel.
    pub fuel_used: u64,
    /// Units of fuel: for the run, its objects and the bytes that it read.
    pub fuel_allowed: u64,
    /// Time in the plugin, its instantiation included, the host's reads excluded.
    #[serde(rename = "wall_us", serialize_with = "microseconds")]
    pub wall: Duration,
    /// Time in the host's reads of the artifact.
    #[serde(rename = "reading_us", serialize_with = "microseconds")]
    pub reading: Duration,
    /// Most linear memory at one time, over all memories, in bytes.
    pub memory_peak: u64,
    /// Bytes.
    pub memory_allowed: u64,
    /// Keys and ranges that it read.
    pub reads: u64,
    /// Bytes of content that it read.
    pub bytes_read: u64,
    /// What it logged.
    pub logs: Vec<LogRecord>,
    /// Log records past the budget.
    pub logs_dropped: u64,
    /// Findings past the budget.
    pub findings_dropped: u64,
}

fn microseconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
