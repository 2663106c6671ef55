//! `tidegate plugin`: what plugin authors need. Runs have the limits of every run, and write nothing.

mod bench;
mod check;
mod input;
mod profile;
mod record;
mod render;
mod replay;
mod run;
mod subject;
mod watch;

use crate::arguments::{CommonArguments, PluginCommand};
use crate::error::{CliError, ExitStatus};
use crate::plugins;

pub(crate) async fn plugin(common: &CommonArguments, command: &PluginCommand) -> Result<ExitStatus, CliError> {
    match command {
        PluginCommand::New { name, language, kind, directory } => {
            plugins::new(common, name, *language, *kind, directory)
        }
        PluginCommand::Build { directory, out } => plugins::build(common, directory, out),
        PluginCommand::Check(arguments) => check::check(common, arguments),
        PluginCommand::Run(arguments) if arguments.watch => watch::watch(common, arguments).await,
        PluginCommand::Run(arguments) => run::run(common, arguments).await,
        PluginCommand::Bench(arguments) => bench::bench(common, arguments).await,
        PluginCommand::Profile(arguments) => profile::profile(common, arguments).await,
        PluginCommand::Record(arguments) => record::record(common, arguments).await,
        PluginCommand::Replay(arguments) => replay::replay(common, arguments),
        PluginCommand::List => plugins::list(common),
    }
}
