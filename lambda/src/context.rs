//! The time limits of one invocation.

use std::time::Duration;

use tidegate_core::timestamp::Timestamp;
use tokio::time::Instant;

/// How long before the end of an invocation its run is continued in another one: requests in flight are dropped, and
/// the next invocation must be queued.
pub const CONTINUATION_MARGIN: Duration = Duration::from_secs(15);

/// When an invocation began and when it ends. The library never reads the wall clock: the program passes this value in.
#[derive(Debug, Clone, Copy)]
pub struct InvocationContext {
    /// The current time.
    pub now: Timestamp,
    /// When the invocation ends.
    pub deadline: Instant,
}

impl InvocationContext {
    /// How much time a run has until it must have ended or be continued.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.continue_at().saturating_duration_since(Instant::now())
    }

    /// When a run must have ended or be continued in another invocation.
    #[must_use]
    pub fn continue_at(&self) -> Instant {
        self.deadline.checked_sub(CONTINUATION_MARGIN).unwrap_or(self.deadline)
    }
}
