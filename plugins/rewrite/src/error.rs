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
    #[error("a path with several `*` is not supported; list the paths, or use a CloudFront function")]
    Stars,
    /// Its target is neither a path nor a URL.
    #[error(
        "invalid redirect target `{0}`; use a path that starts with `/`, or an http(s) URL, of at most 2,048 bytes without spaces"
    )]
    InvalidTarget(String),
    /// Its target is its path.
    #[error("`{0}` redirects to itself")]
    ToItself(String),
    /// An earlier rule has the same path.
    #[error("an earlier rule redirects `{0}`")]
    Duplicate(String),
}
