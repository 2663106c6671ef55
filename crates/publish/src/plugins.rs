//! The plugins of one site: found, admitted, compiled and with accepted settings.
//!
//! Owns which plugins a site has, and holding them to what the configuration says of them. Never runs one over a site.

use tidegate_core::config::{ConfigError, PluginReference, PluginUse, Sha256Hex, Site};
use tidegate_core::error_kind::Fault;
use tidegate_core::plan::PluginInput;
use tidegate_host::{AdmissionError, Configured, Engine, Kind, Package, Plugin, SettingsError};

#[cfg(feature = "compile")]
use crate::components::{Component, ComponentError, Components};
use crate::s3::S3;

/// The policy that judges where the configuration names no `guard`.
const GUARD: &str = "guard";

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
    /// A component cannot be had.
    #[cfg(feature = "compile")]
    #[error(transparent)]
    Component(#[from] ComponentError),
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

impl ChainError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            #[cfg(feature = "compile")]
            Self::Component(error) => error.fault(),
            Self::Interrupted => Fault::Cloud,
            Self::Kind { .. } | Self::Admission(_) | Self::Settings(_) | Self::Config(_) => Fault::Configuration,
        }
    }
}

/// The plugins that a site uses, in their order. `guard` is the first policy where the configuration does not name it.
pub fn uses(site: &Site) -> Vec<(PluginUse, Kind)> {
    let guard = PluginReference::Bundled(GUARD.to_owned());
    let implied = !site.policy.iter().any(|used| used.plugin == guard);
    let implied = implied.then(|| PluginUse { plugin: guard, sha256: None, settings: serde_json::Map::new() });
    let sync = site.sync.iter().cloned().map(|used| (used, Kind::Sync));
    sync.chain(implied.into_iter().chain(site.policy.iter().cloned()).map(|used| (used, Kind::Policy))).collect()
}

/// What plugins are loaded from.
#[derive(Clone)]
pub enum Workshop {
    /// Components, which are compiled here.
    #[cfg(feature = "compile")]
    Components(Components),
    /// The code that a deployment package brought.
    Packaged(Engine, Package),
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
            let found = self.find(&used, s3).await?;
            let configured = configure(found, &used, kind).await?;
            match kind {
                Kind::Sync => chain.sync.push(configured),
                Kind::Policy => chain.policy.push(configured),
            }
        }
        Ok(chain)
    }

    /// Finds what a reference of the configuration stands for.
    async fn find(&self, used: &PluginUse, s3: &S3) -> Result<Found, ChainError> {
        match self {
            #[cfg(feature = "compile")]
            Self::Components(components) => Ok(Found::Component(components.find(used, s3).await?)),
            Self::Packaged(engine, package) => {
                // Nothing is fetched: the digest is in the configuration, or in the package for what is bundled.
                let _ = s3;
                let name = used.plugin.to_string();
                let component = match &used.sha256 {
                    Some(component) => component,
                    None => package.bundled(&name).ok_or(AdmissionError::NotPackaged { plugin: name })?,
                };
                Ok(Found::Packaged(engine.clone(), package.clone(), component.clone()))
            }
        }
    }
}

/// What a reference stands for: what has the digest that the configuration gives.
pub enum Found {
    /// A component, which is compiled here.
    #[cfg(feature = "compile")]
    Component(Component),
    /// Code from a package.
    Packaged(Engine, Package, Sha256Hex),
}

/// Admits a plugin, compiles it or takes its code from where it is, and has it accept its settings.
pub async fn configure(found: Found, used: &PluginUse, kind: Kind) -> Result<Configured, ChainError> {
    let used = used.clone();
    let configured = tokio::task::spawn_blocking(move || found.load(&used, kind)).await;
    configured.map_err(|_| ChainError::Interrupted)?
}

impl Found {
    fn load(&self, used: &PluginUse, kind: Kind) -> Result<Configured, ChainError> {
        let name = used.plugin.to_string();
        let plugin = match self {
            #[cfg(feature = "compile")]
            Self::Component(component) => component.load(&name)?,
            Self::Packaged(engine, package, component) => Plugin::packaged(engine, package, &name, component)?,
        };
        if plugin.kind() != kind {
            return Err(ChainError::Kind { plugin: used.plugin.clone(), is: plugin.kind().as_str() });
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
                sha256: used.plugin().sha256().to_string(),
                settings: used.settings().to_owned(),
            })
            .collect()
    }
}
