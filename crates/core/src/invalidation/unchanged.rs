//! The keys that a release leaves as they are: what it costs to clear too much.
//!
//! Owns counting them below a beginning of an address. Never chooses.

use crate::location::Prefix;

/// Keys of a site that did not change, sorted by their bytes.
#[derive(Debug)]
pub(super) struct UnchangedKeys<'a> {
    keys: Vec<&'a str>,
    below: Prefix,
}

impl<'a> UnchangedKeys<'a> {
    /// `below` is what visitors see before a key of the site.
    pub(super) fn new(keys: impl Iterator<Item = &'a str>, below: &Prefix) -> Self {
        let mut keys: Vec<&str> = keys.collect();
        if !keys.is_sorted() {
            keys.sort_unstable();
        }
        Self { keys, below: below.clone() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether everything that begins so belongs to the site. A distribution may show more than one.
    pub(super) fn owns(&self, stem: &str) -> bool {
        stem.starts_with(self.below.as_str())
    }

    /// How many are cleared by a wildcard behind `stem`.
    pub(super) fn cleared_by(&self, stem: &str) -> usize {
        match stem.strip_prefix(self.below.as_str()) {
            Some(stem) => {
                let start = self.keys.partition_point(|key| *key < stem);
                let end = self.keys.partition_point(|key| *key < stem || key.starts_with(stem));
                end.saturating_sub(start)
            }
            None if self.below.as_str().starts_with(stem) => self.keys.len(),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_wildcard_clears_is_counted() {
        let below = Prefix::new("docs").unwrap();
        let unchanged = UnchangedKeys::new(["z", "a/1", "a/2", "a-b", "b/1"].into_iter(), &below);
        for (stem, count) in
            [("docs/a/", 2), ("docs/a", 3), ("docs/", 5), ("doc", 5), ("", 5), ("docs/c", 0), ("other", 0)]
        {
            assert_eq!(unchanged.cleared_by(stem), count, "{stem}");
        }
        assert!(unchanged.owns("docs/a") && unchanged.owns("docs/") && !unchanged.owns("docs") && !unchanged.owns(""));
    }
}
