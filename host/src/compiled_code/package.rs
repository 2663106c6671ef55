//! The plugins of a deployment package: `index.json` and the machine code that it lists.
//!
//! [`Compiler::files`](crate::Compiler::files) writes the files, in builds that compile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_core::architecture::{Architecture, ArchitectureError};
use tidegate_core::config::Sha256Hex;
use tidegate_core::identity::sha256;
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};
use wasmtime::component::Component;

use super::package_error::{CodePackageError, FORMAT, VERSION};
use super::{AuthenticCode, deserialize, platform, read_bounded};
use crate::engine::Engine;
use crate::engine_configuration::stamp;
use crate::kind::{IdentifiedPlugin, PluginKind};
use crate::limits::MAX_CODE_BYTES;

/// The file name of the index.
pub(crate) const INDEX: &str = "index.json";
/// Limit of the index, in bytes: some 10,000 plugins.
const MAX_INDEX_BYTES: u64 = 2 << 20;
/// The index of a package.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackageIndex {
    format: u64,
    tidegate: String,
    stamp: String,
    /// As text, so that the error for an unknown target can name it.
    target: String,
    /// SHA-256 of the components whose digest is not in the configuration, which are bundled or signed, by their name there.
    unpinned: BTreeMap<String, Sha256Hex>,
    /// The components, by SHA-256.
    components: BTreeMap<Sha256Hex, PackagedCode>,
}

/// A component whose code is in the package.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct PackagedCode {
    kind: PluginKind,
    reads_content: bool,
    /// SHA-256 of the code.
    code: Sha256Hex,
}

impl PackagedCode {
    #[cfg(feature = "compile")]
    pub(crate) fn new(IdentifiedPlugin { kind, reads_content }: IdentifiedPlugin, code: &[u8]) -> Self {
        Self { kind, reads_content, code: Sha256Hex::of(code) }
    }
}

/// The one member that every format of the index has.
#[derive(Deserialize)]
struct PackageFormat {
    format: u64,
}

impl PackageIndex {
    /// The index of code that this version compiled for a target.
    #[cfg(feature = "compile")]
    pub(crate) fn new(
        target: Architecture,
        unpinned: BTreeMap<String, Sha256Hex>,
        components: BTreeMap<Sha256Hex, PackagedCode>,
    ) -> Self {
        let target = target.to_string();
        Self { format: FORMAT, tidegate: VERSION.to_owned(), stamp: stamp(), target, unpinned, components }
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, CodePackageError> {
        let invalid = |error: serde_json::Error| CodePackageError::Invalid {
            path: path.to_owned(),
            reason: sanitize(&error.to_string(), MESSAGE_BYTES),
        };
        let PackageFormat { format: found } = serde_json::from_slice(bytes).map_err(invalid)?;
        if found != FORMAT {
            return Err(CodePackageError::Format { found });
        }
        serde_json::from_slice(bytes).map_err(invalid)
    }

    /// Checks that this host can run the code of the package.
    fn check(&self) -> Result<(), CodePackageError> {
        let here = Architecture::of_this_machine().map(Architecture::as_str);
        let same_version = self.tidegate == VERSION;
        if same_version && self.stamp == stamp() && here == Some(self.target.as_str()) {
            return Ok(());
        }
        // Stamps are more precise, which only helps where the versions are equal.
        let (made_by, host) = if same_version && self.stamp != stamp() {
            (self.stamp.clone(), stamp())
        } else {
            (format!("tidegate {}", self.tidegate), format!("tidegate {VERSION}"))
        };
        Err(CodePackageError::Mismatch {
            target: sanitize(&self.target, MESSAGE_BYTES),
            made_by: sanitize(&made_by, MESSAGE_BYTES),
            host,
            platform: here.map_or_else(platform, str::to_owned),
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
    unpinned: BTreeMap<String, Sha256Hex>,
    components: BTreeMap<Sha256Hex, PackagedCode>,
}

impl CodePackage {
    /// Opens the directory of a package, which must be as trustworthy as the program that reads it.
    ///
    /// # Errors
    /// [`CodePackageError`], such as for a package made by another version or for another machine.
    pub fn open(directory: &Path) -> Result<Self, CodePackageError> {
        let path = directory.join(INDEX);
        let bytes =
            read_bounded(&path, MAX_INDEX_BYTES).ok_or_else(|| CodePackageError::Unreadable { path: path.clone() })?;
        let index = PackageIndex::parse(&path, &bytes)?;
        index.check()?;
        let target = index
            .target
            .parse()
            .map_err(|error: ArchitectureError| CodePackageError::Invalid { path, reason: error.to_string() })?;
        let PackageIndex { unpinned, components, .. } = index;
        Ok(Self(Arc::new(PackageFields { directory: directory.to_owned(), target, unpinned, components })))
    }

    /// The component that a plugin without a digest in the configuration was when the package was made.
    #[must_use]
    pub fn digest_of(&self, name: &str) -> Option<&Sha256Hex> {
        self.0.unpinned.get(name)
    }

    /// The kind and the code of a component, if the package has it.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        component: &Sha256Hex,
    ) -> Result<Option<(IdentifiedPlugin, Component)>, CodePackageError> {
        let Some(packaged) = self.0.components.get(component) else { return Ok(None) };
        let path = self.0.directory.join(file_name(component, self.0.target));
        let file = read_bounded(&path, MAX_CODE_BYTES);
        let Some(code) = file.as_deref().and_then(|bytes| verified(&packaged.code, bytes)) else {
            return Err(CodePackageError::Damaged { path });
        };
        let component = deserialize(engine, &code).map_err(|error| CodePackageError::Incompatible {
            path,
            reason: sanitize(&format!("{error:#}"), MESSAGE_BYTES),
        })?;
        let identified = IdentifiedPlugin { kind: packaged.kind, reads_content: packaged.reads_content };
        Ok(Some((identified, component)))
    }
}

/// The code, if it has the digest of the index. The comparison need not take constant time: the digest is not a secret.
fn verified<'a>(expected: &Sha256Hex, code: &'a [u8]) -> Option<AuthenticCode<'a>> {
    (sha256(code) == expected.as_str()).then_some(AuthenticCode(code))
}

/// The file name of a component's code.
pub(crate) fn file_name(component: &Sha256Hex, target: Architecture) -> String {
    format!("{component}-{target}.cwasm")
}
