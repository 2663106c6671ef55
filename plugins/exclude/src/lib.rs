//! Leaves objects out of a site, by the rules of gitignore.
//!
//! Owns the built-in list of what is never part of a site, and the choice between it and the configured globs. What a glob
//! means is the SDK's.

use serde::{Deserialize, Serialize};
use tidegate_plugin::glob::{CachedGlobList, GlobError, IgnoreGlob};
use tidegate_plugin::{Decisions, Entry, Failure, Pointer, Run, Settings, SyncPlugin};

/// What operating systems, editors and version control leave behind in folders that people publish. What a site may need
/// is not here: neither `.nojekyll` nor `.well-known/`, nor other names that only start with a dot.
pub const DEFAULTS: [&str; 22] = [
    ".DS_Store",
    "._*",
    "__MACOSX/",
    ".AppleDouble/",
    ".Spotlight-V100/",
    ".Trashes/",
    ".fseventsd/",
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "$RECYCLE.BIN/",
    ".git/",
    ".gitignore",
    ".gitattributes",
    ".svn/",
    ".hg/",
    "CVS/",
    "*~",
    "*.swp",
    "*.swo",
    ".#*",
    "\\#*#",
];

/// Settings of `exclude`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExcludeSettings {
    /// Patterns in the language of gitignore, in order; the last that matches decides.
    globs: Vec<IgnoreGlob>,
    /// Whether [`DEFAULTS`] come before `globs`.
    defaults: bool,
}

impl Default for ExcludeSettings {
    fn default() -> Self {
        Self { globs: Vec::new(), defaults: true }
    }
}

impl Settings for ExcludeSettings {}

/// The plugin.
#[derive(Debug)]
pub struct Exclude {
    globs: CachedGlobList,
    /// How many of `globs` are built in.
    built_in: usize,
}

impl SyncPlugin for Exclude {
    type Settings = ExcludeSettings;

    fn begin(_run: &Run, settings: ExcludeSettings) -> Result<Self, Failure> {
        let built_in = if settings.defaults {
            built_in().map_err(|error| Failure::new("defaults", error.to_string()))?
        } else {
            Vec::new()
        };
        let count = built_in.len();
        let globs = built_in.into_iter().chain(settings.globs).collect();
        Ok(Self { built_in: count, globs: CachedGlobList::new(globs) })
    }

    fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure> {
        for (index, entry) in batch.iter().enumerate() {
            let Some((place, glob)) = self.globs.last_match(&entry.key) else {
                continue;
            };
            if glob.is_exception() {
                continue;
            }
            match place.checked_sub(self.built_in) {
                Some(place) => {
                    decisions.exclude(
                        index,
                        &Pointer::root().member("globs").index(place),
                        format!("matches `{glob}`"),
                    );
                }
                None => decisions.exclude(
                    index,
                    &Pointer::root().member("defaults"),
                    format!("matches `{glob}`, a default"),
                ),
            }
        }
        Ok(())
    }
}

fn built_in() -> Result<Vec<IgnoreGlob>, GlobError> {
    DEFAULTS.into_iter().map(IgnoreGlob::parse).collect()
}

tidegate_plugin::export_sync!(Exclude);

#[cfg(test)]
mod tests;
