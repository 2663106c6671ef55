//! The cache tags of cached copies, and a check of a site's tags.
//!
//! A cached copy has the tags of the version that it was made of: the one before the release.

use std::collections::{BTreeMap, BTreeSet};

use super::tag::{CacheTag, CacheTagError, CacheTags};
use crate::config::{MetadataName, Site};
use crate::desired::DesiredSite;
use crate::headers::ObjectHeaders;
use crate::key::Key;
use crate::site_state::SiteState;

/// The tags of the cached copies of a site, as far as they are known.
#[derive(Debug, Clone, Default)]
pub struct TaggedCopies<'a> {
    /// Copies of changed keys.
    changed: BTreeMap<&'a str, TaggedCopy>,
    /// Tags that copies of unchanged keys may have.
    unchanged: BTreeSet<CacheTag>,
}

/// The cached copies of one changed key.
#[derive(Debug, Clone)]
pub(super) struct TaggedCopy {
    /// Tags that all of them have.
    pub(super) tags: CacheTags,
    /// Whether the key is deleted.
    pub(super) deleted: bool,
}

impl<'a> TaggedCopies<'a> {
    /// Reads the tags from the user metadata `name` of the previous versions. `changed` must be sorted.
    #[must_use]
    pub fn of(name: &MetadataName, changed: &'a [&'a str], desired: &DesiredSite, site: &SiteState) -> Self {
        let mut copies = Self::default();
        for key in changed {
            if let Some(value) = site.cached_headers(key).and_then(|headers| value(headers, name)) {
                copies.changed(key, value, desired.get(key).is_none());
            }
        }
        let is_unchanged = |key: &str| changed.binary_search(&key).is_err();
        let kept =
            desired.entries().iter().filter(|entry| is_unchanged(entry.key.as_str())).map(|entry| &entry.headers);
        let others = site.possible_cached_headers().filter(|(key, _)| is_unchanged(key)).map(|(_, headers)| headers);
        // Most objects have the same headers as the one before.
        let mut last: Option<&str> = None;
        for value in kept.chain(others).filter_map(|headers| value(headers, name)) {
            if last != Some(value) {
                copies.unchanged(value);
                last = Some(value);
            }
        }
        copies
    }

    /// Adds a changed key with the header value of its previous version. If the value breaks the rules, it is unknown which
    /// tags CloudFront stored, so none are used.
    pub fn changed(&mut self, key: &'a str, value: &str, deleted: bool) {
        if let Ok(tags) = CacheTags::new(value) {
            self.changed.insert(key, TaggedCopy { tags, deleted });
        }
    }

    /// Adds the header value of an unchanged key.
    pub fn unchanged(&mut self, value: &str) {
        self.unchanged.extend(CacheTags::possible(value));
    }

    /// The cached copies of a changed key, if their tags are known.
    pub(super) fn get(&self, key: &str) -> Option<&TaggedCopy> {
        self.changed.get(key)
    }

    /// The tags of a changed key that no copy of an unchanged key has.
    pub(super) fn exact_tags(&self, key: &str) -> impl Iterator<Item = &CacheTag> {
        let tags = self.get(key).into_iter().flat_map(|copy| copy.tags.iter());
        tags.filter(|tag| !self.unchanged.contains(*tag))
    }
}

fn value<'h>(headers: &'h ObjectHeaders, name: &MetadataName) -> Option<&'h str> {
    headers.metadata().find(|(known, _)| *known == name.as_str()).map(|(_, value)| value)
}

/// Objects with tags that CloudFront would ignore.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid cache tags of `{key}` in the metadata `{name}`: {error}{}", others(*.more))]
pub struct CacheTagsError {
    /// The first object.
    pub key: Key,
    /// The metadata with the tags.
    pub name: MetadataName,
    /// The cause.
    pub error: CacheTagError,
    /// The number of other objects.
    pub more: usize,
}

fn others(more: usize) -> String {
    match more {
        0 => String::new(),
        1 => " (and 1 other object)".to_owned(),
        _ => format!(" (and {more} other objects)"),
    }
}

/// Checks the tags of the desired site, for each distribution that reads them.
///
/// # Errors
/// [`CacheTagsError`] if CloudFront would ignore a tag.
pub fn check_tags(site: &Site, desired: &DesiredSite) -> Result<(), CacheTagsError> {
    let names: BTreeSet<&MetadataName> = site.cdn.iter().filter_map(|cdn| cdn.cache_tags.as_ref()).collect();
    for name in names {
        let mut invalid = desired.entries().iter().filter_map(|entry| {
            let error = CacheTags::new(value(&entry.headers, name)?).err()?;
            Some((entry.key.clone(), error))
        });
        if let Some((key, error)) = invalid.next() {
            return Err(CacheTagsError { key, name: name.clone(), error, more: invalid.count() });
        }
    }
    Ok(())
}
