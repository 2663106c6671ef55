//! The sandbox: one wasmtime engine, whose only constructor turns every protection on.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use wasmparser::WasmFeatures;
use wasmtime::component::Linker;
use wasmtime::{Config, InstanceAllocationStrategy, ModuleVersionStrategy, WasmBacktraceDetails};

#[cfg(feature = "compile")]
use super::compiler_process::CompilerProcess;
use super::imports;
use super::limits::{Limits, WASM_STACK_BYTES};
use super::store::StoreState;

/// The version of wasmtime in the stamp of compiled code. wasmtime's own stamp has only the major version, and code of
/// another patch version may lack a fix. A test compares it with the lock file.
pub(super) const WASMTIME_VERSION: &str = "48.0.8";

/// Increases with changes in this crate that invalidate compiled code.
const REVISION: u32 = 2;

/// How often running code checks the time. A loop exceeds its deadline by about this much.
const TICK: Duration = Duration::from_millis(5);

/// Up to this size, compiled code has an image of a memory even if most of it is empty: by default 16 MiB, which two data
/// segments of one byte would make of each module.
const DENSE_IMAGE_BYTES: u64 = 64 << 10;

/// Runs plugins. Cheap to clone. Its clock thread ends with the last clone and the last plugin that it loaded.
#[derive(Clone)]
pub struct Engine {
    wasm: wasmtime::Engine,
    linker: Arc<Linker<StoreState>>,
    limits: Arc<Limits>,
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
        let configuration = configuration().map_err(EngineError::sandbox)?;
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

/// The proposals that a plugin may use: the defaults of current toolchains, all of them deterministic. Off are threads,
/// relaxed SIMD, 64-bit and multiple memories, garbage collection, exceptions, tail calls, stack switching and async.
pub(super) fn proposals() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::CALL_INDIRECT_OVERLONG
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::BULK_MEMORY_OPT
        | WasmFeatures::SIMD
        | WasmFeatures::FLOATS
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::COMPONENT_MODEL
}

/// The version stamp of compiled code. An engine refuses code with another stamp.
pub(super) fn stamp() -> String {
    format!("tidegate {} revision {REVISION}, wasmtime {WASMTIME_VERSION}", env!("CARGO_PKG_VERSION"))
}

pub(super) fn configuration() -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        .wasm_features(!proposals(), false)
        .wasm_features(proposals(), true)
        .concurrency_support(false)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .memory_init_cow(true)
        .memory_guaranteed_dense_image_size(DENSE_IMAGE_BYTES)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .module_version(ModuleVersionStrategy::Custom(stamp()))?;
    #[cfg(feature = "compile")]
    config.strategy(wasmtime::Strategy::Cranelift).cranelift_nan_canonicalization(true).parallel_compilation(true);
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protection_is_on() {
        let engine = Engine::new().unwrap();
        let config = engine.wasm();
        assert!(config.get_consume_fuel());
        assert!(config.get_epoch_interruption());
        assert_eq!(config.get_max_wasm_stack(), WASM_STACK_BYTES);
        assert!(!config.get_concurrency_support());
        assert!(!config.get_shared_memory());
        assert_eq!(config.get_wasm_features(), proposals());
        let off = WasmFeatures::THREADS
            | WasmFeatures::RELAXED_SIMD
            | WasmFeatures::MEMORY64
            | WasmFeatures::MULTI_MEMORY
            | WasmFeatures::GC
            | WasmFeatures::EXCEPTIONS
            | WasmFeatures::TAIL_CALL
            | WasmFeatures::STACK_SWITCHING
            | WasmFeatures::CM_ASYNC;
        assert!(!config.get_wasm_features().intersects(off));
        #[cfg(feature = "compile")]
        {
            assert_eq!(config.get_cranelift_nan_canonicalization(), Some(true));
            assert!(matches!(config.get_strategy(), Some(wasmtime::Strategy::Cranelift)));
        }
    }

    #[test]
    fn the_stamp_has_the_locked_wasmtime_version() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
        let expected = format!("name = \"wasmtime\"\nversion = \"{WASMTIME_VERSION}\"");
        assert!(lock.contains(&expected), "set WASMTIME_VERSION to the locked version");
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
