//! Compiled code of plugins, authenticated before it is used.
//!
//! Owns the only `unsafe` of the project. Where code comes from is its modules' business: `packaged` reads a deployment
//! package, `kept` what earlier runs left on this machine.

#[cfg(feature = "compile")]
pub(super) mod kept;
pub(super) mod packaged;

use std::fs;
use std::io::Read;
use std::path::Path;

use wasmtime::component::Component;

use super::engine::Engine;

/// Largest compiled code that is read, in bytes. A JavaScript engine compiles to 33 MB.
const MAX_CODE_BYTES: u64 = 256 << 20;

/// Reads compiled code that Tidegate has written.
#[expect(unsafe_code, reason = "wasmtime trusts compiled code; `Authentic` is what makes it trustworthy")]
fn deserialize(engine: &Engine, code: &AuthenticCode<'_>) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize` runs whatever machine code it is given, so the bytes must be what
    // `Component::serialize` made. `Authentic` holds exactly the bytes in memory that were checked, which are not read again
    // from disk in between, and is made in two places only.
    // `kept::Key::verified` has checked an HMAC-SHA-256 over them, by a key that only this user's Tidegate can read and that is
    // used for nothing but the output of `Component::serialize` in `keeping`.
    // `packaged::verified` has checked their SHA-256 against the index of a deployment package, which `packing` fills with
    // nothing but the output of `Engine::precompile_component`, the same form. The index carries no secret and needs none:
    // it is deployed in one archive with the program that reads it, in a directory that the running function cannot write,
    // so whoever could forge it could as well replace the program. What the digest guards against is what happens without
    // malice: damaged bytes, and files of two packages in one directory.
    // Code of another version or engine configuration is refused by wasmtime itself, by the stamp in it.
    unsafe { Component::deserialize(engine.wasm(), code.0) }
}

/// Compiled code whose tag or digest has been verified.
struct AuthenticCode<'a>(&'a [u8]);

/// What compiled code runs on, as names of files spell it.
fn target() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// A file, if it can be read and has no more than `most` bytes.
fn read_bounded(path: &Path, most: u64) -> Option<Vec<u8>> {
    let file = fs::File::open(path).ok()?;
    let size = file.metadata().ok().filter(|found| found.is_file())?.len();
    if size > most {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).ok()?);
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
