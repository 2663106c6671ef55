//! Keys that violate one rule: the first few by name, the rest by number.
//!
//! Owns that limit, so that a report of a bad plan stays readable.

/// How many keys a report names for one rule.
const MOST_NAMED: usize = 20;

/// The keys that were found, in the order of keys.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    found: Vec<TallyEntry>,
    more: u64,
}

/// One key.
#[derive(Debug)]
pub(crate) struct TallyEntry {
    pub(crate) key: String,
    /// Which element of the rule it violates.
    pub(crate) place: usize,
    pub(crate) what: String,
}

impl Tally {
    pub(crate) fn add(&mut self, key: &str, place: usize, what: String) {
        if self.found.len() < MOST_NAMED {
            self.found.push(TallyEntry { key: key.to_owned(), place, what });
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn found(&self) -> &[TallyEntry] {
        &self.found
    }

    /// How many there are beside those that are named, if any.
    pub(crate) fn more(&self) -> Option<u64> {
        (self.more > 0).then_some(self.more)
    }
}
