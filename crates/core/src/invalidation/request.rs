//! The invalidation of one distribution, with a reference that makes it safe to send it again.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::address::Address;
use super::copies::TaggedCopies;
use super::cover::cover;
use super::fold::fold;
use super::path::CachePath;
use super::quota::PathQuota;
use super::tag::CacheTag;
use super::unchanged::UnchangedKeys;
use crate::config::{DistributionConfig, DistributionId, SiteName};
use crate::location::Location;

/// Longest reference, in characters. AWS documents no limit for the `CallerReference` of an invalidation; most other
/// references are limited to 128.
const MAX_REFERENCE: usize = 128;

/// One invalidation of one distribution. CloudFront treats equal requests as one invalidation, however often they are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InvalidationRequest {
    /// The distribution.
    pub distribution: DistributionId,
    /// The paths: sorted, at least one unless there are tags.
    pub paths: Vec<CachePath>,
    /// The cache tags: sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<CacheTag>,
    /// CloudFront's `CallerReference`.
    pub reference: String,
    /// How many unchanged keys the paths clear. A key counts for each wildcard that clears one of its spellings.
    #[serde(default)]
    pub unchanged: usize,
    /// What is sent if the distribution does not read tags. Set if there are tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<PathFallback>,
}

/// Paths that cover the same changes without tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PathFallback {
    /// Sorted, at least one.
    pub paths: Vec<CachePath>,
    /// How many unchanged keys they clear.
    #[serde(default)]
    pub unchanged: usize,
}

/// The keys of a site, relative to it and sorted by their bytes.
#[derive(Debug, Clone, Default)]
pub struct ChangedKeys<'a> {
    /// Keys that were written, deleted or redirected. New keys are included: an error page may be cached for them.
    pub changed: Vec<&'a str>,
    /// All other keys. They decide which folders can become wildcards for free, and what clearing more costs.
    pub unchanged: Vec<&'a str>,
    /// The tags of cached copies. Empty if the distribution reads no tags.
    pub copies: TaggedCopies<'a>,
}

impl InvalidationRequest {
    /// The invalidation of a distribution after a release. `None` if no key changed.
    ///
    /// Covers every address of every changed key, within the quota and with at most one item for each address. If that is
    /// impossible, it has a single path.
    #[must_use]
    pub fn new(
        site: &SiteName,
        release: &str,
        cdn: &DistributionConfig,
        target: &Location,
        keys: ChangedKeys<'_>,
        quota: PathQuota,
    ) -> Option<Self> {
        let rules = cdn.address_rules(target);
        let ChangedKeys { changed, unchanged, copies } = keys;
        let addresses = rules.addresses(changed.iter().copied());
        if addresses.is_empty() {
            return None;
        }
        let quota = PathQuota { free: quota.free.min(cdn.max_paths), ..quota };
        let unchanged = UnchangedKeys::new(unchanged.into_iter(), &rules.prefix);
        let plain = fold(&addresses, &unchanged, quota);
        let cover = cdn.cache_tags.as_ref().and_then(|_| cover(&changed, &copies, &rules, &unchanged, &plain, quota));
        let (tags, folded, fallback) = match cover {
            Some(cover) => {
                (cover.tags, cover.folded, Some(PathFallback { paths: plain.paths, unchanged: plain.unchanged }))
            }
            None => (Vec::new(), plain, None),
        };
        let mut request = Self {
            distribution: cdn.distribution.clone(),
            reference: String::new(),
            paths: folded.paths,
            tags,
            unchanged: folded.unchanged,
            fallback,
        };
        let items: Vec<String> = request.items().collect();
        let hashed = [site.as_str(), release, cdn.distribution.as_str()];
        let hashed = hashed.into_iter().chain(items.iter().map(String::as_str));
        request.reference = reference(&format!("{site}.{release}"), hashed);
        Some(request)
    }

    /// The items of the request: paths, then tags.
    pub fn items(&self) -> impl Iterator<Item = String> {
        self.paths.iter().map(CachePath::to_string).chain(self.tags.iter().map(CacheTag::to_string))
    }

    /// The number of items. Each counts as one path.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len() + self.tags.len()
    }

    /// Whether there are no items. [`Self::new`] never returns such a request.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The request without tags, for a distribution that does not read them. This is another invalidation, with its own
    /// reference, which is the same every time. A request without tags is returned unchanged.
    #[must_use]
    pub fn by_paths(self) -> Self {
        let Some(fallback) = self.fallback else { return self };
        let readable = self.reference.rsplit_once('.').map_or(self.reference.as_str(), |(readable, _)| readable);
        let hashed = [self.reference.as_str()].into_iter().chain(fallback.paths.iter().map(CachePath::as_str));
        Self {
            reference: reference(readable, hashed),
            distribution: self.distribution,
            paths: fallback.paths,
            tags: Vec::new(),
            unchanged: fallback.unchanged,
            fallback: None,
        }
    }

    /// Whether its paths clear every address of a key of the site at `target`.
    #[must_use]
    pub fn clears(&self, cdn: &DistributionConfig, target: &Location, key: &str) -> bool {
        let is_cleared = |address: &Address| {
            !address.truncated && self.paths.iter().any(|path| path.clears(&format!("/{}", address.text)))
        };
        cdn.address_rules(target).addresses(std::iter::once(key)).iter().all(is_cleared)
    }
}

/// The `CallerReference`: a digest of the parts, after readable text for people who list invalidations.
fn reference<'a>(readable: &str, parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length before each part keeps different parts from having the same digest.
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
        write!(f, "{}: {}", self.distribution, counted(self.paths.len(), "path"))?;
        if wildcards > 0 {
            write!(f, " ({})", counted(wildcards, "wildcard"))?;
        }
        if !self.tags.is_empty() {
            write!(f, ", {}", counted(self.tags.len(), "cache tag"))?;
        }
        if self.unchanged > 0 {
            write!(f, ", also clearing {}", counted(self.unchanged, "unchanged key"))?;
        }
        Ok(())
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
