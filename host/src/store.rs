//! The state of a store beside the plugin's instance: memory, clock and log, each with its budget.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use tidegate_core::plugin_failure::{FAILURE_LOG_RECORDS, FailureCause};
use tidegate_core::plugin_usage::{LogLevel, LogRecord};
use tidegate_core::sanitize::{LOG_BYTES, MESSAGE_BYTES, sanitize, truncate};
use wasmtime::ResourceLimiter;

use super::content_server::ReadRequest;
use super::edge::EdgeCollector;
use super::limits::Limits;
use super::profile::RunProfile;

/// The data of one store.
pub(super) struct StoreState {
    pub(super) memory: MemoryBudget,
    pub(super) clock: RunClock,
    pub(super) log: PluginLog,
    pub(super) edge: EdgeCollector,
    /// Requests for content, which the calling thread serves.
    pub(super) requests: Sender<ReadRequest>,
    pub(super) fuel_allowed: u64,
    pub(super) fuel_per_byte_read: u64,
    /// Where the fuel goes, if the run is profiled.
    pub(super) profile: Option<RunProfile>,
}

/// Ends a run from a host function or a limiter.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Stop(pub(super) FailureCause);

/// Limits memories and tables of all instances of a store together. wasmtime's own limiter counts each memory
/// separately, so sixteen memories would get sixteen times the limit.
pub(super) struct MemoryBudget {
    bytes: u64,
    peak: u64,
    bytes_allowed: u64,
    elements: u64,
    elements_allowed: u64,
    instances: usize,
    memories: usize,
    tables: usize,
}

impl MemoryBudget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            bytes: 0,
            peak: 0,
            bytes_allowed: limits.memory_bytes,
            elements: 0,
            elements_allowed: limits.table_elements,
            instances: limits.instances,
            memories: limits.memories,
            tables: limits.tables,
        }
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak
    }
}

impl ResourceLimiter for MemoryBudget {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let asked = desired.saturating_sub(current) as u64;
        if self.bytes.saturating_add(asked) > self.bytes_allowed {
            let (used, allowed) = (self.bytes, self.bytes_allowed);
            return Err(Stop(FailureCause::Memory { used, asked, allowed }).into());
        }
        self.bytes += asked;
        self.peak = self.peak.max(self.bytes);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // `memory_growing` has handled growth past the memory's own maximum, so the machine refused.
        Err(Stop(FailureCause::Host(format!("cannot allocate memory: {error:#}"))).into())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let asked = desired.saturating_sub(current) as u64;
        if self.elements.saturating_add(asked) > self.elements_allowed {
            let (used, allowed) = (self.elements, self.elements_allowed);
            return Err(Stop(FailureCause::Tables { used, asked, allowed }).into());
        }
        self.elements += asked;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.memories
    }

    fn tables(&self) -> usize {
        self.tables
    }
}

/// Measures the time in the plugin: runs during its calls, without the time that the storage takes to read for it. A
/// deadline limits the whole run, reads and the host's work between calls included.
pub(super) struct RunClock {
    allowed: Duration,
    ran: Duration,
    started: Option<Instant>,
    created: Instant,
    deadline: Duration,
}

impl RunClock {
    pub(super) fn new(limits: &Limits, objects: u64) -> Self {
        let allowed = limits.time_for(objects);
        let deadline = limits.deadline_for(objects);
        Self { allowed, ran: Duration::ZERO, started: None, created: Instant::now(), deadline }
    }

    /// For a profile, which takes time at every check. Fuel still limits the run.
    pub(super) fn unlimited() -> Self {
        let (allowed, deadline) = (Duration::MAX, Duration::MAX);
        Self { allowed, ran: Duration::ZERO, started: None, created: Instant::now(), deadline }
    }

    pub(super) fn start(&mut self) {
        self.started = Some(Instant::now());
    }

    pub(super) fn stop(&mut self) {
        self.ran = self.ran();
        self.started = None;
    }

    /// Does not count this much of the time since the start.
    pub(super) fn exclude(&mut self, time: Duration) {
        self.started = self.started.and_then(|started| started.checked_add(time));
    }

    pub(super) fn ran(&self) -> Duration {
        self.ran.saturating_add(self.started.map_or(Duration::ZERO, |started| started.elapsed()))
    }

    /// The error of a run that exceeded its time.
    pub(super) fn overrun(&self) -> Option<FailureCause> {
        let exceeded = |ran: Duration, allowed| (ran >= allowed).then_some(FailureCause::Deadline { ran, allowed });
        exceeded(self.ran(), self.allowed).or_else(|| exceeded(self.created.elapsed(), self.deadline))
    }
}

/// Log records of a plugin, within their budget.
pub(super) struct PluginLog {
    records: Vec<LogRecord>,
    /// The last records, for a failure: those that are kept may end long before it. They are not sanitized yet, because
    /// a plugin may log a million.
    last: VecDeque<(LogLevel, String)>,
    records_left: usize,
    bytes_left: usize,
    dropped: u64,
}

impl PluginLog {
    pub(super) fn new(limits: &Limits) -> Self {
        let (records, last) = (Vec::new(), VecDeque::with_capacity(FAILURE_LOG_RECORDS));
        Self { records, last, records_left: limits.log_records, bytes_left: limits.log_bytes, dropped: 0 }
    }

    pub(super) fn add(&mut self, level: LogLevel, message: &str) {
        if self.last.len() == FAILURE_LOG_RECORDS {
            self.last.pop_front();
        }
        // A little more than is shown, so that a cut message ends in an ellipsis.
        self.last.push_back((level, truncate(message, MESSAGE_BYTES + char::MAX.len_utf8()).to_owned()));
        if self.records_left == 0 || self.bytes_left == 0 {
            self.dropped += 1;
            return;
        }
        let message = sanitize(message, LOG_BYTES.min(self.bytes_left));
        self.records_left -= 1;
        self.bytes_left = self.bytes_left.saturating_sub(message.len());
        self.records.push(LogRecord { level, message });
    }

    pub(super) fn take_last(&mut self) -> Vec<LogRecord> {
        let sanitized =
            |(level, message): (LogLevel, String)| LogRecord { level, message: sanitize(&message, MESSAGE_BYTES) };
        std::mem::take(&mut self.last).into_iter().map(sanitized).collect()
    }

    pub(super) fn take(&mut self) -> (Vec<LogRecord>, u64) {
        (std::mem::take(&mut self.records), self.dropped)
    }
}
