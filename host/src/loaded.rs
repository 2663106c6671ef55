//! A plugin that was admitted, compiled and checked against the contract: ready to run.
//!
//! Owns the way from bytes or from a package to that. Never runs the plugin.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_core::config::Sha256Hex;
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};
use wasmtime::component::Component;

use super::admission::AdmissionError;
#[cfg(feature = "compile")]
use super::admission::identify;
use super::bindings::policy_world::PolicyPluginPre;
use super::bindings::sync_world::SyncPluginPre;
#[cfg(feature = "compile")]
use super::code_cache::kept::CodeCache;
use super::code_cache::packaged::CodePackage;
use super::engine::Engine;
use super::kind::{IdentifiedPlugin, PluginKind};
use super::store::StoreState;

/// A plugin that can run. Cheap to clone.
#[derive(Clone)]
pub struct Plugin(Arc<PluginFields>);

struct PluginFields {
    name: String,
    sha256: Sha256Hex,
    identified: IdentifiedPlugin,
    cached: bool,
    took: Duration,
    engine: Engine,
    ready: ReadyPlugin,
}

/// A component of either world, with its imports linked and its exports found.
pub(super) enum ReadyPlugin {
    Sync(SyncPluginPre<StoreState>),
    Policy(PolicyPluginPre<StoreState>),
}

impl Plugin {
    /// Admits a component, compiles it or takes its code from the cache, and checks it against the contract. Nothing of
    /// it runs.
    ///
    /// # Errors
    /// [`AdmissionError`], each with the remedy.
    #[cfg(feature = "compile")]
    pub fn load(engine: &Engine, cache: Option<&CodeCache>, name: &str, bytes: &[u8]) -> Result<Self, AdmissionError> {
        let started = Instant::now();
        let identified = identify(name, bytes)?;
        let component = Sha256Hex::of(bytes);
        let kept = cache.and_then(|cache| cache.load(engine, component.as_str()));
        let cached = kept.is_some();
        let code = match kept {
            Some(code) => code,
            None => compile(engine, cache, name, &component, bytes)?,
        };
        Self::link(engine, name, component, identified, &code, cached, started)
    }

    /// Takes the code of a component from a deployment package, and checks it against the contract. Nothing of it runs.
    ///
    /// # Errors
    /// [`AdmissionError::NotPackaged`], [`AdmissionError::Package`], [`AdmissionError::Contract`].
    pub fn packaged(
        engine: &Engine,
        package: &CodePackage,
        name: &str,
        component: &Sha256Hex,
    ) -> Result<Self, AdmissionError> {
        let started = Instant::now();
        let plugin = || sanitize(name, MESSAGE_BYTES);
        let found = package.load(engine, component);
        let found = found.map_err(|why| AdmissionError::Package { plugin: plugin(), why: Box::new(why) })?;
        let (identified, code) = found.ok_or_else(|| AdmissionError::NotPackaged { plugin: plugin() })?;
        Self::link(engine, name, component.clone(), identified, &code, true, started)
    }

    fn link(
        engine: &Engine,
        name: &str,
        sha256: Sha256Hex,
        identified: IdentifiedPlugin,
        code: &Component,
        cached: bool,
        started: Instant,
    ) -> Result<Self, AdmissionError> {
        let name = sanitize(name, MESSAGE_BYTES);
        let contract = |error: wasmtime::Error| AdmissionError::Contract {
            plugin: name.clone(),
            why: sanitize(&format!("{error:#}"), MESSAGE_BYTES),
        };
        let linked = engine.linker().instantiate_pre(code).map_err(contract)?;
        let ready = match identified.kind {
            PluginKind::Sync => ReadyPlugin::Sync(SyncPluginPre::new(linked).map_err(contract)?),
            PluginKind::Policy => ReadyPlugin::Policy(PolicyPluginPre::new(linked).map_err(contract)?),
        };
        let took = started.elapsed();
        tracing::debug!(plugin = name, cached, ?took, "plugin loaded");
        Ok(Self(Arc::new(PluginFields { name, sha256, identified, cached, took, engine: engine.clone(), ready })))
    }

    /// Its name in the configuration.
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

    /// Whether it may read objects: whether it imports `content`.
    #[must_use]
    pub fn reads_content(&self) -> bool {
        self.0.identified.reads_content
    }

    /// Whether its code was compiled before: came from the cache or from a package.
    #[must_use]
    pub fn cached(&self) -> bool {
        self.0.cached
    }

    /// How long it took to compile or load it.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.0.took
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(super) fn ready(&self) -> &ReadyPlugin {
        &self.0.ready
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.0.name).field("kind", &self.kind()).finish_non_exhaustive()
    }
}

#[cfg(feature = "compile")]
fn compile(
    engine: &Engine,
    cache: Option<&CodeCache>,
    name: &str,
    component: &Sha256Hex,
    bytes: &[u8],
) -> Result<Component, AdmissionError> {
    let code = Component::from_binary(engine.wasm(), bytes).map_err(|error| AdmissionError::Invalid {
        plugin: sanitize(name, MESSAGE_BYTES),
        why: sanitize(&format!("{error:#}"), MESSAGE_BYTES),
    })?;
    if let Some(cache) = cache {
        cache.keep(engine, component.as_str(), &code);
    }
    Ok(code)
}
