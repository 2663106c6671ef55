//! Writing compiled code and its key.
//!
//! Owns file names and atomicity: a file is complete under its name, or not there. Never reads code.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::Path;

use hmac::Mac;
use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::super::target;
use super::{CacheKey, CodeCache, KEY_BYTES, MAGIC};
use crate::engine::{Engine, stamp};

impl CodeCache {
    /// Keeps the code of a component. What goes wrong is logged and nothing else: the code is in memory already.
    pub(crate) fn keep(&self, engine: &Engine, digest: &str, component: &Component) {
        let directory = &self.0;
        if let Err(error) = try_keep(directory, engine, digest, component) {
            tracing::debug!(directory = %directory.display(), %error, "compiled code is not kept");
        }
    }
}

fn try_keep(directory: &Path, engine: &Engine, digest: &str, component: &Component) -> io::Result<()> {
    let code = component.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?;
    let name = name(engine, digest);
    make_directory(directory)?;
    let key = CacheKey::read_or_make(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(MAGIC)?;
    file.write_all(&key.tag(&name, &code))?;
    file.write_all(&code)?;
    file.persist(directory.join(name))?;
    Ok(())
}

impl CacheKey {
    fn read_or_make(directory: &Path) -> io::Result<Self> {
        if let Some(key) = Self::read(directory) {
            return Ok(key);
        }
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        // A temporary file has mode 0600 from its first instant.
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&bytes)?;
        let path = Self::path(directory);
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(Self(bytes)),
            // Another process was faster; or the one that is there is not usable, and everything it signed is not either.
            Err(taken) => match Self::read(directory) {
                Some(key) => Ok(key),
                None => {
                    taken.file.persist(&path)?;
                    Ok(Self(bytes))
                }
            },
        }
    }

    fn tag(&self, name: &str, code: &[u8]) -> Vec<u8> {
        self.mac(name, code).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()
    }
}

/// The file name of a component's code.
pub(super) fn name(engine: &Engine, digest: &str) -> String {
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.wasm().precompile_compatibility_hash().hash(&mut hasher);
    stamp().hash(&mut hasher);
    let compatibility = hex::encode(hasher.0.finalize());
    format!("{digest}-{}-{}.cwasm", compatibility.get(..32).unwrap_or(&compatibility), target())
}

/// Feeds a [`Hash`] to SHA-256: 64 bits of a table hasher would collide too easily for a name that is trusted.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |value, byte| (value << 8) | u64::from(*byte))
    }
}

#[cfg(unix)]
fn make_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make_directory(_: &Path) -> io::Result<()> {
    Err(io::Error::other("compiled code is kept only where a file's owner can be told"))
}
