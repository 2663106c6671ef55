//! How a run ended, in one word.

use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The site is what the artifact says, and the CDN was told.
    Live,
    /// It was already.
    Unchanged,
    /// The site is what the artifact says; the CDN could not be told and may show older pages for a while.
    LiveNotInvalidated,
    /// Some operations failed. Nothing was deleted unless every write had succeeded.
    Partial,
    /// A policy denied the plan, or a plugin failed. The site is as it was.
    Denied,
    /// A policy wants a person to look. The site is as it was.
    Held,
    /// Something newer is live. The site is as it was, which is a success.
    Superseded,
    /// The run failed before it changed anything. The site is as it was.
    Failed,
}

impl Outcome {
    /// One sentence for people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Unchanged => "nothing to do, the site is what the source says",
            Self::LiveNotInvalidated => "live, but the CDN was not told and may show older pages for a while",
            Self::Partial => "partly done, run again to finish",
            Self::Denied => "denied, the site is as it was",
            Self::Held => "on hold until a person approves the plan, the site is as it was",
            Self::Superseded => "superseded, something newer is live",
            Self::Failed => "failed, the site is as it was",
        }
    }
}
