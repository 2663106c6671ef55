//! The sandbox: one wasmtime engine, whose only constructor turns every protection on.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Linker;

#[cfg(feature = "compile")]
use super::compiler_process::CompilerProcess;
use super::engine_configuration::configuration;
use super::imports;
use super::limits::Limits;
use super::profile::Profiler;
use super::store::StoreState;

/// How often running code checks the time. A loop exceeds its deadline by about this much.
const TICK: Duration = Duration::from_millis(5);

/// Frames that a backtrace has at most, from the innermost. It has no effect on compiled code.
const MAX_FRAMES: Option<NonZeroUsize> = NonZeroUsize::new(256);

/// Runs plugins. Cheap to clone. Its clock thread ends with the last clone and the last plugin that it loaded.
#[derive(Clone)]
pub struct Engine {
    wasm: wasmtime::Engine,
    linker: Arc<Linker<StoreState>>,
    limits: Arc<Limits>,
    profiler: Profiler,
    #[cfg(feature = "compile")]
    compiler: Option<CompilerProcess>,
}

/// An engine cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refuses this machine or these settings.
    #[error("cannot set up the plugin sandbox on this machine: {0}")]
    Sandbox(String),
    /// The clock thread did not start.
    #[error("cannot start the clock thread of the plugin sandbox: {0}")]
    Clock(#[source] std::io::Error),
}

impl EngineError {
    pub(super) fn sandbox(error: impl Display) -> Self {
        Self::Sandbox(format!("{error:#}"))
    }
}

impl Engine {
    /// Creates an engine with the default limits.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn new() -> Result<Self, EngineError> {
        Self::with_limits(&Limits::default())
    }

    /// Creates an engine with lower limits; values above [`Limits::default`] are capped.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn with_limits(limits: &Limits) -> Result<Self, EngineError> {
        let mut configuration = configuration().map_err(EngineError::sandbox)?;
        configuration.wasm_backtrace_max_frames(MAX_FRAMES);
        let wasm = wasmtime::Engine::new(&configuration).map_err(EngineError::sandbox)?;
        let mut linker = Linker::new(&wasm);
        imports::add(&mut linker).map_err(EngineError::sandbox)?;
        let weak = wasm.weak();
        std::thread::Builder::new()
            .name("tidegate-clock".to_owned())
            .spawn(move || {
                while let Some(engine) = weak.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                }
            })
            .map_err(EngineError::Clock)?;
        Ok(Self {
            wasm,
            linker: Arc::new(linker),
            limits: Arc::new(limits.capped()),
            profiler: Profiler::default(),
            #[cfg(feature = "compile")]
            compiler: None,
        })
    }

    /// The limits of every run.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Compiles components in a process of its own, so that limits on memory and time hold while a component is
    /// compiled. Without one, only admission limits it.
    #[cfg(feature = "compile")]
    #[must_use]
    pub fn with_compiler(self, compiler: CompilerProcess) -> Self {
        Self { compiler: Some(compiler), ..self }
    }

    /// The process that compiles components.
    #[cfg(feature = "compile")]
    #[must_use]
    pub fn compiler(&self) -> Option<&CompilerProcess> {
        self.compiler.as_ref()
    }

    /// Profiles runs of plugins that this engine loaded; see [`Profiler`].
    #[must_use]
    pub fn profiler(&self) -> &Profiler {
        &self.profiler
    }

    pub(super) fn wasm(&self) -> &wasmtime::Engine {
        &self.wasm
    }

    pub(super) fn linker(&self) -> &Linker<StoreState> {
        &self.linker
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::WasmFeatures;

    use super::*;
    use crate::engine_configuration::{engine_proposals, proposals};
    use crate::limits::WASM_STACK_BYTES;

    #[test]
    fn every_protection_is_on() {
        let engine = Engine::new().unwrap();
        let config = engine.wasm();
        assert!(config.get_consume_fuel());
        assert!(config.get_epoch_interruption());
        assert_eq!(config.get_max_wasm_stack(), WASM_STACK_BYTES);
        assert!(!config.get_concurrency_support());
        assert!(!config.get_shared_memory());
        assert_eq!(config.get_wasm_features(), engine_proposals());
        let off = WasmFeatures::THREADS
            | WasmFeatures::RELAXED_SIMD
            | WasmFeatures::MEMORY64
            | WasmFeatures::MULTI_MEMORY
            | WasmFeatures::GC
            | WasmFeatures::EXCEPTIONS
            | WasmFeatures::TAIL_CALL
            | WasmFeatures::STACK_SWITCHING
            | WasmFeatures::CM_ASYNC;
        assert!(!proposals().intersects(off));
        assert!(!config.get_wasm_features().intersects(off - WasmFeatures::MULTI_MEMORY));
        #[cfg(feature = "compile")]
        {
            assert_eq!(config.get_cranelift_nan_canonicalization(), Some(true));
            assert!(matches!(config.get_strategy(), Some(wasmtime::Strategy::Cranelift)));
        }
    }

    #[test]
    fn the_clock_thread_ends_with_its_engine() {
        let engine = Engine::new().unwrap();
        let weak = engine.wasm().weak();
        drop(engine);
        // The clock thread holds the engine only for a tick.
        for _ in 0..1_000 {
            if weak.upgrade().is_none() {
                return;
            }
            std::thread::sleep(TICK);
        }
        panic!("the clock thread keeps the engine alive");
    }
}
