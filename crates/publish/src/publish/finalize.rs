//! Ends a release: prunes the state and marks the pointer as finalized. A failure here does not undo a live release:
//! the next run completes it.

use tidegate_core::release::{ReleaseId, ReleasePointer};
use tidegate_core::report::{Outcome, PublishReport};

use super::commit::{ArchivedBodies, LiveRelease};
use super::error::PublishError;
use super::release::ReleaseRun;
use super::{credentials, invalidate, switch};
use crate::state::{ReleaseFile, StateError};

/// What is pending after a release went live.
pub(super) struct Pending {
    /// Whether the edge serves the release.
    pub(super) switched: bool,
    /// Releases whose invalidations were not all accepted.
    pub(super) invalidations: Vec<ReleaseId>,
}

/// Ends a run whose release is live.
pub(super) async fn finalize(
    mut release: ReleaseRun<'_>,
    live: LiveRelease,
    pending: Pending,
    report: &PublishReport,
) -> Outcome {
    let LiveRelease { mut pointer, etag, archived } = live;
    let failed = !report.done.failures.is_empty();
    let outcome = match pending {
        _ if failed => Outcome::Partial,
        Pending { switched: false, .. } => Outcome::LiveSwitchPending,
        Pending { ref invalidations, .. } if !invalidations.is_empty() => Outcome::LiveInvalidationPending,
        Pending { .. } => Outcome::Live,
    };
    pointer.pending_invalidations = pending.invalidations;
    let pruned = prune(&release, &pointer, archived).await;
    if let Err(error) = &pruned {
        tracing::warn!(%error, "cannot prune the state; the next run does");
    }
    pointer.finalized = pruned.is_ok() && !failed;
    release.record.outcome = Some(outcome);
    let stored = async {
        release.store().put_release(&release.record, false).await?;
        release.fence.check()?;
        release.store().move_pointer(&pointer, Some(&etag)).await
    };
    if let Err(error) = stored.await {
        tracing::warn!(%error, "the release is live, but cannot be finalized; the next run does");
    }
    outcome
}

/// Ends a run that changes nothing: the release is recorded, and pending invalidations are sent again.
pub(super) async fn confirm(release: &mut ReleaseRun<'_>, report: &mut PublishReport) -> Result<Outcome, PublishError> {
    let history = release.history();
    let (Some((before, etag)), Some(manifest)) = (history.pointer.clone(), history.manifest()) else {
        return Ok(Outcome::Unchanged);
    };
    let id = release.record.id;
    report.id = Some(id);
    release.record.outcome = Some(Outcome::Unchanged);
    release.fence.check()?;
    release.store().put_release(&release.record, true).await?;
    let mut pointer = ReleasePointer { fence: release.counter, ..before };
    // Of consecutive releases that changed nothing, only the last is kept.
    if pointer.releases.last().is_some_and(|last| last.manifest == Some(manifest) && last.id != manifest) {
        pointer.releases.pop();
    }
    let oldest = release.basis.kept.oldest;
    pointer.releases.retain(|entry| entry.id >= oldest || entry.manifest == Some(manifest));
    pointer.releases.push(release.entry(id, Some(manifest)));
    let pending = std::mem::take(&mut release.pending);
    let is_switched = pointer.edge.as_ref().is_some_and(|edge| edge.release == manifest);
    let mut switched = true;
    if !pending.is_empty() || !is_switched {
        let connection = credentials::for_writing(release.run, &release.basis.credentials, release.plan()).await?;
        switched = Box::pin(switch::switch(release, &connection, &mut pointer, report)).await;
        pointer.pending_invalidations = invalidate::send_pending(release, &connection, pending, report).await;
    }
    release.fence.check()?;
    release.store().move_pointer(&pointer, Some(&etag)).await?;
    if let Err(error) = release.store().delete(&release.history().unreferenced_files(&pointer), &[]).await {
        tracing::warn!(%error, "cannot remove files of releases that are not kept; the next run does");
    }
    if !switched {
        return Ok(Outcome::LiveSwitchPending);
    }
    let is_unchanged = report.invalidations.is_empty() && report.edge.is_none();
    Ok(match (is_unchanged, pointer.pending_invalidations.is_empty()) {
        (true, _) => Outcome::Unchanged,
        (false, true) => Outcome::Live,
        (false, false) => Outcome::LiveInvalidationPending,
    })
}

/// Ends a run that could not write everything. If it changed something, the next run completes it. Otherwise it is
/// deleted from the state.
pub(super) async fn abandon(mut release: ReleaseRun<'_>, report: &PublishReport) -> Outcome {
    let outcome = if report.done.touched() { Outcome::Partial } else { Outcome::Failed };
    let id = release.record.id;
    release.record.outcome = Some(outcome);
    let stored = if outcome == Outcome::Failed && report.done.archived == 0 {
        release.store().delete(&[(id, ReleaseFile::Release), (id, ReleaseFile::Plan)], &[]).await
    } else {
        release.store().put_release(&release.record, false).await
    };
    if let Err(error) = stored {
        tracing::warn!(%error, "cannot store how the run ended; the next run finds out");
    }
    outcome
}

/// Removes from the state what no kept release needs.
async fn prune(release: &ReleaseRun<'_>, pointer: &ReleasePointer, archived: ArchivedBodies) -> Result<(), StateError> {
    let (store, files) = (release.store(), release.history().unreferenced_files(pointer));
    let work = async {
        if release.history().is_finalized() {
            return store.delete(&files, &archived.expired).await;
        }
        // A run that was killed may have archived bodies that no manifest names.
        let mut bodies = store.archived_bodies().await?;
        bodies.retain(|body| !archived.needed.contains(body.key.as_str()));
        store.delete_bodies(bodies).await?;
        store.delete(&files, &[]).await
    };
    // Guarded: after the lease is lost, another run may archive the same bodies.
    release.fence.guard(work).await?
}
