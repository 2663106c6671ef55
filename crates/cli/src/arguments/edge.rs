//! Arguments of `tidegate edge`.

use clap::{Args, Subcommand};
use tidegate_core::location::Source;

use super::ApplyFlags;

#[derive(Debug, Subcommand)]
pub(crate) enum EdgeCommand {
    /// Show the function, the key value store and the distributions of a site
    Show {
        #[command(flatten)]
        site: EdgeSite,
        /// Print the code of the function instead
        #[arg(long)]
        code: bool,
    },
    /// Create or update the function of a site, and let its distributions run it
    ///
    /// Shows the changes first. Settings that others made stay.
    Install(EdgeChangeArguments),
    /// Show what is missing, or was changed by others
    ///
    /// Exits with 3 if something is.
    Check(EdgeSite),
    /// Show what the function answers to a request
    ///
    /// Runs the function here, with the rules of the live release.
    Try(EdgeTryArguments),
    /// Install again, and replace settings that others made
    Repair(EdgeChangeArguments),
    /// Let the distributions serve the pages without the function, and delete it
    Remove(EdgeChangeArguments),
}

/// A request to try.
#[derive(Debug, Args)]
pub(crate) struct EdgeTryArguments {
    /// Name of the site in the configuration
    pub(crate) site: String,
    /// Path with an optional query, as a browser sends it
    #[arg(value_name = "PATH")]
    pub(crate) path: String,
    /// Use the rules of this source instead, as if it were published
    #[arg(long, value_name = "SOURCE")]
    pub(crate) from: Option<Source>,
}

/// The site of an edge.
#[derive(Debug, Args)]
pub(crate) struct EdgeSite {
    /// Name of the site in the configuration
    pub(crate) site: String,
    /// Leave the error pages of the distribution alone
    ///
    /// They hold for the whole distribution, also for other origins behind it.
    #[arg(long)]
    pub(crate) no_error_pages: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EdgeChangeArguments {
    #[command(flatten)]
    pub(crate) site: EdgeSite,
    #[command(flatten)]
    pub(crate) apply: ApplyFlags,
}
