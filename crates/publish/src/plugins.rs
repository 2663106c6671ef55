//! Loads the plugins of a site: finds, admits and compiles them, and has them check their settings.

use tidegate_core::config::{ConfigError, PluginReference, PluginUse, Sha256Hex, Site};
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::plan::PluginInput;
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_core::plugin_signature::SignedPlugin;
use tidegate_host::{
    AdmissionError, AdmissionErrorKind, CodePackage, ConfiguredPlugin, Engine, Plugin, PluginKind, SettingsError,
};

#[cfg(feature = "compile")]
use crate::components::{ComponentError, ComponentLoader, FetchedComponent};
use crate::s3::S3;

/// The policy that every site has, even if its configuration does not name it.
const GUARD: &str = "guard";

/// The bundled engine of scripts. A component has one kind, so the one for policies has another name.
pub const SCRIPT: &str = "script";
pub(crate) const SCRIPT_POLICY: &str = "script-policy";

/// The bundled plugin behind a name in the configuration.
pub fn bundled_name(name: &str, kind: PluginKind) -> &str {
    if name == SCRIPT && kind == PluginKind::Policy { SCRIPT_POLICY } else { name }
}

/// The name in a deployment package of a plugin whose component has no digest in the configuration.
pub fn packaged_name(used: &PluginUse, kind: PluginKind) -> Option<String> {
    match &used.plugin {
        PluginReference::Bundled(name) => Some(bundled_name(name, kind).to_owned()),
        PluginReference::Script(path) => Some(format!("{} {path}", kind.as_str())),
        signed @ (PluginReference::File(_) | PluginReference::Object(_)) => {
            used.sha256.is_none().then(|| signed.to_string())
        }
    }
}

/// The plugins of one site.
#[derive(Debug, Clone, Default)]
pub struct SitePlugins {
    /// Sync plugins, in order.
    pub sync: Vec<ConfiguredPlugin>,
    /// Policy plugins.
    pub policy: Vec<ConfiguredPlugin>,
    /// Who signed them, in the order of [`Self::all`].
    signed: Vec<Option<SignedPlugin>>,
}

/// Why a site's plugins cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SitePluginsError {
    /// A component cannot be loaded.
    #[cfg(feature = "compile")]
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// A sync plugin among the policies, or the reverse.
    #[error("the plugin `{plugin}` is a {is} plugin; list it under `[[site.{is}]]`")]
    Kind {
        /// The plugin.
        plugin: PluginReference,
        /// Its kind.
        is: &'static str,
    },
    /// The host does not admit a plugin.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// A plugin does not accept its settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The process is shutting down.
    #[error("loading plugins was interrupted; run the same command again")]
    Interrupted,
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl SitePluginsError {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            #[cfg(feature = "compile")]
            Self::Component(error) => error.kind(),
            Self::Interrupted => ErrorKind::Cloud,
            Self::Kind { .. } | Self::Admission(_) | Self::Settings(_) | Self::Config(_) => ErrorKind::Configuration,
        }
    }

    /// The failure of a plugin that validated its settings, if that is the error.
    #[must_use]
    pub fn plugin_failure(&self) -> Option<&PluginFailure> {
        match self {
            Self::Settings(SettingsError::Failed(failure)) => Some(failure),
            _ => None,
        }
    }
}

/// The plugins that a site uses, in order. `guard` is the first policy if the configuration does not name it. A `guard` that
/// is only observed, to try other settings, protects nothing.
pub fn uses(site: &Site) -> Vec<(PluginUse, PluginKind)> {
    let guard = PluginReference::Bundled(GUARD.to_owned());
    let implied = !site.policy.iter().any(|used| used.plugin == guard && used.mode.is_enforced());
    let implied = implied.then(|| PluginUse::new(guard, serde_json::Map::new()));
    let sync = site.sync.iter().cloned().map(|used| (used, PluginKind::Sync));
    sync.chain(implied.into_iter().chain(site.policy.iter().cloned()).map(|used| (used, PluginKind::Policy))).collect()
}

/// Loads plugins.
#[derive(Clone)]
pub enum PluginLoader {
    /// From components, which are compiled here.
    #[cfg(feature = "compile")]
    Components(ComponentLoader),
    /// From the compiled code in a deployment package.
    Packaged(Engine, CodePackage),
}

impl PluginLoader {
    /// Loads every plugin of a site. A site without `guard` gets it with its defaults: the protection from an empty
    /// source or a published `.env` needs no configuration.
    ///
    /// # Errors
    /// [`SitePluginsError`].
    pub async fn load(&self, site: &Site, s3: &S3) -> Result<SitePlugins, SitePluginsError> {
        let mut chain =
            SitePlugins { sync: Vec::with_capacity(site.sync.len()), policy: Vec::new(), signed: Vec::new() };
        // Sync plugins come first.
        for (used, kind) in uses(site) {
            let found = self.find(&used, kind, s3).await?;
            chain.signed.push(found.signed().cloned());
            let configured = configure(found, &used, kind).await?;
            match kind {
                PluginKind::Sync => chain.sync.push(configured),
                PluginKind::Policy => chain.policy.push(configured),
            }
        }
        Ok(chain)
    }

    /// Finds the plugin that the configuration refers to.
    async fn find(&self, used: &PluginUse, kind: PluginKind, s3: &S3) -> Result<FoundPlugin, SitePluginsError> {
        match self {
            #[cfg(feature = "compile")]
            Self::Components(components) => Ok(FoundPlugin::Component(components.find(used, kind, s3).await?)),
            Self::Packaged(engine, package) => {
                // Nothing is fetched: the digest of the component is in the package or in the configuration. A signature was
                // verified when the package was made.
                let _ = s3;
                let component = match packaged_name(used, kind) {
                    Some(name) => package.digest_of(&name),
                    None => used.sha256.as_ref(),
                };
                let component =
                    component.ok_or_else(|| AdmissionErrorKind::NotPackaged.of(&used.plugin.to_string()))?;
                Ok(FoundPlugin::Packaged(engine.clone(), package.clone(), component.clone()))
            }
        }
    }
}

/// A plugin with the digest that the configuration demands.
pub enum FoundPlugin {
    /// A component, which is compiled here.
    #[cfg(feature = "compile")]
    Component(FetchedComponent),
    /// Code from a package.
    Packaged(Engine, CodePackage, Sha256Hex),
}

/// Admits a plugin, compiles it or takes its compiled code, and has it check its settings.
pub async fn configure(
    found: FoundPlugin,
    used: &PluginUse,
    kind: PluginKind,
) -> Result<ConfiguredPlugin, SitePluginsError> {
    let used = used.clone();
    let configured = tokio::task::spawn_blocking(move || found.load(&used, kind)).await;
    configured.map_err(|_| SitePluginsError::Interrupted)?
}

impl FoundPlugin {
    fn load(&self, used: &PluginUse, kind: PluginKind) -> Result<ConfiguredPlugin, SitePluginsError> {
        let name = used.plugin.to_string();
        let plugin = match self {
            #[cfg(feature = "compile")]
            Self::Component(component) => component.load(&name)?,
            Self::Packaged(engine, package, component) => Plugin::packaged(engine, package, &name, component)?,
        };
        if plugin.kind() != kind {
            return Err(SitePluginsError::Kind { plugin: used.plugin.clone(), is: plugin.kind().as_str() });
        }
        let configured = plugin.validate(&serde_json::Value::Object(used.settings.clone()))?;
        Ok(configured.with_grant(used.grant.clone()).with_mode(used.mode))
    }

    fn signed(&self) -> Option<&SignedPlugin> {
        match self {
            #[cfg(feature = "compile")]
            Self::Component(component) => component.signed(),
            Self::Packaged(..) => None,
        }
    }
}

impl SitePlugins {
    /// Sync plugins and policies, each with its signer, if its signature was verified.
    pub fn all(&self) -> impl Iterator<Item = (&ConfiguredPlugin, Option<&SignedPlugin>)> {
        self.sync.iter().chain(&self.policy).zip(self.signed.iter().map(Option::as_ref))
    }

    /// What a plan records about them.
    #[must_use]
    pub fn inputs(&self) -> Vec<PluginInput> {
        self.all()
            .map(|(used, signed)| PluginInput {
                name: used.name().to_owned(),
                sha256: used.plugin().sha256().to_string(),
                settings: used.settings().to_owned(),
                signed: signed.cloned(),
                grant: used.grant().cloned(),
                mode: used.mode(),
            })
            .collect()
    }
}
