//! Makes the deployment package of a function: the program, the configuration, and every plugin of every site, checked
//! and compiled.
//!
//! [`tidegate_core::lambda_package`] defines what a package contains. Writes no file.

mod archive;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tidegate_core::architecture::Architecture;
use tidegate_core::config::{Config, Sha256Hex};
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::identity::sha256;
use tidegate_core::lambda_package::{Bootstrap, MAX_DIRECT_BYTES, PackageContents, PackageContentsError, PackageFile};
use tidegate_host::{AdmissionError, Compiler, EngineError};
use tidegate_publish::components::ComponentLoader;
use tidegate_publish::plugins::{FoundPlugin, SitePluginsError, configure, packaged_name, uses};
use tidegate_publish::s3::S3;

/// A deployment package.
#[derive(Debug)]
pub struct LambdaPackage {
    /// The zip.
    pub archive: Vec<u8>,
    /// A description of it.
    pub contents: PackageInfo,
}

/// A description of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageInfo {
    /// The architecture.
    pub target: String,
    /// Size of the zip in bytes.
    pub bytes: u64,
    /// SHA-256 of the zip.
    pub sha256: String,
    /// Whether it can be uploaded to Lambda directly. A larger package must be uploaded to S3.
    pub direct: bool,
    /// The files, sorted by path.
    pub files: Vec<PackageFileInfo>,
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageFileInfo {
    /// The path in the package.
    pub path: String,
    /// The unpacked size in bytes.
    pub bytes: u64,
}

/// A step of making a package, for progress messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackagingStep {
    /// Loading the plugins of a site and checking their settings.
    Checking(String),
    /// Compiling a plugin.
    Compiling(String),
    /// Packing the files.
    Packing,
}

/// Why a package cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PackagingError {
    /// A plugin cannot be used.
    #[error(transparent)]
    Plugins(#[from] SitePluginsError),
    /// The compiler cannot be created.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The files do not make a valid package.
    #[error(transparent)]
    Contents(#[from] PackageContentsError),
    /// A plugin cannot be compiled.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// The index cannot be written.
    #[error("cannot write the index of compiled plugins: {0}")]
    Index(#[from] serde_json::Error),
    /// The zip cannot be written.
    #[error("cannot write the zip: {0}")]
    Archive(#[from] zip::result::ZipError),
}

impl PackagingError {
    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Plugins(error) => error.kind(),
            Self::Contents(_) | Self::Admission(_) => ErrorKind::Configuration,
            Self::Engine(_) | Self::Index(_) | Self::Archive(_) => ErrorKind::Bug,
        }
    }
}

/// Makes the package for a configuration. A plugin of several sites is compiled once. The package contains compiled
/// code only, not the components: the configuration and the index map one to the other.
///
/// # Errors
/// [`PackagingError`], also for everything that would make the function fail at its first event.
pub async fn package(
    components: &ComponentLoader,
    s3: &S3,
    configuration: &str,
    bootstrap: Bootstrap,
    mut progress: impl FnMut(&PackagingStep),
) -> Result<LambdaPackage, PackagingError> {
    let config = Config::parse(configuration).map_err(SitePluginsError::from)?;
    let compiler = Compiler::new(bootstrap.target())?.with_process(components.engine.compiler().cloned());
    let (mut unpinned, mut components_by_digest) = (BTreeMap::new(), BTreeMap::<Sha256Hex, (String, Arc<[u8]>)>::new());
    for site in &config.sites {
        progress(&PackagingStep::Checking(site.name.to_string()));
        for (used, kind) in uses(site) {
            let component = components.find(&used, kind, s3).await.map_err(SitePluginsError::from)?;
            let bytes = Arc::clone(component.bytes());
            let configured = configure(FoundPlugin::Component(component), &used, kind).await?;
            let digest = configured.plugin().sha256();
            components_by_digest.entry(digest.clone()).or_insert((used.plugin.to_string(), bytes));
            if let Some(name) = packaged_name(&used, kind) {
                unpinned.insert(name, digest.clone());
            }
        }
    }
    let mut codes = Vec::with_capacity(components_by_digest.len());
    for (name, bytes) in components_by_digest.into_values() {
        progress(&PackagingStep::Compiling(name.clone()));
        let compiler = compiler.clone();
        let compiled = tokio::task::spawn_blocking(move || compiler.compile(&name, &bytes)).await;
        codes.push(compiled.map_err(|_| SitePluginsError::Interrupted)??);
    }
    progress(&PackagingStep::Packing);
    let target = compiler.target();
    let contents = PackageContents::new(bootstrap, configuration, compiler.files(codes, unpinned)?)?;
    let package = tokio::task::spawn_blocking(move || LambdaPackage::pack(target, &contents)).await;
    package.map_err(|_| SitePluginsError::Interrupted)?
}

impl LambdaPackage {
    fn pack(target: Architecture, contents: &PackageContents) -> Result<Self, PackagingError> {
        let archive = archive::pack(contents)?;
        let bytes = archive.len() as u64;
        let file = |(path, file): (&str, &PackageFile)| PackageFileInfo {
            path: path.to_owned(),
            bytes: file.bytes.len() as u64,
        };
        let contents = PackageInfo {
            target: target.to_string(),
            bytes,
            sha256: sha256(&archive),
            direct: bytes <= MAX_DIRECT_BYTES,
            files: contents.files().map(file).collect(),
        };
        Ok(Self { archive, contents })
    }
}
