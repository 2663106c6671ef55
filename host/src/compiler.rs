//! Compiling plugins for a deployment package. Only in builds that compile.
//!
//! Owns the way from components to the files of `compiled/`. Never reads or writes a file, and never runs what it compiled.

use std::collections::BTreeMap;

use tidegate_core::architecture::Architecture;
use tidegate_core::config::Sha256Hex;
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};

use super::admission::{AdmissionError, identify};
use super::code_cache::packaged::{INDEX, PackageIndex, PackagedCode, name};
use super::engine::{EngineError, configuration};
use super::kind::IdentifiedPlugin;

/// Compiles plugins for one target, which need not be this machine.
///
/// Its engine is configured as the one that runs them, except for the target. Naming that keeps this machine's CPU out of
/// the code: it needs nothing that not every machine of the architecture has. Cheap to clone.
#[derive(Clone)]
pub struct Compiler {
    engine: wasmtime::Engine,
    target: Architecture,
}

/// The machine code of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledPlugin {
    component: Sha256Hex,
    identified: IdentifiedPlugin,
    bytes: Vec<u8>,
}

impl Compiler {
    /// A compiler for a target.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn new(target: Architecture) -> Result<Self, EngineError> {
        let sandbox = |error: wasmtime::Error| EngineError::Sandbox(format!("{error:#}"));
        let mut configuration = configuration().map_err(sandbox)?;
        configuration.target(target.triple()).map_err(sandbox)?;
        Ok(Self { engine: wasmtime::Engine::new(&configuration).map_err(sandbox)?, target })
    }

    /// What it compiles for.
    #[must_use]
    pub fn target(&self) -> Architecture {
        self.target
    }

    /// Admits a component as [`Plugin::load`](super::Plugin::load) does, and compiles it.
    ///
    /// # Errors
    /// [`AdmissionError`], each with the remedy.
    pub fn compile(&self, plugin: &str, bytes: &[u8]) -> Result<CompiledPlugin, AdmissionError> {
        let identified = identify(plugin, bytes)?;
        let code = self.engine.precompile_component(bytes).map_err(|error| AdmissionError::Invalid {
            plugin: sanitize(plugin, MESSAGE_BYTES),
            why: sanitize(&format!("{error:#}"), MESSAGE_BYTES),
        })?;
        Ok(CompiledPlugin { component: Sha256Hex::of(bytes), identified, bytes: code })
    }

    /// The files of `compiled/`, by name: the code, and the index by which a function knows it. `bundled` says which
    /// component a name of a bundled plugin stands for.
    ///
    /// # Errors
    /// None in practice: the index is plain text and numbers.
    pub fn files(
        &self,
        codes: Vec<CompiledPlugin>,
        bundled: BTreeMap<String, Sha256Hex>,
    ) -> Result<BTreeMap<String, Vec<u8>>, serde_json::Error> {
        let (mut files, mut components) = (BTreeMap::new(), BTreeMap::new());
        for CompiledPlugin { component, identified, bytes } in codes {
            let compiled = PackagedCode::new(identified, &bytes);
            files.insert(name(&component, self.target), bytes);
            components.insert(component, compiled);
        }
        let mut index = serde_json::to_vec_pretty(&PackageIndex::new(self.target, bundled, components))?;
        index.push(b'\n');
        files.insert(INDEX.to_owned(), index);
        Ok(files)
    }
}

impl CompiledPlugin {
    /// The machine code, in wasmtime's own form.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for Compiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiler").field("target", &self.target).finish_non_exhaustive()
    }
}
