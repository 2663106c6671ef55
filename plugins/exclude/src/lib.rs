//! Excludes objects from a site with the patterns of gitignore.

use serde::{Deserialize, Serialize};
use tidegate_plugin::glob::{CachedGlobList, GlobError, IgnoreGlob};
use tidegate_plugin::{Decisions, Entry, Failure, Pointer, Run, Settings, SyncPlugin};

/// Files that operating systems, editors and version control create in folders. Files that a site may need are not
/// listed: neither `.nojekyll` nor `.well-known/`, nor other names only because they start with a dot.
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
    /// Patterns in order; the last match decides.
    globs: Vec<IgnoreGlob>,
    /// Whether [`DEFAULTS`] precede `globs`.
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
    /// The number of default patterns at the start of `globs`.
    defaults: usize,
}

impl SyncPlugin for Exclude {
    type Settings = ExcludeSettings;

    fn begin(_run: &Run, settings: ExcludeSettings) -> Result<Self, Failure> {
        let mut globs = Vec::new();
        if settings.defaults {
            globs = default_globs().map_err(|error| Failure::new("defaults", error.to_string()))?;
        }
        let defaults = globs.len();
        globs.extend(settings.globs);
        Ok(Self { defaults, globs: CachedGlobList::new(globs.into()) })
    }

    fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure> {
        for (index, entry) in batch.iter().enumerate() {
            let Some((position, glob)) = self.globs.last_match(&entry.key).filter(|(_, glob)| !glob.is_exception())
            else {
                continue;
            };
            let (rule, reason) = match position.checked_sub(self.defaults) {
                Some(position) => (Pointer::root().member("globs").index(position), format!("matches `{glob}`")),
                None => (Pointer::root().member("defaults"), format!("matches `{glob}`, a default")),
            };
            decisions.exclude(index, &rule, reason);
        }
        Ok(())
    }
}

fn default_globs() -> Result<Vec<IgnoreGlob>, GlobError> {
    DEFAULTS.into_iter().map(IgnoreGlob::parse).collect()
}

tidegate_plugin::export_sync!(Exclude);

#[cfg(test)]
mod tests;
