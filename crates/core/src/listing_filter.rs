//! Which names of a source are left out while it is listed, before anything of them is checked or read: what the first
//! plugins of the site, if they are the bundled `exclude`, would exclude anyway.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use tidegate_glob::{ExcludeList, ExcludeMatch, ExcludeSettings};

use crate::config::{PluginReference, PluginUse};
use crate::desired::TraceStep;
use crate::key::MAX_KEY_BYTES;
use crate::location::Prefix;
use crate::sanitize::{REASON_BYTES, sanitize};

/// The plugin whose patterns act on listings.
const EXCLUDE: &str = "exclude";

/// Bundled plugins that decide about one object at a time, and neither rename, add nor exclude one. What follows them may
/// act on the listing.
const TRANSPARENT: &[&str] = &["mime"];

/// The patterns that act on the listing of a source.
#[derive(Clone, Debug, Default)]
pub struct ListingFilter {
    /// One list for each plugin, in order.
    lists: Vec<ExcludeList>,
    /// The folder of the source that is published. Names are matched without it.
    base: Prefix,
}

/// A file or a folder that was left out of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListingExclusion {
    /// Its path in the source; that of a folder ends with `/`. It can have every character; [`fmt::Display`] sanitizes it.
    pub path: String,
    /// Why. Many exclusions share it.
    #[serde(flatten)]
    pub rule: Arc<ExclusionRule>,
}

/// A pattern that excludes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ExclusionRule {
    /// The plugin.
    pub plugin: &'static str,
    /// JSON Pointer to the rule in the plugin's settings.
    pub rule: String,
    /// The pattern, in a sentence.
    pub reason: String,
}

/// Filters the names of one listing, and collects what was left out.
#[derive(Debug, Default)]
pub struct ListingExclusions {
    filter: ListingFilter,
    rules: BTreeSet<Arc<ExclusionRule>>,
    /// By path.
    excluded: BTreeMap<String, Arc<ExclusionRule>>,
}

impl ListingFilter {
    /// The patterns of the sync plugins `exclude` before which no plugin may rename, add or read objects. Names are matched
    /// without the folder `base`; what is not in it is not left out.
    ///
    /// Settings that the host does not know, of another version of the plugin, act in the plugin only.
    #[must_use]
    pub fn new(plugins: &[PluginUse], base: &Prefix) -> Self {
        let mut lists = Vec::new();
        for used in plugins {
            let PluginUse { plugin, settings, .. } = used;
            match plugin {
                // What is observed or has a grant acts in the host, which counts and checks its edits.
                PluginReference::Bundled(_) if !used.is_unrestricted() => break,
                PluginReference::Bundled(name) if name == EXCLUDE => {
                    let settings = serde_json::from_value(serde_json::Value::Object(settings.clone()));
                    let list = settings.ok().and_then(|settings: ExcludeSettings| settings.into_list().ok());
                    let Some(list) = list else { break };
                    lists.push(list);
                }
                PluginReference::Bundled(name) if TRANSPARENT.contains(&name.as_str()) => {}
                _ => break,
            }
        }
        Self { lists, base: base.clone() }
    }

    /// Whether a file or everything in a folder with this path is left out.
    pub fn excludes(&mut self, path: &str) -> bool {
        let path = self.below_base(path).unwrap_or_default();
        // The source itself is not excluded, even if a pattern matches every name.
        !path.is_empty()
            && self.lists.iter_mut().any(|list| list.excludes_folder(path).is_some() || list.excludes(path).is_some())
    }

    fn below_base<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.base.as_str())
    }
}

impl ListingExclusions {
    /// Starts a listing. Paths are recorded as they are matched: without the base of the filter.
    #[must_use]
    pub fn new(filter: ListingFilter) -> Self {
        Self { filter, ..Self::default() }
    }

    /// Whether a file is left out. `path` need not be a valid key.
    pub fn excludes(&mut self, path: &str) -> bool {
        // Staged keys can start with `/`, which no pattern means, and names in archives with `./`.
        let path = path.trim_start_matches("./").trim_start_matches('/');
        let Some(path) = self.filter.below_base(path) else { return false };
        self.excludes_below_base(path)
    }

    fn excludes_below_base(&mut self, path: &str) -> bool {
        let found = self.filter.lists.iter_mut().find_map(|list| list.excludes(path).map(ExclusionRule::from));
        let Some(rule) = found else { return false };
        let mut folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        if !folders.any(|folder| self.excludes_folder_below_base(folder)) {
            self.add(path.to_owned(), rule);
        }
        true
    }

    /// Whether everything in a folder, given without a trailing `/`, is left out, so that it need not be read.
    pub fn excludes_folder(&mut self, path: &str) -> bool {
        let Some(path) = self.filter.below_base(path) else { return false };
        self.excludes_folder_below_base(path)
    }

    fn excludes_folder_below_base(&mut self, path: &str) -> bool {
        let folder = format!("{path}/");
        if self.excluded.contains_key(&folder) {
            return true;
        }
        let found = self.filter.lists.iter().find_map(|list| list.excludes_folder(path).map(ExclusionRule::from));
        let Some(rule) = found else { return false };
        self.add(folder, rule);
        true
    }

    fn add(&mut self, path: String, rule: ExclusionRule) {
        let rule = self.rules.get(&rule).map_or_else(|| Arc::new(rule), Arc::clone);
        self.rules.insert(Arc::clone(&rule));
        self.excluded.insert(path, rule);
    }

    /// What was left out, in the order of paths. Nothing in an excluded folder is listed besides the folder.
    #[must_use]
    pub fn finish(self) -> Vec<ListingExclusion> {
        self.excluded.into_iter().map(|(path, rule)| ListingExclusion { path, rule }).collect()
    }
}

impl From<ExcludeMatch<'_>> for ExclusionRule {
    fn from(found: ExcludeMatch<'_>) -> Self {
        Self {
            plugin: EXCLUDE,
            rule: found.position.map_or_else(|| "/defaults".to_owned(), |position| format!("/globs/{position}")),
            reason: sanitize(&found.to_string(), REASON_BYTES),
        }
    }
}

impl ListingExclusion {
    /// Whether it is a folder, with everything in it.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.path.ends_with('/')
    }

    /// Whether it is this path, or a folder that would contain it.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        match self.path.strip_suffix('/') {
            Some(folder) => path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            None => self.path == path,
        }
    }

    /// The decision of the plugin, as it would be in the trail of an object.
    #[must_use]
    pub fn step(&self) -> TraceStep {
        let effect =
            if self.is_folder() { format!("excluded with the folder `{self}`") } else { "excluded".to_owned() };
        let ExclusionRule { plugin, rule, reason } = &*self.rule;
        let (plugin, rule, reason) = ((*plugin).to_owned(), rule.clone(), reason.clone());
        TraceStep { plugin, rule, reason, effects: vec![effect], observed: false }
    }
}

impl fmt::Display for ListingExclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sanitize(&self.path, MAX_KEY_BYTES))
    }
}
