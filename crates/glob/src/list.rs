//! A list of patterns in which the last match decides.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::IgnoreGlob;
use super::compiled::{Affix, levels, levels_from, split};

/// Patterns in order: the last one that matches a key, or a folder that contains it, decides.
///
/// Git, which has folders, cannot re-include a file below an excluded folder. Storage has only keys, so here an
/// exception also applies to a key in a folder that an earlier pattern excluded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "Vec<IgnoreGlob>", into = "Vec<IgnoreGlob>")]
pub struct GlobList {
    globs: Vec<IgnoreGlob>,
    /// The patterns that are plain names, indexed: most are, and a key has few segments.
    names: BTreeMap<String, NameRules>,
    /// The first bytes of `names`.
    names_start: ByteSet,
    /// Positions of the patterns that are the start or the end of a name, in descending order.
    affixes: Vec<usize>,
    /// The first bytes of the starts and the last bytes of the ends in `affixes`. Most names have neither.
    affixes_start: ByteSet,
    affixes_end: ByteSet,
    /// Positions of all other patterns, in descending order.
    others: Vec<usize>,
}

/// A set of bytes, which rules most names out without a comparison of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ByteSet([u64; 4]);

/// Positions of the last patterns that are one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct NameRules {
    last: Option<usize>,
    /// The last one that also matches an object: its pattern has no trailing `/`.
    last_for_objects: Option<usize>,
}

impl FromIterator<IgnoreGlob> for GlobList {
    fn from_iter<T: IntoIterator<Item = IgnoreGlob>>(globs: T) -> Self {
        let mut list = Self::default();
        for (position, glob) in globs.into_iter().enumerate() {
            match glob.compiled.as_name() {
                Some((name, folders_only)) => {
                    let rules = list.names.entry(name.to_owned()).or_default();
                    rules.last = Some(position);
                    if !folders_only {
                        rules.last_for_objects = Some(position);
                    }
                    list.names_start.extend(name.bytes().next());
                }
                None => match glob.compiled.affixes() {
                    Some(affixes) => {
                        for affix in affixes {
                            match affix {
                                Affix::Start(text) => list.affixes_start.extend(text.bytes().next()),
                                Affix::End(text) => list.affixes_end.extend(text.bytes().next_back()),
                            }
                        }
                        list.affixes.push(position);
                    }
                    None => list.others.push(position),
                },
            }
            list.globs.push(glob);
        }
        list.affixes.reverse();
        list.others.reverse();
        list
    }
}

impl GlobList {
    /// The last pattern that matches this key or a folder that contains it, with its position from 0.
    #[must_use]
    pub fn last_match(&self, key: &str) -> Option<(usize, &IgnoreGlob)> {
        self.last_match_below(key, split(key).0.and_then(|folder| self.last_for_folder(folder)))
    }

    /// Whether the last pattern that matches this key is not an exception.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        self.last_match(key).is_some_and(|(_, glob)| !glob.is_exception())
    }

    /// The pattern that excludes everything in this folder, given without a trailing `/`, with its position from 0.
    ///
    /// None if a later exception may match something in the folder, so that its keys must be matched one by one.
    #[must_use]
    pub fn excludes_folder(&self, folder: &str) -> Option<(usize, &IgnoreGlob)> {
        let position = self.last_for_folder(folder)?;
        let glob = self.globs.get(position).filter(|glob| !glob.is_exception())?;
        let mut later = self.globs.iter().skip(position + 1);
        let may_include = |glob: &IgnoreGlob| glob.is_exception() && glob.compiled.may_match_below(folder);
        (!later.any(may_include)).then_some((position, glob))
    }

    /// As [`last_match`](Self::last_match), where the last match of the key's folder is known.
    fn last_match_below(&self, key: &str, of_folder: Option<usize>) -> Option<(usize, &IgnoreGlob)> {
        let (_, name) = split(key);
        let matches = |glob: &IgnoreGlob| glob.compiled.matches_object(key, name);
        let of_name = self.rules_of(name).and_then(|rules| rules.last_for_objects);
        let mut last = of_folder.max(of_name);
        if self.may_have_affix(name) {
            last = self.last_of(&self.affixes, last, matches);
        }
        last = self.last_of(&self.others, last, matches);
        last.and_then(|position| self.globs.get(position).map(|glob| (position, glob)))
    }

    /// The position of the last pattern that matches this folder or a folder that contains it.
    fn last_for_folder(&self, folder: &str) -> Option<usize> {
        levels(folder).fold(None, |of_parent, (folder, name)| self.last_in(folder, name, of_parent))
    }

    /// As [`last_for_folder`](Self::last_for_folder), where `of_parent` is known; `name` is the last segment of the folder.
    fn last_in(&self, folder: &str, name: &str, of_parent: Option<usize>) -> Option<usize> {
        let matches = |glob: &IgnoreGlob| glob.compiled.matches_folder(folder, name);
        let mut last = of_parent.max(self.rules_of(name).and_then(|rules| rules.last));
        if self.may_have_affix(name) {
            last = self.last_of(&self.affixes, last, matches);
        }
        self.last_of(&self.others, last, matches)
    }

    /// The patterns that are this name.
    fn rules_of(&self, name: &str) -> Option<&NameRules> {
        if self.names_start.contains(name.as_bytes().first()) { self.names.get(name) } else { None }
    }

    /// Whether one of `affixes` may match this name.
    fn may_have_affix(&self, name: &str) -> bool {
        let name = name.as_bytes();
        self.affixes_start.contains(name.first()) || self.affixes_end.contains(name.last())
    }

    /// The later of `last` and the last match among the patterns at these positions.
    fn last_of(
        &self,
        positions: &[usize],
        last: Option<usize>,
        matches: impl Fn(&IgnoreGlob) -> bool,
    ) -> Option<usize> {
        let mut later = positions.iter().copied().take_while(|position| Some(*position) > last);
        later.find(|position| self.globs.get(*position).is_some_and(&matches)).or(last)
    }
}

impl ByteSet {
    fn extend(&mut self, byte: Option<u8>) {
        if let Some(byte) = byte
            && let Some(part) = self.0.get_mut(usize::from(byte >> 6))
        {
            *part |= 1 << (byte & 63);
        }
    }

    fn contains(&self, byte: Option<&u8>) -> bool {
        byte.is_some_and(|byte| self.0.get(usize::from(byte >> 6)).is_some_and(|part| part >> (byte & 63) & 1 == 1))
    }
}

/// A [`GlobList`] that keeps the matches of the last key's folders. Keys in order often share folders with the key before
/// them, and are then matched several times as fast.
#[derive(Clone, Debug, Default)]
pub struct CachedGlobList {
    list: GlobList,
    /// The last folder.
    folder: String,
    /// The lengths of the folder and of the folders that contain it, each with its last match.
    levels: Vec<(usize, Option<usize>)>,
}

impl CachedGlobList {
    /// Starts with an empty cache.
    #[must_use]
    pub fn new(list: GlobList) -> Self {
        Self { list, ..Self::default() }
    }

    /// As [`GlobList::last_match`].
    pub fn last_match(&mut self, key: &str) -> Option<(usize, &IgnoreGlob)> {
        if self.list.globs.is_empty() {
            return None;
        }
        let of_folder = split(key).0.and_then(|folder| self.last_for_folder(folder));
        self.list.last_match_below(key, of_folder)
    }

    fn last_for_folder(&mut self, folder: &str) -> Option<usize> {
        if self.folder != folder || folder.is_empty() {
            let equal = common_prefix(self.folder.as_bytes(), folder.as_bytes());
            let is_kept = |end: usize| end <= equal && matches!(folder.as_bytes().get(end), None | Some(b'/'));
            let kept = self.levels.iter().take_while(|(end, _)| is_kept(*end)).count();
            self.levels.truncate(kept);
            let start = self.levels.last().map_or(0, |(end, _)| end + 1);
            for (folder, name) in levels_from(folder, start) {
                let of_parent = self.levels.last().and_then(|(_, last)| *last);
                self.levels.push((folder.len(), self.list.last_in(folder, name, of_parent)));
            }
            folder.clone_into(&mut self.folder);
        }
        self.levels.last().and_then(|(_, last)| *last)
    }

    /// As [`GlobList::matches`].
    pub fn matches(&mut self, key: &str) -> bool {
        self.last_match(key).is_some_and(|(_, glob)| !glob.is_exception())
    }

    /// As [`GlobList::excludes_folder`].
    #[must_use]
    pub fn excludes_folder(&self, folder: &str) -> Option<(usize, &IgnoreGlob)> {
        self.list.excludes_folder(folder)
    }
}

/// The number of bytes at the start that are equal. Compares eight at once, because many folders start alike.
fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    let chunks = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    let start = chunks.take_while(|(one, other)| one == other).count() * 8;
    let rest = one.iter().zip(other).skip(start);
    start + rest.take_while(|(one, other)| one == other).count()
}

impl From<Vec<IgnoreGlob>> for GlobList {
    fn from(globs: Vec<IgnoreGlob>) -> Self {
        globs.into_iter().collect()
    }
}

impl From<GlobList> for Vec<IgnoreGlob> {
    fn from(list: GlobList) -> Self {
        list.globs
    }
}
