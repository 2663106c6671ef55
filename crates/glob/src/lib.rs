//! Glob patterns over object keys, in the language of gitignore.
//!
//! Tidegate uses this engine wherever a pattern selects keys: in the bundled plugins, in plugins built with the SDK
//! (as `tidegate_plugin::glob`), and for the `protect` list of a site. So an object that `exclude` leaves out of the
//! source and the same patterns protect on the target are always the same object.
//!
//! ```
//! use tidegate_glob::{Glob, GlobList, IgnoreGlob};
//!
//! let glob = Glob::parse("drafts/")?;
//! assert!(glob.matches("blog/drafts/new.html"));
//!
//! // Of several patterns, the last match decides.
//! let list: GlobList = ["*", "!*.html", "drafts/"].map(IgnoreGlob::parse).into_iter().collect::<Result<_, _>>()?;
//! assert!(list.matches("app.js"));
//! assert!(!list.matches("index.html"));
//! assert!(list.matches("drafts/new.html"));
//! # Ok::<(), tidegate_glob::GlobError>(())
//! ```
//!
//! | Type | Matches |
//! |---|---|
//! | [`Glob`] | keys at any depth, and everything in folders that the pattern matches |
//! | [`IgnoreGlob`] | like [`Glob`]; with a leading `!` it is an exception to earlier patterns |
//! | [`GlobList`] | by the last [`IgnoreGlob`] that matches; [`CachedGlobList`] is faster for keys in order |
//! | [`KeyGlob`] | whole keys, from the root of the site |
//!
//! All of them read and write their text with serde. [`ExcludeSettings`] are the settings of the bundled plugin `exclude`,
//! with [`DEFAULT_EXCLUDES`]: the plugin uses them, and so does the listing of a source.
//!
//! # Patterns
//!
//! | In a pattern | Meaning |
//! |---|---|
//! | `*` | any characters except `/` |
//! | `?` | one byte except `/`, as in git; a character beyond ASCII has two to four bytes |
//! | `[a-z]`, `[!a-z]` | one byte in, or not in, a set of ASCII characters |
//! | `{js,css}` | alternatives; gitignore does not have them |
//! | `**` as a whole segment | any number of folders, including none |
//! | `\` | the next character is literal |
//! | `/` at the start or in the middle | the pattern is relative to the root of the site; otherwise it matches at any depth |
//! | `/` at the end | folders only, so everything in them |
//!
//! A pattern that matches a folder matches everything in it. Matching is case-sensitive, as keys are.

mod compiled;
mod exclude;
mod list;

pub use exclude::{DEFAULT_EXCLUDES, ExcludeList, ExcludeMatch, ExcludeSettings};
pub use list::{CachedGlobList, GlobList};

use std::fmt;

use serde::{Deserialize, Serialize};

use compiled::CompiledGlob;

/// An invalid pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid glob `{glob}`: {kind}")]
pub struct GlobError {
    /// The pattern.
    pub glob: String,
    /// The mistake.
    pub kind: GlobErrorKind,
}

/// A mistake in a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobErrorKind {
    /// There is no text to match.
    #[error("it is empty; remove it")]
    Empty,
    /// Comments belong in a gitignore file, not in a list of settings.
    #[error("it starts with `#`; remove the comment, or write `\\#` for a name that starts with `#`")]
    Comment,
    /// An exception where exceptions have no meaning.
    #[error("it starts with `!`, and exceptions are not allowed here; write `\\!` for a name that starts with `!`")]
    Negated,
    /// An opening bracket or brace without its closing one.
    #[error("`{0}` is not closed; close it, or write `\\{0}` for the character")]
    Unclosed(char),
    /// Sets are matched byte by byte.
    #[error("a set in brackets has a character beyond ASCII; write alternatives in braces")]
    SetBeyondAscii,
    /// A backslash without a character to escape.
    #[error("it ends with `\\`; write `\\\\` for a backslash")]
    TrailingBackslash,
    /// More alternatives than the matcher takes.
    #[error("it has more than 10 groups of braces; use several globs")]
    TooManyBraces,
}

impl GlobErrorKind {
    fn of(self, glob: &str) -> GlobError {
        GlobError { glob: glob.to_owned(), kind: self }
    }
}

/// A pattern that matches keys at any depth, and everything in folders that it matches: `*.map`, `drafts/`,
/// `/assets/**`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Glob {
    text: String,
    compiled: CompiledGlob,
}

impl Glob {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// The pattern is invalid, or starts with `!`.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        refuse_exception(text)?;
        Ok(Self { text: text.to_owned(), compiled: CompiledGlob::parse(text)? })
    }

    /// Whether the pattern matches this key or a folder that contains it.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        self.compiled.matches(key)
    }
}

/// A pattern; with a leading `!`, an exception to the patterns before it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct IgnoreGlob {
    text: String,
    exception: bool,
    compiled: CompiledGlob,
}

impl IgnoreGlob {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// The pattern is invalid.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let (exception, pattern) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let compiled = CompiledGlob::parse(pattern).map_err(|error| error.kind.of(text))?;
        Ok(Self { text: text.to_owned(), exception, compiled })
    }

    /// Whether it has a leading `!`.
    #[must_use]
    pub fn is_exception(&self) -> bool {
        self.exception
    }

    /// Whether the pattern, without its `!`, matches this key or a folder that contains it.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        self.compiled.matches(key)
    }
}

/// A pattern for whole keys from the root of the site: `index.html` is that one key, `*/index.html` matches one folder
/// down.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyGlob {
    text: String,
    pattern: String,
    /// How all keys start that it matches.
    prefix: String,
    /// The pattern of the last segment, if it is `**/` and one segment: a name is shorter than a key.
    name: Option<String>,
}

impl KeyGlob {
    /// Parses a pattern. A leading `/` makes no difference.
    ///
    /// # Errors
    ///
    /// The pattern is invalid, or starts with `!`.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        refuse_exception(text)?;
        let pattern = compiled::normalize(text.strip_prefix('/').unwrap_or(text)).map_err(|kind| kind.of(text))?;
        let prefix = pattern.split(['*', '?', '[', '{', '\\']).next().unwrap_or_default().to_owned();
        let name = pattern.strip_prefix("**/").filter(|name| compiled::is_segment(name)).map(str::to_owned);
        Ok(Self { text: text.to_owned(), pattern, prefix, name })
    }

    /// Whether the pattern matches the whole key.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        match &self.name {
            Some(name) => fast_glob::glob_match(name, compiled::split(key).1),
            None => key.starts_with(&self.prefix) && fast_glob::glob_match(&self.pattern, key),
        }
    }
}

fn refuse_exception(text: &str) -> Result<(), GlobError> {
    if text.starts_with('!') { Err(GlobErrorKind::Negated.of(text)) } else { Ok(()) }
}

macro_rules! text_conversions {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = GlobError;

            fn try_from(text: String) -> Result<Self, GlobError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(glob: $name) -> Self {
                glob.text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.text)
            }
        }
    )*};
}

text_conversions!(Glob, IgnoreGlob, KeyGlob);

#[cfg(test)]
mod tests;
