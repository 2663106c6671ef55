//! How much a distribution can still be told.

use serde::{Deserialize, Serialize};

use super::{FREE_PATHS, MAX_PATHS, MAX_WILDCARDS};

/// How many paths there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathQuota {
    /// Single paths: [`MAX_PATHS`] without those in progress.
    pub paths: usize,
    /// Wildcards: [`MAX_WILDCARDS`] without those in progress.
    pub wildcards: usize,
    /// Paths of both kinds together: what is left of the month's [`FREE_PATHS`] and of the site's own ceiling. Nothing
    /// left means as few as possible, which is one.
    pub free: usize,
}

impl Default for PathQuota {
    /// Nothing in progress, nothing used.
    fn default() -> Self {
        Self { paths: MAX_PATHS, wildcards: MAX_WILDCARDS, free: FREE_PATHS }
    }
}
