//! Makes a release live: its manifest, its invalidations, then the pointer.
//!
//! The new manifest is written while that of the release before is read. `tidegate_core::manifest::next` computes
//! the records.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use futures::stream::{self, BoxStream};
use tidegate_core::identity::ETag;
use tidegate_core::manifest::next::{NextManifest, NextManifestCursor};
use tidegate_core::manifest::ranges::RangeCollector;
use tidegate_core::manifest::written::WrittenObjects;
use tidegate_core::manifest::{ManifestRecord, RecordState};
use tidegate_core::release::{FORMAT, ReleaseEntry, ReleasePointer};
use tokio::sync::mpsc::{Sender, channel};

use super::error::PublishError;
use super::invalidate;
use super::release::ReleaseRun;
use crate::connection::Connection;
use crate::state::StateError;

/// Batches of records that may wait to be stored.
const BATCHES_AHEAD: usize = 4;

/// A live release, before what follows it is done.
pub(super) struct LiveRelease {
    pub(super) pointer: ReleasePointer,
    pub(super) etag: ETag,
    pub(super) archived: ArchivedBodies,
}

/// Archived bodies, by what the new manifest says about them.
#[derive(Debug, Default)]
pub(super) struct ArchivedBodies {
    /// Bodies that no release needs.
    pub(super) expired: Vec<String>,
    /// Bodies that a release needs. Filled only if an earlier run did not finish.
    pub(super) needed: BTreeSet<String>,
}

/// Makes the release live.
pub(super) async fn commit(
    release: &mut ReleaseRun<'_>,
    written: &WrittenObjects,
    connection: &Connection,
) -> Result<LiveRelease, PublishError> {
    let archived = write_manifest(release, written).await?;
    release.record.invalidations = invalidate::plan_requests(release, connection).await;
    release.fence.check()?;
    release.store().put_release(&release.record, false).await?;
    if let Some(edge) = &release.basis.edge {
        release.store().put_edge(release.record.id, &edge.stored).await?;
    }
    let pointer = next_pointer(release);
    release.fence.check()?;
    let before = release.history().pointer.as_ref().map(|(_, etag)| etag);
    let etag = release.store().move_pointer(&pointer, before).await?;
    Ok(LiveRelease { pointer, etag, archived })
}

fn next_pointer(release: &ReleaseRun<'_>) -> ReleasePointer {
    let (id, history, kept) = (release.record.id, release.history(), release.basis.kept);
    let before = release.pointer();
    let mut releases: Vec<ReleaseEntry> = before.map(|pointer| pointer.releases.clone()).unwrap_or_default();
    releases.extend(history.unfinished.runs().iter().map(|run| release.entry(*run, None)));
    releases.retain(|entry| entry.id >= kept.oldest);
    if !kept.adds_release {
        // The same release again: it replaces the one that it repaired.
        releases.retain(|entry| entry.manifest != history.manifest());
    }
    releases.sort_by_key(|entry| entry.id);
    releases.push(release.entry(id, Some(id)));
    let mut pending_invalidations = before.map(|pointer| pointer.pending_invalidations.clone()).unwrap_or_default();
    pending_invalidations.extend((!release.record.invalidations.is_empty()).then_some(id));
    ReleasePointer {
        format: FORMAT,
        fence: release.counter,
        releases,
        pending_invalidations,
        edge: before.and_then(|pointer| pointer.edge.clone()),
        finalized: false,
        skipped: before.map(|pointer| pointer.skipped.clone()).unwrap_or_default(),
    }
}

async fn write_manifest(release: &ReleaseRun<'_>, outcomes: &WrittenObjects) -> Result<ArchivedBodies, PublishError> {
    let (history, basis) = (release.history(), release.basis);
    let next = NextManifest {
        desired: &basis.desired,
        plan: release.plan(),
        site: &basis.state,
        unfinished: &history.unfinished,
        written: outcomes,
        previous: history.live().unwrap_or_default(),
        oldest_kept: basis.kept.oldest,
    };
    let live = release.releases.live_records().await?;
    release.fence.check()?;
    let (sender, mut receiver) = channel(BATCHES_AHEAD);
    let records = stream::poll_fn(move |context| receiver.poll_recv(context));
    let mut ranges = RangeCollector::new(release.run.publisher.range_objects);
    let (archived, stored) = tokio::join!(
        make_records(&next, live, sender, !history.is_finalized(), &mut ranges),
        release.store().put_manifest(release.record.id, records)
    );
    stored?;
    store_ranges(release, ranges).await?;
    Ok(archived)
}

/// Stores the ranges of the site. They only make the next listing faster, so a failure is only a warning.
async fn store_ranges(release: &ReleaseRun<'_>, ranges: RangeCollector) -> Result<(), PublishError> {
    let Some(ranges) = ranges.finish() else { return Ok(()) };
    release.fence.check()?;
    if let Err(error) = release.store().put_ranges(release.record.id, &ranges).await {
        tracing::warn!(%error, "cannot store the ranges of the site; the next run lists it page by page");
    }
    Ok(())
}

/// Sends the records of the next manifest to `sender`, or the error that ends reading the live one, and adds them to
/// `ranges`. With `list_needed`, the needed bodies are collected.
async fn make_records(
    next: &NextManifest<'_>,
    mut live: BoxStream<'static, Result<Vec<ManifestRecord>, StateError>>,
    sender: Sender<Result<Vec<ManifestRecord>, StateError>>,
    list_needed: bool,
    ranges: &mut RangeCollector,
) -> ArchivedBodies {
    let (mut archived, mut cursor) = (ArchivedBodies::default(), NextManifestCursor::default());
    loop {
        let mut records = Vec::new();
        let (batch, last) = match live.try_next().await {
            Ok(Some(batch)) => {
                batch.into_iter().for_each(|record| next.push(&mut cursor, record, &mut records));
                (Ok(records), false)
            }
            Ok(None) => {
                archived.expired = next.finish(std::mem::take(&mut cursor), &mut records);
                (Ok(records), true)
            }
            Err(error) => (Err(error), true),
        };
        batch.iter().flatten().for_each(|record| ranges.add(record));
        let needed = batch.iter().flatten().filter(|record| matches!(record.state, RecordState::Archived(_)));
        archived.needed.extend(needed.filter(|_| list_needed).map(ManifestRecord::body_name));
        if sender.send(batch).await.is_err() || last {
            return archived;
        }
    }
}
