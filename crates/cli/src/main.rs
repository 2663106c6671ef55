//! `tidegate`: people's commands.
//!
//! Owns parsing, calling and printing. Decides nothing: `tidegate-host` decides, `tidegate-publish` acts.

mod arguments;
mod check;
mod configuration;
mod credentials;
mod dev;
mod emulator;
mod error;
mod explain;
mod group;
mod invoke;
mod install;
mod bundled;
mod progress;
mod package;
mod render;
mod policy;
mod plugins;
mod publish;
mod releases;
mod context;
mod apply_changes;
mod sync;
mod template;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Command, CommonArguments, PluginCommand};
use error::{CliError, ExitStatus};

fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let common = arguments.common.clone();
    init_tracing(common.verbose);
    let ending = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(arguments, &matches)),
        Err(error) => Err(CliError::System(format!("no threads could be had: {error}"))),
    };
    match ending {
        Ok(ending) => ending.code(),
        Err(trouble) => {
            trouble.print(common.json);
            trouble.ending().code()
        }
    }
}

async fn run(arguments: Arguments, matches: &ArgMatches) -> Result<ExitStatus, CliError> {
    let Arguments { common, command } = arguments;
    match command {
        Command::Check(wanted) => check::check(&common, &wanted).await,
        Command::Plan(wanted) => publish::plan(&common, &wanted).await,
        Command::Publish(wanted) => publish::publish(&common, &wanted).await,
        Command::Releases(wanted) => releases::releases(&common, &wanted).await,
        Command::Rollback(wanted) => releases::rollback(&common, &wanted).await,
        Command::Diff(wanted) => releases::diff(&common, &wanted).await,
        Command::Status(wanted) => releases::status(&common, &wanted).await,
        Command::Explain(wanted) => explain::explain(&common, &wanted).await,
        Command::Sync(wanted) => sync::sync(&common, &wanted, matches.subcommand_matches("sync")).await,
        Command::Dev(wanted) => dev::dev(&common, &wanted).await,
        Command::Credentials(wanted) => credentials::credentials(&common, &wanted).await,
        Command::Policy(wanted) => policy::policy(&common, &wanted).await,
        Command::Group(wanted) => group::run(&common, &wanted).await,
        Command::Package(wanted) => package::package(&common, &wanted).await,
        Command::Invoke(wanted) => invoke::invoke(&common, &wanted).await,
        Command::Template(wanted) => template::template(&common, &wanted),
        Command::Install(wanted) => install::install(&common, &wanted).await,
        Command::Uninstall(wanted) => install::uninstall(&common, &wanted).await,
        Command::Plugin(wanted) => plugin(&common, &wanted),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "tidegate", &mut std::io::stdout());
            Ok(ExitStatus::Done)
        }
    }
}

fn plugin(common: &CommonArguments, command: &PluginCommand) -> Result<ExitStatus, CliError> {
    match command {
        PluginCommand::Build { directory, out } => plugins::build(common, directory, out),
        PluginCommand::Inspect { file } => plugins::inspect(common, file),
        PluginCommand::List => plugins::list(common),
    }
}

/// Sends what happens to standard error. Nothing of the SDK but its warnings unless `-vv`: its debug records hold
/// headers of signed requests, so they are never shown at all.
fn init_tracing(verbose: u8) {
    let filter = match verbose {
        0 => "warn",
        1 => "warn,tidegate=info,tidegate_deploy=info,tidegate_host=info,tidegate_local=info",
        _ => "info,tidegate=debug,tidegate_deploy=debug,tidegate_host=debug,tidegate_local=debug",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}
