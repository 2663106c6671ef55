//! Glob patterns over keys, in the language of gitignore.
//!
//! Owns the meaning of a pattern: which keys it matches, and which of several patterns speaks. Never the matching of
//! wildcards inside a segment, which is the `fast-glob` crate's.
//!
//! | In a pattern | Meaning |
//! |---|---|
//! | `*` | any characters but `/` |
//! | `?` | one byte but `/`, as in git; characters beyond ASCII have two to four |
//! | `[a-z]`, `[!a-z]` | one byte of, or not of, a set of ASCII characters |
//! | `{js,css}` | either; gitignore lacks it |
//! | `**` as a whole segment | any folders, also none |
//! | `\` | the next character as it is |
//! | `/` at the start or inside | the pattern starts at the site's root; without, it matches at any depth |
//! | `/` at the end | only folders, hence everything under them |
//!
//! A pattern that matches a folder matches everything under it. Upper and lower case differ, as they do in keys.

mod compiled;
mod list;

pub use list::GlobList;

use std::fmt;

use serde::{Deserialize, Serialize};

use compiled::CompiledGlob;

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// Nothing to match.
    #[error("a glob is empty; leave it out")]
    Empty,
    /// A gitignore file has comments; a list of settings has none.
    #[error("glob `{0}` starts with `#`; write `\\#` if the name starts so, else leave it out")]
    Comment(String),
    /// Where only a plain pattern has a meaning.
    #[error("glob `{0}` starts with `!`, which has no meaning here; write `\\!` if the name starts so")]
    Negated(String),
    /// An opening bracket or brace without its other half.
    #[error("glob `{glob}` opens `{opened}` and does not close it")]
    Unclosed {
        /// The pattern.
        glob: String,
        /// What was opened.
        opened: char,
    },
    /// A set is matched byte by byte.
    #[error("glob `{0}` has a character beyond ASCII between `[` and `]`; write alternatives in braces")]
    SetBeyondAscii(String),
    /// Nothing to take as it is.
    #[error("glob `{0}` ends in a `\\`; write `\\\\` for a backslash")]
    TrailingBackslash(String),
    /// More alternatives than the matcher takes.
    #[error("glob `{0}` has more than 10 groups of braces; use several globs")]
    TooManyBraces(String),
}

/// A pattern that matches keys at any depth, and everything under folders that it matches: `*.map`, `drafts/`, `/assets/**`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Glob {
    text: String,
    compiled: CompiledGlob,
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Texts that are no pattern, and those that start with `!`.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.starts_with('!') {
            return Err(GlobError::Negated(text.to_owned()));
        }
        Ok(Self { text: text.to_owned(), compiled: CompiledGlob::parse(text)? })
    }

    /// Whether the pattern matches this key or a folder that it is in.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        self.compiled.matches(key)
    }
}

/// A pattern, or with a `!` in front the exception to patterns before it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct IgnoreGlob {
    text: String,
    exception: bool,
    compiled: CompiledGlob,
}

impl IgnoreGlob {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Texts that are no pattern.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let (exception, pattern) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        Ok(Self { text: text.to_owned(), exception, compiled: CompiledGlob::parse(pattern)? })
    }

    /// Whether it is written with a `!`.
    #[must_use]
    pub fn is_exception(&self) -> bool {
        self.exception
    }

    /// Whether the pattern, a `!` aside, matches this key or a folder that it is in.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        self.compiled.matches(key)
    }
}

/// A pattern for whole keys from the site's root: `index.html` is that one key, `*/index.html` those one folder down.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyGlob {
    text: String,
    pattern: String,
}

impl KeyGlob {
    /// Reads a pattern. A `/` at the start changes nothing.
    ///
    /// # Errors
    ///
    /// Texts that are no pattern, and those that start with `!`.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.starts_with('!') {
            return Err(GlobError::Negated(text.to_owned()));
        }
        let pattern = compiled::pattern(text, text.strip_prefix('/').unwrap_or(text))?;
        Ok(Self { text: text.to_owned(), pattern })
    }

    /// Whether the pattern matches the whole key.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        fast_glob::glob_match(&self.pattern, key)
    }
}

macro_rules! text {
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

text!(Glob, IgnoreGlob, KeyGlob);

#[cfg(test)]
mod tests;
