//! The function's log: standard output, one line of JSON for each thing that is told.
//!
//! Owns that nothing from outside breaks a line or obeys a terminal. What a run's lines say is `crate::journal`'s.

use std::io::{self, Write};

use tidegate_lambda::run_log::{RunLog, RunLogEntry, one_line};
use tracing_subscriber::fmt::MakeWriter;

/// Writes lines whole, whoever writes at the same time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StdoutLog;

impl StdoutLog {
    fn line(line: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(format!("{line}\n").as_bytes())?;
        out.flush()
    }
}

impl RunLog for StdoutLog {
    fn write(&self, entry: &RunLogEntry) {
        // Nobody is left to be told that nothing can be told.
        let _ = Self::line(&entry.line()).and_then(|()| Self::line(&entry.metrics()));
    }
}

impl MakeWriter<'_> for StdoutLog {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

impl Write for StdoutLog {
    /// One event, which `tracing_subscriber` writes at once.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        Self::line(&one_line(String::from_utf8_lossy(event).trim_end_matches('\n')))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tells whatever happens from information on.
pub(crate) fn init() {
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::INFO)
        .with_current_span(true)
        .with_span_list(false)
        .flatten_event(true)
        .with_writer(StdoutLog)
        .init();
}
