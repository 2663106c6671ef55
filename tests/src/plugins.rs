//! The bundled plugins and one engine per process.

use std::path::PathBuf;
use std::sync::OnceLock;

use tidegate_host::{CodeCache, Engine};
use tidegate_publish::{ComponentLoader, PluginFiles, PluginLoader};

/// The directory of compiled plugins, which test processes share.
fn code_cache() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    let target = binary.ancestors().nth(2).unwrap();
    target.join("tidegate-tests/compiled")
}

/// The plugin loader of every test.
#[must_use]
pub fn plugin_loader() -> PluginLoader {
    PluginLoader::Components(components())
}

/// Loads the bundled plugins, and plugin files that a test's configuration names.
#[must_use]
pub fn components() -> ComponentLoader {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| Engine::new().unwrap()).clone();
    let bundled = tidegate_bundled_plugins::PLUGINS.iter().map(|plugin| (plugin.name, plugin.bytes)).collect();
    let omitted = tidegate_bundled_plugins::OMITTED;
    let files = PluginFiles { bundled, omitted, directory: PathBuf::new() };
    ComponentLoader { engine, cache: Some(CodeCache::new(&code_cache())), files }
}
