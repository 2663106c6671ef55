//! A path as `CreateInvalidation` takes it, and which addresses it clears.
//!
//! Owns CloudFront's grammar of paths and its matching rule. Never knows a key, a folder or a limit on their number.
//! Source of both: CloudFront developer guide, "What you need to know when invalidating files", and RFC 1738, section
//! 2.2, that it refers to.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// Longest path, in characters, slash and asterisk included.
pub const MAX_PATH_CHARACTERS: usize = 4000;

/// What CloudFront wants percent-encoded: everything outside ASCII, and what RFC 1738 calls unsafe. Whatever else is
/// encoded names another file. `?` is here since a key that holds one is asked for with `%3F`; a bare one would begin a
/// query.
const UNSAFE: &AsciiSet = &CONTROLS
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

/// A path that CloudFront takes: begins with `/`, at most [`MAX_PATH_CHARACTERS`], encoded where it must be and nowhere
/// else, and a `*` only at its end, where it stands for any characters and for none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CachePath(String);

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CachePathError {
    /// It does not begin with `/`.
    #[error("the invalidation path `{0}` must start with `/`")]
    LeadingSlash(String),
    /// Longer than CloudFront takes.
    #[error("an invalidation path has {0} characters, shorten it to {MAX_PATH_CHARACTERS}")]
    TooLong(usize),
    /// A `*` that is not the last character.
    #[error(
        "the invalidation path `{0}` holds a `*` before its end, where it would be no wildcard: end the path there"
    )]
    Asterisk(String),
    /// A character that must be encoded.
    #[error("the invalidation path `{0}` holds {1:?}, percent-encode it")]
    Unsafe(String, char),
}

impl CachePath {
    /// Parses a path as it is sent.
    ///
    /// # Errors
    /// [`CachePathError`] names the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, CachePathError> {
        let shown = || text.escape_default().to_string();
        if !text.starts_with('/') {
            return Err(CachePathError::LeadingSlash(shown()));
        }
        let characters = text.chars().count();
        if characters > MAX_PATH_CHARACTERS {
            return Err(CachePathError::TooLong(characters));
        }
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '*' if rest.as_str().is_empty() => {}
                '*' => return Err(CachePathError::Asterisk(shown())),
                '%' => {
                    let escape = rest.by_ref().take(2).filter(char::is_ascii_hexdigit).count();
                    if escape != 2 {
                        return Err(CachePathError::Unsafe(shown(), c));
                    }
                }
                c if written(c) != 1 => return Err(CachePathError::Unsafe(shown(), c)),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The path of one address: a key as visitors see it, without the leading slash, which holds nothing that
    /// [`super::address`] cuts at.
    pub(super) fn of(address: &str) -> Self {
        Self(format!("/{}", encoded(address)))
    }

    /// The path of every address that begins so. Same condition.
    pub(super) fn below(stem: &str) -> Self {
        Self(format!("/{}*", encoded(stem)))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it ends in the wildcard, which has a limit of its own.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.ends_with('*')
    }

    /// Whether it clears an address: a key as visitors see it, without the leading slash and not encoded.
    #[must_use]
    pub fn clears(&self, address: &str) -> bool {
        let asked = format!("/{}", encoded(address));
        match self.0.strip_suffix('*') {
            Some(stem) => asked.starts_with(stem),
            None => self.0 == asked,
        }
    }
}

fn encoded(text: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(text, UNSAFE)
}

/// How many characters one character of a key takes in a path.
pub(super) fn written(c: char) -> usize {
    utf8_percent_encode(c.encode_utf8(&mut [0; 4]), UNSAFE).map(str::len).sum()
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
    fn what_cloudfront_refuses_is_refused() {
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
    fn only_what_must_be_encoded_is_encoded() {
        let path = CachePath::of("a b/\u{e9}+c'(1)#?%,;=&$!@:[x].html");
        assert_eq!(path.as_str(), "/a%20b/%C3%A9+c'(1)%23%3F%25,;=&$!@:%5Bx%5D.html");
        assert!(CachePath::new(path.as_str()).is_ok());
    }

    #[test]
    fn a_wildcard_clears_what_begins_so_and_a_path_clears_itself() {
        assert!(
            CachePath::below("d/").clears("d/x")
                && CachePath::below("d/").clears("d/")
                && CachePath::below("").clears("")
        );
        assert!(
            !CachePath::below("d/").clears("d")
                && !CachePath::below("d/").clears("D/x")
                && !CachePath::below("d/").clears("d2/x")
        );
        assert!(
            CachePath::of("caf\u{e9}").clears("caf\u{e9}")
                && !CachePath::of("a").clears("a/")
                && !CachePath::of("a%").clears("a")
        );
    }

    #[test]
    fn a_stored_path_is_checked_when_it_is_read() {
        assert_eq!(serde_json::from_str::<CachePath>("\"/a*\"").unwrap(), CachePath::below("a"));
        assert!(serde_json::from_str::<CachePath>("\"a*b\"").is_err());
    }
}
