//! Opens what is published: a source, or an earlier release.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use tidegate_core::artifact::Fingerprint;
use tidegate_core::desired::DesiredSite;
use tidegate_core::edge::is_versioned;
use tidegate_core::key::StoredKey;
use tidegate_core::listing_filter::ListingFilter;
use tidegate_core::location::{Location, Source};
use tidegate_core::manifest::ManifestRecord;
use tidegate_core::release::{ReleaseId, fetched};
use tidegate_core::request::{MAX_RELEASE_BYTES, PublishRequest};
use tidegate_core::restore::{Restoration, RestoredSite};
use tidegate_core::site_state::UnfinishedRuns;

use super::error::PublishError;
use super::releases::Releases;
use super::run::Run;
use crate::s3::S3;
use crate::source::release::ReleaseSource;
use crate::source::{self, OpenedSource, SourceOptions, SourceReader};
use crate::state::StateStore;

/// What is published, opened.
pub(super) enum Opened {
    /// An artifact, which sync plugins transform.
    Artifact(OpenedSource),
    /// An earlier release, which plugins transformed when it was made.
    Release(RestoredRelease),
}

/// An earlier release, read from its manifest.
pub(super) struct RestoredRelease {
    pub(super) desired: DesiredSite,
    pub(super) reader: SourceReader,
    pub(super) fingerprint: Fingerprint,
    /// The release whose manifest it was read from.
    pub(super) manifest: ReleaseId,
}

/// Refuses the name of a release that is too long. The pointer holds one for each release, and is read whole.
pub(super) fn check_release(request: &PublishRequest) -> Result<(), PublishError> {
    let bytes = request.release.as_str().len();
    if bytes > MAX_RELEASE_BYTES { Err(PublishError::ReleaseTooLong(bytes)) } else { Ok(()) }
}

/// Opens the source of the request. `splits` are keys that split the site into ranges.
pub(super) async fn open(
    run: Run<'_>,
    releases: Option<&Releases>,
    splits: Vec<StoredKey>,
) -> Result<Opened, PublishError> {
    let source = &run.request.source;
    if let Source::Release(id) = source {
        let releases = releases.ok_or_else(|| PublishError::NoReleases(run.request.site.clone()))?;
        return Ok(Opened::Release(restore(run, releases, *id).await?));
    }
    let fetched = run.site.state.as_ref().and_then(fetched);
    if let Some(state) = run.site.state_root().filter(|state| publishes_state(source, state, fetched.as_ref())) {
        return Err(PublishError::PublishesState(state));
    }
    let state = releases.map(|releases| releases.store.clone());
    Ok(Opened::Artifact(open_source(run, state, splits).await?))
}

/// Opens a source that is not an earlier release. The keys of a staged prefix are close to those of the site, so the
/// same keys split it into ranges.
pub(super) async fn open_source(
    run: Run<'_>,
    state: Option<StateStore>,
    mut splits: Vec<StoredKey>,
) -> Result<OpenedSource, PublishError> {
    splits.retain(|split| !is_versioned(split.as_str()));
    let s3 = S3::new(&run.connection());
    let options = SourceOptions {
        filter: ListingFilter::new(&run.site.sync, &run.site.strip_prefix),
        limits: run.site.archive_limits,
        staged_headers: run.site.staged_headers,
        splits,
        state,
        strip_prefix: run.site.strip_prefix.clone(),
        ..run.publisher.options.clone()
    };
    Ok(source::open(&run.request.source, &s3, &options).await?)
}

async fn restore(run: Run<'_>, releases: &Releases, id: ReleaseId) -> Result<RestoredRelease, PublishError> {
    let entry = releases.history.pointer.as_ref().and_then(|(pointer, _)| pointer.release(id));
    let manifest = entry.and_then(|release| release.manifest);
    let manifest = manifest.ok_or_else(|| PublishError::UnknownRelease(run.site.name.to_string(), id))?;
    let refused = |error| PublishError::Restore(id, error);
    let mut restoration = Restoration::default();
    let mut records = releases.store.manifest(manifest).await?;
    while let Some(batch) = records.try_next().await? {
        for record in batch {
            restoration.add_wanted(record).map_err(refused)?;
        }
    }
    let archived = ArchivedVersions::read(releases).await?;
    let mut records = releases.live_records().await?;
    while let Some(batch) = records.try_next().await? {
        batch.iter().filter(|record| archived.contains(record)).for_each(|record| restoration.add_archived(record));
    }
    let RestoredSite { desired, bodies, fingerprint } = restoration.finish(&manifest.to_string()).map_err(refused)?;
    let source =
        ReleaseSource::new(S3::new(&run.connection()), run.site.target.clone(), releases.store.bodies(), bodies);
    Ok(RestoredRelease { desired, reader: source.into(), fingerprint, manifest })
}

/// Which versions of the live release are archived.
struct ArchivedVersions<'a> {
    unfinished: &'a UnfinishedRuns,
    /// Bodies in the state. Read only if a run did not finish.
    bodies: BTreeSet<StoredKey>,
}

impl<'a> ArchivedVersions<'a> {
    async fn read(releases: &'a Releases) -> Result<Self, PublishError> {
        let unfinished = &releases.history.unfinished;
        let bodies = match unfinished.runs() {
            [] => Vec::new(),
            _ => releases.store.archived_bodies().await?,
        };
        Ok(Self { unfinished, bodies: bodies.into_iter().map(|body| body.key).collect() })
    }

    /// The manifest names the bodies that finished runs archived. The bodies of an unfinished run are only in its plan, and
    /// it may have been killed before it archived them.
    fn contains(&self, record: &ManifestRecord) -> bool {
        !record.state.is_on_site()
            || (self.unfinished.archived(&record.key, &record.etag)
                && self.bodies.contains(&StoredKey::new(&record.body_name())))
    }
}

/// Whether a source overlaps the place where releases are kept. `fetched` is where the site's own downloads are, which may
/// be published.
fn publishes_state(source: &Source, state: &Location, fetched: Option<&Location>) -> bool {
    match source {
        Source::Prefix(location) => location.overlaps(state),
        Source::Object(object) => {
            let within = |place: &Location| {
                object.bucket == place.bucket && place.prefix.relative(object.key.as_str()).is_some()
            };
            within(state) && !fetched.is_some_and(within)
        }
        Source::Directory(_) | Source::Archive(_) | Source::Release(_) => false,
    }
}
