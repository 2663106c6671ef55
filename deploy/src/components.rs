//! Plugins as components: bundled with the program, in files, or in S3. Only in builds that compile.
//!
//! Owns where components come from. Never decides which plugins a site has.

use std::sync::Arc;

use tidegate_host::config::{PluginReference, PluginUse, Sha256Hex};
use tidegate_host::plugin::{AdmissionError, Cache, Engine, Plugin, limits};

use crate::chain::ChainError;
use crate::s3::S3;

/// Where components are found that are not in S3.
pub trait Library: Send + Sync {
    /// A bundled component by its name.
    fn bundled(&self, name: &str) -> Option<&'static [u8]>;

    /// The names of all of them, for messages.
    fn names(&self) -> Vec<&'static str>;

    /// A file that the configuration names.
    ///
    /// # Errors
    /// The file system's.
    fn file(&self, path: &str) -> std::io::Result<Vec<u8>>;
}

/// What components are loaded with.
#[derive(Clone)]
pub struct Components {
    /// The engine.
    pub engine: Engine,
    /// Compiled code from earlier runs.
    pub cache: Option<Cache>,
    /// Components.
    pub library: Arc<dyn Library>,
}

/// A component, and what compiles it.
#[derive(Clone)]
pub(crate) struct Component {
    components: Components,
    bytes: Arc<[u8]>,
}

impl Components {
    /// Fetches the component of one use, and holds it to its digest.
    pub(crate) async fn find(&self, used: &PluginUse, s3: &S3) -> Result<Component, ChainError> {
        let bytes: Vec<u8> = match &used.plugin {
            PluginReference::Bundled(name) => {
                self.library.bundled(name).map(<[u8]>::to_vec).ok_or_else(|| ChainError::NotBundled {
                    name: name.clone(),
                    known: self.library.names().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
                })?
            }
            PluginReference::File(path) => self
                .library
                .file(path)
                .map_err(|error| ChainError::File { path: path.clone(), why: error.to_string() })?,
            PluginReference::Object(at) => s3
                .small(&at.bucket, at.key.as_str(), limits::MAX_COMPONENT_BYTES as u64)
                .await
                .map_err(|error| ChainError::Object(used.plugin.clone(), Box::new(error)))?
                .to_vec(),
        };
        let found = Sha256Hex::of(&bytes);
        if let Some(wanted) = used.sha256.clone().filter(|wanted| *wanted != found) {
            return Err(ChainError::Digest { plugin: used.plugin.clone(), found, wanted });
        }
        Ok(Component { components: self.clone(), bytes: bytes.into() })
    }
}

impl Component {
    pub(crate) fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    pub(crate) fn load(&self, name: &str) -> Result<Plugin, AdmissionError> {
        let Components { engine, cache, .. } = &self.components;
        Plugin::load(engine, cache.as_ref(), name, &self.bytes)
    }
}
