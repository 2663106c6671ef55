//! The plugins of a deployment package: `index.json`, and the compiled code that it names.
//!
//! Owns the index's form and reading it. Never writes: `packing` makes the files, in builds that compile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_core::architecture::Architecture;
use tidegate_core::config::Sha256Hex;
use tidegate_core::identity::sha256;
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};
use wasmtime::component::Component;

use super::{AuthenticCode, deserialize, read_bounded};
use crate::engine::{Engine, stamp};
use crate::kind::{IdentifiedPlugin, PluginKind};

/// The number of the index's form. One that a reader does not know is refused, whatever else is in it.
const FORMAT: u64 = 2;
/// The index's name, beside the code.
pub(crate) const INDEX: &str = "index.json";
/// Largest index that is read, in bytes: some 10,000 plugins.
const MAX_INDEX_BYTES: u64 = 2 << 20;
/// The version of this host.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why compiled code cannot be taken from a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodePackageError {
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

/// What a package says of its plugins.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackageIndex {
    format: u64,
    tidegate: String,
    stamp: String,
    /// As text: one that this version does not know is still told apart by its name.
    target: String,
    /// SHA-256 of each bundled component that the configuration uses, by its name. The configuration itself has that of
    /// every other one.
    bundled: BTreeMap<String, Sha256Hex>,
    /// What is known of each component, by its SHA-256.
    components: BTreeMap<Sha256Hex, PackagedCode>,
}

/// A component that is in a package as code.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct PackagedCode {
    kind: PluginKind,
    reads_content: bool,
    /// SHA-256 of its code.
    code: Sha256Hex,
}

impl PackagedCode {
    #[cfg(feature = "compile")]
    pub(crate) fn new(IdentifiedPlugin { kind, reads_content }: IdentifiedPlugin, code: &[u8]) -> Self {
        Self { kind, reads_content, code: Sha256Hex::of(code) }
    }
}

/// The one member that every form of the index has.
#[derive(Deserialize)]
struct PackageFormat {
    format: u64,
}

impl PackageIndex {
    /// The index of what this version has compiled for a target.
    #[cfg(feature = "compile")]
    pub(crate) fn new(
        target: Architecture,
        bundled: BTreeMap<String, Sha256Hex>,
        components: BTreeMap<Sha256Hex, PackagedCode>,
    ) -> Self {
        let target = target.to_string();
        Self { format: FORMAT, tidegate: VERSION.to_owned(), stamp: stamp(), target, bundled, components }
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, CodePackageError> {
        let form = |error: serde_json::Error| CodePackageError::Form {
            path: path.to_owned(),
            why: sanitize(&error.to_string(), MESSAGE_BYTES),
        };
        let PackageFormat { format: found } = serde_json::from_slice(bytes).map_err(form)?;
        if found != FORMAT {
            return Err(CodePackageError::Format { found });
        }
        serde_json::from_slice(bytes).map_err(form)
    }

    /// Whether this host takes what the index names; the message says how the two differ.
    fn check(&self) -> Result<(), CodePackageError> {
        let here = Architecture::of_this_machine().map(Architecture::as_str);
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
        Err(CodePackageError::Other {
            made_for: sanitize(&self.target, MESSAGE_BYTES),
            made_by: sanitize(&made_by, MESSAGE_BYTES),
            here_by,
            here: here.map_or_else(super::target, str::to_owned),
            remedy: match here {
                Some(target) => format!("tidegate package --target {target}"),
                None => "tidegate package".to_owned(),
            },
        })
    }
}

/// The plugins of a deployment package, as its index had them when it was opened. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CodePackage(Arc<PackageFields>);

#[derive(Debug)]
struct PackageFields {
    directory: PathBuf,
    target: Architecture,
    bundled: BTreeMap<String, Sha256Hex>,
    components: BTreeMap<Sha256Hex, PackagedCode>,
}

impl CodePackage {
    /// The plugins in a package's directory, which must be trusted as much as the program that reads it.
    ///
    /// # Errors
    /// [`CodePackageError`] where the package was made by another version or for another machine, in one sentence.
    pub fn open(directory: &Path) -> Result<Self, CodePackageError> {
        let path = directory.join(INDEX);
        let bytes =
            read_bounded(&path, MAX_INDEX_BYTES).ok_or_else(|| CodePackageError::Unread { path: path.clone() })?;
        let index = PackageIndex::parse(&path, &bytes)?;
        index.check()?;
        let target = index.target.parse().map_err(|error: tidegate_core::architecture::ArchitectureError| {
            CodePackageError::Form { path, why: error.to_string() }
        })?;
        let PackageIndex { bundled, components, .. } = index;
        Ok(Self(Arc::new(PackageFields { directory: directory.to_owned(), target, bundled, components })))
    }

    /// Which component a bundled plugin was when the package was made, if the configuration used it then.
    #[must_use]
    pub fn bundled(&self, name: &str) -> Option<&Sha256Hex> {
        self.0.bundled.get(name)
    }

    /// What a component is, and its code, if the package has it.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        component: &Sha256Hex,
    ) -> Result<Option<(IdentifiedPlugin, Component)>, CodePackageError> {
        let Some(compiled) = self.0.components.get(component) else { return Ok(None) };
        let path = self.0.directory.join(name(component, self.0.target));
        let code = read_bounded(&path, super::MAX_CODE_BYTES);
        let Some(authentic) = code.as_deref().and_then(|code| verified(&compiled.code, code)) else {
            return Err(CodePackageError::Damaged { path });
        };
        let component = deserialize(engine, &authentic)
            .map_err(|error| CodePackageError::Refused { path, why: sanitize(&format!("{error:#}"), MESSAGE_BYTES) })?;
        let identified = IdentifiedPlugin { kind: compiled.kind, reads_content: compiled.reads_content };
        Ok(Some((identified, component)))
    }
}

/// The bytes in memory, if they are those that the index means. Nothing here is secret, so the time it takes may tell.
fn verified<'a>(expected: &Sha256Hex, code: &'a [u8]) -> Option<AuthenticCode<'a>> {
    (sha256(code) == expected.as_str()).then_some(AuthenticCode(code))
}

/// The file name of a component's code.
pub(crate) fn name(component: &Sha256Hex, target: Architecture) -> String {
    format!("{component}-{target}.cwasm")
}
