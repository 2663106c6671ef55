//! Lists the files of a directory as keys: regular files, and symbolic links that stay inside the root.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use tidegate_core::key::Key;
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};
use walkdir::WalkDir;

use super::error::DirectoryError;
use crate::source::error::SourceError;
use crate::source::names::Refusals;

/// The resolved root, and the keys of all files below it, in no order. A file's path is the root joined with its key.
///
/// Names are not normalized. [`tidegate_core::artifact::Artifact`] refuses two names that differ only in their Unicode
/// normalization. Links out of the root are refused, or followed.
pub(super) fn walk(path: &Path, follow_external_links: bool) -> Result<(PathBuf, Vec<Key>), SourceError> {
    let root = match path.canonicalize() {
        Ok(root) if root.is_dir() => root,
        Ok(_) => return Err(DirectoryError::NotDirectory(path.to_owned()).into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(DirectoryError::Missing(path.to_owned()).into());
        }
        Err(error) => return Err(DirectoryError::Read { path: path.to_owned(), error }.into()),
    };
    let mut refused = Refusals::default();
    let mut keys = Vec::new();
    let mut entries = WalkDir::new(&root).follow_links(true).min_depth(1).into_iter();
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|error| explain(&root, error))?;
        if entry.path_is_symlink() {
            let target = entry.path().canonicalize().map_err(|_| DirectoryError::Dangling(entry.path().to_owned()))?;
            if !follow_external_links && !target.starts_with(&root) {
                return Err(DirectoryError::Outside { link: entry.path().to_owned(), target }.into());
            }
        }
        let Some(name) = name(&root, entry.path()) else {
            refused.push(format_args!(
                "the path `{}` is not UTF-8; rename it",
                sanitize(&entry.path().to_string_lossy(), MESSAGE_BYTES)
            ));
            if entry.file_type().is_dir() {
                entries.skip_current_dir();
            }
            continue;
        };
        let kind = entry.file_type();
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() {
            return Err(DirectoryError::Special(entry.path().to_owned()).into());
        }
        match Key::new(&name) {
            Ok(key) => keys.push(key),
            Err(error) => refused.push(error),
        }
    }
    refused.finish()?;
    Ok((root, keys))
}

/// The path below the root, with `/` between its segments; nothing if it is not UTF-8.
fn name(root: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(root).ok()?;
    let mut name = String::with_capacity(below.as_os_str().len());
    for component in below.components() {
        let Component::Normal(segment) = component else { return None };
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(segment.to_str()?);
    }
    Some(name)
}

fn explain(root: &Path, error: walkdir::Error) -> DirectoryError {
    let path = error.path().unwrap_or(root).to_owned();
    if error.loop_ancestor().is_some() {
        return DirectoryError::Loop(path);
    }
    match error.into_io_error() {
        Some(cause) if cause.kind() == ErrorKind::NotFound && path.is_symlink() => DirectoryError::Dangling(path),
        // A link to itself, or two links to each other. `ErrorKind` has no stable variant for that.
        Some(cause) if cause.kind() != ErrorKind::PermissionDenied && path.is_symlink() => DirectoryError::Loop(path),
        Some(cause) => DirectoryError::Read { path, error: cause },
        None => DirectoryError::Loop(path),
    }
}
