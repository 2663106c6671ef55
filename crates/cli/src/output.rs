//! Output of every command: styles, JSON, warnings, policy documents and files.

use std::fmt::{self, Display};
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;
use tidegate_core::sanitize::sanitize_json;

use crate::error::{CliError, ExitStatus};

pub(crate) const RED: Style = AnsiColor::Red.on_default();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const CYAN: Style = AnsiColor::Cyan.on_default();
pub(crate) const RED_BOLD: Style = RED.bold();
pub(crate) const YELLOW_BOLD: Style = YELLOW.bold();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();

/// Entries of a list that people see; `--json` has all of them.
pub(crate) const SHOWN: usize = 200;

/// Whether standard output could not be written.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Prints to standard output. The macros of the standard library panic if a pipe is closed, as in `tidegate plan | head -1`.
macro_rules! out {
    ($($text:tt)*) => { $crate::output::write_out(format_args!($($text)*)) };
}

/// Prints a line to standard output.
macro_rules! outln {
    () => { out!("\n") };
    ($($text:tt)*) => { out!("{}\n", format_args!($($text)*)) };
}

/// Prints a line to standard error.
macro_rules! errln {
    ($($text:tt)*) => { $crate::output::write_error(format_args!("{}\n", format_args!($($text)*))) };
}

pub(crate) fn write_out(text: fmt::Arguments<'_>) {
    let mut stdout = anstream::stdout();
    let Err(error) = stdout.write_fmt(text).and_then(|()| stdout.flush()) else { return };
    // The reader has what it wanted, and a publish goes on.
    if error.kind() != io::ErrorKind::BrokenPipe && !FAILED.swap(true, Ordering::Relaxed) {
        errln!("{RED_BOLD}error{RED_BOLD:#}: cannot write to standard output: {error}");
    }
}

/// Nothing can be reported if standard error is closed.
pub(crate) fn write_error(text: fmt::Arguments<'_>) {
    let _ = anstream::stderr().write_fmt(text);
}

/// A success whose output was lost is a failure.
pub(crate) fn check_written(status: ExitStatus) -> ExitStatus {
    if FAILED.load(Ordering::Relaxed) { status.max(ExitStatus::Failure) } else { status }
}

/// Prints a value as one line of JSON, with the fields of a struct in their order.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let json = serde_json::to_string(value)
        .map_err(|error| CliError::System(format!("cannot write the output as JSON: {error}")))?;
    outln!("{}", sanitize_json(&json));
    Ok(())
}

/// JSON on one line, without characters that control a terminal.
pub(crate) fn json_line(value: &Value) -> String {
    sanitize_json(&value.to_string())
}

/// JSON for people, on several lines, without characters that control a terminal.
pub(crate) fn json_lines(value: &Value) -> String {
    let lines: Vec<String> = format!("{value:#}").lines().map(sanitize_json).collect();
    lines.join("\n")
}

/// Prints a warning to standard error.
pub(crate) fn warn(message: impl Display) {
    errln!("{YELLOW_BOLD}warning{YELLOW_BOLD:#}: {message}");
}

/// Prints a policy document below the change that it belongs to.
pub(crate) fn print_document(document: Option<&str>, indent: &str) {
    let document = document.and_then(|text| serde_json::from_str::<Value>(text).ok());
    for line in document.map(|document| format!("{document:#}")).unwrap_or_default().lines() {
        outln!("{indent}{line}");
    }
}

/// Writes a file next to its place and renames it, so that a reader never sees half of it.
pub(crate) fn write_file(
    path: &Path,
    what: &'static str,
    write: impl FnOnce(BufWriter<File>) -> io::Result<()>,
) -> Result<(), CliError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    File::create(&temporary)
        .and_then(|file| write(BufWriter::new(file)))
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(CliError::write(what, path))
}
