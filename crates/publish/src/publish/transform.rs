//! From a source to what the site should be: by sync plugins, or from the manifest of an earlier release.
//!
//! Owns opening either. Never looks at the site.

use std::sync::Arc;

use futures::TryStreamExt;
use futures::stream::{self, BoxStream, StreamExt};
use tidegate_core::artifact::Fingerprint;
use tidegate_core::config::Site;
use tidegate_core::desired::DesiredSite;
use tidegate_core::finding::Finding;
use tidegate_core::location::{Location, Source};
use tidegate_core::manifest::ManifestRecord;
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::release::{ReleaseId, fetched};
use tidegate_core::request::PublishRequest;
use tidegate_core::restore::Restoration;
use tidegate_host::sync::{self, Trace};

use super::stopwatch::Stopwatch;
use super::{PublishError, Publisher, ReleaseContext, blocking, facts, publishes_state};
use crate::plugins::SitePlugins;
use crate::progress::{ProgressEvent, Stage};
use crate::s3::S3;
use crate::source::content::SourceContent;
use crate::source::release::ReleaseSource;
use crate::source::storage::Objects;
use crate::source::{self, SourceReader};
use crate::state::StateError;

/// What the site should be, and how its bodies are read.
pub(super) struct TransformedSource {
    pub(super) desired: DesiredSite,
    pub(super) reader: SourceReader,
    pub(super) fingerprint: Fingerprint,
    /// Objects of the source, before any plugin.
    pub(super) unshaped: u64,
    pub(super) findings: Vec<Finding>,
    pub(super) usage: Vec<PluginUsage>,
}

impl Publisher {
    /// Opens the source and lets sync plugins shape it.
    pub(super) async fn shape(
        &self,
        chain: &SitePlugins,
        past: Option<&ReleaseContext>,
        request: &PublishRequest,
        site: &Site,
        trace: Trace,
        clock: &mut Stopwatch,
    ) -> Result<TransformedSource, PublishError> {
        if let Source::Release(id) = &request.source {
            let past = past.ok_or_else(|| PublishError::NoReleases(request.site.clone()))?;
            let shaped = self.restore(past, *id, site).await?;
            clock.lap(Stage::Open);
            return Ok(shaped);
        }
        let fetched = site.state.as_ref().and_then(fetched);
        let publishes = |state: &Location| publishes_state(&request.source, state, fetched.as_ref());
        if let Some(state) = site.state_root().filter(publishes) {
            return Err(PublishError::PublishesState(state));
        }
        let objects: Arc<dyn Objects> = Arc::new(S3::new(&self.connection));
        let opened = source::open(&request.source, &objects, &self.options).await?;
        clock.lap(Stage::Open);

        self.observer.report(ProgressEvent::Stage(Stage::Shape));
        let unshaped = opened.artifact.len() as u64;
        let fingerprint = opened.artifact.fingerprint().clone();
        let (chain, facts, reader) = (chain.clone(), facts(request), opened.reader.clone());
        let (handle, artifact) = (tokio::runtime::Handle::current(), opened.artifact);
        let shaped = blocking(move || {
            sync::transform(&chain.sync, &artifact, &facts, &SourceContent::new(reader, handle), trace)
        });
        let shaped = shaped.await??;
        clock.lap(Stage::Shape);
        Ok(TransformedSource {
            desired: shaped.desired,
            reader: opened.reader,
            fingerprint,
            unshaped,
            findings: shaped.findings,
            usage: shaped.usage,
        })
    }

    /// An earlier release, as its manifest has it.
    async fn restore(
        &self,
        past: &ReleaseContext,
        id: ReleaseId,
        site: &Site,
    ) -> Result<TransformedSource, PublishError> {
        let known = past.history.pointer.as_ref().and_then(|(pointer, _)| pointer.release(id));
        let manifest = known.and_then(|release| release.manifest);
        let manifest = manifest.ok_or_else(|| PublishError::UnknownRelease(site.name.to_string(), id))?;
        let refused = |error| PublishError::Restore(id, error);
        let mut restoration = Restoration::default();
        let mut records = past.state.manifest(manifest).await?;
        while let Some(batch) = records.try_next().await? {
            for record in batch {
                restoration.add_wanted(record).map_err(refused)?;
            }
        }
        let mut records = self.records(Some(past)).await?;
        while let Some(batch) = records.try_next().await? {
            batch.iter().for_each(|record| restoration.add_available(record));
        }
        let (desired, bodies, fingerprint) = restoration.finish(&manifest.to_string()).map_err(refused)?;
        let objects: Arc<dyn Objects> = Arc::new(S3::new(&self.connection));
        let released = ReleaseSource::new(objects, site.target.clone(), past.state.bodies(), bodies);
        let unshaped = desired.entries().len() as u64;
        let reader = SourceReader::Released(Arc::new(released));
        Ok(TransformedSource { desired, reader, fingerprint, unshaped, findings: Vec::new(), usage: Vec::new() })
    }

    /// The records of the live release; none where there is none, or where every object is to be looked at.
    pub(super) async fn records(
        &self,
        past: Option<&ReleaseContext>,
    ) -> Result<BoxStream<'static, Result<Vec<ManifestRecord>, StateError>>, PublishError> {
        match past.and_then(|past| Some((past, past.history.manifest()?))) {
            Some((past, manifest)) => Ok(past.state.manifest(manifest).await?),
            None => Ok(stream::empty().boxed()),
        }
    }
}
