//! What one distribution is asked to forget: [`InvalidationBatch`], and the [`PathQuota`] that it has to fit into.
//!
//! Owns the form and the reference that makes sending it again free. Never sends it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::address::{PathText, addresses};
use super::copies::TaggedCopies;
use super::cover::cover;
use super::fold::fold;
use super::path::CachePath;
use super::quota::PathQuota;
use super::tag::CacheTag;
use super::unchanged::UnchangedKeys;
use crate::config::{DistributionConfig, DistributionId};
use crate::location::Location;

/// Longest reference that we send, in characters. AWS documents no limit of an invalidation's `CallerReference`; most of
/// its other references end at 128.
const MAX_REFERENCE: usize = 128;

/// One invalidation of one distribution. The same batch is the same invalidation to CloudFront, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InvalidationRequest {
    /// Whom it is for.
    pub distribution: DistributionId,
    /// What is forgotten: sorted, at least one unless there are tags.
    pub paths: Vec<CachePath>,
    /// What is forgotten by its tags: sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<CacheTag>,
    /// CloudFront's `CallerReference`.
    pub reference: String,
    /// How many keys the paths clear that did not change.
    #[serde(default)]
    pub unchanged: usize,
    /// What is sent where the distribution honours no tags; there for as long as there are tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<PathFallback>,
}

/// The paths that cover what a batch with tags covers, without them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PathFallback {
    /// Sorted, at least one.
    pub paths: Vec<CachePath>,
    /// How many keys they clear that did not change.
    #[serde(default)]
    pub unchanged: usize,
}

/// The keys that a batch is made from, relative to the site and sorted by their bytes.
#[derive(Debug, Clone, Default)]
pub struct ChangedKeys<'a> {
    /// Those that were written, deleted or redirected, new ones included: an error page may be cached for them.
    pub changed: Vec<&'a str>,
    /// All other keys of the site: they tell which folders may be cleared as a whole for nothing, and what clearing more
    /// would cost.
    pub unchanged: Vec<&'a str>,
    /// Which tags their copies carry; nothing is known where the distribution reads none.
    pub copies: TaggedCopies<'a>,
}

/// What a distribution has to forget after a release; nothing where nothing changed.
///
/// Every address of every changed key is covered. Paths and tags fit into the room, and are no more than one path for each
/// address; where no paths that cover everything fit, there is one.
#[must_use]
pub fn batch(
    site: &str,
    release: &str,
    cdn: &DistributionConfig,
    target: &Location,
    keys: ChangedKeys<'_>,
    room: PathQuota,
) -> Option<InvalidationRequest> {
    let below = cdn.visible_prefix(target);
    let ChangedKeys { changed, unchanged, copies } = keys;
    let addresses = addresses(changed.iter().copied(), &below);
    if addresses.is_empty() {
        return None;
    }
    let room = PathQuota { free: room.free.min(cdn.max_paths), ..room };
    let unchanged = UnchangedKeys::new(unchanged.into_iter(), &below);
    let plain = fold(&addresses, &unchanged, room);
    let covered = cdn.cache_tags.as_ref().and_then(|_| cover(&changed, &copies, &below, &unchanged, &plain, room));
    let (tags, folded, instead) = match covered {
        Some(covered) => {
            (covered.tags, covered.folded, Some(PathFallback { paths: plain.paths, unchanged: plain.unchanged }))
        }
        None => (Vec::new(), plain, None),
    };
    let items: Vec<String> =
        folded.paths.iter().map(CachePath::to_string).chain(tags.iter().map(CacheTag::to_string)).collect();
    let hashed = [site, release, cdn.distribution.as_str()].into_iter().chain(items.iter().map(String::as_str));
    Some(InvalidationRequest {
        distribution: cdn.distribution.clone(),
        reference: reference(&format!("{site}.{release}"), hashed),
        paths: folded.paths,
        tags,
        unchanged: folded.unchanged,
        instead,
    })
}

impl InvalidationRequest {
    /// What is sent: paths, then tags.
    pub fn items(&self) -> impl Iterator<Item = String> {
        self.paths.iter().map(CachePath::to_string).chain(self.tags.iter().map(CacheTag::to_string))
    }

    /// How many items that is, each of which counts as one path.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len() + self.tags.len()
    }

    /// Whether nothing is sent, which never is so of a batch that was made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same without tags, for a distribution that honours none. It is another invalidation, with a reference of its own
    /// that is the same every time; a batch without tags is this already.
    #[must_use]
    pub fn by_paths(self) -> Self {
        let Some(instead) = self.instead else { return self };
        let readable = self.reference.rsplit_once('.').map_or(self.reference.as_str(), |(readable, _)| readable);
        let hashed = [self.reference.as_str()].into_iter().chain(instead.paths.iter().map(CachePath::as_str));
        Self {
            reference: reference(readable, hashed),
            distribution: self.distribution,
            paths: instead.paths,
            tags: Vec::new(),
            unchanged: instead.unchanged,
            instead: None,
        }
    }

    /// Whether its paths clear every address of a key of the site at `target`.
    #[must_use]
    pub fn clears(&self, cdn: &DistributionConfig, target: &Location, key: &str) -> bool {
        let below = cdn.visible_prefix(target);
        let cleared = |address: &PathText| !address.cut && self.paths.iter().any(|path| path.clears(&address.text));
        addresses(std::iter::once(key), &below).iter().all(cleared)
    }
}

/// A digest of everything that makes an invalidation what it is, after as much of site and release as helps a person who
/// reads a list of invalidations.
fn reference<'a>(readable: &str, parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // Parts cannot run into each other: each comes after its length.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hex::encode(hash.finalize());
    let readable = readable.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let readable: String = readable.take(MAX_REFERENCE - 1 - digest.len()).collect();
    format!("{readable}.{digest}")
}

impl fmt::Display for InvalidationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wildcards = self.paths.iter().filter(|path| path.is_wildcard()).count();
        write!(f, "{}: {} paths, {wildcards} of them wildcards", self.distribution, self.paths.len())?;
        if !self.tags.is_empty() {
            write!(f, ", and {} cache tags", self.tags.len())?;
        }
        if self.unchanged > 0 {
            write!(f, ", which clear {} unchanged keys as well", self.unchanged)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
