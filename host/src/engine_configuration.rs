//! The configuration of wasmtime's engine: what a plugin may use, the protections, and the stamp of compiled code.

use wasmparser::WasmFeatures;
use wasmtime::{Config, InstanceAllocationStrategy, ModuleVersionStrategy, WasmBacktraceDetails};

use super::limits::WASM_STACK_BYTES;

/// The version of wasmtime in the stamp of compiled code. wasmtime's own stamp has only the major version, and code of
/// another patch version may lack a fix. A test compares it with the lock file.
const WASMTIME_VERSION: &str = "48.0.8";

/// Increases with changes in this crate that invalidate compiled code.
const REVISION: u32 = 3;

/// Up to this size, compiled code has an image of a memory even if most of it is empty: by default 16 MiB, which two data
/// segments of one byte would make of each module.
const DENSE_IMAGE_BYTES: u64 = 64 << 10;

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

/// The proposals of the engine: those of plugins, and multiple memories. wasmtime itself makes modules with two memories
/// for components that are composed of several: they copy text between the parts. Admission refuses such modules in a
/// component.
pub(super) fn engine_proposals() -> WasmFeatures {
    proposals() | WasmFeatures::MULTI_MEMORY
}

/// The version stamp of compiled code. An engine refuses code with another stamp.
pub(super) fn stamp() -> String {
    format!("tidegate {} revision {REVISION}, wasmtime {WASMTIME_VERSION}", env!("CARGO_PKG_VERSION"))
}

/// The configuration of every engine, with every protection on.
pub(super) fn configuration() -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        .wasm_features(!engine_proposals(), false)
        .wasm_features(engine_proposals(), true)
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
    use super::WASMTIME_VERSION;

    #[test]
    fn the_stamp_has_the_locked_wasmtime_version() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
        let expected = format!("name = \"wasmtime\"\nversion = \"{WASMTIME_VERSION}\"");
        assert!(lock.contains(&expected), "set WASMTIME_VERSION to the locked version");
    }
}
