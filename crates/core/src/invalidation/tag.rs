//! Cache tags, which CloudFront reads from a response header and `CreateInvalidation` accepts in place of paths.
//!
//! Source: CloudFront developer guide, "Invalidate content by cache tags" and "What you need to know when invalidating
//! tags".

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sanitize::sanitize_name;

/// Most tags of one object. CloudFront ignores further ones.
pub const MAX_TAGS: usize = 50;

/// Longest tag, in characters.
pub const MAX_TAG_CHARACTERS: usize = 256;

/// The first character of a tag in an invalidation.
const SIGN: char = '#';

/// A cache tag, in lower case because CloudFront ignores case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CacheTag(String);

/// The tags of one object, all of which CloudFront stores with a cached copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheTags(BTreeSet<CacheTag>);

/// Why CloudFront would ignore a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheTagError {
    /// Nothing between two commas.
    #[error("empty tag; remove the comma")]
    Empty,
    /// Longer than CloudFront accepts.
    #[error("tag `{0}` too long: {1} characters; use at most {MAX_TAG_CHARACTERS}")]
    TooLong(String, usize),
    /// A character that tags must not contain.
    #[error("invalid tag `{0}`: contains {1:?}; use visible ASCII without spaces and commas")]
    Character(String, char),
    /// More tags than CloudFront stores.
    #[error("too many tags: {0}; use at most {MAX_TAGS}")]
    TooMany(usize),
}

impl CacheTag {
    /// Parses a tag without the `#` that precedes it in an invalidation.
    ///
    /// # Errors
    /// [`CacheTagError`] for the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, CacheTagError> {
        if text.is_empty() {
            return Err(CacheTagError::Empty);
        }
        if let Some(c) = text.chars().find(|c| !c.is_ascii_graphic() || *c == ',') {
            return Err(CacheTagError::Character(sanitize_name(text), c));
        }
        if text.len() > MAX_TAG_CHARACTERS {
            return Err(CacheTagError::TooLong(sanitize_name(text), text.len()));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CacheTags {
    /// Parses the value of the header.
    ///
    /// # Errors
    /// [`CacheTagError`] if it is unknown which of the tags CloudFront stores.
    pub fn new(value: &str) -> Result<Self, CacheTagError> {
        // The guide does not say whether duplicates count, so they do.
        match value.split(',').count() {
            count if count > MAX_TAGS => Err(CacheTagError::TooMany(count)),
            _ => value.split(',').map(|part| CacheTag::new(part.trim_matches(' '))).collect::<Result<_, _>>().map(Self),
        }
    }

    /// Every tag that a header value may have, even if it breaks the rules.
    pub(super) fn possible(value: &str) -> impl Iterator<Item = CacheTag> {
        value.split(',').filter_map(|part| CacheTag::new(part.trim_matches(' ')).ok())
    }

    /// The tags, in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = &CacheTag> {
        self.0.iter()
    }
}

impl fmt::Display for CacheTag {
    /// The tag as an item of an invalidation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SIGN}{}", self.0)
    }
}

impl TryFrom<String> for CacheTag {
    type Error = CacheTagError;
    fn try_from(text: String) -> Result<Self, CacheTagError> {
        Self::new(&text)
    }
}

impl From<CacheTag> for String {
    fn from(tag: CacheTag) -> Self {
        tag.0
    }
}

/// Whether an item of an invalidation is a wildcard path. A tag that ends in `*` is not one.
#[must_use]
pub fn is_wildcard_item(item: &str) -> bool {
    item.ends_with('*') && !item.starts_with(SIGN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_tags_that_cloudfront_ignores() {
        for bad in ["", "a b", "a,b", "caf\u{e9}", "a\tb", "\u{7f}"] {
            assert!(CacheTag::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "product:electronics", "#", "*", "!~", "a*"] {
            assert_eq!(CacheTag::new(good).unwrap().as_str(), good);
        }
        assert!(CacheTag::new(&"a".repeat(256)).is_ok());
        assert!(matches!(CacheTag::new(&"a".repeat(257)), Err(CacheTagError::TooLong(_, 257))));
        assert_eq!(CacheTag::new("Brand:ACME").unwrap(), CacheTag::new("brand:acme").unwrap());
        assert_eq!(CacheTag::new("News").unwrap().to_string(), "#news");
        assert!(is_wildcard_item("/a*") && !is_wildcard_item("#a*") && !is_wildcard_item("/a"));
    }

    #[test]
    fn accepts_at_most_fifty_tags() {
        let value = |count: usize| (0..count).map(|number| format!("t{number}")).collect::<Vec<_>>().join(", ");
        assert_eq!(CacheTags::new(&value(50)).unwrap().iter().count(), 50);
        assert_eq!(CacheTags::new(&value(51)), Err(CacheTagError::TooMany(51)));
        for bad in ["a,,b", "a,", ",a", " ", "a b", "a, caf\u{e9}"] {
            assert!(CacheTags::new(bad).is_err(), "{bad:?}");
        }
        let tags = CacheTags::new("News,  sport ,news").unwrap();
        assert_eq!(tags.iter().map(CacheTag::as_str).collect::<Vec<_>>(), ["news", "sport"]);
        assert_eq!(CacheTags::possible("a b, News,,x").count(), 2);
    }

    #[test]
    fn checks_a_stored_tag() {
        assert_eq!(serde_json::from_str::<CacheTag>("\"News\"").unwrap(), CacheTag::new("news").unwrap());
        assert!(serde_json::from_str::<CacheTag>("\"a,b\"").is_err());
    }
}
