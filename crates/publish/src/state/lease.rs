//! Acquires, renews and releases the lease of a site. `tidegate_core::lease` decides when a lease may be acquired; the
//! waiting and the clock are here.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::external_text::ExternalText;
use tidegate_core::identity::ETag;
use tidegate_core::lease::{LeaseHolder, LeaseRecord};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;

use super::error::StateError;
use super::fence::Fence;
use super::store::StateStore;
use crate::progress::{LockWait, ProgressEvent, ProgressObserver};
use crate::s3::PutCondition;

/// The name of the lease within the state.
const LEASE: &str = "lease.json";

/// Pauses between two looks at a lease that another run holds: the first one, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// A lease, and its ETag.
type StoredLease = (LeaseRecord, ETag);

/// A held lease. It is renewed until this value is dropped.
#[derive(Debug)]
pub struct LeaseGuard {
    state: StateStore,
    lease: Arc<Mutex<StoredLease>>,
    fence: Fence,
    renewal: JoinHandle<()>,
}

impl StateStore {
    /// Acquires the lease. Waits at most `timeout` for a run that holds it.
    ///
    /// # Errors
    /// [`StateError::Locked`] if it is still held after that time.
    pub async fn lease(
        &self,
        release: &ExternalText,
        seconds: u16,
        timeout: Duration,
        observer: &Arc<dyn ProgressObserver>,
    ) -> Result<LeaseGuard, StateError> {
        let holder = random_name()?;
        let started = Instant::now();
        let mut last_seen: Option<(ETag, Instant)> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let stored: Option<StoredLease> = self.read(&self.key(LEASE)).await?;
            // How long the lease has not changed, by this machine's clock.
            let since = match (&stored, &last_seen) {
                (Some((_, etag)), Some((seen, since))) if etag == seen => *since,
                _ => Instant::now(),
            };
            last_seen = stored.as_ref().map(|(_, etag)| (etag.clone(), since));
            let Some((held, _)) = stored.as_ref().filter(|(lease, _)| !lease.is_free(since.elapsed())) else {
                let previous = stored.as_ref().map(|(lease, _)| lease);
                let acquired = LeaseRecord::acquire(previous, LeaseHolder { name: &holder, release }, seconds);
                let condition = stored.as_ref().map_or(PutCondition::IfAbsent, |(_, etag)| PutCondition::IfMatch(etag));
                let requested = Instant::now();
                if let Some(etag) = self.write(&self.key(LEASE), &acquired, condition).await? {
                    return Ok(LeaseGuard::new(self.clone(), acquired, etag, requested));
                }
                continue;
            };
            if started.elapsed() >= timeout {
                return Err(StateError::Locked(self.location.clone(), held.release.clone()));
            }
            let expires = held.duration().saturating_sub(since.elapsed());
            let timeout_left = timeout.saturating_sub(started.elapsed());
            observer.report(ProgressEvent::Waiting(LockWait {
                release: held.release.clone(),
                held: held_for(held),
                expires,
                timeout: timeout_left,
            }));
            sleep(expires.min(pause).min(timeout_left).max(FIRST_PAUSE / 4)).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// The held lease, for people.
    pub async fn holder(&self) -> Result<Option<LeaseRecord>, StateError> {
        let stored: Option<StoredLease> = self.read(&self.key(LEASE)).await?;
        Ok(stored.map(|(lease, _)| lease).filter(|lease| !lease.holder.is_empty()))
    }
}

impl LeaseGuard {
    /// The write window counts from `requested`, the time before the request was sent.
    fn new(state: StateStore, lease: LeaseRecord, etag: ETag, requested: Instant) -> Self {
        let fence = Fence::new(requested + lease.write_window());
        let lease = Arc::new(Mutex::new((lease, etag)));
        let renewal = tokio::spawn(renew(state.clone(), Arc::clone(&lease), fence.clone()).in_current_span());
        Self { state, lease, fence, renewal }
    }

    /// The fence of the lease.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// The fencing counter under which it was acquired.
    pub async fn fencing_counter(&self) -> u64 {
        self.lease.lock().await.0.fence
    }

    /// Releases the lease. If that fails, the next run waits until it expires.
    pub async fn release(self) {
        let (lease, etag) = {
            let held = self.lease.lock().await;
            self.renewal.abort();
            held.clone()
        };
        let key = self.state.key(LEASE);
        if let Err(error) = self.state.write(&key, &lease.released(), PutCondition::IfMatch(&etag)).await {
            tracing::warn!(%error, "cannot release the lease; it expires automatically");
        }
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// How long a lease was held until its last renewal. It is renewed every quarter of its duration.
fn held_for(lease: &LeaseRecord) -> Duration {
    lease.duration() / 4 * u32::try_from(lease.renewals).unwrap_or(u32::MAX)
}

/// Renews the lease until it is lost.
async fn renew(state: StateStore, lease: Arc<Mutex<StoredLease>>, fence: Fence) {
    let key = state.key(LEASE);
    loop {
        let pause = lease.lock().await.0.duration() / 4;
        sleep(pause).await;
        let mut held = lease.lock().await;
        let next = held.0.renewed();
        let requested = Instant::now();
        match state.write(&key, &next, PutCondition::IfMatch(&held.1)).await {
            Ok(Some(etag)) => {
                fence.set(requested + next.write_window());
                *held = (next, etag);
            }
            Ok(None) => {
                tracing::warn!("another run took the lease");
                fence.set(Instant::now());
                return;
            }
            // Another attempt may succeed before the lease expires.
            Err(error) => tracing::warn!(%error, "cannot renew the lease"),
        }
    }
}

/// A random name of the holder.
fn random_name() -> Result<String, StateError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(StateError::Random)?;
    Ok(hex::encode(bytes))
}
