//! Invalidations as they are stored, and when one is complete.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::path::InvalidationPath;

/// When invalidations are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidationDelay {
    /// This long after their creation, by the account's clock.
    After(Duration),
    /// Once `GetInvalidation` has returned `InProgress` this many times. Without polls, an invalidation never
    /// completes.
    AfterPolls(u32),
}

/// An invalidation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invalidation {
    /// Its ID.
    pub id: String,
    /// The request's ID, which makes repeating the request harmless.
    pub caller_reference: String,
    /// Its paths, in the order of the request.
    #[serde(with = "paths")]
    pub paths: Vec<InvalidationPath>,
    /// When it was created.
    pub created: Timestamp,
    /// The number of invalidations that were created before it.
    pub(super) number: u64,
    pub(super) polls: u32,
    pub(super) complete: bool,
    /// The position in the order of completion since the process started, which caches compare with.
    #[serde(skip)]
    pub(super) completed_as: u64,
}

impl Invalidation {
    /// Whether it still counts against the quotas, and caches still hold the copies that it will clear.
    #[must_use]
    pub fn in_progress(&self) -> bool {
        !self.complete
    }

    /// The status as the API writes it.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.complete { "Completed" } else { "InProgress" }
    }

    pub(super) fn is_due(&self, completion: InvalidationDelay, now: Timestamp) -> bool {
        match completion {
            InvalidationDelay::After(delay) => self.created.checked_add(delay).is_ok_and(|due| due <= now),
            InvalidationDelay::AfterPolls(polls) => self.polls > polls,
        }
    }
}

/// Stores paths as text and checks them again when they are read.
mod paths {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::InvalidationPath;

    pub(super) fn serialize<S: Serializer>(paths: &[InvalidationPath], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths.iter().map(InvalidationPath::as_str))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<InvalidationPath>, D::Error> {
        Vec::<String>::deserialize(deserializer)?
            .iter()
            .map(|path| InvalidationPath::parse(path).map_err(D::Error::custom))
            .collect()
    }
}
