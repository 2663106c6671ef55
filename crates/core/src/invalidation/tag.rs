//! A cache tag, and the tags that one object carries: as CloudFront reads them from a response header, and as
//! `CreateInvalidation` takes them.
//!
//! Owns the grammar and the limits of both. Never knows a key or a path. Source: CloudFront developer guide, "Invalidate
//! content by cache tags" and "What you need to know when invalidating tags".

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Most tags of one object that CloudFront stores with its copy; it ignores those behind them.
pub const MAX_TAGS: usize = 50;

/// Longest tag, in characters.
pub const MAX_TAG_CHARACTERS: usize = 256;

/// What makes an item of an invalidation a tag.
const SIGN: char = '#';

/// A cache tag. CloudFront tells no upper case from lower case, so there is lower case only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CacheTag(String);

/// The tags of one object: what CloudFront is sure to store with its copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheTags(BTreeSet<CacheTag>);

/// Why CloudFront would not honour a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheTagError {
    /// Nothing between two commas.
    #[error("it has nothing before or behind a comma, remove that comma")]
    Empty,
    /// Longer than CloudFront takes.
    #[error("the tag `{0}…` has {1} characters, shorten it to {MAX_TAG_CHARACTERS}")]
    TooLong(String, usize),
    /// A character that no tag can hold.
    #[error("the tag `{0}` holds {1:?}, use visible ASCII without spaces and commas")]
    Character(String, char),
    /// More tags than CloudFront stores.
    #[error("it holds {0} tags, CloudFront honours {MAX_TAGS}: remove some")]
    TooMany(usize),
}

impl CacheTag {
    /// Parses a tag without the sign that stands before it in an invalidation.
    ///
    /// # Errors
    /// [`CacheTagError`] names the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, CacheTagError> {
        let shown = || text.chars().take(100).collect::<String>().escape_default().to_string();
        if text.is_empty() {
            return Err(CacheTagError::Empty);
        }
        if let Some(c) = text.chars().find(|c| !c.is_ascii_graphic() || *c == ',') {
            return Err(CacheTagError::Character(shown(), c));
        }
        if text.len() > MAX_TAG_CHARACTERS {
            return Err(CacheTagError::TooLong(shown(), text.len()));
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
    /// [`CacheTagError`]: of such an object nobody knows which tags CloudFront stores.
    pub fn new(value: &str) -> Result<Self, CacheTagError> {
        // Whether a tag that is there twice counts twice is not said, so it does.
        match value.split(',').count() {
            count if count > MAX_TAGS => Err(CacheTagError::TooMany(count)),
            _ => value.split(',').map(|part| CacheTag::new(part.trim_matches(' '))).collect::<Result<_, _>>().map(Self),
        }
    }

    /// Every tag that a value may stand for, one that breaks the rules included.
    pub(super) fn possible(value: &str) -> impl Iterator<Item = CacheTag> {
        value.split(',').filter_map(|part| CacheTag::new(part.trim_matches(' ')).ok())
    }

    /// The tags, in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = &CacheTag> {
        self.0.iter()
    }
}

impl fmt::Display for CacheTag {
    /// As an item of an invalidation.
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

/// Whether an item of an invalidation, as CloudFront tells it, is a wildcard: a tag that ends in `*` is none.
#[must_use]
pub fn is_wildcard_item(item: &str) -> bool {
    item.ends_with('*') && !item.starts_with(SIGN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cloudfront_would_not_honour_is_refused() {
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
    fn the_fifty_first_tag_is_one_too_many() {
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
    fn a_stored_tag_is_checked_when_it_is_read() {
        assert_eq!(serde_json::from_str::<CacheTag>("\"News\"").unwrap(), CacheTag::new("news").unwrap());
        assert!(serde_json::from_str::<CacheTag>("\"a,b\"").is_err());
    }
}
