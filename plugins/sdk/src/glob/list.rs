//! Several patterns, of which the last that matches speaks.
//!
//! Owns that rule, and an index of the patterns that are plain names: most are, and a key has few segments.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::IgnoreGlob;
use super::compiled::split;

/// Patterns in order. Unlike git, which has folders, an exception also brings back a key in a folder that a pattern before
/// it left out: storage has keys only, and the last pattern that matches a key or a folder that it is in decides.
#[derive(Clone, Debug, Default)]
pub struct GlobList {
    globs: Vec<IgnoreGlob>,
    /// By name: the last pattern that is this name, and the last one that is not for folders only.
    names: BTreeMap<String, LastNamed>,
    /// Places of the patterns that are more than a name, in descending order.
    others: Vec<usize>,
    /// The folder that was asked about last, with its answer: keys come in order, and a folder has many.
    folder: RefCell<(String, Option<usize>)>,
}

/// The last patterns that consist of one name.
#[derive(Clone, Copy, Debug, Default)]
struct LastNamed {
    of_folder: Option<usize>,
    of_object: Option<usize>,
}

impl GlobList {
    /// A list in the order in which the patterns were written.
    pub fn new(globs: impl IntoIterator<Item = IgnoreGlob>) -> Self {
        let mut list = Self::default();
        for (place, glob) in globs.into_iter().enumerate() {
            match glob.compiled.name() {
                Some((name, folders_only)) => {
                    let named = list.names.entry(name.to_owned()).or_default();
                    named.of_folder = Some(place);
                    if !folders_only {
                        named.of_object = Some(place);
                    }
                }
                None => list.others.push(place),
            }
            list.globs.push(glob);
        }
        list.others.reverse();
        list
    }

    /// The place, counted from 0, of the last pattern that matches this key or a folder that it is in, with the pattern.
    #[must_use]
    pub fn last_match(&self, key: &str) -> Option<(usize, &IgnoreGlob)> {
        let (folder, name) = split(key);
        let of_folder = folder.and_then(|folder| self.last_of_folder(folder));
        let of_name = self.names.get(name).and_then(|named| named.of_object);
        let last = self.last_other(of_folder.max(of_name), |glob| glob.compiled.matches_object(key, name));
        last.and_then(|place| self.globs.get(place).map(|glob| (place, glob)))
    }

    /// The place of the last pattern that matches this folder or one that it is in.
    fn last_of_folder(&self, folder: &str) -> Option<usize> {
        let mut known = self.folder.borrow_mut();
        if known.0 != folder || folder.is_empty() {
            let of_names = folder.split('/').filter_map(|name| self.names.get(name)?.of_folder).max();
            known.1 = self.last_other(of_names, |glob| glob.compiled.matches_in(folder));
            folder.clone_into(&mut known.0);
        }
        known.1
    }

    /// The later of `last` and the last pattern, of those that are more than a name, that matches.
    fn last_other(&self, last: Option<usize>, matches: impl Fn(&IgnoreGlob) -> bool) -> Option<usize> {
        let later = self.others.iter().copied().take_while(|place| Some(*place) > last);
        let found = later.into_iter().find(|place| self.globs.get(*place).is_some_and(&matches));
        found.or(last)
    }

    /// Whether the last pattern that matches is not an exception.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        self.last_match(key).is_some_and(|(_, glob)| !glob.is_exception())
    }
}
