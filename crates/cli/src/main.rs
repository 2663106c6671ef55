//! The `tidegate` command: parses arguments, calls the other crates and prints what they return.

#[macro_use]
mod output;

mod apply_changes;
mod arguments;
mod aws_settings;
mod check;
mod ci;
mod configuration;
mod context;
mod credentials;
mod dev;
mod dev_edge;
mod edge;
mod edge_spec;
mod edge_try;
mod emulator;
mod error;
mod execution;
mod execution_progress;
mod explain;
mod group;
mod install;
mod interrupt;
mod invoke;
mod package;
mod plugin_project;
mod plugin;
mod plugins;
mod policy;
mod print_error;
mod progress;
mod publish;
mod releases;
mod render;
mod stack_progress;
mod sync;
mod template;
mod uninstall;
mod watch;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Command};
use error::{CliError, ExitStatus};

fn main() -> ExitCode {
    if let Some(code) = tidegate_host::CompilerProcess::serve() {
        return code;
    }
    let parsed = Arguments::command()
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches).map(|arguments| (matches, arguments)));
    let (matches, arguments) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return print_error::print_usage_error(&error),
    };
    let json = arguments.common.json;
    init_tracing(arguments.common.verbose);
    let status = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let status = runtime.block_on(run(arguments, &matches));
            // After an interruption, a plugin may still run on a thread of its own.
            runtime.shutdown_background();
            status
        }
        Err(error) => Err(CliError::System(format!("cannot start the async runtime: {error}"))),
    };
    let status = status.unwrap_or_else(|error| {
        print_error::print_error(&error, json);
        error.exit_status()
    });
    output::check_written(status).into()
}

async fn run(arguments: Arguments, matches: &ArgMatches) -> Result<ExitStatus, CliError> {
    let Arguments { common, command } = arguments;
    match command {
        Command::Check(arguments) => check::check(&common, &arguments).await,
        Command::Plan(arguments) => publish::plan(&common, &arguments).await,
        Command::Publish(arguments) => publish::publish(&common, &arguments).await,
        Command::Sync(arguments) => sync::sync(&common, &arguments, matches.subcommand_matches("sync")).await,
        Command::Dev(arguments) => dev::dev(&common, &arguments).await,
        Command::Explain(arguments) => explain::explain(&common, &arguments).await,
        Command::Status(arguments) => releases::status(&common, &arguments).await,
        Command::Releases(arguments) => releases::releases(&common, &arguments).await,
        Command::Diff(arguments) => releases::diff(&common, &arguments).await,
        Command::Rollback(arguments) => releases::rollback(&common, &arguments).await,
        Command::Package(arguments) => package::package(&common, &arguments).await,
        Command::Template(arguments) => template::template(&common, &arguments).await,
        Command::Install(arguments) => install::install(&common, &arguments).await,
        Command::Uninstall(arguments) => uninstall::uninstall(&common, &arguments).await,
        Command::Edge(command) => edge::edge(&common, &command).await,
        Command::Invoke(arguments) => invoke::invoke(&common, &arguments).await,
        Command::Credentials(command) => credentials::credentials(&common, &command).await,
        Command::Policy(command) => policy::policy(&common, &command).await,
        Command::Group(command) => group::group(&common, &command).await,
        Command::Plugin(command) => plugin::plugin(&common, &command).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "tidegate", &mut script);
            out!("{}", String::from_utf8_lossy(&script));
            Ok(ExitStatus::Success)
        }
    }
}

/// Logs to standard error. Debug records of the AWS SDK hold headers of signed requests, so they are never shown.
fn init_tracing(verbose: u8) {
    // The target `tidegate` matches those of every crate of Tidegate. The SDK's warnings are debug records of its requests;
    // what matters of them is in the error of the command. The file watcher warns about directories that a build has deleted.
    let filter = match verbose {
        0 => "error,tidegate=warn",
        1 => "error,tidegate=info",
        _ => "info,aws_config=error,aws_smithy_runtime=error,tidegate=debug",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}
