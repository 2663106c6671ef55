//! Writes the log of the function to standard output, one JSON value per line.

use std::io::{self, Write};

use tidegate_lambda::run_log::{RunLog, RunLogEntry, one_line};
use tracing_subscriber::fmt::MakeWriter;

/// Standard output. Lines of concurrent writers never mix.
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
        // There is no other place to report that the log cannot be written.
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
    /// Writes one event. `tracing_subscriber` passes each event in a single call.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        Self::line(&one_line(String::from_utf8_lossy(event).trim_end_matches('\n')))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs all events of level `INFO` and above.
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
