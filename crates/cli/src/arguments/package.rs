//! Arguments of `tidegate package`.

use std::path::PathBuf;

use clap::Args;
use tidegate_core::architecture::Architecture;

#[derive(Debug, Args)]
pub(crate) struct PackageArguments {
    /// Architecture, `x86_64` or `aarch64` (`arm64`) [default: that of `[function]`]
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Option<Architecture>,
    /// Program of the function [default: `bootstrap-TARGET` next to this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) bootstrap: Option<PathBuf>,
    /// Zip to write [default: `tidegate-lambda-TARGET.zip`]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
