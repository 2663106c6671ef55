//! The cache of machine code that earlier runs on this machine compiled. Only in builds that compile.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::{AuthenticCode, deserialize, platform, read_bounded};
use crate::engine::Engine;
use crate::engine_configuration::stamp;
use crate::limits::MAX_CODE_BYTES;

/// The first bytes of each file, with the number of its format.
const MAGIC: &[u8] = b"tidegate-compiled-1\n";
/// Length of the key and of the tag (HMAC-SHA-256), in bytes.
const KEY_BYTES: usize = 32;

/// A directory of machine code.
///
/// Each file is named by the component's SHA-256, wasmtime's compatibility hash and the platform. It contains an
/// HMAC-SHA-256 over its name and code, with a random key that only this user can read. Code that does not verify is
/// compiled again and overwritten. Without write access to the directory, plugins are compiled in every run.
#[derive(Debug, Clone)]
pub struct CodeCache(PathBuf);

impl CodeCache {
    /// A cache in a directory. The first [`store`](Self::store) creates the directory.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// The code of a component, if the directory has it and it is authentic.
    pub(crate) fn load(&self, engine: &Engine, component_digest: &str) -> Option<Component> {
        let key = CacheKey::read(&self.0)?;
        let name = file_name(engine, component_digest);
        let file = read_bounded(&self.0.join(&name), MAX_CODE_BYTES)?;
        let code = key.verified(&name, &file)?;
        deserialize(engine, &code)
            .inspect_err(|error| tracing::debug!(name, %error, "cached code is of another version"))
            .ok()
    }

    /// Stores the code of a component. An error is logged only: the run already has the code in memory.
    pub(crate) fn store(&self, engine: &Engine, component_digest: &str, component: &Component) {
        let directory = &self.0;
        if let Err(error) = try_store(directory, engine, component_digest, component) {
            tracing::debug!(directory = %directory.display(), %error, "cannot store compiled code");
        }
    }
}

fn try_store(directory: &Path, engine: &Engine, component_digest: &str, component: &Component) -> io::Result<()> {
    let code = component.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?;
    let name = file_name(engine, component_digest);
    create_private_directory(directory)?;
    let key = CacheKey::read_or_create(directory)?;
    // Written elsewhere and renamed: under its name a file is complete.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(MAGIC)?;
    file.write_all(&key.tag(&name, &code))?;
    file.write_all(&code)?;
    file.persist(directory.join(name))?;
    Ok(())
}

/// The key of one cache.
struct CacheKey([u8; KEY_BYTES]);

impl CacheKey {
    /// The key, if there is one that only this user can read and write.
    fn read(directory: &Path) -> Option<Self> {
        let file = match open_without_following(&Self::path(directory)) {
            Ok(file) => file,
            Err(error) => {
                tracing::debug!(directory = %directory.display(), %error, "the code cache has no key");
                return None;
            }
        };
        if let Err(error) = check_private(&file) {
            tracing::warn!(directory = %directory.display(), %error, "ignoring the code cache: its key is not private");
            return None;
        }
        let mut bytes = Vec::new();
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    fn read_or_create(directory: &Path) -> io::Result<Self> {
        if let Some(key) = Self::read(directory) {
            return Ok(key);
        }
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        // A temporary file has mode 0600 from the start.
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&bytes)?;
        let path = Self::path(directory);
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(Self(bytes)),
            // Another process created the key first; or the existing key is not usable, and neither is code it signed.
            Err(existing) => match Self::read(directory) {
                Some(key) => Ok(key),
                None => {
                    existing.file.persist(&path)?;
                    Ok(Self(bytes))
                }
            },
        }
    }

    fn path(directory: &Path) -> PathBuf {
        directory.join("key")
    }

    fn mac(&self, name: &str, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(MAGIC);
        // The length separates the name from the code.
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(code);
        Some(mac)
    }

    fn tag(&self, name: &str, code: &[u8]) -> Vec<u8> {
        self.mac(name, code).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()
    }

    /// The code in a file, if its tag is right. Compares in constant time.
    fn verified<'a>(&self, name: &str, file: &'a [u8]) -> Option<AuthenticCode<'a>> {
        let (tag, code) = file.strip_prefix(MAGIC)?.split_at_checked(KEY_BYTES)?;
        match self.mac(name, code)?.verify_slice(tag) {
            Ok(()) => Some(AuthenticCode(code)),
            Err(_) => {
                tracing::debug!(name, "cached code does not verify");
                None
            }
        }
    }
}

/// The file name of a component's code.
fn file_name(engine: &Engine, component_digest: &str) -> String {
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.wasm().precompile_compatibility_hash().hash(&mut hasher);
    stamp().hash(&mut hasher);
    let compatibility = hex::encode(hasher.0.finalize());
    format!("{component_digest}-{}-{}.cwasm", compatibility.get(..32).unwrap_or(&compatibility), platform())
}

/// Feeds a [`Hash`] to SHA-256: the 64 bits of a standard hasher collide too easily for a name that is trusted.
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
fn create_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(unix)]
fn open_without_following(path: &Path) -> io::Result<fs::File> {
    use rustix::fs::{Mode, OFlags};
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?
        .into())
}

#[cfg(unix)]
fn check_private(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(io::Error::other(format!("its mode is {:o}, not 600", metadata.mode() & 0o777)));
    }
    Ok(())
}

/// Without a way to check the owner of a file there is no cache.
#[cfg(not(unix))]
const NO_OWNER: &str = "the code cache needs a platform with file owners";

#[cfg(not(unix))]
fn create_private_directory(_: &Path) -> io::Result<()> {
    Err(io::Error::other(NO_OWNER))
}

#[cfg(not(unix))]
fn open_without_following(_: &Path) -> io::Result<fs::File> {
    Err(io::Error::other(NO_OWNER))
}

#[cfg(not(unix))]
fn check_private(_: &fs::File) -> io::Result<()> {
    Err(io::Error::other(NO_OWNER))
}
