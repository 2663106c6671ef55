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
pub struct Tag(String);

/// The tags of one object: what CloudFront is sure to store with its copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(BTreeSet<Tag>);

/// Why CloudFront would not honour a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
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

impl Tag {
    /// Parses a tag without the sign that stands before it in an invalidation.
    ///
    /// # Errors
    /// [`TagError`] names the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, TagError> {
        let shown = || text.chars().take(100).collect::<String>().escape_default().to_string();
        if text.is_empty() {
            return Err(TagError::Empty);
        }
        if let Some(c) = text.chars().find(|c| !c.is_ascii_graphic() || *c == ',') {
            return Err(TagError::Character(shown(), c));
        }
        if text.len() > MAX_TAG_CHARACTERS {
            return Err(TagError::TooLong(shown(), text.len()));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Tags {
    /// Parses the value of the header.
    ///
    /// # Errors
    /// [`TagError`]: of such an object nobody knows which tags CloudFront stores.
    pub fn new(value: &str) -> Result<Self, TagError> {
        // Whether a tag that is there twice counts twice is not said, so it does.
        match value.split(',').count() {
            count if count > MAX_TAGS => Err(TagError::TooMany(count)),
            _ => value.split(',').map(|part| Tag::new(part.trim_matches(' '))).collect::<Result<_, _>>().map(Self),
        }
    }

    /// Every tag that a value may stand for, one that breaks the rules included.
    pub(super) fn possible(value: &str) -> impl Iterator<Item = Tag> {
        value.split(',').filter_map(|part| Tag::new(part.trim_matches(' ')).ok())
    }

    /// The tags, in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        self.0.iter()
    }
}

impl fmt::Display for Tag {
    /// As an item of an invalidation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SIGN}{}", self.0)
    }
}

impl TryFrom<String> for Tag {
    type Error = TagError;
    fn try_from(text: String) -> Result<Self, TagError> {
        Self::new(&text)
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
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
            assert!(Tag::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "product:electronics", "#", "*", "!~", "a*"] {
            assert_eq!(Tag::new(good).unwrap().as_str(), good);
        }
        assert!(Tag::new(&"a".repeat(256)).is_ok());
        assert!(matches!(Tag::new(&"a".repeat(257)), Err(TagError::TooLong(_, 257))));
        assert_eq!(Tag::new("Brand:ACME").unwrap(), Tag::new("brand:acme").unwrap());
        assert_eq!(Tag::new("News").unwrap().to_string(), "#news");
        assert!(is_wildcard_item("/a*") && !is_wildcard_item("#a*") && !is_wildcard_item("/a"));
    }

    #[test]
    fn the_fifty_first_tag_is_one_too_many() {
        let value = |count: usize| (0..count).map(|number| format!("t{number}")).collect::<Vec<_>>().join(", ");
        assert_eq!(Tags::new(&value(50)).unwrap().iter().count(), 50);
        assert_eq!(Tags::new(&value(51)), Err(TagError::TooMany(51)));
        for bad in ["a,,b", "a,", ",a", " ", "a b", "a, caf\u{e9}"] {
            assert!(Tags::new(bad).is_err(), "{bad:?}");
        }
        let tags = Tags::new("News,  sport ,news").unwrap();
        assert_eq!(tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["news", "sport"]);
        assert_eq!(Tags::possible("a b, News,,x").count(), 2);
    }

    #[test]
    fn a_stored_tag_is_checked_when_it_is_read() {
        assert_eq!(serde_json::from_str::<Tag>("\"News\"").unwrap(), Tag::new("news").unwrap());
        assert!(serde_json::from_str::<Tag>("\"a,b\"").is_err());
    }
}
