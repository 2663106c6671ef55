//! Errors of directories.

use std::io;
use std::path::PathBuf;

/// Why a directory cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The path does not exist.
    #[error("`{0}` does not exist; name a directory or a `.zip` file")]
    Missing(PathBuf),
    /// The path is not a directory.
    #[error("`{0}` is not a directory; name a directory, or a file that ends in `.zip`")]
    NotDirectory(PathBuf),
    /// The file system refused to read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The file system's error.
        error: io::Error,
    },
    /// A symbolic link whose target is missing.
    #[error("the link `{0}` points to nothing; remove it, restore its target, or exclude it")]
    Dangling(PathBuf),
    /// A symbolic link to a folder that contains it.
    #[error("the link `{0}` points to a folder that contains the link; remove it, or exclude it")]
    Loop(PathBuf),
    /// A symbolic link out of the directory.
    #[error(
        "the link `{link}` leads out of the source to `{target}`; copy the target into the source, exclude the link, or follow \
         it with `--follow-external-links`"
    )]
    Outside {
        /// The link.
        link: PathBuf,
        /// Its target.
        target: PathBuf,
    },
    /// A socket, a pipe or a device.
    #[error("`{0}` is neither a file nor a folder; remove it, or exclude it")]
    Special(PathBuf),
    /// The content is not what was digested at opening.
    #[error("`{0}` changed since it was read; publish again after the build is finished")]
    Changed(PathBuf),
}
