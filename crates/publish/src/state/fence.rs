//! The fence of a lease: stops all writes in time if the lease is lost.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Instant, sleep_until};

/// The lease was lost: it could not be renewed in time, or another run took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease of the site was lost, so this run stopped writing; run the same command again")]
pub struct LeaseLost;

/// Until when the lease is held. Clones share it.
#[derive(Debug, Clone)]
pub struct Fence(Arc<Mutex<Instant>>);

impl Fence {
    pub(super) fn new(until: Instant) -> Self {
        Self(Arc::new(Mutex::new(until)))
    }

    fn until(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, until: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Holds the lease until this time at least.
    pub(super) fn extend(&self, until: Instant) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *held = until.max(*held);
    }

    /// Whether the run may still write.
    ///
    /// # Errors
    /// [`LeaseLost`].
    pub fn check(&self) -> Result<(), LeaseLost> {
        if Instant::now() < self.until() { Ok(()) } else { Err(LeaseLost) }
    }

    /// Does `work` while the lease is held. If it is lost, `work` is dropped with its requests in flight.
    ///
    /// # Errors
    /// [`LeaseLost`].
    pub async fn guard<T>(&self, work: impl Future<Output = T>) -> Result<T, LeaseLost> {
        self.check()?;
        tokio::select! {
            // After a machine slept, both are ready at once. Then the lease is checked first.
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
