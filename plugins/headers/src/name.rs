//! Names and values of the headers that S3 stores with an object.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Response headers that S3 stores.
const STORED: [&str; 6] =
    ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"];

/// The prefix of user metadata.
const METADATA: &str = "x-amz-meta-";

/// The prefix of metadata that Tidegate uses itself.
const RESERVED: &str = "x-amz-meta-tidegate-";

/// Limit of a value, in bytes.
const MAX_VALUE_BYTES: usize = 2_048;

/// An invalid header name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingHeaderError {
    /// S3 does not store this header.
    NotStored(String),
    /// Tidegate uses it itself.
    Reserved(String),
    /// It is not the name of a header.
    InvalidName(String),
}

impl fmt::Display for SettingHeaderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStored(name) => {
                write!(formatter, "S3 cannot store header `{name}`; set it in a CloudFront response headers policy")
            }
            Self::Reserved(name) => write!(formatter, "`{name}` is reserved for Tidegate; use another name"),
            Self::InvalidName(name) => {
                write!(formatter, "invalid header name `{name}`; use letters, digits, `-` and `_`")
            }
        }
    }
}

/// The name of a header that S3 stores, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct SettingHeader(String);

impl SettingHeader {
    /// Parses a name in any case.
    ///
    /// # Errors
    ///
    /// The name is invalid or reserved, or S3 does not store the header.
    pub fn parse(text: &str) -> Result<Self, SettingHeaderError> {
        let name = text.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(SettingHeaderError::InvalidName(text.to_owned()));
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

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether several values are joined by commas.
    pub(crate) fn is_list(&self) -> bool {
        self.0 == "cache-control" || self.is_metadata()
    }

    pub(crate) fn is_metadata(&self) -> bool {
        self.0.starts_with(METADATA)
    }

    /// The name in the contract: without the prefix of metadata.
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

/// Whether a value is one that every server and client accepts: printable ASCII without leading or trailing spaces.
pub(crate) fn is_value(text: &str) -> bool {
    (1..=MAX_VALUE_BYTES).contains(&text.len())
        && text.trim() == text
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::{SettingHeader, SettingHeaderError, is_value};

    #[test]
    fn parses_stored_headers_and_metadata() {
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
            assert_eq!(SettingHeader::parse(text), Err(SettingHeaderError::InvalidName(text.to_owned())));
        }
    }

    #[test]
    fn values_cannot_split_a_message() {
        assert!(is_value("public, max-age=1"));
        for text in ["", " a", "a ", "a\r\nb: c", "é", "\u{1b}[0m"] {
            assert!(!is_value(text), "{text:?}");
        }
    }
}
