//! The publisher, and what every step of one run needs.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::config::Site;
use tidegate_core::diff::Comparison;
use tidegate_core::lease::ExecutionName;
use tidegate_core::manifest::ranges::RANGE_OBJECTS;
use tidegate_core::plan::shards::SHARD_OPERATIONS;
use tidegate_core::request::PublishRequest;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::plugins::PluginLoader;
use crate::progress::{ProgressEvent, ProgressObserver, Stage};
use crate::s3::{CopySource, S3};
use crate::source::{Progress, SourceOptions};
use crate::state::StateStore;

/// How long a run waits for another run that publishes the same site.
const LOCK_TIMEOUT: Duration = Duration::from_secs(600);

/// Publishes sites.
#[derive(Clone)]
pub struct Publisher {
    /// The caller's own connection to AWS.
    pub connection: Connection,
    /// Loads plugins.
    pub plugins: PluginLoader,
    /// Receives progress events.
    pub observer: Arc<dyn ProgressObserver>,
    /// How directories are read. The site has the limits of archives and the prefix to strip.
    pub options: SourceOptions,
    /// How thoroughly the site is compared.
    pub comparison: Comparison,
    /// Largest object that one request copies, in bytes; [`CopySource::LIMIT`] except in tests.
    pub copy_limit: u64,
    /// Most operations of a shard; [`SHARD_OPERATIONS`] except in tests.
    pub shard_operations: usize,
    /// Objects of the ranges in which the next run lists the site; [`RANGE_OBJECTS`] except in tests.
    pub range_objects: u64,
    /// Whether to trust the manifest of the live release instead of listing the site.
    pub trust_manifest: bool,
    /// Whether to look at every object, whatever the manifest says.
    pub verify: bool,
    /// Whether objects with other settings than the site (ACL, encryption, storage class) are changed. Otherwise only
    /// objects that are written for another reason get them.
    pub check_settings: bool,
    /// How long to wait for another run that publishes the same site.
    pub lock_timeout: Duration,
    /// Interrupts [`Self::publish`], which then releases the lease.
    pub cancel: CancellationToken,
}

impl Publisher {
    /// A publisher with defaults for everything that is not a parameter.
    #[must_use]
    pub fn new(connection: Connection, plugins: PluginLoader, observer: Arc<dyn ProgressObserver>) -> Self {
        let reads = Arc::clone(&observer);
        let progress: Progress = Arc::new(move |objects, bytes| reads.report(ProgressEvent::Read { objects, bytes }));
        Self {
            connection,
            plugins,
            observer,
            options: SourceOptions { progress: Some(progress), ..SourceOptions::default() },
            comparison: Comparison::default(),
            copy_limit: CopySource::LIMIT,
            shard_operations: SHARD_OPERATIONS,
            range_objects: RANGE_OBJECTS,
            trust_manifest: false,
            verify: false,
            check_settings: false,
            lock_timeout: LOCK_TIMEOUT,
            cancel: CancellationToken::new(),
        }
    }

    /// Where the releases of a site are kept, if it has any.
    #[must_use]
    pub fn state(&self, site: &Site) -> Option<StateStore> {
        let connection = self.connection.with_owners(site.bucket_owners());
        site.state.clone().map(|location| {
            let s3 = S3::new(&connection).with_document_key(site.state_kms_key.clone());
            StateStore::new(s3, location)
        })
    }
}

/// What every step of one run needs. It never changes during the run.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    /// The execution that the run belongs to.
    pub(super) execution: Option<&'a ExecutionName>,
    pub(super) publisher: &'a Publisher,
    pub(super) request: &'a PublishRequest,
    pub(super) site: &'a Site,
}

impl Run<'_> {
    /// The caller's own connection.
    pub(super) fn connection(self) -> Connection {
        self.publisher.connection.with_owners(self.site.bucket_owners_with(&self.request.source))
    }

    /// Reports that a stage begins.
    pub(super) fn stage(self, stage: Stage) {
        self.publisher.observer.report(ProgressEvent::Stage(stage));
    }
}
