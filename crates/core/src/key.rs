//! Keys: what Tidegate publishes ([`Key`]) and what a bucket may hold ([`StoredKey`]).
//!
//! Owns the rules of names. Never knows a bucket, a prefix or a file system.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest key that S3 stores, in bytes of UTF-8. Source: Amazon S3 user guide, "Naming Amazon S3 objects".
pub const MAX_KEY_BYTES: usize = 1024;

/// A key that Tidegate publishes, relative to the site.
///
/// UTF-8, 1 to 1,024 bytes; no leading or trailing `/`; no empty, `.` or `..` segment; no backslash, no control
/// character and none of the Unicode characters that reorder or break lines of text. Ordered by its bytes, as S3 lists.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Arc<str>);

/// Why a name cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is empty.
    #[error("a key is empty, give it at least one character")]
    Empty,
    /// More than [`MAX_KEY_BYTES`].
    #[error("the key `{0}` has {1} bytes, shorten it to {MAX_KEY_BYTES}")]
    TooLong(String, usize),
    /// Starts with `/`.
    #[error("the key `{0}` starts with `/`, remove the slash")]
    LeadingSlash(String),
    /// Ends with `/`: a directory marker, not an object.
    #[error("the key `{0}` ends with `/`, name an object in that folder")]
    TrailingSlash(String),
    /// A segment that is empty, `.` or `..`.
    #[error("the key `{0}` has the segment `{1}`, which would leave its folder or vanish in a URL")]
    Segment(String, String),
    /// A character that must not be in a key.
    #[error("the key `{0}` holds the character {1:?}, rename the file")]
    Character(String, char),
}

impl Key {
    /// Parses a key; see the type for the rules.
    ///
    /// # Errors
    /// [`KeyError`] says which rule the name breaks.
    pub fn new(name: &str) -> Result<Self, KeyError> {
        let shown = || name.escape_default().to_string();
        if name.is_empty() {
            return Err(KeyError::Empty);
        }
        if name.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLong(shown(), name.len()));
        }
        if name.starts_with('/') {
            return Err(KeyError::LeadingSlash(shown()));
        }
        if let Some(bad) = name.chars().find(|c| forbidden(*c)) {
            return Err(KeyError::Character(shown(), bad));
        }
        if name.ends_with('/') {
            return Err(KeyError::TrailingSlash(shown()));
        }
        if let Some(segment) = name.split('/').find(|s| matches!(*s, "" | "." | "..")) {
            return Err(KeyError::Segment(shown(), segment.to_owned()));
        }
        Ok(Self(Arc::from(name)))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The same name as a key that a bucket holds.
    #[must_use]
    pub fn stored(&self) -> StoredKey {
        StoredKey(Arc::clone(&self.0))
    }
}

/// Control characters, the backslash (a separator elsewhere), and characters that reorder or break a line, which would
/// make a plan show another name than the one that is published.
fn forbidden(c: char) -> bool {
    c.is_control()
        || c == '\\'
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Any key that a bucket can hold below a prefix, ours or not: 1 to 1,024 bytes and nothing more is known of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct StoredKey(Arc<str>);

impl StoredKey {
    /// Takes a key as a bucket names it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The key as text. It may hold anything: show it with [`fmt::Display`], which escapes control characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a directory marker: a name that ends in `/`.
    #[must_use]
    pub fn is_marker(&self) -> bool {
        self.0.ends_with('/')
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;
    fn try_from(name: String) -> Result<Self, KeyError> {
        Self::new(&name)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.as_ref().to_owned()
    }
}

impl From<String> for StoredKey {
    fn from(name: String) -> Self {
        Self(Arc::from(name))
    }
}

impl From<StoredKey> for String {
    fn from(key: StoredKey) -> Self {
        key.0.as_ref().to_owned()
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for StoredKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

impl fmt::Display for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.chars().any(forbidden) {
            for c in self.0.chars() {
                if forbidden(c) { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
            }
            Ok(())
        } else {
            f.pad(&self.0)
        }
    }
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_real_builds_make_are_keys() {
        for name in
            ["index.html", "c++.html", "a b/é.html", ".well-known/x", ".nojekyll", "a/b./d", "~u/x%20y", "日本/語"]
        {
            assert_eq!(Key::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_escape_or_lie_are_refused() {
        let long = "x".repeat(MAX_KEY_BYTES + 1);
        for name in [
            "",
            "/x",
            "x/",
            "a//b",
            "./x",
            "a/../b",
            "..",
            "a/..",
            "x\u{0}",
            "a\nb",
            "a\rb",
            "\u{1b}[31m",
            "a\u{202e}b",
            "a\\..\\b",
            "a\u{85}b",
            &long,
        ] {
            assert!(Key::new(name).is_err(), "{name:?}");
        }
        assert!(Key::new(&"é".repeat(MAX_KEY_BYTES / 2)).is_ok());
    }

    #[test]
    fn stored_keys_cannot_break_a_line() {
        assert_eq!(StoredKey::new("a\r\n\u{1b}[31mb").to_string(), "a\\r\\n\\u{1b}[31mb");
    }
}
