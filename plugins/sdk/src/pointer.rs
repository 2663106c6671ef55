//! JSON Pointers (RFC 6901), with which issues, decisions and findings name a place in the settings.

use std::fmt;

/// A place in a settings document, such as `/rules/3/glob`. The whole document is the empty text.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer(String);

impl Pointer {
    /// The whole document.
    pub const ROOT: Self = Self(String::new());

    /// The whole document.
    #[must_use]
    pub fn root() -> Self {
        Self::ROOT
    }

    /// The member `name` of the object at this place.
    #[must_use]
    pub fn member(mut self, name: &str) -> Self {
        self.0.reserve(name.len() + 1);
        self.0.push('/');
        if !name.bytes().any(|byte| matches!(byte, b'~' | b'/')) {
            // Almost every name.
            self.0.push_str(name);
            return self;
        }
        for character in name.chars() {
            match character {
                '~' => self.0.push_str("~0"),
                '/' => self.0.push_str("~1"),
                other => self.0.push(other),
            }
        }
        self
    }

    /// The element `index`, from 0, of the array at this place.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push('/');
        self.0.push_str(&index.to_string());
        self
    }

    /// The pointer as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Pointer;

    #[test]
    fn escapes_members_and_counts_elements_from_zero() {
        assert_eq!(Pointer::root().as_str(), "");
        assert_eq!(Pointer::root().member("rules").index(0).member("a/b~c").as_str(), "/rules/0/a~1b~0c");
    }
}
