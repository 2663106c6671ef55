//! Compiles plugins for a deployment package. Only in builds that compile.

use std::collections::BTreeMap;

use tidegate_core::architecture::Architecture;
use tidegate_core::config::Sha256Hex;

use super::admission::identify;
use super::admission_error::AdmissionError;
use super::compiled_code::package::{INDEX, PackageIndex, PackagedCode, file_name};
use super::compiler_process::CompilerProcess;
use super::engine::EngineError;
use super::engine_configuration::configuration;
use super::kind::IdentifiedPlugin;

/// Compiles plugins for one target, which need not be this machine.
///
/// Apart from the target, its engine has the configuration of the engine that runs the code. An explicit target also
/// keeps the features of this machine's CPU out of the code, so every machine of the architecture can run it. Cheap to
/// clone.
#[derive(Clone)]
pub struct Compiler {
    engine: wasmtime::Engine,
    target: Architecture,
    process: Option<CompilerProcess>,
}

/// The machine code of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledPlugin {
    component: Sha256Hex,
    identified: IdentifiedPlugin,
    code: Vec<u8>,
}

impl Compiler {
    /// Creates a compiler for a target.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn new(target: Architecture) -> Result<Self, EngineError> {
        let mut configuration = configuration().map_err(EngineError::sandbox)?;
        configuration.target(target.triple()).map_err(EngineError::sandbox)?;
        Ok(Self { engine: wasmtime::Engine::new(&configuration).map_err(EngineError::sandbox)?, target, process: None })
    }

    /// Compiles in a process of its own, as [`Engine::with_compiler`](super::Engine::with_compiler).
    #[must_use]
    pub fn with_process(self, process: Option<CompilerProcess>) -> Self {
        Self { process, ..self }
    }

    /// The target.
    #[must_use]
    pub fn target(&self) -> Architecture {
        self.target
    }

    /// Admits a component as [`Plugin::load`](super::Plugin::load) does, and compiles it.
    ///
    /// # Errors
    /// [`AdmissionError`].
    pub fn compile(&self, plugin: &str, bytes: &[u8]) -> Result<CompiledPlugin, AdmissionError> {
        let identified = identify(plugin, bytes)?;
        let code = match &self.process {
            Some(process) => process.compile(Some(self.target), bytes).map_err(|kind| kind.of(plugin))?.into_bytes(),
            None => self.engine.precompile_component(bytes).map_err(|error| AdmissionError::invalid(plugin, &error))?,
        };
        Ok(CompiledPlugin { component: Sha256Hex::of(bytes), identified, code })
    }

    /// The files of `compiled/` by name: the code of each plugin, and the index. `unpinned` has the component of each
    /// plugin whose digest is not in the configuration.
    ///
    /// # Errors
    /// None in practice: the index is plain text and numbers.
    pub fn files(
        &self,
        plugins: Vec<CompiledPlugin>,
        unpinned: BTreeMap<String, Sha256Hex>,
    ) -> Result<BTreeMap<String, Vec<u8>>, serde_json::Error> {
        let (mut files, mut components) = (BTreeMap::new(), BTreeMap::new());
        for CompiledPlugin { component, identified, code } in plugins {
            let packaged = PackagedCode::new(identified, &code);
            files.insert(file_name(&component, self.target), code);
            components.insert(component, packaged);
        }
        let mut index = serde_json::to_vec_pretty(&PackageIndex::new(self.target, unpinned, components))?;
        index.push(b'\n');
        files.insert(INDEX.to_owned(), index);
        Ok(files)
    }
}

impl CompiledPlugin {
    /// The machine code, in wasmtime's format.
    #[must_use]
    pub fn code(&self) -> &[u8] {
        &self.code
    }
}

impl std::fmt::Debug for Compiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiler").field("target", &self.target).finish_non_exhaustive()
    }
}
