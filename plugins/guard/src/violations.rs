//! The keys that violate one rule: the first few by name, the rest by number, so that a report stays readable.

/// Limit of the keys that a report names for one rule.
const MAX_NAMED: usize = 20;

/// Keys that violate a rule, in the order of keys.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    named: Vec<Violation>,
    more: u64,
}

/// One key that violates a rule.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) key: String,
    /// The position of the rule in its list.
    pub(crate) position: usize,
    pub(crate) message: String,
}

impl Violations {
    /// Adds a violation; `message` is called only for the keys that a report names.
    pub(crate) fn add(&mut self, key: &str, position: usize, message: impl FnOnce() -> String) {
        if self.named.len() < MAX_NAMED {
            self.named.push(Violation { key: key.to_owned(), position, message: message() });
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn named(&self) -> &[Violation] {
        &self.named
    }

    /// The number of violations without a name, if there are any.
    pub(crate) fn more(&self) -> Option<u64> {
        (self.more > 0).then_some(self.more)
    }
}
