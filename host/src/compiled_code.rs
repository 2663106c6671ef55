//! Machine code of plugins, authenticated before it is used.
//!
//! This module has the only `unsafe` of the project. [`cache`] keeps the code of earlier runs on this machine,
//! [`package`] reads the code of a deployment package.

#[cfg(feature = "compile")]
pub(super) mod cache;
pub(super) mod package;
pub(super) mod package_error;

use std::fs;
use std::io::Read;
use std::path::Path;

use wasmtime::component::Component;

#[cfg(feature = "compile")]
use super::compiler_process::ProcessCode;
use super::engine::Engine;

/// Deserializes machine code that Tidegate has written.
#[expect(unsafe_code, reason = "wasmtime trusts machine code; `AuthenticCode` is the proof that it may")]
fn deserialize(engine: &Engine, code: &AuthenticCode<'_>) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize` runs any machine code that it is given, so the bytes must be an output of
    // `Component::serialize`. `AuthenticCode` borrows the very bytes in memory that were checked, and has three
    // constructors:
    //
    // - `cache::CacheKey::verified` checks an HMAC-SHA-256 over them. Only the Tidegate of this user can read its key,
    //   and uses it only for outputs of `Component::serialize`.
    // - `package::verified` checks their SHA-256 against the index of a deployment package, to which `Compiler::files`
    //   adds only outputs of `Engine::precompile_component`, the same format. The index needs no secret: it is deployed
    //   in one archive with the program that reads it, in a directory that the running function cannot write, so an
    //   attacker who could forge it could also replace the program. The digest detects damage and files of another
    //   package.
    // - `from_compiler` has a `ProcessCode`, which only `CompilerProcess::compile` makes: this very program wrote it, as an
    //   output of `Engine::precompile_component`, to a pipe that nothing else can write.
    //
    // wasmtime itself refuses code of another version or another engine configuration.
    unsafe { Component::deserialize(engine.wasm(), code.0) }
}

/// The code of a component that was compiled just now.
#[cfg(feature = "compile")]
pub(super) fn from_compiler(engine: &Engine, code: &ProcessCode) -> wasmtime::Result<Component> {
    deserialize(engine, &AuthenticCode(code.bytes()))
}

/// Machine code with a verified tag or digest, or of the compiler.
struct AuthenticCode<'a>(&'a [u8]);

/// The platform of this machine, for file names.
fn platform() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// The bytes of a file, if it can be read and has at most `limit` bytes.
fn read_bounded(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let file = fs::File::open(path).ok()?;
    let size = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
    if size > limit {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).ok()?);
    file.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
