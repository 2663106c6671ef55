//! The deployment package of the function, checked before it is uploaded.

use std::fmt;
use std::io::{Cursor, Read as _};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tidegate_core::architecture::Architecture;
use tidegate_core::lambda_package::{BOOTSTRAP, CONFIGURATION};
use zip::ZipArchive;

/// A deployment package.
#[derive(Clone)]
pub struct PackageZip {
    bytes: Bytes,
    digest: String,
}

/// Why a package is refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageZipError {
    /// Not a package.
    #[error("not a package of `tidegate package`: {0}")]
    Form(String),
    /// Made from another configuration.
    #[error("made from another configuration; run `tidegate package` again")]
    Configuration,
    /// Made for another architecture.
    #[error("made for {found}, but the function runs on {wanted}; run `tidegate package --target {wanted}`")]
    Architecture {
        /// The architecture of the package.
        found: String,
        /// The architecture of the function.
        wanted: Architecture,
    },
}

impl fmt::Debug for PackageZip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackageZip({} bytes, {})", self.bytes.len(), self.digest)
    }
}

impl PackageZip {
    /// Checks a package. It must be made from this very configuration: otherwise the function would be notified of other
    /// uploads than it publishes.
    ///
    /// # Errors
    /// [`PackageZipError`].
    pub fn new(bytes: Vec<u8>, configuration: &str, architecture: Architecture) -> Result<Self, PackageZipError> {
        let form = |error: zip::result::ZipError| PackageZipError::Form(error.to_string());
        let mut archive = ZipArchive::new(Cursor::new(&bytes)).map_err(form)?;
        let mut read = |name: &str| {
            let mut content = Vec::new();
            let mut file = archive.by_name(name).map_err(form)?;
            file.read_to_end(&mut content).map_err(|error| PackageZipError::Form(error.to_string()))?;
            Ok::<_, PackageZipError>(content)
        };
        if read(CONFIGURATION)? != configuration.as_bytes() {
            return Err(PackageZipError::Configuration);
        }
        let (found, wanted) = (Architecture::of_executable(&read(BOOTSTRAP)?), architecture);
        if found != Some(wanted) {
            let found = found.map_or("another machine", Architecture::as_str).to_owned();
            return Err(PackageZipError::Architecture { found, wanted });
        }
        let digest = hex::encode(Sha256::digest(&bytes));
        Ok(Self { bytes: bytes.into(), digest })
    }

    /// Its SHA-256, in hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}
