//! Sources of a publish: a directory, a local zip, a staged prefix, a staged zip. [`open`] lists a source, and
//! [`SourceReader`] reads its objects.

pub mod archive;
mod blocking;
pub mod body;
pub mod content;
pub mod digest;
pub mod directory;
mod error;
pub(crate) mod listed;
pub mod names;
mod options;
pub mod prefix;
mod prefix_object;
mod staged_headers;
pub mod ranged;
mod block_cache;
mod reader;
pub mod release;
pub mod storage;

use std::path::Path;
use std::sync::Arc;

use tidegate_core::artifact::{Artifact, Fingerprint};
use tidegate_core::config::ArchiveLimits;
use tidegate_core::finding::Finding;
use tidegate_core::listing_filter::{ListingExclusion, ListingExclusions};
use tidegate_core::location::Source;

pub use error::SourceError;
pub use options::{Progress, SourceOptions};
pub use reader::SourceReader;

use crate::s3::S3;
use archive::Archive;
use directory::Directory;
use prefix::StagedPrefix;
use ranged::Ranged;

/// An opened source: its listing, and the reader of its bytes.
#[derive(Debug, Clone)]
pub struct OpenedSource {
    /// The listing.
    pub artifact: Artifact,
    /// What [`SourceOptions::filter`] left out of it.
    pub exclusions: Vec<ListingExclusion>,
    /// Reads the objects.
    pub reader: SourceReader,
    /// What people should know about its names.
    pub findings: Vec<Finding>,
}

/// A source that one of the readers opened.
struct ListedSource<R> {
    artifact: Artifact,
    reader: R,
    /// What the filter left out.
    exclusions: ListingExclusions,
    /// What people should know about its names.
    findings: Vec<Finding>,
}

impl OpenedSource {
    fn new<R>(listed: ListedSource<R>) -> Self
    where
        SourceReader: From<R>,
    {
        let ListedSource { artifact, reader, exclusions, findings } = listed;
        Self { artifact, exclusions: exclusions.finish(), reader: reader.into(), findings }
    }
}

/// Opens a source: lists it completely, and checks everything that can be checked without publishing.
///
/// Files of a directory and entries of a local archive are digested while it is opened.
///
/// # Errors
/// [`SourceError`]; a listing is never shorter than the source.
pub async fn open(source: &Source, s3: &S3, options: &SourceOptions) -> Result<OpenedSource, SourceError> {
    match source {
        Source::Directory(path) => open_directory(path, options).await,
        Source::Archive(path) => Archive::open_file(path, options).await.map(OpenedSource::new),
        Source::Prefix(location) => StagedPrefix::open(location, s3, options).await.map(OpenedSource::new),
        Source::Object(object) => Archive::open_object(object, s3, options).await.map(OpenedSource::new),
        Source::Release(id) => Err(SourceError::Release(*id)),
    }
}

/// Opens a directory.
///
/// # Errors
/// [`SourceError`] names the path that cannot be published.
pub async fn open_directory(path: &Path, options: &SourceOptions) -> Result<OpenedSource, SourceError> {
    Directory::open(path, options).await.map(OpenedSource::new)
}

/// Opens a zip from any [`Ranged`] bytes. Errors refer to it by `name`. Blocks.
///
/// # Errors
/// [`SourceError`] says why the archive cannot be published.
pub fn open_archive(
    name: String,
    bytes: Arc<dyn Ranged>,
    fingerprint: Fingerprint,
    limits: ArchiveLimits,
) -> Result<OpenedSource, SourceError> {
    let options = SourceOptions { limits, ..SourceOptions::default() };
    Archive::open_ranged(name, bytes, fingerprint, &options).map(OpenedSource::new)
}
