//! Which paths a CDN has to forget after a release, and no more of them than its limits and its price list allow.
//!
//! Owns the way from keys to one printable [`InvalidationRequest`] for each distribution: a key's addresses, CloudFront's rules for
//! paths and tags, which folders become wildcards, and which tags take the place of paths. Never speaks to a distribution and never counts what was used before: how
//! much room is left is handed in. Rooms are listed in the order in which data meets them.

mod path;
mod quota;
mod tag;
mod address;
mod unchanged;
mod copies;
mod folder;
mod fold;
mod cover;
mod batch;

pub use batch::{ChangedKeys, InvalidationRequest, PathFallback, batch};
pub use copies::{CacheTagsError, TaggedCopies, check_tags};
pub use path::{CachePath, CachePathError, MAX_PATH_CHARACTERS};
pub use quota::PathQuota;
pub use tag::{CacheTag, CacheTagError, CacheTags, MAX_TAG_CHARACTERS, MAX_TAGS, is_wildcard_item};

/// Most single paths in progress for one distribution, in however many invalidations. Source: CloudFront developer guide,
/// "Concurrent invalidation request maximum".
pub const MAX_PATHS: usize = 3000;

/// Most wildcard paths in progress for one distribution, beside the single ones. Same source.
pub const MAX_WILDCARDS: usize = 15;

/// Paths that are free each month, over all distributions of an account; a wildcard is one path. Source: CloudFront
/// developer guide, "Pay for file invalidation".
pub const FREE_PATHS: usize = 1000;

/// The month of an instant, in UTC, as `2026-11`: what free paths are counted by. Milliseconds since the Unix epoch.
#[must_use]
pub fn month(instant: u64) -> String {
    let moment = i64::try_from(instant).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    moment.unwrap_or_default().strftime("%Y-%m").to_string()
}
