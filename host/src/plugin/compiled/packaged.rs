//! The compiled code of a deployment package: `index.json`, and the files that it names.
//!
//! Owns the index's form and reading it. Never writes: `packing` makes the files, in builds that compile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wasmtime::component::Component;

use super::{Authentic, deserialize, read_bounded};
use crate::config::Sha256Hex;
use crate::identity::sha256;
use crate::plugin::engine::{Engine, stamp};
use crate::plugin::target::Target;
use crate::spoken::{MESSAGE_BYTES, spoken};

/// The number of the index's form. One that a reader does not know is refused, whatever else is in it.
const FORMAT: u64 = 1;
/// The index's name, beside the code.
pub(in crate::plugin) const INDEX: &str = "index.json";
/// Largest index that is read, in bytes: some 10,000 plugins.
const MAX_INDEX_BYTES: u64 = 2 << 20;
/// The version of this host.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why compiled code cannot be taken from a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// There is no index, or it cannot be read.
    #[error(
        "the package has no `{}` that can be read: make it anew with `tidegate package`", .path.display()
    )]
    Unread {
        /// The index.
        path: PathBuf,
    },
    /// What is in the index is none.
    #[error(
        "the package's `{}` is no index of compiled code ({why}): make it anew with `tidegate package`", .path.display()
    )]
    Form {
        /// The index.
        path: PathBuf,
        /// What the parser says.
        why: String,
    },
    /// An index in a form of another version.
    #[error(
        "the package's index has the format {found}, this is tidegate {VERSION}, which reads format {FORMAT}: make the package anew with the `tidegate package` of this version"
    )]
    Format {
        /// The number.
        found: u64,
    },
    /// Made by another version or for another machine.
    #[error(
        "the package was made for {made_for} by {made_by}, this is {here_by} on {here}: make it anew with `{remedy}`"
    )]
    Other {
        /// The package's target.
        made_for: String,
        /// What made it.
        made_by: String,
        /// What reads it.
        here_by: String,
        /// This machine.
        here: String,
        /// The command.
        remedy: String,
    },
    /// A file is missing, or is not the one that the index means.
    #[error("the package's `{}` is not the file that its index names: deploy the package anew", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// wasmtime does not take the code.
    #[error(
        "the package's `{}` cannot run on this machine ({why}): make the package anew with `tidegate package`", .path.display()
    )]
    Refused {
        /// The file.
        path: PathBuf,
        /// What wasmtime says.
        why: String,
    },
}

/// What a package says of its compiled code.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::plugin) struct Index {
    format: u64,
    tidegate: String,
    stamp: String,
    /// As text: one that this version does not know is still told apart by its name.
    target: String,
    /// SHA-256 of each file, by its name.
    files: BTreeMap<String, Sha256Hex>,
}

/// The one member that every form of the index has.
#[derive(Deserialize)]
struct Format {
    format: u64,
}

impl Index {
    /// The index of files that this version has made for a target.
    #[cfg(feature = "compile")]
    pub(in crate::plugin) fn new(target: Target, files: BTreeMap<String, Sha256Hex>) -> Self {
        Self { format: FORMAT, tidegate: VERSION.to_owned(), stamp: stamp(), target: target.to_string(), files }
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, PackageError> {
        let form = |error: serde_json::Error| PackageError::Form {
            path: path.to_owned(),
            why: spoken(&error.to_string(), MESSAGE_BYTES),
        };
        let Format { format: found } = serde_json::from_slice(bytes).map_err(form)?;
        if found != FORMAT {
            return Err(PackageError::Format { found });
        }
        serde_json::from_slice(bytes).map_err(form)
    }

    /// Whether this host takes what the index names; the message says how the two differ.
    fn check(&self) -> Result<(), PackageError> {
        let here = Target::here().map(Target::as_str);
        let versions = self.tidegate == VERSION;
        if versions && self.stamp == stamp() && here == Some(self.target.as_str()) {
            return Ok(());
        }
        // The stamps say more than the versions, which is of use only where the versions say nothing.
        let (made_by, here_by) = if versions && self.stamp != stamp() {
            (self.stamp.clone(), stamp())
        } else {
            (format!("tidegate {}", self.tidegate), format!("tidegate {VERSION}"))
        };
        Err(PackageError::Other {
            made_for: spoken(&self.target, MESSAGE_BYTES),
            made_by: spoken(&made_by, MESSAGE_BYTES),
            here_by,
            here: here.map_or_else(super::target, str::to_owned),
            remedy: match here {
                Some(target) => format!("tidegate package --target {target}"),
                None => "tidegate package".to_owned(),
            },
        })
    }
}

/// The files of one package, with the digests that its index had when it was opened.
#[derive(Debug)]
pub(super) struct Packaged {
    directory: PathBuf,
    target: Target,
    files: BTreeMap<String, Sha256Hex>,
}

impl Packaged {
    pub(super) fn open(directory: &Path) -> Result<Self, PackageError> {
        let path = directory.join(INDEX);
        let bytes = read_bounded(&path, MAX_INDEX_BYTES).ok_or_else(|| PackageError::Unread { path: path.clone() })?;
        let index = Index::parse(&path, &bytes)?;
        index.check()?;
        let target = index
            .target
            .parse()
            .map_err(|error: crate::plugin::TargetError| PackageError::Form { path, why: error.to_string() })?;
        Ok(Self { directory: directory.to_owned(), target, files: index.files })
    }

    /// The code of a component, if the package has it.
    pub(super) fn load(&self, engine: &Engine, digest: &str) -> Result<Option<Component>, PackageError> {
        let name = name(digest, self.target);
        let Some(expected) = self.files.get(&name) else { return Ok(None) };
        let path = self.directory.join(name);
        let code = read_bounded(&path, super::MAX_CODE_BYTES);
        let Some(authentic) = code.as_deref().and_then(|code| verified(expected, code)) else {
            return Err(PackageError::Damaged { path });
        };
        let component = deserialize(engine, &authentic)
            .map_err(|error| PackageError::Refused { path, why: spoken(&format!("{error:#}"), MESSAGE_BYTES) })?;
        Ok(Some(component))
    }
}

/// The bytes in memory, if they are those that the index means. Nothing here is secret, so the time it takes may tell.
fn verified<'a>(expected: &Sha256Hex, code: &'a [u8]) -> Option<Authentic<'a>> {
    (sha256(code) == expected.as_str()).then_some(Authentic(code))
}

/// The file name of a component's code.
pub(in crate::plugin) fn name(digest: &str, target: Target) -> String {
    format!("{digest}-{target}.cwasm")
}
