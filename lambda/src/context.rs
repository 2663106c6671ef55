//! The time limits of one invocation.

use std::time::Duration;

use tidegate_core::timestamp::Timestamp;
use tokio::time::Instant;

/// How long before the end of an invocation a run is handed on: what is under way is given up, and the next invocation must
/// be asked for.
pub const CONTINUATION_MARGIN: Duration = Duration::from_secs(15);

/// The moment of an invocation, and how much of it there is. Entries read the clock.
#[derive(Debug, Clone, Copy)]
pub struct InvocationContext {
    /// Now.
    pub now: Timestamp,
    /// When the invocation ends.
    pub deadline: Instant,
}

impl InvocationContext {
    /// When a run must have ended or be handed on.
    #[must_use]
    pub fn continue_at(&self) -> Instant {
        self.deadline.checked_sub(CONTINUATION_MARGIN).unwrap_or(self.deadline)
    }
}
