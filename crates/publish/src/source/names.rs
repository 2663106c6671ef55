//! Names in a source that cannot be published. All of them are collected before they are reported.

use std::fmt;

/// Most names that an error lists; it only counts the others.
pub const MAX_SHOWN: usize = 20;

/// At least one name that cannot be published, each with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedNames {
    shown: Vec<String>,
    total: usize,
}

impl RefusedNames {
    /// The reasons, at most [`MAX_SHOWN`].
    #[must_use]
    pub fn shown(&self) -> &[String] {
        &self.shown
    }

    /// How many names were refused.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }
}

impl fmt::Display for RefusedNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.shown.as_slice(), self.total) {
            ([only], 1) => f.write_str(only),
            (shown, total) => {
                write!(f, "{total} names of the source cannot be published: {}", shown.join("; "))?;
                match total.saturating_sub(shown.len()) {
                    0 => Ok(()),
                    more => write!(f, "; and {more} more"),
                }
            }
        }
    }
}

impl std::error::Error for RefusedNames {}

/// Collects refused names while a source is listed.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    shown: Vec<String>,
    total: usize,
}

impl Refusals {
    /// Adds one name, by a reason that contains it.
    pub(super) fn push(&mut self, reason: impl fmt::Display) {
        if self.shown.len() < MAX_SHOWN {
            self.shown.push(reason.to_string());
        }
        self.total = self.total.saturating_add(1);
    }

    /// Fails if a name was refused.
    pub(super) fn finish(self) -> Result<(), RefusedNames> {
        if self.total == 0 { Ok(()) } else { Err(RefusedNames { shown: self.shown, total: self.total }) }
    }
}
