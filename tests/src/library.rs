//! The bundled plugins and the engine, once a process.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tidegate_host::{CodeCache, Engine};
use tidegate_publish::{ComponentLoader, Library, PluginLoader};

/// Finds bundled plugins, and files where a test names them.
#[derive(Debug, Clone, Copy)]
pub struct Bundle;

impl Library for Bundle {
    fn bundled(&self, name: &str) -> Option<&'static [u8]> {
        tidegate_bundled_plugins::find(name).map(|plugin| plugin.bytes)
    }

    fn names(&self) -> Vec<&'static str> {
        tidegate_bundled_plugins::PLUGINS.iter().map(|plugin| plugin.name).collect()
    }

    fn file(&self, path: &str) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }
}

/// A place beside the test binaries, for what one test process may leave to the next.
fn beside() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    let target = binary.ancestors().nth(2).unwrap();
    target.join("tidegate-tests")
}

/// The workshop that every test uses.
#[must_use]
pub fn workshop() -> PluginLoader {
    PluginLoader::Components(components())
}

/// The components that every test uses: compiled plugins are kept between processes, as they are for people.
#[must_use]
pub fn components() -> ComponentLoader {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| Engine::new().unwrap()).clone();
    let cache = Some(CodeCache::new(&beside().join("compiled")));
    ComponentLoader { engine, cache, library: Arc::new(Bundle) }
}
