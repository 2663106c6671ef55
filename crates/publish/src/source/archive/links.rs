//! Symbolic links of an archive, resolved as in a directory: a link to a file is that file under another name, and a link
//! to a folder has everything below it once more. A link that leads out of the archive, to nothing, or to a folder that
//! contains it, is refused.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use tidegate_core::config::ArchiveLimits;
use tidegate_core::key::Key;
use tidegate_core::sanitize::sanitize_name;

use super::error::{ArchiveError, ErrorBuilder};
use super::files::ArchiveEntry;

/// The longest target, in bytes: longer than any path to a key.
pub(super) const MAX_TARGET_BYTES: u64 = 4096;

/// Most links that one path may lead through, as on Linux.
const MAX_HOPS: u32 = 40;

/// Most segments of paths that are looked up, over all links of an archive: about a second.
const MAX_STEPS: u32 = 4_000_000;

/// A symbolic link of an archive.
#[derive(Debug)]
pub(super) struct ArchiveLink {
    pub(super) key: Key,
    pub(super) target: String,
}

/// What a link leads to.
#[derive(Clone)]
enum LinkTarget<'a> {
    File(&'a ArchiveEntry),
    /// A path without links.
    Folder(String),
}

/// Part of the way to a folder that leads through links: from a folder to a folder in it.
struct Stretch {
    top: String,
    bottom: String,
}

/// The files of an archive with the files that its links add. `folders` are those with an entry of their own.
pub(super) fn resolve(
    errors: ErrorBuilder<'_>,
    files: Vec<ArchiveEntry>,
    links: &[ArchiveLink],
    folders: &[Key],
    limits: ArchiveLimits,
) -> Result<Vec<ArchiveEntry>, ArchiveError> {
    let mut added = {
        let tree = Tree::new(errors, &files, links, folders)?;
        let total = files.iter().map(|file| file.size).fold(0, u64::saturating_add);
        let left = Left {
            entries: limits.entries.saturating_sub(files.len() as u64),
            bytes: limits.total_bytes.saturating_sub(total),
            steps: MAX_STEPS,
        };
        let mut expansion = Expansion { tree: &tree, limits, left, known: HashMap::new(), added: Vec::new() };
        let mut way = vec![Stretch { top: String::new(), bottom: String::new() }];
        for link in links {
            expansion.add_link(link.key.as_str(), link, &mut way)?;
        }
        expansion.added
    };
    let mut all = files;
    all.append(&mut added);
    Ok(all)
}

/// The names of an archive.
struct Tree<'a> {
    errors: ErrorBuilder<'a>,
    files: BTreeMap<&'a str, &'a ArchiveEntry>,
    links: BTreeMap<&'a str, &'a ArchiveLink>,
    /// Every folder, also those without an entry. The root is not among them.
    folders: BTreeSet<&'a str>,
}

impl<'a> Tree<'a> {
    fn new(
        errors: ErrorBuilder<'a>,
        files: &'a [ArchiveEntry],
        links: &'a [ArchiveLink],
        folders: &'a [Key],
    ) -> Result<Self, ArchiveError> {
        let mut tree = Self {
            errors,
            files: files.iter().map(|file| (file.key.as_str(), file)).collect(),
            links: BTreeMap::new(),
            folders: BTreeSet::new(),
        };
        for name in files.iter().map(|file| &file.key).chain(links.iter().map(|link| &link.key)).chain(folders) {
            let mut name = name.as_str();
            while let Some((parent, _)) = name.rsplit_once('/')
                && tree.folders.insert(parent)
            {
                name = parent;
            }
        }
        tree.folders.extend(folders.iter().map(Key::as_str));
        for link in links {
            let name = link.key.as_str();
            // An extractor could write through the link, to wherever it leads.
            if tree.folders.contains(name) {
                return Err(errors.entry(name, "is a link, and a folder with entries; rename one of them"));
            }
            if tree.files.contains_key(name) || tree.links.insert(name, link).is_some() {
                return Err(errors.entry(name, "is in the archive twice; keep one of them"));
            }
        }
        Ok(tree)
    }

    fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || self.folders.contains(path)
    }

    /// Follows a link to its end.
    fn follow(&self, link: &'a ArchiveLink, steps: &mut u32) -> Result<LinkTarget<'a>, ArchiveError> {
        const DANGLING: &str = "is a link that points to nothing; remove it, or add its target";
        let refuse = |why: &str| Err(self.errors.entry(link.key.as_str(), why));
        let outside = |target: &str| {
            let why = format!(
                "is a link that leads out of the archive to `{}`; add the target itself",
                sanitize_name(target)
            );
            Err(self.errors.entry(link.key.as_str(), why))
        };
        let mut hops = 0;
        let mut path = parent(link.key.as_str()).to_owned();
        let mut rest: Vec<&str> = Vec::new();
        let mut next = Some(link);
        loop {
            if let Some(link) = next.take() {
                hops += 1;
                if hops > MAX_HOPS {
                    return refuse("is a link that leads back to itself, or through more than 40 links; remove it");
                }
                if link.target.starts_with('/') {
                    return outside(&link.target);
                }
                if link.target.is_empty() {
                    return refuse(DANGLING);
                }
                rest.extend(link.target.split('/').rev());
            }
            let Some(segment) = rest.pop() else { break };
            *steps = match steps.checked_sub(1) {
                Some(left) => left,
                None => return refuse("is one of too many links; add the files themselves"),
            };
            // As on a file system, each folder on the way must exist.
            if !self.is_folder(&path) {
                return refuse(DANGLING);
            }
            match segment {
                "" | "." => {}
                ".." if path.is_empty() => return outside(&link.target),
                ".." => path.truncate(parent(&path).len()),
                name => {
                    let folder = path.len();
                    if !path.is_empty() {
                        path.push('/');
                    }
                    path.push_str(name);
                    next = self.links.get(path.as_str()).copied();
                    if next.is_some() {
                        path.truncate(folder);
                    }
                }
            }
        }
        match self.files.get(path.as_str()) {
            Some(file) => Ok(LinkTarget::File(file)),
            None if self.is_folder(&path) => Ok(LinkTarget::Folder(path)),
            None => refuse(DANGLING),
        }
    }
}

/// How much links may still add.
struct Left {
    entries: u64,
    bytes: u64,
    steps: u32,
}

/// Adds the files that links lead to.
struct Expansion<'a> {
    tree: &'a Tree<'a>,
    limits: ArchiveLimits,
    left: Left,
    /// What links lead to, by their names.
    known: HashMap<&'a str, LinkTarget<'a>>,
    added: Vec<ArchiveEntry>,
}

impl<'a> Expansion<'a> {
    /// Adds what a link leads to under the name `at`. `way` is the way to the link's folder; its last stretch ends there.
    fn add_link(&mut self, at: &str, link: &'a ArchiveLink, way: &mut Vec<Stretch>) -> Result<(), ArchiveError> {
        let errors = self.tree.errors;
        let Some(left) = self.left.entries.checked_sub(1) else {
            let limit = self.limits.entries;
            return Err(errors.limit(format_args!("has links to more than {limit} entries"), "entries"));
        };
        self.left.entries = left;
        let target = match self.known.get(link.key.as_str()) {
            Some(target) => target.clone(),
            None => {
                let target = self.tree.follow(link, &mut self.left.steps)?;
                self.known.insert(link.key.as_str(), target.clone());
                target
            }
        };
        match target {
            LinkTarget::File(file) => self.add_file(at, file),
            LinkTarget::Folder(folder) => {
                if let Some(last) = way.last_mut() {
                    parent(link.key.as_str()).clone_into(&mut last.bottom);
                }
                if way.iter().any(|stretch| is_within(&stretch.bottom, &folder) && is_within(&folder, &stretch.top)) {
                    let why = "is a link to a folder that contains the link; remove it";
                    return Err(errors.entry(link.key.as_str(), why));
                }
                self.add_folder(at, &folder, way)
            }
        }
    }

    /// Adds everything below `folder` as below `at`.
    fn add_folder(&mut self, at: &str, folder: &str, way: &mut Vec<Stretch>) -> Result<(), ArchiveError> {
        let tree = self.tree;
        for (rest, file) in below(&tree.files, folder) {
            let Some(left) = self.left.entries.checked_sub(1) else {
                let limit = self.limits.entries;
                return Err(tree.errors.limit(format_args!("has links to more than {limit} entries"), "entries"));
            };
            self.left.entries = left;
            self.add_file(&format!("{at}/{rest}"), file)?;
        }
        way.push(Stretch { top: folder.to_owned(), bottom: folder.to_owned() });
        for (rest, link) in below(&tree.links, folder) {
            self.add_link(&format!("{at}/{rest}"), link, way)?;
        }
        way.pop();
        Ok(())
    }

    fn add_file(&mut self, at: &str, file: &ArchiveEntry) -> Result<(), ArchiveError> {
        let errors = self.tree.errors;
        let key = Key::new(at).map_err(|error| errors.entry(at, format_args!("is below a link: {error}")))?;
        let Some(left) = self.left.bytes.checked_sub(file.size) else {
            let limit = self.limits.total_bytes;
            return Err(errors.limit(format_args!("has links to more than {limit} bytes"), "total-bytes"));
        };
        self.left.bytes = left;
        self.added.push(ArchiveEntry { key, ..file.clone() });
        Ok(())
    }
}

/// The folder of a name; empty for the root.
fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Whether a path is a folder, or below it.
fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What is below a folder, by its path from there.
fn below<'a, T: Copy>(names: &BTreeMap<&'a str, T>, folder: &str) -> Vec<(&'a str, T)> {
    let start = format!("{folder}/");
    let names = names.range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded));
    let found = names.map_while(|(name, value)| Some((name.strip_prefix(&start)?, *value)));
    found.collect()
}
