//! Plugins as components: bundled with the program, in files, or in S3. Only in builds that compile.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_core::config::{PluginReference, PluginUse, Sha256Hex};
use tidegate_core::error_kind::ErrorKind;
use tidegate_host::{AdmissionError, CodeCache, Engine, Plugin, PluginKind, limits};
use tidegate_plugin_build::{EmbedError, embed_script};

use crate::aws_error::AwsError;
use crate::plugins::{SCRIPT, SCRIPT_POLICY, bundled_name};
use crate::s3::S3;

/// Plugins that are not in S3.
#[derive(Clone)]
pub struct PluginFiles {
    /// The bundled plugins: name and component.
    pub bundled: Vec<(&'static str, &'static [u8])>,
    /// The names of bundled plugins that this build lacks.
    pub omitted: &'static [&'static str],
    /// The directory of the configuration, which paths of plugins are relative to.
    pub directory: PathBuf,
}

/// Why a component cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// No bundled plugin has that name.
    #[error(
        "unknown bundled plugin `{name}`; available: {available}, or the path of a `.wasm` component or a `.js` script"
    )]
    NotBundled {
        /// The name.
        name: String,
        /// The names of the bundled plugins.
        available: String,
    },
    /// The program was built without the plugin.
    #[error(
        "this build of Tidegate has no plugin `{0}`, because there was no clang for WebAssembly; use a released binary, or \
         install clang and build again"
    )]
    Omitted(String),
    /// The script is not UTF-8.
    #[error("the script `{0}` is not UTF-8; save it as UTF-8")]
    ScriptText(String),
    /// The script cannot be put into the engine.
    #[error("cannot load the script `{path}`: {why}")]
    Script {
        /// The path in the configuration.
        path: String,
        /// The reason.
        why: EmbedError,
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
            Self::NotBundled { .. }
            | Self::Omitted(_)
            | Self::ScriptText(_)
            | Self::Script { .. }
            | Self::File { .. }
            | Self::Digest { .. } => ErrorKind::Configuration,
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
    /// A bundled plugin. `name` is that of [`bundled_name`].
    fn bundled(&self, name: &str) -> Result<&'static [u8], ComponentError> {
        let found = self.bundled.iter().find(|(bundled, _)| *bundled == name);
        found.map(|(_, bytes)| *bytes).ok_or_else(|| {
            if self.omitted.contains(&name) {
                return ComponentError::Omitted(name.to_owned());
            }
            let names = self.bundled.iter().map(|(bundled, _)| *bundled).filter(|bundled| *bundled != SCRIPT_POLICY);
            let available: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            ComponentError::NotBundled { name: name.to_owned(), available: available.join(", ") }
        })
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, ComponentError> {
        std::fs::read(self.directory.join(path))
            .map_err(|error| ComponentError::File { path: path.to_owned(), why: error.to_string() })
    }
}

/// The engine of a script, with its code.
fn script(engine: &[u8], path: &str, code: Vec<u8>) -> Result<Vec<u8>, ComponentError> {
    let code = String::from_utf8(code).map_err(|_| ComponentError::ScriptText(path.to_owned()))?;
    let file = Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned());
    embed_script(engine, &file, &code).map_err(|why| ComponentError::Script { path: path.to_owned(), why })
}

impl ComponentLoader {
    /// Fetches a plugin's component and checks the digest of the file.
    pub async fn find(
        &self,
        plugin_use: &PluginUse,
        kind: PluginKind,
        s3: &S3,
    ) -> Result<FetchedComponent, ComponentError> {
        let plugin = &plugin_use.plugin;
        let bytes = match plugin {
            PluginReference::Bundled(name) => self.files.bundled(bundled_name(name, kind))?.to_vec(),
            PluginReference::File(path) | PluginReference::Script(path) => self.files.file(path)?,
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
        let bytes = match plugin {
            PluginReference::Script(path) => script(self.files.bundled(bundled_name(SCRIPT, kind))?, path, bytes)?,
            _ => bytes,
        };
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
