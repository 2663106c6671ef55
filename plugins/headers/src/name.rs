//! Names and values of headers that storage keeps with an object.
//!
//! Owns which headers these are, and what a value may hold. What else a site wants to send is the CDN's to add.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The headers that S3 keeps as such.
const STORED: [&str; 6] =
    ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"];

/// What S3 puts before the names of user metadata.
const METADATA: &str = "x-amz-meta-";

/// Metadata that Tidegate keeps its own notes in.
const RESERVED: &str = "x-amz-meta-tidegate-";

/// The longest value, in bytes, that hosts take.
const LONGEST_VALUE: usize = 2_048;

/// Why a text is no name, or no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingHeaderError {
    /// Storage has no place for it.
    NotStored(String),
    /// Tidegate's own.
    Reserved(String),
    /// Not a name at all.
    NoName(String),
}

impl fmt::Display for SettingHeaderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStored(name) => write!(
                formatter,
                "header `{name}` cannot be stored with an object; set it in a response headers policy of CloudFront"
            ),
            Self::Reserved(name) => write!(formatter, "`{name}` is reserved for Tidegate; use another name"),
            Self::NoName(name) => write!(formatter, "`{name}` is not a header's name; use letters, digits and hyphens"),
        }
    }
}

/// The name of a header that S3 keeps with an object, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct SettingHeader(String);

impl SettingHeader {
    /// Reads a name in any case.
    ///
    /// # Errors
    ///
    /// What is no name, and what S3 does not keep.
    pub fn parse(text: &str) -> Result<Self, SettingHeaderError> {
        let name = text.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(SettingHeaderError::NoName(text.to_owned()));
        }
        if name.starts_with(RESERVED) {
            return Err(SettingHeaderError::Reserved(text.to_owned()));
        }
        let metadata = name.strip_prefix(METADATA).is_some_and(|rest| !rest.is_empty());
        if metadata || STORED.contains(&name.as_str()) {
            Ok(Self(name))
        } else {
            Err(SettingHeaderError::NotStored(text.to_owned()))
        }
    }

    pub(crate) fn cache_control() -> Self {
        Self("cache-control".to_owned())
    }

    pub(crate) fn is_metadata(&self) -> bool {
        self.0.starts_with(METADATA)
    }

    /// The name in the contract, which is without the prefix of metadata.
    pub(crate) fn stored(&self) -> &str {
        self.0.strip_prefix(METADATA).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for SettingHeader {
    type Error = SettingHeaderError;

    fn try_from(text: String) -> Result<Self, SettingHeaderError> {
        Self::parse(&text)
    }
}

impl From<SettingHeader> for String {
    fn from(name: SettingHeader) -> Self {
        name.0
    }
}

impl fmt::Display for SettingHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether a value is what every server and client passes on: printable ASCII without spaces at either end.
pub(crate) fn is_value(text: &str) -> bool {
    (1..=LONGEST_VALUE).contains(&text.len())
        && text.trim() == text
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::{SettingHeader, SettingHeaderError, is_value};

    #[test]
    fn stored_headers_and_metadata_are_names() {
        assert_eq!(SettingHeader::parse("Cache-Control").unwrap().stored(), "cache-control");
        let metadata = SettingHeader::parse("X-Amz-Meta-Cache-Tag").unwrap();
        assert_eq!((metadata.stored(), metadata.is_metadata()), ("cache-tag", true));
        assert_eq!(
            SettingHeader::parse("X-Frame-Options"),
            Err(SettingHeaderError::NotStored("X-Frame-Options".to_owned()))
        );
        assert_eq!(SettingHeader::parse("x-amz-meta-"), Err(SettingHeaderError::NotStored("x-amz-meta-".to_owned())));
        assert_eq!(
            SettingHeader::parse("X-Amz-Meta-Tidegate-Id"),
            Err(SettingHeaderError::Reserved("X-Amz-Meta-Tidegate-Id".to_owned()))
        );
        for text in ["", "a b", "a:b", "é", "a\n"] {
            assert_eq!(SettingHeader::parse(text), Err(SettingHeaderError::NoName(text.to_owned())));
        }
    }

    #[test]
    fn values_hold_nothing_that_splits_a_message() {
        assert!(is_value("public, max-age=1"));
        for text in ["", " a", "a ", "a\r\nb: c", "é", "\u{1b}[0m"] {
            assert!(!is_value(text), "{text:?}");
        }
    }
}
