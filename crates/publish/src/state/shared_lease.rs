//! The lease of an execution, shared by its workers. A worker never acquires it: it renews the one that the coordinator
//! acquired, and stops when that one has another holder or fencing counter.
//!
//! Many workers cause about one write for each of their looks, because a worker writes only if no other has renewed the
//! lease since it looked last.

use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::{FuturesUnordered, StreamExt};
use tidegate_core::lease::{LeaseRecord, LeaseTerm};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::error::StateError;
use super::fence::{Fence, LeaseLost};
use super::lease::{LEASE, interval};
use super::store::StateStore;
use crate::s3::PutCondition;

/// Attempts to renew a lease that other workers renew at the same time. One of two shows that another one did.
const ATTEMPTS: usize = 3;

/// A worker's share of a lease. It is renewed until this value is dropped.
#[derive(Debug)]
pub struct SharedLease {
    fence: Fence,
    _renewal: AbortOnDropHandle<()>,
}

impl SharedLease {
    /// The fence of the lease.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }
}

impl StateStore {
    /// Releases the lease of an execution that has no workers.
    pub(crate) async fn withdraw(&self, term: &LeaseTerm) -> Result<(), StateError> {
        if let Some((lease, etag)) = self.stored_lease().await?.filter(|(lease, _)| lease.is_of(term)) {
            self.write(&self.key(LEASE), &lease.released(), PutCondition::IfMatch(&etag)).await?;
        }
        Ok(())
    }

    /// Shares the lease of an execution.
    ///
    /// # Errors
    /// [`LeaseLost`] if it has another holder or fencing counter.
    pub async fn share_lease(&self, term: &LeaseTerm) -> Result<SharedLease, StateError> {
        let worker = LeaseWorker { state: self.clone(), term: term.clone(), seen: Arc::default() };
        let (lease, renewed) = worker.renew().await?;
        let fence = Fence::new(renewed + lease.write_window());
        fence.check()?;
        let renewal = tokio::spawn(worker.keep_renewed(lease, renewed, fence.clone()).in_current_span());
        Ok(SharedLease { fence, _renewal: AbortOnDropHandle::new(renewal) })
    }
}

/// What a worker knows about the lease.
#[derive(Clone)]
struct LeaseWorker {
    state: StateStore,
    term: LeaseTerm,
    /// The most renewals that one of its looks has seen, and the latest time before such a look. Clones share it. The lock is
    /// never held during a request.
    seen: Arc<Mutex<Option<(u64, Instant)>>>,
}

impl LeaseWorker {
    /// Renews the lease, unless another worker did since the last look. Returns it with a time that is not later than the
    /// renewal.
    async fn renew(&self) -> Result<(LeaseRecord, Instant), StateError> {
        for _ in 0..ATTEMPTS {
            let looked = Instant::now();
            let stored = self.state.stored_lease().await?.filter(|(lease, _)| lease.is_of(&self.term));
            let (lease, etag) = stored.ok_or(LeaseLost)?;
            let before = self.saw(lease.renewals, looked);
            if let Some((_, last)) = before.filter(|(renewals, _)| *renewals < lease.renewals) {
                return Ok((lease, last));
            }
            let next = lease.renewed();
            // Another worker may store the same renewal. Whichever is stored, it is after this look.
            if self.state.write(&self.state.key(LEASE), &next, PutCondition::IfMatch(&etag)).await?.is_some() {
                self.saw(next.renewals, looked);
                return Ok((next, looked));
            }
        }
        Err(StateError::Conflict(self.state.location.clone()))
    }

    /// Notes how many renewals a look has seen. Returns what was known before.
    fn saw(&self, renewals: u64, looked: Instant) -> Option<(u64, Instant)> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *seen;
        *seen = before.max(Some((renewals, looked)));
        before
    }

    /// Begins to renew the lease at every interval, whether or not the attempts before have ended: behind thousands of writes, a
    /// response can take longer than that.
    async fn keep_renewed(self, lease: LeaseRecord, renewed: Instant, fence: Fence) {
        // Twice as often as a run that writes alone: a renewal of another worker counts from the look before it.
        let interval = interval(&lease) / 2;
        let mut ticks = interval_at(renewed + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut attempts = FuturesUnordered::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let attempt = self.clone();
                    attempts.push(timeout(lease.write_window(), async move { attempt.renew().await }));
                }
                Some(attempt) = attempts.next() => match attempt {
                    Ok(Ok((renewed, since))) => fence.extend(since + renewed.write_window()),
                    Ok(Err(StateError::LeaseLost(_))) => {
                        tracing::warn!("the lease of the execution was lost");
                        fence.set(Instant::now());
                        return;
                    }
                    // Another attempt may succeed before the lease expires.
                    Ok(Err(error)) => tracing::warn!(%error, "cannot renew the lease"),
                    Err(_) => tracing::warn!("cannot renew the lease: no response in time"),
                },
            }
        }
    }
}
