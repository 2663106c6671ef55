//! Running the tools of a language.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, Stdio};

/// A tool cannot be run, or it failed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It is not installed.
    #[error("cannot run `{program}`: it is not installed; {remedy}")]
    Missing {
        /// The program.
        program: String,
        /// How to install it.
        remedy: &'static str,
    },
    /// It cannot be started.
    #[error("cannot run `{program}`: {source}")]
    Start {
        /// The program.
        program: String,
        /// The error.
        source: io::Error,
    },
    /// It failed.
    #[error("`{program}` failed:\n{output}")]
    Failed {
        /// The program.
        program: String,
        /// What it printed.
        output: String,
    },
}

/// Runs a command, and returns its standard output.
pub(crate) fn run(command: &mut Command, remedy: &'static str) -> Result<Vec<u8>, ToolError> {
    let name = |program: &OsStr| program.to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|source| {
        let program = name(command.get_program());
        match source.kind() {
            io::ErrorKind::NotFound => ToolError::Missing { program, remedy },
            _ => ToolError::Start { program, source },
        }
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let text = [output.stdout, output.stderr].concat();
    let output = String::from_utf8_lossy(&text).trim_end().to_owned();
    Err(ToolError::Failed { program: name(command.get_program()), output })
}
