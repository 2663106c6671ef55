//! Arguments of the commands of `tidegate plugin` that run a plugin.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tidegate_core::location::{Location, Source};

#[derive(Debug, Args)]
pub(crate) struct PluginCheckArguments {
    /// Component, project folder, or name of a bundled plugin
    pub(crate) plugin: PathBuf,
    /// Settings to validate: JSON, or `@FILE` [default: `{}`]
    #[arg(long, value_name = "JSON")]
    pub(crate) settings: Option<String>,
}

/// What a plugin is run on.
#[derive(Debug, Args)]
pub(crate) struct PluginInputArguments {
    /// Component, project folder, or name of a bundled plugin
    pub(crate) plugin: PathBuf,
    /// Directory, `.zip`, `s3://bucket/prefix/` or `s3://bucket/name.zip` [default: `staged` of the site]
    #[arg(long, value_name = "SOURCE", required_unless_present = "site")]
    pub(crate) from: Option<Source>,
    /// Settings: JSON, or `@FILE` [default: those of the site, or `{}`]
    #[arg(long, value_name = "JSON")]
    pub(crate) settings: Option<String>,
    /// Run it as a plugin of this site of the configuration
    ///
    /// The plugin gets the settings that the site has for it, and the result of the sync plugins before it.
    #[arg(long, value_name = "NAME")]
    pub(crate) site: Option<String>,
    /// Compare with this target, `s3://bucket/prefix/`, for the plan that a policy reviews [default: an empty site]
    #[arg(long, value_name = "TARGET")]
    pub(crate) against: Option<Location>,
    /// Let the plugin add rules for requests, as on a site with `[site.edge]`
    #[arg(long, value_enum, value_name = "DIALECT")]
    pub(crate) edge: Option<EdgeDialectFlag>,
}

/// The dialect of `_redirects` and `_headers`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum EdgeDialectFlag {
    Netlify,
    Cloudflare,
}

#[derive(Debug, Args)]
pub(crate) struct PluginRunArguments {
    #[command(flatten)]
    pub(crate) input: PluginInputArguments,
    /// List every object, instead of the first 200
    #[arg(long)]
    pub(crate) all: bool,
    /// Run again when the plugin or the source changes; a project is built first
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PluginBenchArguments {
    #[command(flatten)]
    pub(crate) input: PluginInputArguments,
    /// Number of measured runs, after one that is not measured
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) runs: u32,
}

#[derive(Debug, Args)]
pub(crate) struct PluginProfileArguments {
    #[command(flatten)]
    pub(crate) input: PluginInputArguments,
    /// File to write the stacks to
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PluginRecordArguments {
    #[command(flatten)]
    pub(crate) input: PluginInputArguments,
    /// File to write the record to
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PluginReplayArguments {
    /// Component, project folder, or name of a bundled plugin
    pub(crate) plugin: PathBuf,
    /// Record
    pub(crate) record: PathBuf,
    /// Objects in one batch, which must not change the answers [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) batch: Option<u16>,
}
