//! Where this machine has plugins: bundled in this binary, or in files.
//!
//! Owns the look-up. Never judges a component.

use std::path::PathBuf;

use tidegate_publish::Library;

/// Bundled plugins, and files relative to a directory.
pub(crate) struct PluginFiles {
    pub(crate) directory: PathBuf,
}

impl Library for PluginFiles {
    fn bundled(&self, name: &str) -> Option<&'static [u8]> {
        tidegate_bundled_plugins::find(name).map(|plugin| plugin.bytes)
    }

    fn names(&self) -> Vec<&'static str> {
        tidegate_bundled_plugins::PLUGINS.iter().map(|plugin| plugin.name).collect()
    }

    fn file(&self, path: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.directory.join(path))
    }
}
