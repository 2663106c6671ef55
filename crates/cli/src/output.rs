//! Output of every command: styles, JSON, warnings, policy documents and files.

use std::fmt::Display;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;

use crate::error::CliError;

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

/// Prints a value as one line of JSON, with the fields of a struct in their order.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let json = serde_json::to_string(value)
        .map_err(|error| CliError::System(format!("cannot write the output as JSON: {error}")))?;
    println!("{json}");
    Ok(())
}

/// Prints a warning to standard error.
pub(crate) fn warn(message: impl Display) {
    anstream::eprintln!("{YELLOW_BOLD}warning{YELLOW_BOLD:#}: {message}");
}

/// Prints a policy document below the change that it belongs to.
pub(crate) fn print_document(document: Option<&str>, indent: &str) {
    let document = document.and_then(|text| serde_json::from_str::<Value>(text).ok());
    for line in document.map(|document| format!("{document:#}")).unwrap_or_default().lines() {
        println!("{indent}{line}");
    }
}

/// Writes a file next to its place and renames it, so that a reader never sees half of it.
pub(crate) fn write_file(path: &Path, what: &'static str, bytes: &[u8]) -> Result<(), CliError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    std::fs::write(&temporary, bytes)
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(CliError::write(what, path))
}
