//! Taking, renewing and leaving the lease of a site.
//!
//! Owns the waiting and the clock. When a lease may be taken is `tidegate_core::lease`'s to say.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate_core::identity::ETag;
use tidegate_core::lease::{LeaseHolder, LeaseRecord};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::Instrument as _;

use super::{LEASE, StateError, StateStore};
use crate::progress::{ProgressEvent, ProgressObserver};
use crate::s3::PutCondition;

/// How often a lease that somebody else holds is looked at: soon at first, later at the longest so.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_secs(2);

/// The lease was lost: it could not be renewed in time, or somebody else took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease of the site was lost to another run, so nothing more is written")]
pub struct LeaseLost;

/// Says whether the lease is still ours. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fence(Arc<Mutex<Instant>>);

impl Fence {
    fn until(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Whether something may still be written.
    ///
    /// # Errors
    /// [`LeaseLost`].
    pub fn check(&self) -> Result<(), LeaseLost> {
        if Instant::now() < self.until() { Ok(()) } else { Err(LeaseLost) }
    }

    /// Does `work` while the lease is ours; what is under way when it is lost is dropped.
    ///
    /// # Errors
    /// [`LeaseLost`].
    pub async fn guard<T>(&self, work: impl Future<Output = T>) -> Result<T, LeaseLost> {
        self.check()?;
        tokio::select! {
            // After a machine slept, everything is due at once: then the lease is looked at first.
            biased;
            () = self.lost() => Err(LeaseLost),
            result = work => Ok(result),
        }
    }

    async fn lost(&self) {
        loop {
            let until = self.until();
            sleep_until(until).await;
            if self.until() <= until {
                return;
            }
        }
    }
}

/// A lease that is held, and renewed until it is dropped.
#[derive(Debug)]
pub struct LeaseGuard {
    state: StateStore,
    lease: Arc<tokio::sync::Mutex<(LeaseRecord, ETag)>>,
    fence: Fence,
    renewal: JoinHandle<()>,
}

impl StateStore {
    /// Takes the lease, and waits for whoever holds it as long as `patience`.
    ///
    /// # Errors
    /// [`StateError::Busy`] where it could not be had in that time.
    pub async fn lease(
        &self,
        release: &str,
        seconds: u16,
        patience: Duration,
        observer: &Arc<dyn ProgressObserver>,
    ) -> Result<LeaseGuard, StateError> {
        let holder = random()?;
        let begun = Instant::now();
        let mut watched: Option<(ETag, Instant)> = None;
        let mut pause = FIRST_LOOK;
        loop {
            let found: Option<(LeaseRecord, ETag)> = self.read(&self.key(LEASE)).await?;
            let since = match (&found, &watched) {
                (Some((_, etag)), Some((seen, since))) if etag == seen => *since,
                _ => Instant::now(),
            };
            watched = found.as_ref().map(|(_, etag)| (etag.clone(), since));
            let free = found.as_ref().is_none_or(|(lease, _)| lease.is_free(since.elapsed()));
            if free {
                let mine = LeaseRecord::acquire(
                    found.as_ref().map(|(lease, _)| lease),
                    LeaseHolder { name: &holder, release },
                    seconds,
                );
                let condition = found.as_ref().map_or(PutCondition::Absent, |(_, etag)| PutCondition::Is(etag));
                let asked = Instant::now();
                if let Some(etag) = self.write(&self.key(LEASE), &mine, condition).await? {
                    return Ok(LeaseGuard::new(self.clone(), mine, etag, asked));
                }
                continue;
            }
            let who = found.as_ref().map(|(lease, _)| lease.release.clone()).unwrap_or_default();
            if begun.elapsed() >= patience {
                return Err(StateError::Busy(self.at.clone(), who));
            }
            observer.report(ProgressEvent::Waiting(who));
            let left = found.as_ref().map_or(LOOK, |(lease, _)| lease.duration().saturating_sub(since.elapsed()));
            let rest = patience.saturating_sub(begun.elapsed());
            sleep(left.min(pause).min(rest).max(FIRST_LOOK / 4)).await;
            pause = (pause * 2).min(LOOK);
        }
    }

    /// Who holds the lease, for people.
    pub async fn holder(&self) -> Result<Option<LeaseRecord>, StateError> {
        let found: Option<(LeaseRecord, ETag)> = self.read(&self.key(LEASE)).await?;
        Ok(found.map(|(lease, _)| lease).filter(|lease| !lease.holder.is_empty()))
    }
}

impl LeaseGuard {
    fn new(state: StateStore, lease: LeaseRecord, etag: ETag, asked: Instant) -> Self {
        let fence = Fence(Arc::new(Mutex::new(asked + lease.write_window())));
        let lease = Arc::new(tokio::sync::Mutex::new((lease, etag)));
        let renewal = tokio::spawn(renew(state.clone(), Arc::clone(&lease), fence.clone()).in_current_span());
        Self { state, lease, fence, renewal }
    }

    /// Says whether the lease is still ours.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// The counter under which it was taken.
    pub async fn count(&self) -> u64 {
        self.lease.lock().await.0.fence
    }

    /// Leaves the lease to whoever comes next. A failure costs the next run its patience and nothing else.
    pub async fn release(self) {
        let (lease, etag) = {
            let held = self.lease.lock().await;
            self.renewal.abort();
            held.clone()
        };
        let key = self.state.key(LEASE);
        if let Err(error) = self.state.write(&key, &lease.released(), PutCondition::Is(&etag)).await {
            tracing::warn!(%error, "the lease could not be given back, it ends by itself");
        }
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Renews until it is lost.
async fn renew(state: StateStore, lease: Arc<tokio::sync::Mutex<(LeaseRecord, ETag)>>, fence: Fence) {
    let key = state.key(LEASE);
    loop {
        let pause = lease.lock().await.0.duration() / 4;
        sleep(pause).await;
        let mut held = lease.lock().await;
        let next = held.0.renewed();
        let asked = Instant::now();
        match state.write(&key, &next, PutCondition::Is(&held.1)).await {
            Ok(Some(etag)) => {
                fence.set(asked + next.write_window());
                *held = (next, etag);
            }
            Ok(None) => {
                tracing::warn!("the lease was taken by another run");
                fence.set(Instant::now());
                return;
            }
            // Until the time is up, another attempt may succeed.
            Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
        }
    }
}

/// A name that nobody else has.
fn random() -> Result<String, StateError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(StateError::Random)?;
    Ok(hex::encode(bytes))
}
