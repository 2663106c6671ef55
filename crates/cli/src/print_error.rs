//! Prints the error that ends a command.

use std::process::ExitCode;

use tidegate_core::plugin_failure::PluginFailure;

use crate::error::{CliError, ExitStatus};
use crate::output::{DIM, RED_BOLD, json_line};

/// Prints an error: a line on standard error, or an object on standard output.
pub(crate) fn print_error(error: &CliError, json: bool) {
    if json {
        let kind = match error.exit_status() {
            ExitStatus::Usage => "configuration",
            ExitStatus::Denied => "denied",
            ExitStatus::Interrupted => "interrupted",
            ExitStatus::Success | ExitStatus::Failure => "failed",
        };
        let mut value = serde_json::json!({ "error": error.to_string(), "kind": kind });
        if let (Some(failure), Some(fields)) = (error.plugin_failure(), value.as_object_mut()) {
            fields.insert("failure".to_owned(), serde_json::json!(failure));
        }
        outln!("{}", json_line(&value));
    } else {
        errln!("{RED_BOLD}error{RED_BOLD:#}: {error}");
        let details = error.plugin_failure().into_iter().flat_map(PluginFailure::details);
        details.for_each(|detail| errln!("  {DIM}{detail}{DIM:#}"));
    }
}

/// Prints an error of the command line, or the help that was requested. With `--json`, an error is one JSON value.
pub(crate) fn print_usage_error(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || !std::env::args_os().any(|argument| argument == "--json") {
        // A closed pipe is not an error.
        let _ = error.print();
        return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
    }
    let text = error.render().to_string();
    let message = text.lines().next().unwrap_or_default();
    print_error(&CliError::Usage(message.strip_prefix("error: ").unwrap_or(message).to_owned()), true);
    ExitStatus::Usage.into()
}
