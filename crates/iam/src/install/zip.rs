//! A deployment package, as it is handed to Lambda.
//!
//! Owns what is looked at before: that it is of this very configuration and for the function's architecture, since a function with
//! another one would be told of other uploads than it publishes. Never makes one.

use std::io::{Cursor, Read as _};

use aws_smithy_types::base64;
use sha2::{Digest as _, Sha256};
use tidegate_core::architecture::Architecture;
use tidegate_core::config::LambdaArchitecture;
use tidegate_core::lambda_package::{BOOTSTRAP, CONFIGURATION, MAX_DIRECT_BYTES};
use zip::ZipArchive;

/// A package.
#[derive(Clone)]
pub struct PackageZip {
    bytes: Vec<u8>,
    sha256: String,
}

/// Why it is refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageZipError {
    /// Not a package.
    #[error("it is no package of `tidegate package`: {0}")]
    Form(String),
    /// Made from another configuration.
    #[error("it was made from another configuration, make it anew with `tidegate package`")]
    Configuration,
    /// For another architecture.
    #[error(
        "it was made for {found}, the function runs on {wanted}: make it with `tidegate package --target {wanted}`"
    )]
    Architecture {
        /// What it is for.
        found: String,
        /// What the function runs on.
        wanted: Architecture,
    },
    /// Larger than Lambda takes.
    #[error(
        "it has {0} bytes, and Lambda takes {MAX_DIRECT_BYTES} at once: put it into a bucket, and install with the template of `tidegate template --format cloudformation`"
    )]
    Size(usize),
}

impl std::fmt::Debug for PackageZip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Zip({} bytes, {})", self.bytes.len(), self.sha256)
    }
}

impl PackageZip {
    /// Looks at a package.
    ///
    /// # Errors
    /// [`PackageZipError`].
    pub fn new(bytes: Vec<u8>, configuration: &str, architecture: LambdaArchitecture) -> Result<Self, PackageZipError> {
        let form = |error: zip::result::ZipError| PackageZipError::Form(error.to_string());
        let mut archive = ZipArchive::new(Cursor::new(&bytes)).map_err(form)?;
        let mut file = |name: &str| {
            let mut content = Vec::new();
            let mut file = archive.by_name(name).map_err(form)?;
            file.read_to_end(&mut content).map_err(|error| PackageZipError::Form(error.to_string()))?;
            Ok::<_, PackageZipError>(content)
        };
        if file(CONFIGURATION)? != configuration.as_bytes() {
            return Err(PackageZipError::Configuration);
        }
        let (found, wanted) = (Architecture::of_executable(&file(BOOTSTRAP)?), architecture.target());
        if found != Some(wanted) {
            let found = found.map_or("another machine", Architecture::as_str).to_owned();
            return Err(PackageZipError::Architecture { found, wanted });
        }
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_DIRECT_BYTES {
            return Err(PackageZipError::Size(bytes.len()));
        }
        let sha256 = base64::encode(Sha256::digest(&bytes));
        Ok(Self { bytes, sha256 })
    }

    /// Its SHA-256 in Base64, as Lambda shows it.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
