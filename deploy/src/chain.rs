//! The plugins of one site: found, admitted, compiled and with accepted settings.
//!
//! Owns where components come from. Never runs one over a site.

use std::sync::Arc;

use tidegate_host::config::{ConfigError, PluginReference, PluginUse, Sha256Hex, Site};
use tidegate_host::identity::sha256;
use tidegate_host::plan::PluginInput;
use tidegate_host::plugin::{AdmissionError, Cache, Configured, Engine, Kind, Plugin, SettingsError, limits};

use crate::cloud::CloudError;
use crate::s3::S3;

/// The policy that judges where the configuration names no `guard`.
const GUARD: &str = "guard";

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

/// The plugins of one site.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Sync plugins, in order.
    pub sync: Vec<Configured>,
    /// Policy plugins.
    pub policy: Vec<Configured>,
}

/// Why a site's plugins cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
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
    Object(PluginReference, Box<CloudError>),
    /// The component is not the one that the configuration means.
    #[error(
        "the plugin `{plugin}` has the SHA-256 {found}, the configuration says {wanted}: check where it comes from before changing `sha256`"
    )]
    Digest {
        /// The plugin.
        plugin: PluginReference,
        /// Its digest.
        found: String,
        /// The configured digest.
        wanted: Sha256Hex,
    },
    /// A sync plugin among the policies, or the other way round.
    #[error("the plugin `{plugin}` is a {is} plugin, list it under `[[site.{is}]]`")]
    Kind {
        /// The plugin.
        plugin: PluginReference,
        /// Its kind.
        is: &'static str,
    },
    /// The host does not admit it.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// It does not accept its settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The work was dropped.
    #[error("loading plugins was interrupted, run again")]
    Interrupted,
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// A component as one site uses it.
#[derive(Debug, Clone)]
pub(crate) struct UsedComponent {
    pub(crate) used: PluginUse,
    pub(crate) kind: Kind,
    pub(crate) bytes: Arc<[u8]>,
}

/// The plugins that a site uses, in their order. `guard` is the first policy where the configuration does not name it.
pub(crate) fn uses(site: &Site) -> Vec<(PluginUse, Kind)> {
    let guard = PluginReference::Bundled(GUARD.to_owned());
    let implied = !site.policy.iter().any(|used| used.plugin == guard);
    let implied = implied.then(|| PluginUse { plugin: guard, sha256: None, settings: serde_json::Map::new() });
    let sync = site.sync.iter().cloned().map(|used| (used, Kind::Sync));
    sync.chain(implied.into_iter().chain(site.policy.iter().cloned()).map(|used| (used, Kind::Policy))).collect()
}

/// What plugins are loaded with.
#[derive(Clone)]
pub struct Workshop {
    /// The engine.
    pub engine: Engine,
    /// Compiled code from earlier runs.
    pub cache: Option<Cache>,
    /// Components.
    pub library: Arc<dyn Library>,
}

impl Workshop {
    /// Loads every plugin of a site. A site without `guard` among its policies gets it with its defaults: nobody has to
    /// ask for the protection from an empty source or a published `.env`.
    ///
    /// # Errors
    /// [`ChainError`], each with the remedy.
    pub async fn chain(&self, site: &Site, s3: &S3) -> Result<Chain, ChainError> {
        let mut chain = Chain { sync: Vec::with_capacity(site.sync.len()), policy: Vec::new() };
        for (used, kind) in uses(site) {
            let component = self.component(used, kind, s3).await?;
            let configured = self.configure(&component).await?;
            match kind {
                Kind::Sync => chain.sync.push(configured),
                Kind::Policy => chain.policy.push(configured),
            }
        }
        Ok(chain)
    }

    /// Fetches the component of one use, and holds it to its digest.
    pub(crate) async fn component(&self, used: PluginUse, kind: Kind, s3: &S3) -> Result<UsedComponent, ChainError> {
        let bytes = self.bytes(&used, s3).await?.into();
        Ok(UsedComponent { used, kind, bytes })
    }

    /// Admits a component, compiles it or takes its code from the cache, and has it accept its settings.
    pub(crate) async fn configure(&self, component: &UsedComponent) -> Result<Configured, ChainError> {
        let (workshop, component) = (self.clone(), component.clone());
        let configured = tokio::task::spawn_blocking(move || workshop.load(&component)).await;
        configured.map_err(|_| ChainError::Interrupted)?
    }

    async fn bytes(&self, used: &PluginUse, s3: &S3) -> Result<Vec<u8>, ChainError> {
        let bytes = match &used.plugin {
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
            PluginReference::Object(object) => s3
                .small(&object.bucket, object.key.as_str(), limits::MAX_COMPONENT_BYTES as u64)
                .await
                .map_err(|error| ChainError::Object(used.plugin.clone(), Box::new(error)))?
                .to_vec(),
        };
        let found = sha256(&bytes);
        match &used.sha256 {
            Some(wanted) if wanted.as_str() != found => {
                Err(ChainError::Digest { plugin: used.plugin.clone(), found, wanted: wanted.clone() })
            }
            _ => Ok(bytes),
        }
    }

    fn load(&self, UsedComponent { used, kind, bytes }: &UsedComponent) -> Result<Configured, ChainError> {
        let name = used.plugin.to_string();
        let plugin = Plugin::load(&self.engine, self.cache.as_ref(), &name, bytes)?;
        if plugin.kind() != *kind {
            let is = match plugin.kind() {
                Kind::Sync => "sync",
                Kind::Policy => "policy",
            };
            return Err(ChainError::Kind { plugin: used.plugin.clone(), is });
        }
        Ok(plugin.validate(&serde_json::Value::Object(used.settings.clone()))?)
    }
}

impl Chain {
    /// What a plan records of them.
    #[must_use]
    pub fn inputs(&self) -> Vec<PluginInput> {
        self.sync
            .iter()
            .chain(&self.policy)
            .map(|used| PluginInput {
                name: used.name().to_owned(),
                sha256: used.plugin().sha256().to_owned(),
                settings: used.settings().to_owned(),
            })
            .collect()
    }
}
