//! The reasons why a deployment package cannot be used.

use std::path::PathBuf;

/// The format of the index. A reader refuses every other format without reading on.
pub(super) const FORMAT: u64 = 2;
/// The version of this host.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A package whose code cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodePackageError {
    /// The index is missing or cannot be read.
    #[error("cannot read `{}` of the package; rebuild the package with `tidegate package`", .path.display())]
    Unreadable {
        /// The index.
        path: PathBuf,
    },
    /// The index does not have the form of an index.
    #[error(
        "`{}` is not a package index: {reason}; rebuild the package with `tidegate package`", .path.display()
    )]
    Invalid {
        /// The index.
        path: PathBuf,
        /// The parser's message.
        reason: String,
    },
    /// The index has the format of another version.
    #[error(
        "the package index has format {found}, and tidegate {VERSION} reads format {FORMAT}; rebuild the package with `tidegate package` of this version"
    )]
    Format {
        /// The format of the index.
        found: u64,
    },
    /// The package was made by another version or for another machine.
    #[error(
        "the package was made for {target} by {made_by}, and this is {host} on {platform}; rebuild it with `{remedy}`"
    )]
    Mismatch {
        /// The package's target.
        target: String,
        /// The version that made the package.
        made_by: String,
        /// The version that reads it.
        host: String,
        /// This machine.
        platform: String,
        /// The command that makes a matching package.
        remedy: String,
    },
    /// A file is missing, or is not the one that the index lists.
    #[error("`{}` does not match the package index; deploy the package again", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// wasmtime refuses the code.
    #[error(
        "`{}` of the package cannot run on this machine: {reason}; rebuild the package with `tidegate package`", .path.display()
    )]
    Incompatible {
        /// The file.
        path: PathBuf,
        /// wasmtime's message.
        reason: String,
    },
}
