//! The outcome of a run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The outcome of a run. `Display` is for people, serde for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The site matches the source, and the CDN is invalidated.
    Live,
    /// The site matched the source already.
    Unchanged,
    /// The site matches the source; an invalidation is pending, so the CDN may serve older pages for a while.
    LiveInvalidationPending,
    /// The release is live and stored, and the edge still serves the one before: the next run switches it.
    LiveSwitchPending,
    /// Some operations failed. Nothing is deleted unless every write succeeded.
    Partial,
    /// A policy denied the plan, or a plugin failed. Nothing was changed.
    Denied,
    /// A policy holds the plan until a person approves it. Nothing was changed.
    Held,
    /// A newer release is live. Nothing was changed, which is a success.
    Superseded,
    /// The run failed before it changed anything.
    Failed,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Unchanged => "up to date",
            Self::LiveInvalidationPending => "live, invalidation pending",
            Self::LiveSwitchPending => "live, not switched at the edge; run the same command again to finish",
            Self::Partial => "partial; run the same command again to finish",
            Self::Denied => "denied by policy; nothing was changed",
            Self::Held => "held for approval; nothing was changed",
            Self::Superseded => "superseded by a newer release",
            Self::Failed => "failed; nothing was changed",
        })
    }
}
