//! Acting on what starts a run: events that say that a build is there, webhooks that announce one, runs handed on.
//!
//! Owns the order: find what is published, publish within the time there is, remember what became of it, hand on what is
//! left. What an event or a webhook means is `tidegate_host`'s to say; publishing is [`tidegate_publish::publish`]'s.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::config::Config;
use tidegate_core::timestamp::Timestamp;
use tokio::time::Instant;

use tidegate_publish::publish::Publisher;

use super::{RunLog, SecretStore, SelfInvoke};

/// How long before the end of an invocation a run is handed on: what is under way is given up, and the next invocation must
/// be asked for.
pub const CONTINUATION_MARGIN: Duration = Duration::from_secs(15);

/// How often a run is handed on at the most. Each time has fourteen minutes.
pub const MAX_CONTINUATIONS: u32 = 20;

/// What acts.
#[derive(Clone)]
pub struct EventHandler {
    /// The configuration, as it was deployed.
    pub config: Arc<Config>,
    /// Who publishes.
    pub publisher: Publisher,
    /// Where secrets are.
    pub secrets: Arc<dyn SecretStore>,
    /// How a run gets into another invocation.
    pub self_invoke: Arc<dyn SelfInvoke>,
    /// Who is told of every run.
    pub run_log: Arc<dyn RunLog>,
}

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
