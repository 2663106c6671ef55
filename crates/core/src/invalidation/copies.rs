//! Which tags the copies carry that a CDN may hold of a site, before it is told anything.
//!
//! Owns what is known of that, and that a site's own tags can be honoured at all. A copy carries the tags of the version
//! that it was made of, which is the one before the release that is about to be told. Never chooses tags.

use std::collections::{BTreeMap, BTreeSet};

use super::tag::{CacheTag, CacheTagError, CacheTags};
use crate::config::{MetadataName, Site};
use crate::desired::DesiredSite;
use crate::headers::ObjectHeaders;
use crate::key::Key;
use crate::site_state::SiteState;

/// What is known of the copies of a site.
#[derive(Debug, Clone, Default)]
pub struct TaggedCopies<'a> {
    /// By key that changed.
    changed: BTreeMap<&'a str, TaggedCopy>,
    /// What copies may carry of keys that did not change.
    unchanged: BTreeSet<CacheTag>,
}

/// The copies of one key that changed.
#[derive(Debug, Clone)]
pub(super) struct TaggedCopy {
    /// Tags that all of them carry.
    pub(super) tags: CacheTags,
    /// Whether the key is gone now.
    pub(super) gone: bool,
}

impl<'a> TaggedCopies<'a> {
    /// What the copies carry in the header that `name` is returned in. `changed` is sorted.
    #[must_use]
    pub fn of(name: &MetadataName, changed: &'a [&'a str], desired: &DesiredSite, found: &SiteState) -> Self {
        let mut copies = Self::default();
        for key in changed {
            if let Some(value) = found.before(key).and_then(|headers| value(headers, name)) {
                copies.changed(key, value, desired.get(key).is_none());
            }
        }
        let stays = |key: &str| changed.binary_search(&key).is_err();
        let kept = desired.entries().iter().filter(|entry| stays(entry.key.as_str())).map(|entry| &entry.headers);
        let besides = found.all_before().filter(|(key, _)| stays(key)).map(|(_, headers)| headers);
        // Most objects have the headers of many others.
        let mut last: Option<&str> = None;
        for value in kept.chain(besides).filter_map(|headers| value(headers, name)) {
            if last != Some(value) {
                copies.unchanged(value);
                last = Some(value);
            }
        }
        copies
    }

    /// Adds a key that changed, by what the header says of its version before. Where that breaks the rules, nobody knows
    /// which tags its copies carry, so they are taken to carry none.
    pub fn changed(&mut self, key: &'a str, value: &str, gone: bool) {
        if let Ok(tags) = CacheTags::new(value) {
            self.changed.insert(key, TaggedCopy { tags, gone });
        }
    }

    /// Adds a key that did not change.
    pub fn unchanged(&mut self, value: &str) {
        self.unchanged.extend(CacheTags::possible(value));
    }

    /// What the copies of a key that changed carry, where that is known.
    pub(super) fn get(&self, key: &str) -> Option<&TaggedCopy> {
        self.changed.get(key)
    }

    /// The tags that only copies of changed keys carry, as far as that is known.
    pub(super) fn exact(&self, key: &str) -> impl Iterator<Item = &CacheTag> {
        let tags = self.get(key).into_iter().flat_map(|copied| copied.tags.iter());
        tags.filter(|tag| !self.unchanged.contains(*tag))
    }
}

fn value<'h>(headers: &'h ObjectHeaders, name: &MetadataName) -> Option<&'h str> {
    headers.metadata().find(|(known, _)| *known == name.as_str()).map(|(_, value)| value)
}

/// Objects whose tags CloudFront would not honour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cache tags of `{key}`, in its metadata `{name}`, cannot be used: {error}{}", others(*.more))]
pub struct CacheTagsError {
    /// The first one.
    pub key: Key,
    /// The metadata that holds them.
    pub name: MetadataName,
    /// What is wrong with it.
    pub error: CacheTagError,
    /// How many others there are.
    pub more: usize,
}

fn others(more: usize) -> String {
    if more == 0 { String::new() } else { format!(" (and {more} other objects)") }
}

/// Checks the tags of everything that a site is going to hold, for each distribution that reads them.
///
/// # Errors
/// [`CacheTagsError`] names the first object whose tags would not all be honoured.
pub fn check_tags(site: &Site, desired: &DesiredSite) -> Result<(), CacheTagsError> {
    let names: BTreeSet<&MetadataName> = site.cdn.iter().filter_map(|cdn| cdn.cache_tags.as_ref()).collect();
    for name in names {
        let mut wrong = desired.entries().iter().filter_map(|entry| {
            let error = CacheTags::new(value(&entry.headers, name)?).err()?;
            Some((entry.key.clone(), error))
        });
        if let Some((key, error)) = wrong.next() {
            return Err(CacheTagsError { key, name: name.clone(), error, more: wrong.count() });
        }
    }
    Ok(())
}
