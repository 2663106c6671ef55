//! An invalidation path, and the addresses that it clears.
//!
//! Source: CloudFront developer guide, "What you need to know when invalidating files", and RFC 1738, section 2.2, which it
//! refers to.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::sanitize::sanitize_name;

/// Longest path, in characters, including slash and asterisk.
pub const MAX_PATH_CHARACTERS: usize = 4000;

/// The characters that CloudFront requires to be percent-encoded: those outside ASCII, and those that RFC 1738 calls
/// unsafe. Encoding others names another file: see [`super::spelling`]. `?` is one of them because browsers request a key that contains it
/// with `%3F`; unencoded it would start a query.
pub(super) const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'~');

/// A valid invalidation path: starts with `/`, has at most [`MAX_PATH_CHARACTERS`], encodes only what must be encoded, and
/// has a `*` only at the end, where it matches any characters or none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CachePath(String);

/// Why a text is not an invalidation path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CachePathError {
    /// It does not start with `/`.
    #[error("invalid invalidation path `{0}`; start it with `/`")]
    LeadingSlash(String),
    /// Longer than CloudFront accepts.
    #[error("invalidation path too long: {0} characters; use at most {MAX_PATH_CHARACTERS}")]
    TooLong(usize),
    /// A `*` that is not the last character.
    #[error("invalid invalidation path `{0}`: `*` is a wildcard only at the end; end the path there")]
    Asterisk(String),
    /// A character that must be encoded.
    #[error("invalid invalidation path `{0}`: contains {1:?}; percent-encode it")]
    Unsafe(String, char),
}

impl CachePath {
    /// Parses an encoded path.
    ///
    /// # Errors
    /// [`CachePathError`] for the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, CachePathError> {
        let sanitized = || sanitize_name(text);
        if !text.starts_with('/') {
            return Err(CachePathError::LeadingSlash(sanitized()));
        }
        let characters = text.chars().count();
        if characters > MAX_PATH_CHARACTERS {
            return Err(CachePathError::TooLong(characters));
        }
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '*' if rest.as_str().is_empty() => {}
                '*' => return Err(CachePathError::Asterisk(sanitized())),
                '%' => {
                    let escape = rest.by_ref().take(2).filter(char::is_ascii_hexdigit).count();
                    if escape != 2 {
                        return Err(CachePathError::Unsafe(sanitized(), c));
                    }
                }
                c if is_unsafe(c) => return Err(CachePathError::Unsafe(sanitized(), c)),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The path of one encoded address, which must not be one that [`super::address`] truncates.
    pub(super) fn of(address: &str) -> Self {
        Self(format!("/{address}"))
    }

    /// The wildcard path of every encoded address that starts with `stem`. Same condition.
    pub(super) fn below(stem: &str) -> Self {
        Self(format!("/{stem}*"))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it ends in the wildcard. Wildcards have a separate limit.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.ends_with('*')
    }

    /// Whether it clears an encoded path, as visitors request it.
    #[must_use]
    pub fn clears(&self, requested: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(stem) => requested.starts_with(stem),
            None => self.0 == requested,
        }
    }
}

/// Whether a character must be encoded.
fn is_unsafe(c: char) -> bool {
    utf8_percent_encode(c.encode_utf8(&mut [0; 4]), UNSAFE).map(str::len).sum::<usize>() != 1
}

impl fmt::Display for CachePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CachePath {
    type Error = CachePathError;
    fn try_from(text: String) -> Result<Self, CachePathError> {
        Self::new(&text)
    }
}

impl From<CachePath> for String {
    fn from(path: CachePath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_what_cloudfront_rejects() {
        for bad in [
            "", "a", "*", "/a*b", "/a/*/b", "/**", "/a b", "/\u{e9}", "/~a", "/a#b", "/a?b", "/100%", "/%4", "/%zz",
            "/\n",
        ] {
            assert!(CachePath::new(bad).is_err(), "{bad}");
        }
        for good in ["/", "/*", "/a/", "/a*", "/a%20b", "/%C3%A9", "/it's+c++(1).html", "/%7Ea"] {
            assert_eq!(CachePath::new(good).unwrap().as_str(), good);
        }
        assert!(CachePath::new(&format!("/{}", "a".repeat(3999))).is_ok());
        assert_eq!(CachePath::new(&format!("/{}", "a".repeat(4000))), Err(CachePathError::TooLong(4001)));
    }

    #[test]
    fn a_wildcard_clears_addresses_below_it_and_a_path_only_its_own() {
        let below = CachePath::below("d/");
        assert!(below.clears("/d/x") && below.clears("/d/") && CachePath::below("").clears("/"));
        assert!(!below.clears("/d") && !below.clears("/D/x") && !below.clears("/d2/x"));
        assert!(CachePath::of("caf%C3%A9").clears("/caf%C3%A9"));
        assert!(!CachePath::of("a").clears("/a/") && !CachePath::of("a+b").clears("/a%2Bb"));
    }

    #[test]
    fn checks_a_stored_path() {
        assert_eq!(serde_json::from_str::<CachePath>("\"/a*\"").unwrap(), CachePath::below("a"));
        assert!(serde_json::from_str::<CachePath>("\"a*b\"").is_err());
    }
}
