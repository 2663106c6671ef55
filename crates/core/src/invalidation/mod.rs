//! CloudFront invalidations: from changed keys to one [`InvalidationRequest`] for each distribution, within its quota.
//!
//! Files are in the order of the data: paths and tags, the spellings and addresses of keys, folders that become wildcards, tags that
//! replace paths, and the request.

mod path;
mod spelling;
pub(crate) mod quota;
mod tag;
mod address;
mod unchanged;
mod copies;
mod folder;
mod fold;
mod cover;
mod request;

pub(crate) use address::AddressRules;
pub use copies::{CacheTagsError, TaggedCopies, check_tags};
pub use path::{CachePath, CachePathError, MAX_PATH_CHARACTERS};
pub use quota::{FREE_PATHS, MAX_PATHS, MAX_WILDCARDS, PathQuota, month};
pub use request::{ChangedKeys, InvalidationRequest, PathFallback};
pub use tag::{CacheTag, CacheTagError, CacheTags, MAX_TAG_CHARACTERS, MAX_TAGS, is_wildcard_item};
