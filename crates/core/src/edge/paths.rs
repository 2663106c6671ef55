//! The paths under which visitors see the objects of a site.

use std::collections::BTreeMap;

use super::placement::is_shared;
use super::spelling::path_of_key;
use crate::location::Prefix;

/// What a path of the site is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathKind {
    /// The object with this name.
    File,
    /// The `index.html` of a folder.
    Folder,
    /// The page with this path and `.html`.
    Page(String),
    /// An object that all releases share.
    Asset,
}

/// The paths of a site without a `/` at their ends, as the function spells them.
#[derive(Debug, Clone, Default)]
pub(crate) struct SitePaths(BTreeMap<String, PathKind>);

impl SitePaths {
    /// The paths of these keys. With `clean_except`, `about.html` is also `/about`, but not the error page of that name.
    pub(crate) fn new<'a>(keys: impl Iterator<Item = &'a str>, shared: &[Prefix], clean_except: Option<&str>) -> Self {
        let mut paths = BTreeMap::new();
        let mut pages = Vec::new();
        for key in keys {
            let path = path_of_key(key);
            if is_shared(path.trim_start_matches('/'), shared) {
                paths.insert(path, PathKind::Asset);
                continue;
            }
            if let Some(folder) = path.strip_suffix("/index.html") {
                let folder = if folder.is_empty() { "/" } else { folder };
                // A file with the name of the folder is what visitors get without the `/`.
                paths.entry(folder.to_owned()).or_insert(PathKind::Folder);
            } else if clean_except.is_some_and(|error_page| error_page != key)
                && let Some(page) = path.strip_suffix(".html").filter(|page| !page.ends_with('/'))
            {
                pages.push((page.to_owned(), path.clone()));
            }
            paths.insert(path, PathKind::File);
        }
        for (page, path) in pages {
            paths.entry(page).or_insert(PathKind::Page(path));
        }
        Self(paths)
    }

    /// What a path is, with or without a `/` at its end.
    pub(crate) fn get(&self, path: &str) -> Option<&PathKind> {
        self.0.get(name_of(path))
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &PathKind)> {
        self.0.iter().map(|(path, address)| (path.as_str(), address))
    }

    /// The path of the object that answers a path, if there is one.
    pub(crate) fn object(&self, path: &str) -> Option<String> {
        match self.get(path)? {
            PathKind::File | PathKind::Asset if path.len() > 1 && path.ends_with('/') => None,
            PathKind::File | PathKind::Asset => Some(path.to_owned()),
            PathKind::Folder => Some(format!("{}/index.html", name_of(path).trim_end_matches('/'))),
            PathKind::Page(page) => Some(page.clone()),
        }
    }
}

/// A path without the `/` at its end, as the store has it.
pub(crate) fn name_of(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some("") | None => path,
        Some(name) => name,
    }
}

/// Whether the last segment has a dot, as the function sees it.
pub(crate) fn has_extension(path: &str) -> bool {
    path.rsplit('/').next().unwrap_or(path).contains('.')
}
