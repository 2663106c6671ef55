//! CloudFront's limits on invalidations, and how much of them is left.

use serde::{Deserialize, Serialize};

/// Most paths without a wildcard in progress for one distribution, over all its invalidations.
/// Source: CloudFront developer guide, "Concurrent invalidation request maximum".
pub const MAX_PATHS: usize = 3000;

/// Most wildcard paths in progress for one distribution, in addition to [`MAX_PATHS`]. Same source.
pub const MAX_WILDCARDS: usize = 15;

/// Free paths a month, over all distributions of an account. A wildcard counts as one path.
/// Source: CloudFront developer guide, "Pay for file invalidation".
pub const FREE_PATHS: usize = 1000;

/// How many paths a distribution still accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathQuota {
    /// Paths without a wildcard: [`MAX_PATHS`] minus those in progress.
    pub paths: usize,
    /// Wildcards: [`MAX_WILDCARDS`] minus those in progress.
    pub wildcards: usize,
    /// Paths of both kinds together: what is left of the month's [`FREE_PATHS`] and of the site's `max-paths`. 0 means as
    /// few as possible, which is 1.
    pub free: usize,
}

impl Default for PathQuota {
    /// Nothing in progress, nothing used.
    fn default() -> Self {
        Self { paths: MAX_PATHS, wildcards: MAX_WILDCARDS, free: FREE_PATHS }
    }
}

/// The UTC month of a time in milliseconds since the Unix epoch, such as `2026-11`. Free paths are counted by month.
#[must_use]
pub fn month(instant: u64) -> String {
    let time = i64::try_from(instant).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    time.unwrap_or_default().strftime("%Y-%m").to_string()
}
