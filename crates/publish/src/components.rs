//! Plugins as components: bundled with the program, in files, or in S3. Only in builds that compile.
//!
//! Owns where components come from. Never decides which plugins a site has.

use std::sync::Arc;

use tidegate_core::config::{PluginReference, PluginUse, Sha256Hex};
use tidegate_core::error_kind::ErrorKind;
use tidegate_host::{AdmissionError, CodeCache, Engine, Plugin, limits};

use crate::aws_error::AwsError;
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

/// Why a component cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// No bundled plugin has that name.
    #[error(
        "no plugin is bundled as `{name}`, there are {known}; give the path of a `.wasm` component for another one"
    )]
    NotBundled {
        /// The name.
        name: String,
        /// What there is.
        known: String,
    },
    /// The file cannot be read.
    #[error("the plugin `{path}` cannot be read: {why}")]
    File {
        /// As the configuration names it.
        path: String,
        /// The file system's words.
        why: String,
    },
    /// The object cannot be read.
    #[error("the plugin `{0}` cannot be read: {1}")]
    Object(PluginReference, Box<AwsError>),
    /// The component is not the one that the configuration means.
    #[error(
        "the plugin `{plugin}` has the SHA-256 {found}, the configuration says {wanted}: check where it comes from before changing `sha256`"
    )]
    Digest {
        /// The plugin.
        plugin: PluginReference,
        /// Its digest.
        found: Sha256Hex,
        /// The configured digest.
        wanted: Sha256Hex,
    },
}

impl ComponentError {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Object(..) => ErrorKind::Cloud,
            Self::NotBundled { .. } | Self::File { .. } | Self::Digest { .. } => ErrorKind::Configuration,
        }
    }
}

/// What components are loaded with.
#[derive(Clone)]
pub struct ComponentLoader {
    /// The engine.
    pub engine: Engine,
    /// Compiled code from earlier runs.
    pub cache: Option<CodeCache>,
    /// Components.
    pub library: Arc<dyn Library>,
}

/// A component, and what compiles it.
pub struct FetchedComponent {
    components: ComponentLoader,
    bytes: Arc<[u8]>,
}

impl ComponentLoader {
    /// Fetches the component of one use, and holds it to its digest.
    pub async fn find(&self, used: &PluginUse, s3: &S3) -> Result<FetchedComponent, ComponentError> {
        let bytes: Vec<u8> = match &used.plugin {
            PluginReference::Bundled(name) => {
                self.library.bundled(name).map(<[u8]>::to_vec).ok_or_else(|| ComponentError::NotBundled {
                    name: name.clone(),
                    known: self.library.names().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
                })?
            }
            PluginReference::File(path) => self
                .library
                .file(path)
                .map_err(|error| ComponentError::File { path: path.clone(), why: error.to_string() })?,
            PluginReference::Object(at) => s3
                .small(&at.bucket, at.key.as_str(), limits::MAX_COMPONENT_BYTES as u64)
                .await
                .map_err(|error| ComponentError::Object(used.plugin.clone(), Box::new(error)))?
                .to_vec(),
        };
        let found = Sha256Hex::of(&bytes);
        if let Some(wanted) = used.sha256.clone().filter(|wanted| *wanted != found) {
            return Err(ComponentError::Digest { plugin: used.plugin.clone(), found, wanted });
        }
        Ok(FetchedComponent { components: self.clone(), bytes: bytes.into() })
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
        let ComponentLoader { engine, cache, .. } = &self.components;
        Plugin::load(engine, cache.as_ref(), name, &self.bytes)
    }
}
