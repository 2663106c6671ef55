//! Chooses cache tags that replace paths: tags that only changed objects have, if that takes fewer items.
//!
//! A tag that unchanged objects have too is never used; folders clear unchanged keys instead. [`fold`] covers what no tag
//! covers.
//!
//! The fewest tags are a set cover problem, so the tag that replaces most is taken again and again. That is done twice, for
//! tags in addition to the wildcards of the choice without tags, and for tags first. Both are compared with the choice
//! without tags, and used only if they clear fewer unchanged keys or have fewer items.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::address::{Address, AddressRules, normalize};
use super::copies::TaggedCopies;
use super::fold::{FoldedPaths, fold};
use super::path::CachePath;
use super::quota::PathQuota;
use super::tag::CacheTag;
use super::unchanged::UnchangedKeys;

/// A tag must replace this many items.
const MIN_REPLACED: usize = 2;

/// Tags, and the paths of what they do not cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TagCover {
    /// Sorted, at least one.
    pub(super) tags: Vec<CacheTag>,
    pub(super) folded: FoldedPaths,
}

impl TagCover {
    fn items(&self) -> usize {
        self.tags.len() + self.folded.paths.len()
    }

    /// A tag counts as a path without a wildcard.
    fn fits(&self, quota: PathQuota) -> bool {
        let wildcards = self.folded.paths.iter().filter(|path| path.is_wildcard()).count();
        self.items() - wildcards <= quota.paths && wildcards <= quota.wildcards && self.items() <= quota.free.max(1)
    }
}

/// Tags and paths that are better than paths alone, if there are any. `plain` is the choice without tags, for the same
/// changed keys and quota.
pub(super) fn cover(
    changed: &[&str],
    copies: &TaggedCopies<'_>,
    rules: &AddressRules,
    unchanged: &UnchangedKeys<'_>,
    plain: &FoldedPaths,
    quota: PathQuota,
) -> Option<TagCover> {
    let choice = TagChoice::new(changed, copies, rules);
    if choice.groups.is_empty() {
        return None;
    }
    let addresses = rules.addresses(changed.iter().copied()).len();
    let single: BTreeSet<&CachePath> = plain.paths.iter().collect();
    let with_wildcards = choice.weights(|address| {
        if !address.truncated {
            usize::from(single.contains(&CachePath::of(&address.text)))
        } else if unchanged.cleared_by(&address.text) > 0 {
            MIN_REPLACED
        } else {
            usize::from(single.contains(&CachePath::below(&address.text)))
        }
    });
    let tags_first = choice.weights(|_| 1);
    [with_wildcards, tags_first]
        .iter()
        .filter_map(|weights| choice.cover(weights, unchanged, quota))
        .filter(|cover| cover.fits(quota) && cover.items() <= addresses)
        .map(|cover| ((cover.folded.unchanged, cover.items()), cover))
        .filter(|(rank, _)| *rank < (plain.unchanged, plain.paths.len()))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, cover)| cover)
}

/// The changed keys, and which of them each tag clears.
struct TagChoice<'a> {
    changed: &'a [&'a str],
    copies: &'a TaggedCopies<'a>,
    rules: &'a AddressRules,
    groups: BTreeMap<&'a CacheTag, Vec<usize>>,
}

impl<'a> TagChoice<'a> {
    fn new(changed: &'a [&'a str], copies: &'a TaggedCopies<'a>, rules: &'a AddressRules) -> Self {
        let mut groups: BTreeMap<&CacheTag, Vec<usize>> = BTreeMap::new();
        for (index, key) in changed.iter().enumerate() {
            for tag in copies.exact_tags(key) {
                groups.entry(tag).or_default().push(index);
            }
        }
        Self { changed, copies, rules, groups }
    }

    /// The addresses that no tag clears although one clears their key: `d` for `d/index.html`, where the origin may redirect
    /// to `d/` with a response without tags. That response stays valid as long as the key exists.
    fn untagged_addresses(&self, key: &str) -> Vec<Address> {
        let deleted = self.copies.get(key).is_some_and(|copy| copy.deleted);
        if deleted { self.rules.redirecting_addresses(key) } else { Vec::new() }
    }

    /// The weight of each key: how many items a tag that clears it replaces.
    fn weights(&self, weight: impl Fn(&Address) -> usize) -> Vec<usize> {
        let weight_of = |key: &&str| {
            let untagged = self.untagged_addresses(key);
            let addresses = self.rules.addresses_of(key);
            addresses.iter().filter(|address| !untagged.contains(address)).map(&weight).sum()
        };
        self.changed.iter().map(weight_of).collect()
    }

    fn cover(&self, weights: &[usize], unchanged: &UnchangedKeys<'_>, quota: PathQuota) -> Option<TagCover> {
        let max_tags = quota.paths.min(quota.free.max(1));
        let (tags, cleared) = self.choose(weights, max_tags);
        if tags.is_empty() {
            return None;
        }
        let mut rest = Vec::new();
        for ((key, cleared), weight) in self.changed.iter().zip(cleared).zip(weights) {
            if cleared && *weight > 0 {
                rest.extend(self.untagged_addresses(key));
            } else {
                rest.extend(self.rules.addresses_of(key));
            }
        }
        let rest = normalize(rest);
        let quota = PathQuota {
            paths: quota.paths.saturating_sub(tags.len()),
            free: quota.free.max(1).saturating_sub(tags.len()),
            ..quota
        };
        let folded = if rest.is_empty() {
            FoldedPaths { paths: Vec::new(), unchanged: 0 }
        } else {
            fold(&rest, unchanged, quota)
        };
        Some(TagCover { tags, folded })
    }

    /// Chooses tags. Returns them sorted, and for each key whether they clear it.
    fn choose(&self, weights: &[usize], max_tags: usize) -> (Vec<CacheTag>, Vec<bool>) {
        let mut cleared = vec![false; self.changed.len()];
        let gain = |keys: &[usize], cleared: &[bool]| -> usize {
            let gain_of = |key: &usize| match cleared.get(*key) {
                Some(false) => weights.get(*key).copied().unwrap_or_default(),
                _ => 0,
            };
            keys.iter().map(gain_of).sum()
        };
        let mut tags = Vec::new();
        // Of equal tags, the first by its bytes.
        let mut heap: BinaryHeap<(usize, Reverse<&CacheTag>)> =
            self.groups.iter().map(|(tag, keys)| (gain(keys, &cleared), Reverse(*tag))).collect();
        while tags.len() < max_tags
            && let Some((estimate, Reverse(tag))) = heap.pop()
        {
            let keys = self.groups.get(tag).map(Vec::as_slice).unwrap_or_default();
            // Tags chosen since may have reduced the gain; it never grows.
            let actual = gain(keys, &cleared);
            if actual < MIN_REPLACED {
                continue;
            }
            if actual < estimate && heap.peek().is_some_and(|next| *next > (actual, Reverse(tag))) {
                heap.push((actual, Reverse(tag)));
                continue;
            }
            for key in keys {
                if let Some(cleared) = cleared.get_mut(*key) {
                    *cleared = true;
                }
            }
            tags.push(tag.clone());
        }
        tags.sort_unstable();
        (tags, cleared)
    }
}

#[cfg(test)]
mod tests;
