//! A plugin that was admitted, compiled and checked against the contract: ready to run.
//!
//! Owns the way from bytes to that. Never runs the plugin.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::admission::{AdmissionError, Identified, Kind, identify};
use super::bindings::policy_world::PolicyPluginPre;
use super::bindings::sync_world::SyncPluginPre;
use super::compiled::Cache;
use super::engine::Engine;
use super::state::State;
use crate::spoken::{MESSAGE_BYTES, spoken};

/// A plugin that can run. Cheap to clone.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

struct Inner {
    name: String,
    sha256: String,
    identified: Identified,
    cached: bool,
    took: Duration,
    engine: Engine,
    ready: Ready,
}

/// A component of either world, with its imports linked and its exports found.
pub(super) enum Ready {
    Sync(SyncPluginPre<State>),
    Policy(PolicyPluginPre<State>),
}

impl Plugin {
    /// Admits a component, compiles it or takes its code from the cache, and checks it against the contract. Nothing of
    /// it runs.
    ///
    /// # Errors
    /// [`AdmissionError`], each with the remedy.
    pub fn load(engine: &Engine, cache: Option<&Cache>, name: &str, bytes: &[u8]) -> Result<Self, AdmissionError> {
        let started = Instant::now();
        let identified = identify(name, bytes)?;
        let sha256 = hex::encode(Sha256::digest(bytes));
        let name = spoken(name, MESSAGE_BYTES);
        let kept = cache.map(|cache| cache.load(engine, &sha256)).transpose();
        let kept = kept.map_err(|why| AdmissionError::Package { plugin: name.clone(), why: Box::new(why) })?;
        let (component, cached) = match kept.flatten() {
            Some(component) => (component, true),
            None => (compile(engine, cache, &name, &sha256, bytes)?, false),
        };
        let contract = |error: wasmtime::Error| AdmissionError::Contract {
            plugin: name.clone(),
            why: spoken(&format!("{error:#}"), MESSAGE_BYTES),
        };
        let linked = engine.linker().instantiate_pre(&component).map_err(contract)?;
        let ready = match identified.kind {
            Kind::Sync => Ready::Sync(SyncPluginPre::new(linked).map_err(contract)?),
            Kind::Policy => Ready::Policy(PolicyPluginPre::new(linked).map_err(contract)?),
        };
        let took = started.elapsed();
        tracing::debug!(plugin = name, cached, ?took, "plugin loaded");
        Ok(Self(Arc::new(Inner { name, sha256, identified, cached, took, engine: engine.clone(), ready })))
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// SHA-256 of its component, 64 hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.identified.kind
    }

    /// Whether it may read objects: whether it imports `content`.
    #[must_use]
    pub fn reads_content(&self) -> bool {
        self.0.identified.reads_content
    }

    /// Whether its code came from the cache.
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

    pub(super) fn ready(&self) -> &Ready {
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
    cache: Option<&Cache>,
    name: &str,
    sha256: &str,
    bytes: &[u8],
) -> Result<Component, AdmissionError> {
    let component = Component::from_binary(engine.wasm(), bytes).map_err(|error| AdmissionError::Invalid {
        plugin: name.to_owned(),
        why: spoken(&format!("{error:#}"), MESSAGE_BYTES),
    })?;
    if let Some(cache) = cache {
        cache.keep(engine, sha256, &component);
    }
    Ok(component)
}

#[cfg(not(feature = "compile"))]
fn compile(_: &Engine, _: Option<&Cache>, name: &str, _: &str, _: &[u8]) -> Result<Component, AdmissionError> {
    Err(AdmissionError::NotCompiled { plugin: name.to_owned() })
}
