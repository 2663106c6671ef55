//! Acquires, renews and releases the lease of a site. `tidegate_core::lease` decides when a lease may be acquired; the
//! waiting and the clock are here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate_core::execution_arn::ExecutionArn;
use tidegate_core::external_text::ExternalText;
use tidegate_core::identity::ETag;
use tidegate_core::lease::{ExecutionName, LeaseHolder, LeaseRecord};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::error::StateError;
use super::fence::{Fence, LeaseLost};
use super::store::StateStore;
use crate::executions::Executions;
use crate::progress::{LockWait, ProgressEvent, ProgressObserver};
use crate::s3::PutCondition;

/// The name of the lease within the state.
pub(super) const LEASE: &str = "lease.json";

/// Pauses between two looks at a lease that another run holds: the first one, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Attempts to hand over a lease. One renewal may be in flight, whose response this run does not wait for.
const HAND_OVER_ATTEMPTS: usize = 2;

/// A lease, and its ETag.
type StoredLease = (LeaseRecord, ETag);

/// The lease as this run last stored it. The lock is never held during a request.
type LastStored = Arc<Mutex<StoredLease>>;

/// What a request for a lease depends on.
#[derive(Clone, Copy)]
pub struct LeaseRequest<'a> {
    /// The execution that the run belongs to. It takes over its own lease at once. Any other run has a random name.
    pub execution: Option<&'a ExecutionName>,
    /// The release that is published, for people.
    pub release: &'a ExternalText,
    /// How long the lease lasts without renewal, in seconds.
    pub seconds: u16,
    /// How long to wait for a run that holds it.
    pub timeout: Duration,
    /// Receives a progress event at each look at a lease that another run holds.
    pub observer: &'a Arc<dyn ProgressObserver>,
    /// Ends the waiting.
    pub cancel: &'a CancellationToken,
    /// Says whether an execution that let its lease expire still runs. Its workers may be about to start.
    pub executions: &'a Executions,
}

/// A held lease. It is renewed until this value is dropped.
#[derive(Debug)]
pub struct LeaseGuard {
    state: StateStore,
    lease: LastStored,
    fence: Fence,
    /// Until when workers of its execution may still write under the lease that this one took over.
    alone_from: Instant,
    renewal: AbortOnDropHandle<()>,
}

impl StateStore {
    /// Acquires the lease; returns nothing if the request was cancelled.
    ///
    /// # Errors
    /// [`StateError::Locked`] or [`StateError::Executing`] if another run still holds it after the timeout.
    pub async fn lease(&self, request: LeaseRequest<'_>) -> Result<Option<LeaseGuard>, StateError> {
        let LeaseRequest { execution, release, seconds, timeout, observer, cancel, executions } = request;
        let holder = execution.map_or_else(random_name, |execution| Ok(execution.as_str().to_owned()))?;
        let started = Instant::now();
        let mut last_seen: Option<(ETag, Instant)> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let Some(stored) = cancel.run_until_cancelled(self.stored_lease()).await else { return Ok(None) };
            let stored = stored?;
            // How long the lease has not changed, by this machine's clock.
            let mut since = match (&stored, &last_seen) {
                (Some((_, etag)), Some((seen, since))) if etag == seen => *since,
                _ => Instant::now(),
            };
            let held_by_other = stored.as_ref().map(|(lease, _)| lease).filter(|lease| lease.holder != holder);
            let held = match held_by_other {
                Some(lease) if lease.is_free(since.elapsed()) => {
                    let asking = cancel.run_until_cancelled(self.is_executing(lease, executions));
                    let Some(executing) = asking.await else { return Ok(None) };
                    // Asked again after another duration of the lease.
                    if executing? {
                        since = Instant::now();
                        Some(lease)
                    } else {
                        None
                    }
                }
                held => held,
            };
            last_seen = stored.as_ref().map(|(_, etag)| (etag.clone(), since));
            let Some(held) = held else {
                let previous = stored.as_ref().map(|(lease, _)| lease);
                let acquired = LeaseRecord::acquire(previous, LeaseHolder { name: &holder, release }, seconds);
                let condition = stored.as_ref().map_or(PutCondition::IfAbsent, |(_, etag)| PutCondition::IfMatch(etag));
                let requested = Instant::now();
                // Not cancelled half-way: S3 could store a lease that this run does not know of, and so cannot release.
                if let Some(etag) = self.write(&self.key(LEASE), &acquired, condition).await? {
                    // Its own workers may have renewed the lease until now.
                    let own = previous.filter(|previous| previous.holder == holder);
                    let alone_from = Instant::now() + own.map_or(Duration::ZERO, LeaseRecord::write_window);
                    let guard = LeaseGuard::new(self.clone(), acquired, etag, requested, alone_from);
                    if !cancel.is_cancelled() {
                        return Ok(Some(guard));
                    }
                    guard.release().await;
                    return Ok(None);
                }
                continue;
            };
            if started.elapsed() >= timeout {
                return Err(self.locked(held));
            }
            let expires = held.duration().saturating_sub(since.elapsed());
            let timeout_left = timeout.saturating_sub(started.elapsed());
            observer.report(ProgressEvent::Waiting(LockWait {
                release: held.release.clone(),
                held: held_for(held),
                expires,
                timeout: timeout_left,
            }));
            let wait = sleep(expires.min(pause).min(timeout_left).max(FIRST_PAUSE / 4));
            if cancel.run_until_cancelled(wait).await.is_none() {
                return Ok(None);
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// Whether the holder of an expired lease is an execution that runs. Between two of its tasks no worker renews the lease.
    async fn is_executing(&self, lease: &LeaseRecord, executions: &Executions) -> Result<bool, StateError> {
        let Some(execution) = ExecutionArn::parse(&lease.holder) else { return Ok(false) };
        match executions.state(&execution).await {
            Ok(state) => Ok(!state.has_ended()),
            Err(error) => Err(StateError::UnknownExecution(self.location.clone(), Box::new(error))),
        }
    }

    fn locked(&self, held: &LeaseRecord) -> StateError {
        let release = held.release.clone();
        match ExecutionArn::parse(&held.holder) {
            Some(execution) => StateError::Executing { execution, release },
            None => StateError::Locked(self.location.clone(), release),
        }
    }

    pub(super) async fn stored_lease(&self) -> Result<Option<StoredLease>, StateError> {
        self.read(&self.key(LEASE)).await
    }

    /// The held lease, for people.
    pub async fn holder(&self) -> Result<Option<LeaseRecord>, StateError> {
        let stored = self.stored_lease().await?;
        Ok(stored.map(|(lease, _)| lease).filter(|lease| !lease.holder.is_empty()))
    }
}

impl LeaseGuard {
    /// The write window counts from `requested`, the time before the request was sent.
    fn new(state: StateStore, lease: LeaseRecord, etag: ETag, requested: Instant, alone_from: Instant) -> Self {
        let fence = Fence::new(requested + lease.write_window());
        let lease = Arc::new(Mutex::new((lease, etag)));
        let renewal = tokio::spawn(renew(state.clone(), Arc::clone(&lease), fence.clone()).in_current_span());
        Self { state, lease, fence, alone_from, renewal: AbortOnDropHandle::new(renewal) }
    }

    /// The fence of the lease.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// The fencing counter under which it was acquired.
    pub fn fencing_counter(&self) -> u64 {
        current(&self.lease).0.fence
    }

    /// Whether workers of the execution may still write under the lease that this one took over.
    pub fn may_have_workers(&self) -> bool {
        Instant::now() < self.alone_from
    }

    /// Waits until no worker of the execution can write any more under the lease that this one took over.
    pub async fn alone(&self) {
        sleep_until(self.alone_from).await;
    }

    /// Stops renewing the lease without releasing it, so that the workers of its execution can share it.
    pub async fn keep(self) {
        self.renewal.abort();
        // Its request, if one is in flight, is dropped.
        drop(self.renewal.await);
    }

    /// Stops renewing the lease, and makes an execution its holder, so that workers of the execution can share it.
    ///
    /// # Errors
    /// [`LeaseLost`] if another run has it, and [`StateError`] if the execution may not have it.
    pub async fn hand_over(self, execution: &ExecutionName) -> Result<(), StateError> {
        let Self { state, lease, fence, renewal, .. } = self;
        renewal.abort();
        // Its request, if one is in flight, is dropped before the lease is written here.
        drop(renewal.await);
        let (key, (mut held, mut etag)) = (state.key(LEASE), current(&lease));
        let own = held.holder.clone();
        for _ in 0..HAND_OVER_ATTEMPTS {
            fence.check()?;
            if held.holder == execution.as_str() {
                return Ok(());
            }
            let next = LeaseRecord { holder: execution.as_str().to_owned(), ..held.renewed() };
            if state.write(&key, &next, PutCondition::IfMatch(&etag)).await?.is_some() {
                return Ok(());
            }
            // S3 may have stored a renewal whose response this run did not wait for.
            let stored = state.stored_lease().await?;
            let mine = |(stored, _): &StoredLease| stored.fence == held.fence && stored.holder == own;
            (held, etag) = stored.filter(mine).ok_or(LeaseLost)?;
        }
        Err(StateError::Conflict(state.location.clone()))
    }

    /// Releases the lease. If that fails, the next run waits until it expires. So it does while workers may still write.
    pub async fn release(self) {
        if self.may_have_workers() {
            return self.keep().await;
        }
        let Self { state, lease, renewal, .. } = self;
        renewal.abort();
        // Its request, if one is in flight, is dropped before the lease is written here.
        drop(renewal.await);
        if let Err(error) = release(&state, &current(&lease)).await {
            tracing::warn!(%error, "cannot release the lease; it expires automatically");
        }
    }
}

async fn release(state: &StateStore, (lease, etag): &StoredLease) -> Result<(), StateError> {
    let key = state.key(LEASE);
    if state.write(&key, &lease.released(), PutCondition::IfMatch(etag)).await?.is_some() {
        return Ok(());
    }
    // Either another run took it, or S3 stored a renewal whose response this run did not wait for.
    let Some((stored, etag)) = state.stored_lease().await? else { return Ok(()) };
    if stored.holder == lease.holder {
        state.write(&key, &stored.released(), PutCondition::IfMatch(&etag)).await?;
    }
    Ok(())
}

fn current(lease: &LastStored) -> StoredLease {
    lease.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The time between two renewals, and the longest time for one attempt. The write window has room for a second attempt.
pub(super) fn interval(lease: &LeaseRecord) -> Duration {
    lease.duration() / 4
}

/// How long a lease was held until its last renewal.
fn held_for(lease: &LeaseRecord) -> Duration {
    interval(lease) * u32::try_from(lease.renewals).unwrap_or(u32::MAX)
}

/// Renews the lease until it is lost.
async fn renew(state: StateStore, shared: LastStored, fence: Fence) {
    let key = state.key(LEASE);
    loop {
        let (lease, etag) = current(&shared);
        let (next, interval) = (lease.renewed(), interval(&lease));
        sleep(interval).await;
        // Attempts to store the same renewal count from the first one: S3 may have stored that one.
        let requested = Instant::now();
        loop {
            match timeout(interval, state.write(&key, &next, PutCondition::IfMatch(&etag))).await {
                Ok(Ok(Some(etag))) => {
                    fence.set(requested + next.write_window());
                    *shared.lock().unwrap_or_else(PoisonError::into_inner) = (next, etag);
                    break;
                }
                Ok(Ok(None)) => {
                    tracing::warn!("another run took the lease");
                    fence.set(Instant::now());
                    return;
                }
                // Another attempt may succeed before the lease expires.
                Ok(Err(error)) => tracing::warn!(%error, "cannot renew the lease"),
                Err(_) => tracing::warn!("cannot renew the lease: no response in time"),
            }
            sleep(interval / 8).await;
        }
    }
}

/// A random name of the holder.
fn random_name() -> Result<String, StateError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(StateError::Random)?;
    Ok(hex::encode(bytes))
}
