//! Compiled code of plugins, kept on disk and authenticated before it is used.
//!
//! Owns the files' form, their key, and the only `unsafe` of the project. Never decides what is admitted, and never writes:
//! `keeping` and `packing` do, in builds that compile.

#[cfg(feature = "compile")]
mod keeping;
pub(super) mod packaged;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wasmtime::component::Component;

use super::engine::Engine;
use packaged::{PackageError, Packaged};

/// First bytes of a file, with the number of its form.
const MAGIC: &[u8] = b"tidegate-compiled-1\n";
/// Bytes of the key and of the tag (HMAC-SHA-256).
const KEY_BYTES: usize = 32;
/// Largest compiled code that is read, in bytes. A JavaScript engine compiles to 33 MB.
const MAX_CODE_BYTES: u64 = 256 << 20;

/// A directory of compiled code: what earlier runs kept, or a deployment package.
#[derive(Debug, Clone)]
pub struct Cache(Form);

#[derive(Debug, Clone)]
enum Form {
    /// Each file is named by the component's SHA-256, wasmtime's compatibility hash and the target, and carries an
    /// HMAC-SHA-256 over its name and content by a random key that only this user can read. What does not verify is
    /// compiled again and overwritten; a directory that cannot be written is as good as none.
    Kept(PathBuf),
    /// Each file is named by the component's SHA-256 and the target, and has its SHA-256 in an index. Only read; what does
    /// not verify is an error.
    Packaged(Arc<Packaged>),
}

impl Cache {
    /// A cache in a directory, which is made when something is first kept there.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self(Form::Kept(directory.to_owned()))
    }

    /// The code in a deployment package's directory, which must be trusted as much as the program that reads it.
    ///
    /// # Errors
    /// [`PackageError`] where the package was made by another version or for another machine, in one sentence.
    pub fn packaged(directory: &Path) -> Result<Self, PackageError> {
        Ok(Self(Form::Packaged(Arc::new(Packaged::open(directory)?))))
    }

    /// The code of a component, where it is there and authentic.
    pub(super) fn load(&self, engine: &Engine, digest: &str) -> Result<Option<Component>, PackageError> {
        match &self.0 {
            Form::Kept(directory) => Ok(Self::load_kept(directory, engine, digest)),
            Form::Packaged(packaged) => packaged.load(engine, digest),
        }
    }

    fn load_kept(directory: &Path, engine: &Engine, digest: &str) -> Option<Component> {
        let key = Key::read(directory)?;
        names(engine, digest, directory).iter().find_map(|name| {
            let file = read_bounded(&directory.join(name), MAX_CODE_BYTES)?;
            let code = key.verified(name, &file)?;
            match deserialize(engine, &code) {
                Ok(component) => Some(component),
                Err(error) => {
                    tracing::debug!(name, %error, "compiled code is of another version");
                    None
                }
            }
        })
    }
}

/// Reads compiled code that Tidegate has written.
#[expect(unsafe_code, reason = "wasmtime trusts compiled code; `Authentic` is what makes it trustworthy")]
fn deserialize(engine: &Engine, code: &Authentic<'_>) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize` runs whatever machine code it is given, so the bytes must be what
    // `Component::serialize` made. `Authentic` holds exactly the bytes in memory that were checked, which are not read again
    // from disk in between, and is made in two places only.
    // `Key::verified` has checked an HMAC-SHA-256 over them, by a key that only this user's Tidegate can read and that is
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
struct Authentic<'a>(&'a [u8]);

/// The key of one cache.
struct Key([u8; KEY_BYTES]);

impl Key {
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
    fn verified<'a>(&self, name: &str, file: &'a [u8]) -> Option<Authentic<'a>> {
        let (tag, code) = file.strip_prefix(MAGIC)?.split_at_checked(KEY_BYTES)?;
        match self.mac(name, code)?.verify_slice(tag) {
            Ok(()) => Some(Authentic(code)),
            Err(_) => {
                tracing::debug!(name, "compiled code does not verify");
                None
            }
        }
    }
}

/// The file names under which a component's code may be.
fn names(engine: &Engine, digest: &str, directory: &Path) -> Vec<String> {
    #[cfg(feature = "compile")]
    {
        let _ = directory;
        vec![keeping::name(engine, digest)]
    }
    // wasmtime computes the compatibility hash only where it can compile; it compares the stamp in the code itself.
    #[cfg(not(feature = "compile"))]
    {
        let _ = engine;
        let (start, end) = (format!("{digest}-"), format!("-{}.cwasm", target()));
        let mut found: Vec<String> = fs::read_dir(directory)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with(&start) && name.ends_with(&end))
            .collect();
        found.sort();
        found
    }
}

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
