//! Compiled code that earlier runs on this machine kept, and the key by which it is known. Only in builds that compile.
//!
//! Owns the files' form. Never decides what is admitted, and never writes: `keeping` does.

mod keeping;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wasmtime::component::Component;

use super::{AuthenticCode, MAX_CODE_BYTES, deserialize, read_bounded};
use crate::engine::Engine;

/// First bytes of a file, with the number of its form.
const MAGIC: &[u8] = b"tidegate-compiled-1\n";
/// Bytes of the key and of the tag (HMAC-SHA-256).
const KEY_BYTES: usize = 32;

/// A directory of compiled code.
///
/// Each file is named by the component's SHA-256, wasmtime's compatibility hash and the target, and carries an HMAC-SHA-256
/// over its name and content by a random key that only this user can read. What does not verify is compiled again and
/// overwritten; a directory that cannot be written is as good as none.
#[derive(Debug, Clone)]
pub struct CodeCache(PathBuf);

impl CodeCache {
    /// A cache in a directory, which is made when something is first kept there.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// The code of a component, where it is there and authentic.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let key = CacheKey::read(&self.0)?;
        let name = keeping::name(engine, digest);
        let file = read_bounded(&self.0.join(&name), MAX_CODE_BYTES)?;
        let code = key.verified(&name, &file)?;
        deserialize(engine, &code)
            .inspect_err(|error| tracing::debug!(name, %error, "compiled code is of another version"))
            .ok()
    }
}

/// The key of one cache.
struct CacheKey([u8; KEY_BYTES]);

impl CacheKey {
    /// The key, where there is one that nobody else could read or write.
    fn read(directory: &Path) -> Option<Self> {
        let file = match open_unfollowed(&Self::path(directory)) {
            Ok(file) => file,
            Err(error) => {
                tracing::debug!(directory = %directory.display(), %error, "the cache has no key");
                return None;
            }
        };
        if let Err(error) = private(&file) {
            tracing::warn!(directory = %directory.display(), %error, "the cache's key is not private, compiled code there is not used");
            return None;
        }
        let mut bytes = Vec::new();
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    fn path(directory: &Path) -> PathBuf {
        directory.join("key")
    }

    fn mac(&self, name: &str, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(MAGIC);
        // The length keeps a name's end and the code's beginning apart.
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(code);
        Some(mac)
    }

    /// The code in a file, if its tag is right. Compared in constant time.
    fn verified<'a>(&self, name: &str, file: &'a [u8]) -> Option<AuthenticCode<'a>> {
        let (tag, code) = file.strip_prefix(MAGIC)?.split_at_checked(KEY_BYTES)?;
        match self.mac(name, code)?.verify_slice(tag) {
            Ok(()) => Some(AuthenticCode(code)),
            Err(_) => {
                tracing::debug!(name, "compiled code does not verify");
                None
            }
        }
    }
}

#[cfg(unix)]
fn open_unfollowed(path: &Path) -> io::Result<fs::File> {
    use rustix::fs::{Mode, OFlags};
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?
        .into())
}

#[cfg(unix)]
fn private(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    if found.mode() & 0o077 != 0 {
        return Err(io::Error::other(format!("its mode is {:o} and not 600", found.mode() & 0o777)));
    }
    Ok(())
}

#[cfg(not(unix))]
fn open_unfollowed(_: &Path) -> io::Result<fs::File> {
    Err(io::Error::other("compiled code is kept only where a file's owner can be told"))
}

#[cfg(not(unix))]
fn private(_: &fs::File) -> io::Result<()> {
    Err(io::Error::other("a file's owner cannot be told"))
}
