//! Where a release stands on its site: its pages in a folder of their own, everything else where it is shared.
//!
//! The pages in place are written as well. Visitors get them if the function fails, and after it is removed.

use super::placement::{PREVIEWS, RELEASES, is_shared};
use super::spelling::path_of_key;
use crate::desired::{DesiredEntry, DesiredSite, KeyCollision};
use crate::key::{Key, KeyError};
use crate::location::Prefix;

/// Why a site cannot have the folder of a release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// A key in a folder of Tidegate.
    #[error("`{0}` is in a folder that Tidegate uses for releases and previews; rename it, or exclude it")]
    Reserved(Key),
    /// The key with its folder is too long.
    #[error("cannot place an object in the folder of its release: {0}")]
    Key(#[from] KeyError),
    /// Two objects with one key.
    #[error(transparent)]
    Collision(#[from] KeyCollision),
}

/// Whether a key is in the folder of a release.
#[must_use]
pub fn is_versioned(key: &str) -> bool {
    key.starts_with(RELEASES)
}

/// The key of an object in the folder of a release.
#[must_use]
pub fn versioned_key(folder: &str, key: &str) -> String {
    format!("{RELEASES}{folder}/{key}")
}

/// The key under which people see a key of a site; `None` for the copy of an object in the folder of its release.
#[must_use]
pub fn shown_key<'a>(desired: &DesiredSite, key: &'a str) -> Option<&'a str> {
    let Some(below) = key.strip_prefix(RELEASES) else { return Some(key) };
    let (_, shown) = below.split_once('/')?;
    desired.get(shown).is_none().then_some(shown)
}

/// Whether all releases share the object of a key.
#[must_use]
pub fn is_shared_key(key: &str, shared: &[Prefix]) -> bool {
    is_shared(path_of_key(key).trim_start_matches('/'), shared)
}

/// Refuses keys in folders of Tidegate.
///
/// # Errors
/// [`PlaceError::Reserved`].
pub fn check_reserved(desired: &DesiredSite) -> Result<(), PlaceError> {
    let is_reserved =
        |entry: &&DesiredEntry| [RELEASES, PREVIEWS].iter().any(|folder| entry.key.as_str().starts_with(folder));
    match desired.entries().iter().find(is_reserved) {
        Some(entry) => Err(PlaceError::Reserved(entry.key.clone())),
        None => Ok(()),
    }
}

/// Adds the folder of a release to a site.
///
/// # Errors
/// [`PlaceError`].
pub fn place(desired: &DesiredSite, folder: &str, shared: &[Prefix]) -> Result<DesiredSite, PlaceError> {
    check_reserved(desired)?;
    let mut entries = desired.entries().to_vec();
    for entry in desired.entries() {
        // Redirects are rules of the function.
        if entry.body.redirect().is_some() || is_shared_key(entry.key.as_str(), shared) {
            continue;
        }
        let key = Key::new(&versioned_key(folder, entry.key.as_str()))?;
        entries.push(DesiredEntry { key, ..entry.clone() });
    }
    Ok(DesiredSite::new(entries, desired.excluded().to_vec())?)
}

/// What a site needs to show the release of a folder: that folder and what releases share.
///
/// # Errors
/// [`PlaceError`].
pub fn only_folder(desired: &DesiredSite, folder: &str, shared: &[Prefix]) -> Result<DesiredSite, PlaceError> {
    let prefix = versioned_key(folder, "");
    let stays = |entry: &&DesiredEntry| {
        let key = entry.key.as_str();
        key.starts_with(&prefix) || (!is_versioned(key) && is_shared_key(key, shared))
    };
    Ok(DesiredSite::new(desired.entries().iter().filter(stays).cloned().collect(), Vec::new())?)
}

/// The site that the release of a folder shows, without the folder. An empty folder is a site in place.
///
/// # Errors
/// [`PlaceError`].
pub fn without_folder(desired: &DesiredSite, folder: &str, shared: &[Prefix]) -> Result<DesiredSite, PlaceError> {
    let prefix = versioned_key(folder, "");
    let mut entries = Vec::new();
    for entry in desired.entries() {
        let key = entry.key.as_str();
        if folder.is_empty() || is_shared_key(key, shared) || entry.body.redirect().is_some() {
            if !is_versioned(key) {
                entries.push(entry.clone());
            }
        } else if let Some(rest) = key.strip_prefix(&prefix) {
            entries.push(DesiredEntry { key: Key::new(rest)?, ..entry.clone() });
        }
    }
    Ok(DesiredSite::new(entries, Vec::new())?)
}
