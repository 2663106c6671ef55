//! The unchanged keys of a site, to count how many of them a wildcard clears.

use percent_encoding::percent_decode_str;

use super::spelling::SPELLINGS;
use crate::location::Prefix;

/// Unchanged keys of a site, sorted by their bytes.
#[derive(Debug)]
pub(super) struct UnchangedKeys<'a> {
    keys: Vec<&'a str>,
    prefix: Prefix,
}

impl<'a> UnchangedKeys<'a> {
    /// `prefix` is the prefix that visitors see before keys of the site.
    pub(super) fn new(keys: impl Iterator<Item = &'a str>, prefix: &Prefix) -> Self {
        let mut keys: Vec<&str> = keys.collect();
        if !keys.is_sorted() {
            keys.sort_unstable();
        }
        Self { keys, prefix: prefix.clone() }
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether every address that starts with `stem` belongs to the site. A distribution can serve several sites.
    pub(super) fn owns(&self, stem: &str) -> bool {
        let texts = texts(stem);
        !texts.is_empty() && texts.iter().all(|text| text.starts_with(self.prefix.as_str()))
    }

    /// How many keys a wildcard after an encoded `stem` clears in one of their spellings.
    pub(super) fn cleared_by(&self, stem: &str) -> usize {
        texts(stem).iter().map(|text| self.starting_with(text)).sum()
    }

    fn starting_with(&self, stem: &str) -> usize {
        match stem.strip_prefix(self.prefix.as_str()) {
            Some(stem) => {
                let start = self.keys.partition_point(|key| *key < stem);
                let end = self.keys.partition_point(|key| *key < stem || key.starts_with(stem));
                end.saturating_sub(start)
            }
            None if self.prefix.as_str().starts_with(stem) => self.keys.len(),
            None => 0,
        }
    }
}

/// The texts with a spelling that starts like this: more than one, because `+` can be a space.
fn texts(stem: &str) -> Vec<String> {
    let decode = |stem: &str| percent_decode_str(stem).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    let spaced = stem.contains('+').then(|| decode(&stem.replace('+', " "))).flatten();
    let is_spelled = |text: &String| SPELLINGS.iter().any(|spelling| spelling.of(text) == stem);
    decode(stem).into_iter().chain(spaced).filter(is_spelled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_keys_that_a_wildcard_clears() {
        let prefix = Prefix::new("docs").unwrap();
        let unchanged = UnchangedKeys::new(["z", "a/1", "a/2", "a-b", "b/1"].into_iter(), &prefix);
        for (stem, count) in
            [("docs/a/", 2), ("docs/a", 3), ("docs/", 5), ("doc", 5), ("", 5), ("docs/c", 0), ("other", 0)]
        {
            assert_eq!(unchanged.cleared_by(stem), count, "{stem}");
        }
        let spelled = UnchangedKeys::new(["a b/1", "a b/2", "a+b/1", "a(b/1"].into_iter(), &Prefix::default());
        for (stem, count) in
            [("a%20b/", 2), ("a+b/", 3), ("a%2Bb/", 1), ("a%28b/", 1), ("a(b/", 1), ("a+b/1", 2), ("a%20b%2Bc", 0)]
        {
            assert_eq!(spelled.cleared_by(stem), count, "{stem}");
        }
        assert!(unchanged.owns("docs/a") && unchanged.owns("docs/") && !unchanged.owns("docs") && !unchanged.owns(""));
    }
}
