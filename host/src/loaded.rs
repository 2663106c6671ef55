//! Loading a plugin: from bytes or from a package to code that is linked and matches the contract. Runs nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_core::config::Sha256Hex;
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};
use wasmtime::component::Component;

#[cfg(feature = "compile")]
use super::admission::identify;
use super::admission_error::{AdmissionError, AdmissionErrorKind};
use super::bindings::policy_world::PolicyPluginPre;
use super::bindings::sync_world::SyncPluginPre;
use super::compiled_code::package::CodePackage;
#[cfg(feature = "compile")]
use super::compiled_code::{self, cache::CodeCache};
use super::engine::Engine;
use super::kind::{IdentifiedPlugin, PluginKind};
use super::limits::Limits;
use super::profile::Profiler;
use super::store::StoreState;

/// A plugin that can run. Cheap to clone.
#[derive(Clone)]
pub struct Plugin(Arc<PluginFields>);

struct PluginFields {
    name: String,
    sha256: Sha256Hex,
    identified: IdentifiedPlugin,
    precompiled: bool,
    load_time: Duration,
    engine: Engine,
    linked: LinkedPlugin,
}

/// A component of either world, with its imports linked and its exports found.
pub(super) enum LinkedPlugin {
    Sync(SyncPluginPre<StoreState>),
    Policy(PolicyPluginPre<StoreState>),
}

/// Code with what is known about it before it is linked.
struct PluginCode<'a> {
    sha256: &'a Sha256Hex,
    identified: IdentifiedPlugin,
    code: Component,
    precompiled: bool,
    started: Instant,
}

impl Plugin {
    /// Admits a component, compiles it or takes its code from the cache, and checks it against the contract.
    ///
    /// # Errors
    /// [`AdmissionError`].
    #[cfg(feature = "compile")]
    pub fn load(engine: &Engine, cache: Option<&CodeCache>, name: &str, bytes: &[u8]) -> Result<Self, AdmissionError> {
        let started = Instant::now();
        let identified = identify(name, bytes)?;
        let sha256 = Sha256Hex::of(bytes);
        let cached = cache.and_then(|cache| cache.load(engine, sha256.as_str()));
        let precompiled = cached.is_some();
        let code = match cached {
            Some(code) => code,
            None => {
                let invalid = |error: wasmtime::Error| AdmissionError::invalid(name, &error);
                let code = match engine.compiler() {
                    Some(compiler) => {
                        let code = compiler.compile(None, bytes).map_err(|kind| kind.of(name))?;
                        compiled_code::from_compiler(engine, &code).map_err(invalid)?
                    }
                    None => Component::from_binary(engine.wasm(), bytes).map_err(invalid)?,
                };
                if let Some(cache) = cache {
                    cache.store(engine, sha256.as_str(), &code);
                }
                code
            }
        };
        Self::link(engine, name, PluginCode { sha256: &sha256, identified, code, precompiled, started })
    }

    /// Takes the code of a component from a deployment package, and checks it against the contract.
    ///
    /// # Errors
    /// [`AdmissionErrorKind::NotPackaged`], [`AdmissionErrorKind::Package`], [`AdmissionErrorKind::Contract`].
    pub fn packaged(
        engine: &Engine,
        package: &CodePackage,
        name: &str,
        component: &Sha256Hex,
    ) -> Result<Self, AdmissionError> {
        let started = Instant::now();
        let packaged = package.load(engine, component);
        let packaged = packaged.map_err(|error| AdmissionErrorKind::Package(Box::new(error)).of(name))?;
        let (identified, code) = packaged.ok_or_else(|| AdmissionErrorKind::NotPackaged.of(name))?;
        Self::link(engine, name, PluginCode { sha256: component, identified, code, precompiled: true, started })
    }

    fn link(engine: &Engine, name: &str, plugin: PluginCode<'_>) -> Result<Self, AdmissionError> {
        let PluginCode { sha256, identified, code, precompiled, started } = plugin;
        let mismatch = |error: wasmtime::Error| {
            AdmissionErrorKind::Contract(sanitize(&format!("{error:#}"), MESSAGE_BYTES)).of(name)
        };
        let instance = engine.linker().instantiate_pre(&code).map_err(mismatch)?;
        let linked = match identified.kind {
            PluginKind::Sync => LinkedPlugin::Sync(SyncPluginPre::new(instance).map_err(mismatch)?),
            PluginKind::Policy => LinkedPlugin::Policy(PolicyPluginPre::new(instance).map_err(mismatch)?),
        };
        let (name, load_time) = (sanitize(name, MESSAGE_BYTES), started.elapsed());
        tracing::debug!(plugin = name, precompiled, ?load_time, "plugin loaded");
        let (sha256, engine) = (sha256.clone(), engine.clone());
        Ok(Self(Arc::new(PluginFields { name, sha256, identified, precompiled, load_time, engine, linked })))
    }

    /// The plugin's name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// SHA-256 of its component.
    #[must_use]
    pub fn sha256(&self) -> &Sha256Hex {
        &self.0.sha256
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> PluginKind {
        self.0.identified.kind
    }

    /// Whether it imports `content`, so that it may read objects.
    #[must_use]
    pub fn reads_content(&self) -> bool {
        self.0.identified.reads_content
    }

    /// Whether its code came from the cache or from a package instead of the compiler.
    #[must_use]
    pub fn precompiled(&self) -> bool {
        self.0.precompiled
    }

    /// How long it took to load or compile it.
    #[must_use]
    pub fn load_time(&self) -> Duration {
        self.0.load_time
    }

    /// The size of its compiled code with its data, in bytes.
    #[must_use]
    pub fn code_bytes(&self) -> u64 {
        let component = match self.linked() {
            LinkedPlugin::Sync(plugin) => plugin.instance_pre().component(),
            LinkedPlugin::Policy(plugin) => plugin.instance_pre().component(),
        };
        let range = component.image_range();
        range.end.addr().saturating_sub(range.start.addr()) as u64
    }

    /// The limits of its runs.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.engine().limits()
    }

    /// Profiles its runs.
    #[must_use]
    pub fn profiler(&self) -> &Profiler {
        self.engine().profiler()
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(super) fn linked(&self) -> &LinkedPlugin {
        &self.0.linked
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.0.name).field("kind", &self.kind()).finish_non_exhaustive()
    }
}
