//! Progress events of a run, for a terminal or a log.

use std::time::Duration;
use tidegate_core::external_text::ExternalText;

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgressEvent {
    /// Another run publishes the site, and this run waits for it to end.
    Waiting(LockWait),
    /// A stage begins. Stages follow each other in the order of [`Stage`].
    Stage(Stage),
    /// Objects and bytes of the source that were read since the last event.
    Read {
        /// Objects.
        objects: u64,
        /// Bytes.
        bytes: u64,
    },
    /// Objects of the site that are listed so far.
    Listed(u64),
    /// How many single objects this round looks at.
    Questions(u64),
    /// One of them was looked at.
    Answered,
    /// What will be written: operations and bytes.
    Planned {
        /// Operations.
        operations: u64,
        /// Bytes that are sent or copied.
        bytes: u64,
    },
    /// Operations that are done, and their bytes.
    Done {
        /// Operations.
        operations: u64,
        /// Bytes.
        bytes: u64,
    },
}

/// A wait for the lease of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockWait {
    /// What the other run publishes.
    pub release: ExternalText,
    /// How long it has held the lease, up to a quarter of the lease more.
    pub held: Duration,
    /// When the lease ends, unless the other run renews it.
    pub expires: Duration,
    /// When this run gives up.
    pub timeout: Duration,
}

/// A stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Open the source.
    Open,
    /// Run the sync plugins.
    Transform,
    /// List the site and compare it.
    Inspect,
    /// Run the policy plugins.
    Review,
    /// Write and delete objects.
    Write,
    /// Invalidate the CDN.
    Invalidate,
}

impl Stage {
    /// One word for people and for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Transform => "transform",
            Self::Inspect => "inspect",
            Self::Review => "review",
            Self::Write => "write",
            Self::Invalidate => "invalidate",
        }
    }
}

/// Receives events, from several threads.
pub trait ProgressObserver: Send + Sync {
    /// Receives one event.
    fn report(&self, event: ProgressEvent);
}

/// Ignores all events.
#[derive(Debug, Clone, Copy)]
pub struct NoProgress;

impl ProgressObserver for NoProgress {
    fn report(&self, _: ProgressEvent) {}
}
