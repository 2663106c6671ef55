//! How a source is opened.

use std::sync::Arc;

use tidegate_core::config::ArchiveLimits;
use tidegate_core::declared::StagedHeaders;
use tidegate_core::key::StoredKey;
use tidegate_core::listing_filter::ListingFilter;
use tidegate_core::location::Prefix;

use super::digest::Algorithms;
use crate::state::StateStore;

/// Receives the objects and bytes that were read since the last call. Called from several threads.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// How a source is opened.
#[derive(Clone, Default)]
pub struct SourceOptions {
    /// Digests of local files besides SHA-256.
    pub algorithms: Algorithms,
    /// What is left out of the listing, before anything of it is checked or read.
    pub filter: ListingFilter,
    /// Limits of archives.
    pub limits: ArchiveLimits,
    /// A leading folder of the source that is not part of the site; empty for none.
    pub strip_prefix: Prefix,
    /// Whether links that lead out of a directory are followed. Otherwise they are refused.
    pub follow_external_links: bool,
    /// Receives progress while a directory or a local archive is digested.
    pub progress: Option<Progress>,
    /// How the headers of a staged prefix are used.
    pub staged_headers: StagedHeaders,
    /// Keys that split a staged prefix into ranges that are listed side by side, relative to the prefix and the stripped
    /// folder. They need not fit.
    pub splits: Vec<StoredKey>,
    /// The state of the site, which remembers the headers of its staged prefix.
    pub state: Option<StateStore>,
}
