//! Which tags take the place of paths: those that only changed objects carry, where that is fewer items.
//!
//! Owns the choice among tags. A tag that unchanged objects carry too is never chosen: where something unchanged has to be
//! cleared, folders do it. What no tag covers is left to [`fold`].
//!
//! The fewest tags that cover something is a set cover problem, so the tag is taken that replaces most, again and again.
//! Two choices are made so and compared with the one without tags: tags beside the wildcards that are chosen without them,
//! and tags first. Neither is taken unless it clears less or has fewer items.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::address::{PathText, addresses, bare, of_key, tidy};
use super::copies::TaggedCopies;
use super::fold::{FoldedPaths, fold};
use super::path::CachePath;
use super::quota::PathQuota;
use super::tag::CacheTag;
use super::unchanged::UnchangedKeys;
use crate::location::Prefix;

/// A tag that replaces fewer items than this is not worth its own.
const WORTH: usize = 2;

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
    fn fits(&self, room: PathQuota) -> bool {
        let wildcards = self.folded.paths.iter().filter(|path| path.is_wildcard()).count();
        self.items() - wildcards <= room.paths && wildcards <= room.wildcards && self.items() <= room.free.max(1)
    }
}

/// Tags and paths that are better than paths alone, if there are any. `plain` is the choice without tags, for the same
/// changed keys and the same room.
pub(super) fn cover(
    changed: &[&str],
    copies: &TaggedCopies<'_>,
    below: &Prefix,
    unchanged: &UnchangedKeys<'_>,
    plain: &FoldedPaths,
    room: PathQuota,
) -> Option<TagCover> {
    let choice = TagChoice::new(changed, copies, below);
    if choice.groups.is_empty() {
        return None;
    }
    let naive = addresses(changed.iter().copied(), below).len();
    let single: BTreeSet<&CachePath> = plain.paths.iter().collect();
    let beside = choice.worths(|address| {
        if !address.cut {
            usize::from(single.contains(&CachePath::of(&address.text)))
        } else if unchanged.cleared_by(&address.text) > 0 {
            WORTH
        } else {
            usize::from(single.contains(&CachePath::below(&address.text)))
        }
    });
    let first = choice.worths(|_| 1);
    [beside, first]
        .iter()
        .filter_map(|worths| choice.covered(worths, unchanged, room))
        .filter(|covered| covered.fits(room) && covered.items() <= naive)
        .map(|covered| ((covered.folded.unchanged, covered.items()), covered))
        .filter(|(worth, _)| *worth < (plain.unchanged, plain.paths.len()))
        .min_by_key(|(worth, _)| *worth)
        .map(|(_, covered)| covered)
}

/// The keys that changed, and which of them each tag clears.
struct TagChoice<'a> {
    changed: &'a [&'a str],
    copies: &'a TaggedCopies<'a>,
    below: &'a Prefix,
    groups: BTreeMap<&'a CacheTag, Vec<usize>>,
}

impl<'a> TagChoice<'a> {
    fn new(changed: &'a [&'a str], copies: &'a TaggedCopies<'a>, below: &'a Prefix) -> Self {
        let mut groups: BTreeMap<&CacheTag, Vec<usize>> = BTreeMap::new();
        for (index, key) in changed.iter().enumerate() {
            for tag in copies.exact(key) {
                groups.entry(tag).or_default().push(index);
            }
        }
        Self { changed, copies, below, groups }
    }

    /// The address that no tag clears although one clears its key: `d` of `d/index.html`, where the origin leads on to
    /// `d/` by an answer of its own. That stays right for as long as the key is there.
    fn left(&self, key: &str) -> Option<PathText> {
        let gone = self.copies.get(key).is_some_and(|copied| copied.gone);
        if gone { bare(key, self.below) } else { None }
    }

    /// How much each key is worth to a tag that clears it.
    fn worths(&self, worth: impl Fn(&PathText) -> usize) -> Vec<usize> {
        let of = |key: &&str| {
            let left = self.left(key);
            of_key(key, self.below).iter().filter(|address| Some(*address) != left.as_ref()).map(&worth).sum()
        };
        self.changed.iter().map(of).collect()
    }

    fn covered(&self, worths: &[usize], unchanged: &UnchangedKeys<'_>, room: PathQuota) -> Option<TagCover> {
        let most = room.paths.min(room.free.max(1));
        let (tags, cleared) = self.chosen(worths, most);
        if tags.is_empty() {
            return None;
        }
        let mut rest = Vec::new();
        for ((key, cleared), worth) in self.changed.iter().zip(cleared).zip(worths) {
            if cleared && *worth > 0 {
                rest.extend(self.left(key));
            } else {
                rest.extend(of_key(key, self.below));
            }
        }
        let rest = tidy(rest);
        let room = PathQuota {
            paths: room.paths.saturating_sub(tags.len()),
            free: room.free.max(1).saturating_sub(tags.len()),
            ..room
        };
        let nothing = || FoldedPaths { paths: Vec::new(), unchanged: 0 };
        let folded = if rest.is_empty() { nothing() } else { fold(&rest, unchanged, room) };
        Some(TagCover { tags, folded })
    }

    /// The tags that are taken, sorted, and which keys they clear.
    fn chosen(&self, worths: &[usize], most: usize) -> (Vec<CacheTag>, Vec<bool>) {
        let mut cleared = vec![false; self.changed.len()];
        let gain = |keys: &[usize], cleared: &[bool]| -> usize {
            let of = |key: &usize| match cleared.get(*key) {
                Some(false) => worths.get(*key).copied().unwrap_or_default(),
                _ => 0,
            };
            keys.iter().map(of).sum()
        };
        let mut tags = Vec::new();
        // The first of the tags that replace as much, by their bytes.
        let mut heap: BinaryHeap<(usize, Reverse<&CacheTag>)> =
            self.groups.iter().map(|(tag, keys)| (gain(keys, &cleared), Reverse(*tag))).collect();
        while tags.len() < most
            && let Some((told, Reverse(tag))) = heap.pop()
        {
            let keys = self.groups.get(tag).map(Vec::as_slice).unwrap_or_default();
            // What was taken since may have taken from it; it never gets better.
            let now = gain(keys, &cleared);
            if now < WORTH {
                continue;
            }
            if now < told && heap.peek().is_some_and(|next| *next > (now, Reverse(tag))) {
                heap.push((now, Reverse(tag)));
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
