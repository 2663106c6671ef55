//! Lists the files of a directory as keys: regular files, and symbolic links that stay inside the root. What is excluded is
//! neither followed, opened nor checked.

use std::ffi::OsString;
use std::fs::{self, FileType};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::vec;

use tidegate_core::key::Key;
use tidegate_core::listing_filter::ListingExclusions;
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};

use super::error::DirectoryError;
use crate::source::error::SourceError;
use crate::source::names::Refusals;

/// The resolved root, and the keys of all files below it that are not excluded, in no order. A file's path is the root joined
/// with its key.
///
/// Names are not normalized. [`tidegate_core::artifact::Artifact`] refuses two names that differ only in their Unicode
/// normalization. Links out of the root are refused, or followed.
pub(super) fn walk(
    path: &Path,
    follow_external_links: bool,
    exclusions: &mut ListingExclusions,
) -> Result<(PathBuf, Vec<Key>), SourceError> {
    let root = match path.canonicalize() {
        Ok(root) if root.is_dir() => root,
        Ok(_) => return Err(DirectoryError::NotDirectory(path.to_owned()).into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(DirectoryError::Missing(path.to_owned()).into());
        }
        Err(error) => return Err(read_error(path, error).into()),
    };
    let mut walk = DirectoryWalk {
        root: root.clone(),
        follow_external_links,
        exclusions,
        open: Vec::new(),
        refused: Refusals::default(),
        keys: Vec::new(),
    };
    walk.open_folder(String::new(), root.clone(), root.clone())?;
    while let Some(folder) = walk.open.last_mut() {
        match folder.entries.next() {
            Some(entry) => walk.add(entry)?,
            None => drop(walk.open.pop()),
        }
    }
    walk.refused.finish()?;
    Ok((root, walk.keys))
}

/// A walk in progress.
struct DirectoryWalk<'a> {
    root: PathBuf,
    follow_external_links: bool,
    exclusions: &'a mut ListingExclusions,
    /// From the root to the current folder.
    open: Vec<WalkedFolder>,
    refused: Refusals,
    keys: Vec<Key>,
}

/// A folder whose entries are read.
struct WalkedFolder {
    /// Below the root: empty, or with a `/` at its end.
    name: String,
    path: PathBuf,
    /// Its path without links.
    resolved: PathBuf,
    /// Read at once, so that a deep tree does not keep many directories open.
    entries: vec::IntoIter<FolderEntry>,
}

struct FolderEntry {
    name: OsString,
    kind: io::Result<FileType>,
}

/// What an entry is after its links are followed.
enum EntryKind {
    File,
    Folder,
    /// A socket, a pipe or a device.
    Special,
    /// A link whose target cannot be read.
    Unknown,
}

impl EntryKind {
    fn of(kind: FileType) -> Self {
        match kind {
            kind if kind.is_file() => Self::File,
            kind if kind.is_dir() => Self::Folder,
            _ => Self::Special,
        }
    }
}

impl DirectoryWalk<'_> {
    fn open_folder(&mut self, name: String, path: PathBuf, resolved: PathBuf) -> Result<(), SourceError> {
        let entry = |entry: io::Result<fs::DirEntry>| {
            entry.map(|entry| FolderEntry { name: entry.file_name(), kind: entry.file_type() })
        };
        let entries = fs::read_dir(&path).and_then(|entries| entries.map(entry).collect::<io::Result<Vec<_>>>());
        let entries = entries.map_err(|error| read_error(&path, error))?.into_iter();
        self.open.push(WalkedFolder { name, path, resolved, entries });
        Ok(())
    }

    fn add(&mut self, entry: FolderEntry) -> Result<(), SourceError> {
        let Some(folder) = self.open.last() else { return Ok(()) };
        let path = folder.path.join(&entry.name);
        let name = format!("{}{}", folder.name, entry.name.to_string_lossy());
        let kind = entry.kind.map_err(|error| read_error(&path, error))?;
        let is_link = kind.is_symlink();
        let kind = match is_link.then(|| fs::metadata(&path)) {
            None => EntryKind::of(kind),
            Some(Ok(target)) => EntryKind::of(target.file_type()),
            Some(Err(_)) => EntryKind::Unknown,
        };
        let excluded = match kind {
            EntryKind::Folder => self.exclusions.excludes_folder(&name),
            EntryKind::File | EntryKind::Special => self.exclusions.excludes(&name),
            EntryKind::Unknown => self.exclusions.excludes(&name) || self.exclusions.excludes_folder(&name),
        };
        if excluded {
            return Ok(());
        }
        let mut resolved = folder.resolved.join(&entry.name);
        if is_link {
            resolved = self.follow(&path)?;
        }
        if entry.name.to_str().is_none() {
            let name = sanitize(&path.to_string_lossy(), MESSAGE_BYTES);
            self.refused.push(format_args!("the path `{name}` is not UTF-8; rename it"));
            return Ok(());
        }
        match kind {
            EntryKind::Folder => return self.open_folder(name + "/", path, resolved),
            EntryKind::Special | EntryKind::Unknown => return Err(DirectoryError::Special(path).into()),
            EntryKind::File => {}
        }
        match Key::new(&name) {
            Ok(key) => self.keys.push(key),
            Err(error) => self.refused.push(error),
        }
        Ok(())
    }

    /// The target of a link, which must be inside the root and must not contain the link.
    fn follow(&self, link: &Path) -> Result<PathBuf, DirectoryError> {
        let target = link.canonicalize().map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => DirectoryError::Dangling(link.to_owned()),
            ErrorKind::PermissionDenied => read_error(link, error),
            // A link to itself, or two links to each other. `ErrorKind` has no stable variant for that.
            _ => DirectoryError::Loop(link.to_owned()),
        })?;
        if !self.follow_external_links && !target.starts_with(&self.root) {
            return Err(DirectoryError::Outside { link: link.to_owned(), target });
        }
        if self.open.iter().any(|folder| folder.resolved == target) {
            return Err(DirectoryError::Loop(link.to_owned()));
        }
        Ok(target)
    }
}

fn read_error(path: &Path, error: io::Error) -> DirectoryError {
    DirectoryError::Read { path: path.to_owned(), error }
}
