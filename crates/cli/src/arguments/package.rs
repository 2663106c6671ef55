//! `tidegate package`.

use std::path::PathBuf;

use clap::Args;
use tidegate_core::architecture::Architecture;

#[derive(Debug, Args)]
pub(crate) struct PackageArguments {
    /// The function's architecture: `x86_64`, or `aarch64`, which Lambda calls `arm64`; as `[function]` says where absent, and
    /// `x86_64` where that says nothing.
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Option<Architecture>,
    /// The program of the function; `bootstrap-<TARGET>` beside this program where absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) bootstrap: Option<PathBuf>,
    /// Where the zip is written; `tidegate-lambda-<TARGET>.zip` where absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
