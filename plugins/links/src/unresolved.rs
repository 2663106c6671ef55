//! Links whose targets were not seen yet, within a limit of memory.
//!
//! Keys come in order, so a page links to keys that came before and to keys that come later. Only the latter are kept, each
//! once however many pages link to it.

use std::rc::Rc;

use tidegate_plugin_references::{KeyMap, KeySet, key_hash};

/// Limit of different targets that wait for their keys: about 40 MB.
const MAX_TARGETS: usize = 200_000;

/// Targets up to which nothing is cleared.
const FEW_TARGETS: usize = 20_000;

/// Limit of references that are known to lead somewhere: navigation has the same ones on every page.
const MAX_RESOLVED: usize = 200_000;

/// The keys of the site after the plan, and the links to keys that it does not have yet.
#[derive(Debug)]
pub(crate) struct LinkTargets {
    present: KeySet,
    waiting: KeyMap<Link>,
    /// References that lead somewhere, by folder and text.
    resolved: KeySet,
    clear_at: usize,
    index_document: String,
    clean_urls: bool,
    /// Links that were not kept because of the limit.
    pub(crate) unchecked: u64,
}

/// A target and who links to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The path, without its leading `/`.
    pub(crate) path: Box<str>,
    pub(crate) is_asset: bool,
    /// The first page.
    pub(crate) page: Rc<str>,
    /// The number of links.
    pub(crate) count: u64,
}

impl LinkTargets {
    pub(crate) fn new(index_document: &str, clean_urls: bool) -> Self {
        Self {
            present: KeySet::default(),
            waiting: KeyMap::default(),
            resolved: KeySet::default(),
            clear_at: FEW_TARGETS,
            index_document: index_document.to_owned(),
            clean_urls,
            unchecked: 0,
        }
    }

    /// Adds a key that the site will have.
    pub(crate) fn add_key(&mut self, key: &str) {
        self.present.insert(key_hash(&[key]));
    }

    /// Whether a reference with this hash is known to lead somewhere.
    pub(crate) fn is_resolved(&self, reference: u64) -> bool {
        self.resolved.contains(&reference)
    }

    /// Remembers that a reference leads somewhere.
    pub(crate) fn set_resolved(&mut self, reference: u64) {
        if self.resolved.len() >= MAX_RESOLVED {
            self.resolved.clear();
        }
        self.resolved.insert(reference);
    }

    /// Whether the site has something at a path already.
    pub(crate) fn is_present(&self, path: &str) -> bool {
        is_present(&self.present, path, &self.index_document, self.clean_urls)
    }

    /// Adds a link from a page to a path that is not present yet.
    pub(crate) fn add_link(&mut self, page: &Rc<str>, path: &str, is_asset: bool) {
        let id = key_hash(&[if is_asset { "asset:" } else { "link:" }, path]);
        if let Some(known) = self.waiting.get_mut(&id) {
            known.count += 1;
            return;
        }
        if self.waiting.len() >= self.clear_at {
            self.clear();
        }
        if self.waiting.len() >= MAX_TARGETS {
            self.unchecked += 1;
            return;
        }
        self.waiting.insert(id, Link { path: path.into(), is_asset, page: page.clone(), count: 1 });
    }

    /// Removes the links whose targets have come.
    fn clear(&mut self) {
        let Self { present, index_document, clean_urls, .. } = self;
        self.waiting.retain(|_, link| !is_present(present, &link.path, index_document, *clean_urls));
        self.clear_at = (self.waiting.len() * 2).clamp(FEW_TARGETS, MAX_TARGETS);
    }

    /// The links to keys that the site will not have, by path.
    pub(crate) fn broken(&mut self) -> Vec<Link> {
        self.clear();
        let mut links: Vec<Link> = self.waiting.drain().map(|(_, link)| link).collect();
        links.sort_unstable_by(|one, other| (&one.path, one.is_asset).cmp(&(&other.path, other.is_asset)));
        links
    }
}

/// Whether a site with these keys has something at a path.
fn is_present(present: &KeySet, path: &str, index: &str, clean_urls: bool) -> bool {
    let has = |parts: &[&str]| present.contains(&key_hash(parts));
    match path.strip_suffix('/') {
        None if path.is_empty() => !index.is_empty() && has(&[index]),
        None => has(&[path]) || clean_urls && (has(&[path, ".html"]) || !index.is_empty() && has(&[path, "/", index])),
        Some(folder) => {
            !index.is_empty() && has(&[path, index]) || clean_urls && (has(&[folder]) || has(&[folder, ".html"]))
        }
    }
}
