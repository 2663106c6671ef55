//! The functions of a plugin that were running when it failed.

use tidegate_core::sanitize::sanitize;
use wasmtime::{FrameInfo, WasmBacktrace};

/// Frames that a failure shows.
const FAILURE_FRAMES: usize = 8;

/// The first frame of a panic of Rust, and how the names of the next ones start. They are the same for every panic.
const PANIC: &str = "__rustc::";
const PANIC_FRAMES: [&str; 6] =
    [PANIC, "std::panicking::", "std::sys::", "core::panicking::", "core::option::", "core::result::"];

/// Longest name of a function, in bytes.
const NAME_BYTES: usize = 200;

/// The innermost functions of an error, the innermost first. Empty for a plugin without a name section.
pub(super) fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    if !frames.iter().any(|frame| frame.func_name().is_some()) {
        return Vec::new();
    }
    let names: Vec<String> = frames.iter().map(function_name).collect();
    let own = match names.first() {
        Some(first) if first.starts_with(PANIC) => {
            names.iter().position(|name| !PANIC_FRAMES.iter().any(|frame| name.starts_with(frame))).unwrap_or(0)
        }
        _ => 0,
    };
    names.into_iter().skip(own).take(FAILURE_FRAMES).collect()
}

/// The name of a frame's function, or its index if it has none.
pub(super) fn function_name(frame: &FrameInfo) -> String {
    match frame.func_name() {
        // `{:#}` leaves out the hash.
        Some(name) => sanitize(&format!("{:#}", rustc_demangle::demangle(name)), NAME_BYTES),
        None => format!("function {}", frame.func_index()),
    }
}
