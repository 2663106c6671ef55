//! Keys of objects: valid ones that Tidegate publishes ([`Key`]) and any that a bucket can have ([`StoredKey`]).

use std::borrow::Borrow;
use std::fmt;

use arcstr::ArcStr;
use serde::{Deserialize, Serialize};

use crate::sanitize::{is_unsafe, sanitize, sanitize_name};

/// Longest key of an object in S3, in bytes of UTF-8. Source: Amazon S3 user guide, "Naming Amazon S3 objects".
pub const MAX_KEY_BYTES: usize = 1024;

/// A key that Tidegate publishes, relative to the site.
///
/// UTF-8 of 1 to 1,024 bytes; no leading or trailing `/`; no empty, `.` or `..` segment; no backslash, no control
/// character, and no Unicode character that reorders or breaks text ([`is_unsafe`]). Ordered by its bytes, as in listings
/// of S3. Clones share the text, and each has the size of a pointer: a site can have millions of keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(ArcStr);

/// Why a name is not a valid key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is empty.
    #[error("invalid key: empty")]
    Empty,
    /// More than [`MAX_KEY_BYTES`].
    #[error("key too long: `{0}` has {1} bytes; use at most {MAX_KEY_BYTES}")]
    TooLong(String, usize),
    /// Starts with `/`.
    #[error("invalid key `{0}`: starts with `/`; remove the slash")]
    LeadingSlash(String),
    /// Ends with `/`: a directory marker, not an object.
    #[error("invalid key `{0}`: ends with `/`; name an object in that folder")]
    TrailingSlash(String),
    /// A segment that is empty, `.` or `..`.
    #[error("invalid key `{0}`: the segment `{1}` would leave its folder or disappear in a URL; rename it")]
    Segment(String, String),
    /// A forbidden character.
    #[error("invalid key `{0}`: the character {1:?} is not allowed; rename the file")]
    Character(String, char),
}

impl Key {
    /// Parses a key; see the type for the rules.
    ///
    /// # Errors
    /// [`KeyError`] for the first rule that the name breaks.
    pub fn new(name: &str) -> Result<Self, KeyError> {
        check(name)?;
        Ok(Self(ArcStr::from(name)))
    }

    /// Parses a key of a bucket; shares its text.
    ///
    /// # Errors
    /// See [`Key::new`].
    pub fn from_stored(key: &StoredKey) -> Result<Self, KeyError> {
        check(&key.0)?;
        Ok(Self(key.0.clone()))
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

    /// The same key as a [`StoredKey`].
    #[must_use]
    pub fn stored(&self) -> StoredKey {
        StoredKey(self.0.clone())
    }
}

/// The rules of [`Key`].
fn check(name: &str) -> Result<(), KeyError> {
    let sanitized = || sanitize_name(name);
    if name.is_empty() {
        return Err(KeyError::Empty);
    }
    if name.len() > MAX_KEY_BYTES {
        return Err(KeyError::TooLong(sanitized(), name.len()));
    }
    if name.starts_with('/') {
        return Err(KeyError::LeadingSlash(sanitized()));
    }
    // Characters that would show another name in a plan, and the separator of other systems.
    if let Some(c) = name.chars().find(|c| is_unsafe(*c) || *c == '\\') {
        return Err(KeyError::Character(sanitized(), c));
    }
    if name.ends_with('/') {
        return Err(KeyError::TrailingSlash(sanitized()));
    }
    if let Some(segment) = name.split('/').find(|s| matches!(*s, "" | "." | "..")) {
        return Err(KeyError::Segment(sanitized(), segment.to_owned()));
    }
    Ok(())
}

/// Any key of a bucket, relative to a prefix. It can have every character; [`fmt::Display`] sanitizes it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredKey(ArcStr);

impl StoredKey {
    /// Wraps a key from a bucket.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(ArcStr::from(name))
    }

    /// The raw key. Use [`fmt::Display`] to show it.
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
        key.0.as_str().to_owned()
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
        f.pad(&sanitize(&self.0, MAX_KEY_BYTES))
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
    fn accepts_names_of_real_builds() {
        for name in
            ["index.html", "c++.html", "a b/é.html", ".well-known/x", ".nojekyll", "a/b./d", "~u/x%20y", "日本/語"]
        {
            assert_eq!(Key::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn rejects_names_that_leave_the_site_or_mislead() {
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
            "a\u{200f}b",
            "a\u{61c}b",
            "a\\..\\b",
            "a\u{85}b",
            &long,
        ] {
            assert!(Key::new(name).is_err(), "{name:?}");
        }
        assert!(Key::new(&"é".repeat(MAX_KEY_BYTES / 2)).is_ok());
    }

    #[test]
    fn stored_keys_print_on_one_line() {
        assert_eq!(StoredKey::new("a\r\n\u{1b}[31mb").to_string(), "a\\r\\n\\u{1b}[31mb");
    }
}
