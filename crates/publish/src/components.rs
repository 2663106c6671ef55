//! Plugins as components: bundled with the program, in files, or in S3. Only in builds that compile.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_core::config::{PluginReference, PluginUse, Sha256Hex, SignatureReference};
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::plugin_signature::{MAX_SIGNATURE_BYTES, PluginSignatureError, SignedPlugin, verify};
use tidegate_host::{AdmissionError, CodeCache, Engine, Plugin, PluginKind, limits};
use tidegate_plugin_build::{EmbedError, embed_file};

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
    /// It has no valid signature.
    #[error(transparent)]
    Signature(#[from] Box<ComponentSignatureError>),
}

/// Why a component counts as not signed.
#[derive(Debug, thiserror::Error)]
pub enum ComponentSignatureError {
    /// It is not signed, or its signature cannot be read.
    #[error(
        "the plugin `{plugin}` needs a signature, and `{signature}` cannot be read: {why}; sign it with \
         `minisign -S -m FILE -t 'name:{name} version:VERSION'`"
    )]
    Missing {
        /// The plugin.
        plugin: PluginReference,
        /// Where the signature should be.
        signature: SignatureReference,
        /// The name to sign it under.
        name: String,
        /// The error of the file system or of S3.
        why: String,
    },
    /// Its signature does not hold for it.
    #[error("the signature `{signature}` of the plugin `{plugin}` is refused: {error}")]
    Refused {
        /// The plugin.
        plugin: PluginReference,
        /// Where the signature is.
        signature: SignatureReference,
        /// The cause.
        error: PluginSignatureError,
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
            | Self::Script { .. }
            | Self::File { .. }
            | Self::Digest { .. }
            | Self::Signature(_) => ErrorKind::Configuration,
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
    signed: Option<SignedPlugin>,
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

    /// A file with a signature. What follows its longest form is not read.
    fn signature(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(self.directory.join(path))?;
        file.take(MAX_SIGNATURE_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Why there is no signature.
struct NoSignature {
    /// Whether there is none, or none that these credentials may read.
    is_absent: bool,
    why: String,
}

impl ComponentLoader {
    /// Fetches a plugin's component, and checks the digest of the file and its signature. There is no other way to a
    /// component.
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
        let signed = self.verify(plugin_use, &bytes, s3).await.map_err(Box::new)?;
        let bytes = match plugin {
            PluginReference::Script(path) => {
                let engine = self.files.bundled(bundled_name(SCRIPT, kind))?;
                embed_file(engine, Path::new(path), bytes)
                    .map_err(|why| ComponentError::Script { path: path.clone(), why })?
            }
            _ => bytes,
        };
        Ok(FetchedComponent { loader: self.clone(), bytes: bytes.into(), signed })
    }

    /// Verifies the signature of a component. One that nothing requires is verified if it is there.
    async fn verify(
        &self,
        plugin_use: &PluginUse,
        bytes: &[u8],
        s3: &S3,
    ) -> Result<Option<SignedPlugin>, ComponentSignatureError> {
        let is_needed = plugin_use.needs_signature();
        if !is_needed && !plugin_use.may_be_signed() {
            return Ok(None);
        }
        let (plugin, at) = (plugin_use.plugin.clone(), plugin_use.signature());
        match self.signature(&at, s3).await {
            Ok(signature) => verify(plugin_use, bytes, &signature)
                .map(Some)
                .map_err(|error| ComponentSignatureError::Refused { plugin, signature: at, error }),
            Err(NoSignature { is_absent: true, .. }) if !is_needed => Ok(None),
            Err(NoSignature { why, .. }) => {
                let name = plugin_use.expected_name();
                Err(ComponentSignatureError::Missing { plugin, signature: at, name, why })
            }
        }
    }

    async fn signature(&self, at: &SignatureReference, s3: &S3) -> Result<Vec<u8>, NoSignature> {
        match at {
            SignatureReference::File(path) => self.files.signature(path).map_err(|error| NoSignature {
                is_absent: error.kind() == std::io::ErrorKind::NotFound,
                why: error.to_string(),
            }),
            SignatureReference::Object(bucket, key) => {
                let read = s3.get_small(bucket, key, MAX_SIGNATURE_BYTES).await;
                read.map(Vec::from).map_err(|error| NoSignature {
                    is_absent: error.is_not_found() || error.is_denied(),
                    why: error.to_string(),
                })
            }
        }
    }
}

impl FetchedComponent {
    /// Its bytes.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// Who signed it, if its signature was verified.
    #[must_use]
    pub fn signed(&self) -> Option<&SignedPlugin> {
        self.signed.as_ref()
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
