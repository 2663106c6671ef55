//! The reasons why a redirect is invalid.

use tidegate_plugin::key;

/// An invalid redirect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RedirectError {
    /// It does not start at a path of this site.
    #[error("invalid path `{0}`; use one that starts with `/`, without `?` and `#`")]
    InvalidPath(String),
    /// Its path does not have a valid key.
    #[error("invalid path `{path}`: {reason}")]
    InvalidKey {
        /// The path.
        path: String,
        /// The mistake in the key.
        reason: key::InvalidKey,
    },
    /// S3 redirects only exact keys.
    #[error("`{0}` has a placeholder or `*`, which only a `_redirects` file can have; list the paths")]
    Placeholder(String),
    /// Netlify does not support such a path either.
    #[error("`*` in `{0}` matches nothing on Netlify; write it at the end of a segment, or list the paths")]
    Star(String),
    /// The value of `:splat` would be ambiguous.
    #[error("a path with several `*` is not supported; list the paths, or write `:name` for single segments")]
    Stars,
    /// Its target is neither a path nor a URL.
    #[error(
        "invalid redirect target `{0}`; use a path that starts with `/`, or an http(s) URL, of at most 2,048 bytes without spaces"
    )]
    InvalidTarget(String),
    /// Browsers change such a path before they send it.
    #[error(
        "no request has the path `{0}`; remove empty, `.` and `..` segments, `?`, `#`, `\\` and control characters, and use at most 1,024 bytes"
    )]
    NoRequest(String),
    /// A character that a rule would take for a placeholder.
    #[error("`{0}` has a `:` or `*` as plain text, which a rule takes for a placeholder; list the paths")]
    Literal(String),
    /// Names that Cloudflare confuses.
    #[error(
        "a name in `{0}` is the start of a later one or equal to it, and Cloudflare ignores such lines; rename one of them"
    )]
    Names(String),
    /// Visitors would choose the host.
    #[error("the host of `{0}` has a placeholder, so visitors would choose it; write a line for each host")]
    Host(String),
    /// Its target is its path.
    #[error("`{0}` redirects to itself")]
    ToItself(String),
    /// An earlier rule has the same path.
    #[error("an earlier rule redirects `{0}`")]
    Duplicate(String),
}
