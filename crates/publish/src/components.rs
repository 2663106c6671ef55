//! Plugins as components: bundled with the program, in files, or in S3. Only in builds that compile.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_core::config::{PluginReference, PluginUse, Sha256Hex};
use tidegate_core::error_kind::ErrorKind;
use tidegate_host::{AdmissionError, CodeCache, Engine, Plugin, limits};

use crate::aws_error::AwsError;
use crate::s3::S3;

/// Plugins that are not in S3.
#[derive(Clone)]
pub struct PluginFiles {
    /// The bundled plugins: name and component.
    pub bundled: Vec<(&'static str, &'static [u8])>,
    /// The directory of the configuration, which paths of plugins are relative to.
    pub directory: PathBuf,
}

/// Why a component cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// No bundled plugin has that name.
    #[error("unknown bundled plugin `{name}`; available: {available}, or the path of a `.wasm` component")]
    NotBundled {
        /// The name.
        name: String,
        /// The names of the bundled plugins.
        available: String,
    },
    /// The file cannot be read.
    #[error("cannot read the plugin `{path}`: {why}")]
    File {
        /// The path in the configuration.
        path: String,
        /// The file system's error.
        why: String,
    },
    /// The object cannot be read.
    #[error("cannot read the plugin `{0}`: {1}")]
    Object(PluginReference, Box<AwsError>),
    /// The component does not have the configured digest.
    #[error(
        "the plugin `{plugin}` has the SHA-256 {found}, not the configured {configured}; check its origin before you change `sha256`"
    )]
    Digest {
        /// The plugin.
        plugin: PluginReference,
        /// Its digest.
        found: Sha256Hex,
        /// The configured digest.
        configured: Sha256Hex,
    },
}

impl ComponentError {
    /// The error kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Object(..) => ErrorKind::Cloud,
            Self::NotBundled { .. } | Self::File { .. } | Self::Digest { .. } => ErrorKind::Configuration,
        }
    }
}

/// Finds and compiles components.
#[derive(Clone)]
pub struct ComponentLoader {
    /// The engine.
    pub engine: Engine,
    /// The cache of compiled code.
    pub cache: Option<CodeCache>,
    /// Components that are not in S3.
    pub files: PluginFiles,
}

/// A component, and the loader that compiles it.
pub struct FetchedComponent {
    loader: ComponentLoader,
    bytes: Arc<[u8]>,
}

impl PluginFiles {
    fn bundled(&self, name: &str) -> Result<Vec<u8>, ComponentError> {
        let found = self.bundled.iter().find(|(bundled, _)| *bundled == name);
        found.map(|(_, bytes)| bytes.to_vec()).ok_or_else(|| {
            let available: Vec<String> = self.bundled.iter().map(|(bundled, _)| format!("`{bundled}`")).collect();
            ComponentError::NotBundled { name: name.to_owned(), available: available.join(", ") }
        })
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, ComponentError> {
        std::fs::read(self.directory.join(path))
            .map_err(|error| ComponentError::File { path: path.to_owned(), why: error.to_string() })
    }
}

impl ComponentLoader {
    /// Fetches a plugin's component and checks its digest.
    pub async fn find(&self, plugin_use: &PluginUse, s3: &S3) -> Result<FetchedComponent, ComponentError> {
        let plugin = &plugin_use.plugin;
        let bytes = match plugin {
            PluginReference::Bundled(name) => self.files.bundled(name)?,
            PluginReference::File(path) => self.files.file(path)?,
            PluginReference::Object(at) => s3
                .get_small(&at.bucket, at.key.as_str(), limits::MAX_COMPONENT_BYTES as u64)
                .await
                .map_err(|error| ComponentError::Object(plugin.clone(), Box::new(error)))?
                .to_vec(),
        };
        let found = Sha256Hex::of(&bytes);
        if let Some(configured) = plugin_use.sha256.clone().filter(|configured| *configured != found) {
            return Err(ComponentError::Digest { plugin: plugin.clone(), found, configured });
        }
        Ok(FetchedComponent { loader: self.clone(), bytes: bytes.into() })
    }
}

impl FetchedComponent {
    /// Its bytes.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// Admits and compiles it.
    ///
    /// # Errors
    /// [`AdmissionError`].
    pub fn load(&self, name: &str) -> Result<Plugin, AdmissionError> {
        let ComponentLoader { engine, cache, .. } = &self.loader;
        Plugin::load(engine, cache.as_ref(), name, &self.bytes)
    }
}
