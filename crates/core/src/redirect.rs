//! The target of a redirect object: a valid value of `x-amz-website-redirect-location`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest target, in bytes. Source: Amazon S3 user guide, "Configuring a webpage redirect" (2 KB).
pub const MAX_TARGET_BYTES: usize = 2048;

/// A path that starts with one `/`, or an `http://` or `https://` URL; visible ASCII only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectTarget(Box<str>);

/// An invalid target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedirectTargetError {
    /// Neither a path nor an http(s) URL.
    #[error("invalid redirect target `{0}`; use a path that starts with `/`, or an http(s) URL")]
    Form(String),
    /// A character that must be percent-encoded.
    #[error("invalid character {1:?} in the redirect target `{0}`; percent-encode it")]
    Character(String, char),
    /// Longer than [`MAX_TARGET_BYTES`].
    #[error("the redirect target `{0}…` has {1} bytes; the maximum is {MAX_TARGET_BYTES}")]
    TooLong(String, usize),
}

impl RedirectTarget {
    /// Parses a target.
    ///
    /// # Errors
    /// [`RedirectTargetError`]. A target such as `//host/path`, which browsers take for another host, is refused.
    pub fn new(text: &str) -> Result<Self, RedirectTargetError> {
        let shown = || text.chars().take(100).flat_map(char::escape_default).collect::<String>();
        if text.len() > MAX_TARGET_BYTES {
            return Err(RedirectTargetError::TooLong(shown(), text.len()));
        }
        let path = text.starts_with('/') && !text.starts_with("//") && !text.starts_with("/\\");
        let host = ["http://", "https://"]
            .iter()
            .filter_map(|scheme| {
                text.get(..scheme.len()).filter(|s| s.eq_ignore_ascii_case(scheme)).and(text.get(scheme.len()..))
            })
            .any(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '['));
        if !path && !host {
            return Err(RedirectTargetError::Form(shown()));
        }
        match text.chars().find(|c| !c.is_ascii_graphic()) {
            Some(c) => Err(RedirectTargetError::Character(shown(), c)),
            None => Ok(Self(text.into())),
        }
    }

    /// The target as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RedirectTarget {
    type Error = RedirectTargetError;
    fn try_from(text: String) -> Result<Self, RedirectTargetError> {
        Self::new(&text)
    }
}

impl From<RedirectTarget> for String {
    fn from(target: RedirectTarget) -> Self {
        target.0.into()
    }
}

impl fmt::Display for RedirectTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_paths_and_http_urls() {
        for good in ["/", "/a/b?c#d", "https://acme.com", "HTTP://acme.com/x", "http://[::1]/"] {
            assert!(RedirectTarget::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "x",
            "//evil.com",
            "/\\evil.com",
            "javascript:alert(1)",
            "https://",
            "https:///x",
            "/a b",
            "/é",
            "/a\r\nb",
            "data:x",
        ] {
            assert!(RedirectTarget::new(bad).is_err(), "{bad}");
        }
    }
}
