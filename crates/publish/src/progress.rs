//! What a run tells while it works, for whoever shows it.
//!
//! Owns the events. Never draws anything.

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgressEvent {
    /// Somebody else publishes the site, and this run waits for its end: what is being published.
    Waiting(String),
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
    /// How many questions about single objects there are in this round.
    Questions(u64),
    /// One of them is answered.
    Answered,
    /// What will be done: operations and bytes.
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

/// A stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The source is opened.
    Open,
    /// Sync plugins run.
    Shape,
    /// The site is listed and compared.
    Compare,
    /// Policy plugins run.
    Judge,
    /// Objects are written and deleted.
    Write,
    /// The CDN is told.
    Invalidate,
}

impl Stage {
    /// One word for people and for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Shape => "shape",
            Self::Compare => "compare",
            Self::Judge => "judge",
            Self::Write => "write",
            Self::Invalidate => "invalidate",
        }
    }
}

/// Hears events, from several threads.
pub trait ProgressObserver: Send + Sync {
    /// One event.
    fn report(&self, event: ProgressEvent);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoProgress;

impl ProgressObserver for NoProgress {
    fn report(&self, _: ProgressEvent) {}
}
