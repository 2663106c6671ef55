//! The deployment package of a function: every plugin of every site, checked and compiled, beside program and configuration.
//!
//! Owns the way there. What belongs into a package is `crate::package`'s to say. Never writes a file.

mod archive;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tidegate_core::architecture::Architecture;
use tidegate_core::config::{Config, PluginReference, Sha256Hex};
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::identity::sha256;
use tidegate_core::lambda_package::{Bootstrap, MAX_DIRECT_BYTES, PackageContents, PackageContentsError, PackageFile};
use tidegate_host::{AdmissionError, Compiler, EngineError};
use tidegate_publish::components::ComponentLoader;
use tidegate_publish::plugins::{FoundPlugin, SitePluginsError, configure, uses};
use tidegate_publish::s3::S3;

/// A finished package.
#[derive(Debug)]
pub struct LambdaPackage {
    /// The zip.
    pub archive: Vec<u8>,
    /// What is in it.
    pub contents: PackageInfo,
}

/// What a package is, for whoever asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageInfo {
    /// What it is for.
    pub target: String,
    /// Bytes of the zip.
    pub bytes: u64,
    /// SHA-256 of the zip.
    pub sha256: String,
    /// Whether Lambda takes it directly; a larger one goes by S3.
    pub direct: bool,
    /// Its files, sorted by path.
    pub files: Vec<PackageFileInfo>,
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageFileInfo {
    /// Its path in the package.
    pub path: String,
    /// Its unpacked bytes.
    pub bytes: u64,
}

/// A step on the way to a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackagingStep {
    /// A site's plugins are loaded, and asked about their settings.
    Checking(String),
    /// A plugin is compiled.
    Compiling(String),
    /// The files are packed.
    Packing,
}

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum PackagingError {
    /// A plugin that cannot be used.
    #[error(transparent)]
    Chain(#[from] SitePluginsError),
    /// There is no compiler.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What may not be in a package.
    #[error(transparent)]
    Contents(#[from] PackageContentsError),
    /// A plugin that cannot be compiled.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// The index could not be written.
    #[error("the index of compiled plugins could not be written: {0}")]
    Index(#[from] serde_json::Error),
    /// The zip could not be written.
    #[error("the zip could not be written: {0}")]
    Archive(#[from] zip::result::ZipError),
}

impl PackagingError {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Chain(error) => error.kind(),
            Self::Contents(_) | Self::Admission(_) => ErrorKind::Configuration,
            Self::Engine(_) | Self::Index(_) | Self::Archive(_) => ErrorKind::Bug,
        }
    }
}

/// Makes the package of a configuration. Plugins that several sites use are compiled once. Only code goes into it,
/// wherever the components are: the configuration and the index say which code is whose.
///
/// # Errors
/// [`PackagingError`]; whatever a function would refuse at its first event is refused here.
pub async fn package(
    components: &ComponentLoader,
    s3: &S3,
    configuration: &str,
    bootstrap: Bootstrap,
    mut tell: impl FnMut(&PackagingStep),
) -> Result<LambdaPackage, PackagingError> {
    let config = Config::parse(configuration).map_err(SitePluginsError::from)?;
    let compiler = Compiler::new(bootstrap.target())?;
    let (mut bundled, mut seen) = (BTreeMap::new(), BTreeMap::<Sha256Hex, (String, Arc<[u8]>)>::new());
    for site in &config.sites {
        tell(&PackagingStep::Checking(site.name.to_string()));
        for (used, kind) in uses(site) {
            let component = components.find(&used, s3).await.map_err(SitePluginsError::from)?;
            let bytes = Arc::clone(component.bytes());
            let configured = configure(FoundPlugin::Component(component), &used, kind).await?;
            let digest = configured.plugin().sha256();
            seen.entry(digest.clone()).or_insert((used.plugin.to_string(), bytes));
            if let PluginReference::Bundled(name) = used.plugin {
                bundled.insert(name, digest.clone());
            }
        }
    }
    let mut codes = Vec::with_capacity(seen.len());
    for (name, bytes) in seen.into_values() {
        tell(&PackagingStep::Compiling(name.clone()));
        let compiler = compiler.clone();
        let compiled = tokio::task::spawn_blocking(move || compiler.compile(&name, &bytes)).await;
        codes.push(compiled.map_err(|_| SitePluginsError::Interrupted)??);
    }
    tell(&PackagingStep::Packing);
    let target = compiler.target();
    let contents = PackageContents::new(bootstrap, configuration, compiler.files(codes, bundled)?)?;
    let packed = tokio::task::spawn_blocking(move || LambdaPackage::of(target, &contents)).await;
    packed.map_err(|_| SitePluginsError::Interrupted)?
}

impl LambdaPackage {
    fn of(target: Architecture, contents: &PackageContents) -> Result<Self, PackagingError> {
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
