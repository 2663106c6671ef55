//! The sandbox: one wasmtime engine with every protection on.
//!
//! Owns the only constructor of an engine, its settings and the clock's ticker. Never loads or runs a plugin.

use std::sync::Arc;
use std::time::Duration;

use wasmparser::WasmFeatures;
use wasmtime::component::Linker;
use wasmtime::{Config, InstanceAllocationStrategy, ModuleVersionStrategy, WasmBacktraceDetails};

use super::imports;
use super::limits::{Limits, WASM_STACK_BYTES};
use super::store::StoreState;

/// The version of wasmtime that compiled code is stamped with. wasmtime's own stamp is its major version only, and code
/// of another patch level may lack a fix. A test compares it with the lock file.
pub(super) const WASMTIME_VERSION: &str = "48.0.8";

/// Counts changes of ours that make older compiled code unusable.
const REVISION: u32 = 1;

/// How often running code looks at the clock. A loop outlives its deadline by about this much.
const TICK: Duration = Duration::from_millis(5);

/// Runs plugins. Cheap to clone; its ticker ends when the last clone and the last plugin loaded with it are gone.
#[derive(Clone)]
pub struct Engine {
    wasm: wasmtime::Engine,
    linker: Arc<Linker<StoreState>>,
    limits: Arc<Limits>,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refuses this machine or these settings.
    #[error("the sandbox cannot be set up on this machine: {0}")]
    Sandbox(String),
    /// The thread of the clock did not start.
    #[error("the sandbox's clock cannot start, no further thread may be made: {0}")]
    Clock(#[source] std::io::Error),
}

impl Engine {
    /// An engine with the limits that production has.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn new() -> Result<Self, EngineError> {
        Self::with_limits(&Limits::default())
    }

    /// An engine with tighter limits; none can be wider than [`Limits::default`].
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn with_limits(limits: &Limits) -> Result<Self, EngineError> {
        let sandbox = |error: wasmtime::Error| EngineError::Sandbox(format!("{error:#}"));
        let wasm = wasmtime::Engine::new(&configuration().map_err(sandbox)?).map_err(sandbox)?;
        let mut linker = Linker::new(&wasm);
        imports::add(&mut linker).map_err(sandbox)?;
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
        Ok(Self { wasm, linker: Arc::new(linker), limits: Arc::new(limits.tightened()) })
    }

    /// The limits of every run.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
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

/// The proposals that a plugin may use: what current toolchains emit by default, all of it deterministic. Threads,
/// relaxed SIMD, 64-bit and several memories, garbage collection, exceptions, tail calls, stack switching and everything
/// asynchronous are off.
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

/// Says which compiled code an engine takes.
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
    fn the_stamp_names_the_locked_wasmtime() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
        let expected = format!("name = \"wasmtime\"\nversion = \"{WASMTIME_VERSION}\"");
        assert!(lock.contains(&expected), "set WASMTIME_VERSION to the locked version");
    }

    #[test]
    fn the_clock_ends_with_its_engine() {
        let engine = Engine::new().unwrap();
        let weak = engine.wasm().weak();
        drop(engine);
        // The ticker holds the engine only for the instant of a tick.
        for _ in 0..1_000 {
            if weak.upgrade().is_none() {
                return;
            }
            std::thread::sleep(TICK);
        }
        panic!("something keeps the engine alive");
    }
}
