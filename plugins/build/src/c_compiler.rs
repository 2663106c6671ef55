//! Finds a C compiler for WebAssembly, for plugins with C code, such as `script`.

use std::ffi::OsString;
use std::process::{Command, Stdio};

/// The variable that names the compiler, as the crate `cc` reads it.
pub(crate) const VARIABLE: &str = "CC_wasm32_unknown_unknown";

/// The variable with its flags.
pub(crate) const FLAGS: &str = "CFLAGS_wasm32_unknown_unknown";

/// The newest version first. Older ones than 15 lack flags that sources for WebAssembly use.
const CANDIDATES: [&str; 10] = [
    "clang", "clang-23", "clang-22", "clang-21", "clang-20", "clang-19", "clang-18", "clang-17", "clang-16", "clang-15",
];

/// A C compiler for WebAssembly: the one that `CC_wasm32_unknown_unknown` names, or a clang on the path. Apple's clang
/// cannot compile for WebAssembly.
#[must_use]
pub fn wasm_c_compiler() -> Option<OsString> {
    let named = std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
    named.or_else(|| CANDIDATES.into_iter().find(|clang| compiles(clang)).map(OsString::from))
}

fn compiles(clang: &str) -> bool {
    let mut command = Command::new(clang);
    command.args(["--target=wasm32-unknown-unknown", "-mbulk-memory", "-fsyntax-only", "-x", "c", "-"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
