//! Locks a site: one writer at a time, and the newest request wins.

use std::sync::Arc;

use tidegate_core::release::Precedence;
use tidegate_core::report::{Outcome, PublishReport};

use super::error::PublishError;
use super::releases::Releases;
use super::run::Run;
use crate::executions::Executions;
use crate::state::{LeaseGuard, LeaseRequest, StateStore};

/// The releases of a site, with the right to write.
pub(super) struct Locked {
    pub(super) releases: Releases,
    pub(super) lease: LeaseGuard,
}

/// The result of a request for the lock.
pub(super) enum Lock {
    /// The run may write.
    Acquired(Locked),
    /// The site has no releases, so runs are not serialized.
    NotNeeded,
    /// The request is older than the live release, or is the live release: nothing to publish.
    Skipped(Box<PublishReport>),
}

/// Waits for the site's lease, then decides whether the request still is the newest.
pub(super) async fn lock(run: Run<'_>) -> Result<Lock, PublishError> {
    let Some(store) = run.publisher.state(run.site) else { return Ok(Lock::NotNeeded) };
    let lease = acquire(run, &store).await?;
    match run.publisher.unless_cancelled(check_precedence(run, &store, &lease)).await {
        Ok(Checked::Newest(releases)) => Ok(Lock::Acquired(Locked { releases, lease })),
        Ok(Checked::Skipped(report)) => {
            lease.release().await;
            Ok(Lock::Skipped(report))
        }
        Err(error) => {
            lease.release().await;
            Err(error)
        }
    }
}

/// Locks a site whose releases were read before. Whether they are unchanged is checked before anything is written.
pub(super) async fn relock(run: Run<'_>, releases: Option<Releases>) -> Result<Option<Locked>, PublishError> {
    match releases {
        Some(releases) => Ok(Some(Locked { lease: acquire(run, &releases.store).await?, releases })),
        None => Ok(None),
    }
}

/// Releases the lease.
pub(super) async fn unlock(lock: Option<Locked>) {
    if let Some(locked) = lock {
        locked.lease.release().await;
    }
}

async fn acquire(run: Run<'_>, store: &StateStore) -> Result<LeaseGuard, PublishError> {
    let Run { execution, publisher, request, site } = run;
    let request = LeaseRequest {
        execution,
        release: &request.release,
        seconds: site.lease_seconds.into(),
        timeout: publisher.lock_timeout,
        observer: &publisher.observer,
        cancel: &publisher.cancel,
        executions: &Executions::new(&publisher.connection),
    };
    store.lease(request).await?.ok_or(PublishError::Interrupted)
}

/// Whether a request is the newest.
enum Checked {
    Newest(Releases),
    Skipped(Box<PublishReport>),
}

async fn check_precedence(run: Run<'_>, store: &StateStore, lease: &LeaseGuard) -> Result<Checked, PublishError> {
    let mut history = store.history().await?;
    // What workers of its execution still write must be on the site before this run lists it, and in their results before it
    // reads those.
    if lease.may_have_workers() && history.has_open_shards() {
        drop(history);
        lease.alone().await;
        history = store.history().await?;
    }
    let precedence =
        history.pointer.as_ref().map_or(Precedence::Publish, |(pointer, _)| pointer.precedence(run.request));
    let proceed = match precedence {
        Precedence::Publish => true,
        // A live release that was not completed is completed by a repeated request.
        Precedence::Done => !history.is_complete(),
        Precedence::Superseded => false,
    };
    let Some((pointer, etag)) = history.pointer.as_ref().filter(|_| !proceed) else {
        return Ok(Checked::Newest(Releases { store: store.clone(), history: Arc::new(history) }));
    };
    let superseded = precedence == Precedence::Superseded;
    let mut next = pointer.clone();
    next.skip(run.request, superseded);
    next.fence = lease.fencing_counter();
    lease.fence().check()?;
    store.move_pointer(&next, Some(etag)).await?;
    let outcome = match (superseded, history.unfinished.runs()) {
        (true, []) => Outcome::Superseded,
        // A newer run died and left the site half-written, which is not a success.
        (true, [..]) => Outcome::Partial,
        (false, _) => Outcome::Unchanged,
    };
    let mut report = PublishReport::new(run.request, run.site.target.clone(), outcome);
    report.id = pointer.live().map(|live| live.id);
    report.why = pointer.live().map(|live| {
        if superseded {
            let older =
                format!("`{}` is older than `{}`, which is live as {}", run.request.release, live.release, live.id);
            match history.unfinished.runs().last() {
                None => older,
                Some(run) => {
                    format!("{older}; the run {run} did not finish, so publish its source again to complete the site")
                }
            }
        } else {
            format!("`{}` was already published as {}", live.release, live.id)
        }
    });
    Ok(Checked::Skipped(Box::new(report)))
}
