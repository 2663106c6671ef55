//! Response headers and user metadata that S3 keeps with an object.
//!
//! Owns which headers there are and what their values may hold. Never decides a value: plugins do.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most user metadata on one object, names and values together, in bytes.
/// Source: Amazon S3 user guide, "User-defined object metadata".
pub const MAX_METADATA_BYTES: usize = 2048;

/// Longest value of one header, in bytes. S3 bounds all request headers together at 8 KiB.
pub const MAX_HEADER_BYTES: usize = 2048;

/// Metadata names that Tidegate itself writes; plugins cannot set them.
pub const RESERVED_METADATA: &str = "tidegate-";

/// A response header that S3 stores with an object and returns to visitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectHeader {
    /// `cache-control`
    CacheControl,
    /// `content-disposition`
    ContentDisposition,
    /// `content-encoding`
    ContentEncoding,
    /// `content-language`
    ContentLanguage,
    /// `content-type`
    ContentType,
    /// `expires`
    Expires,
}

impl ObjectHeader {
    /// Every name, sorted.
    pub const ALL: [Self; 6] = [
        Self::CacheControl,
        Self::ContentDisposition,
        Self::ContentEncoding,
        Self::ContentLanguage,
        Self::ContentType,
        Self::Expires,
    ];

    /// The name in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CacheControl => "cache-control",
            Self::ContentDisposition => "content-disposition",
            Self::ContentEncoding => "content-encoding",
            Self::ContentLanguage => "content-language",
            Self::ContentType => "content-type",
            Self::Expires => "expires",
        }
    }

    /// Reads a name in any case.
    ///
    /// # Errors
    /// [`ObjectHeaderError::Unknown`].
    pub fn parse(name: &str) -> Result<Self, ObjectHeaderError> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| ObjectHeaderError::Unknown(name.escape_default().to_string()))
    }
}

/// The headers and user metadata of one object. Values are visible ASCII and spaces, so they cannot inject a header.
///
/// Cheap to clone, and eight bytes of its own: most objects of a site have the headers of many others, and share them
/// (see [`HeaderPool`]) until one is set anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ObjectHeaders(
    /// Nothing where no header is set: what is empty has one form only, so equality of values is that of headers.
    Option<Arc<HeaderValues>>,
);

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename = "Headers", deny_unknown_fields)]
struct HeaderValues {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    system: BTreeMap<ObjectHeader, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

static NONE: HeaderValues = HeaderValues { system: BTreeMap::new(), metadata: BTreeMap::new() };

/// Headers that were seen: equal ones are kept in memory once.
#[derive(Debug, Default)]
pub struct HeaderPool(HashSet<ObjectHeaders>);

impl HeaderPool {
    /// The same headers, in the memory of those that were equal to them before.
    pub fn share(&mut self, headers: &mut ObjectHeaders) {
        match self.0.get(headers) {
            Some(known) => *headers = known.clone(),
            None => {
                self.0.insert(headers.clone());
            }
        }
    }
}

/// Why a header or metadata entry is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectHeaderError {
    /// S3 does not store it.
    #[error("S3 does not keep the header `{0}` with an object, use one of {known} or metadata", known = known())]
    Unknown(String),
    /// The value holds something else than visible ASCII and spaces, or is empty.
    #[error("the value of `{0}` must be visible ASCII and spaces, not {1:?}")]
    Value(String, String),
    /// Longer than [`MAX_HEADER_BYTES`].
    #[error("the value of `{0}` has {1} bytes, shorten it to {MAX_HEADER_BYTES}")]
    TooLong(String, usize),
    /// A metadata name that is not a header's token.
    #[error("`{0}` is not a metadata name, use lower-case letters, digits, `-`, `_` and `.`")]
    MetadataName(String),
    /// A metadata name that Tidegate keeps for itself.
    #[error("the metadata name `{0}` is reserved, names that start with `{RESERVED_METADATA}` are Tidegate's own")]
    Reserved(String),
    /// More metadata than S3 keeps.
    #[error("the metadata has {0} bytes in all, S3 keeps {MAX_METADATA_BYTES}")]
    TooMuchMetadata(usize),
}

fn known() -> String {
    ObjectHeader::ALL.map(|name| format!("`{}`", name.as_str())).join(", ")
}

fn check_value(name: &str, value: &str) -> Result<(), ObjectHeaderError> {
    if value.len() > MAX_HEADER_BYTES {
        return Err(ObjectHeaderError::TooLong(name.to_owned(), value.len()));
    }
    let fine = !value.is_empty()
        && value.bytes().all(|b| (0x20..0x7f).contains(&b))
        && !value.starts_with(' ')
        && !value.ends_with(' ');
    if fine { Ok(()) } else { Err(ObjectHeaderError::Value(name.to_owned(), value.chars().take(100).collect())) }
}

impl ObjectHeaders {
    fn values(&self) -> &HeaderValues {
        self.0.as_deref().unwrap_or(&NONE)
    }

    fn of(values: HeaderValues) -> Self {
        Self((values != NONE).then(|| Arc::new(values)))
    }

    /// Changes the values, apart from whoever shares them.
    fn edit(&mut self, change: impl FnOnce(&mut HeaderValues)) {
        let mut values = self.0.take().unwrap_or_default();
        change(Arc::make_mut(&mut values));
        self.0 = Some(values).filter(|values| **values != NONE);
    }

    /// Sets a header.
    ///
    /// # Errors
    /// [`ObjectHeaderError`] for a value that is empty, too long, or not visible ASCII.
    pub fn set(&mut self, name: ObjectHeader, value: &str) -> Result<(), ObjectHeaderError> {
        check_value(name.as_str(), value)?;
        self.edit(|values| drop(values.system.insert(name, value.to_owned())));
        Ok(())
    }

    /// Removes a header; nothing happens where it is not set.
    pub fn remove(&mut self, name: ObjectHeader) {
        if self.get(name).is_some() {
            self.edit(|values| drop(values.system.remove(&name)));
        }
    }

    /// The value of a header.
    #[must_use]
    pub fn get(&self, name: ObjectHeader) -> Option<&str> {
        self.values().system.get(&name).map(String::as_str)
    }

    /// Headers in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (ObjectHeader, &str)> {
        self.values().system.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Sets user metadata. The name comes without `x-amz-meta-` and is kept in lower case.
    ///
    /// # Errors
    /// [`ObjectHeaderError`] for names and values that S3 would not keep as they are, for reserved names, and when the total
    /// passes [`MAX_METADATA_BYTES`]; the metadata is then as before.
    pub fn set_metadata(&mut self, name: &str, value: &str) -> Result<(), ObjectHeaderError> {
        if name.to_ascii_lowercase().starts_with(RESERVED_METADATA) {
            return Err(ObjectHeaderError::Reserved(name.escape_default().to_string()));
        }
        self.insert_metadata(name, value)
    }

    fn insert_metadata(&mut self, name: &str, value: &str) -> Result<(), ObjectHeaderError> {
        let lower = name.to_ascii_lowercase();
        let token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        if lower.is_empty() || !lower.bytes().all(token) {
            return Err(ObjectHeaderError::MetadataName(name.escape_default().to_string()));
        }
        check_value(&lower, value)?;
        let others: usize = self.metadata().filter(|(n, _)| *n != lower).map(|(n, v)| n.len() + v.len()).sum();
        let total = others + lower.len() + value.len();
        if total > MAX_METADATA_BYTES {
            return Err(ObjectHeaderError::TooMuchMetadata(total));
        }
        self.edit(|values| drop(values.metadata.insert(lower, value.to_owned())));
        Ok(())
    }

    /// Removes user metadata; nothing happens where it is not set.
    pub fn remove_metadata(&mut self, name: &str) {
        let lower = name.to_ascii_lowercase();
        if self.values().metadata.contains_key(&lower) {
            self.edit(|values| drop(values.metadata.remove(&lower)));
        }
    }

    /// User metadata in the order of its names.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values().metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What a bucket answered: unlike [`ObjectHeaders::set`], it takes whatever is there, for comparison and display only.
    #[must_use]
    pub fn observed(
        system: impl IntoIterator<Item = (ObjectHeader, String)>,
        metadata: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self::of(HeaderValues {
            system: system.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
            metadata: metadata
                .into_iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .filter(|(name, _)| !name.starts_with(RESERVED_METADATA))
                .collect(),
        })
    }

    /// What differs between what a site has (`self`) and what it should have: `(name, has, should have)`.
    #[must_use]
    pub fn differences<'a>(&'a self, desired: &'a Self) -> Vec<(String, Option<&'a str>, Option<&'a str>)> {
        let mut found = Vec::new();
        if self == desired {
            return found;
        }
        for name in ObjectHeader::ALL {
            let (has, wants) = (self.get(name), desired.get(name));
            // S3 answers its own default for an object that was put without a type.
            let same = has == wants
                || (name == ObjectHeader::ContentType
                    && wants.is_none()
                    && matches!(has, Some("binary/octet-stream" | "application/octet-stream")));
            if !same {
                found.push((name.as_str().to_owned(), has, wants));
            }
        }
        let (mine, theirs) = (&self.values().metadata, &desired.values().metadata);
        let names: BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
        for name in names {
            let (has, wants) = (mine.get(name), theirs.get(name));
            if has != wants {
                found.push((format!("x-amz-meta-{name}"), has.map(String::as_str), wants.map(String::as_str)));
            }
        }
        found
    }
}

impl Serialize for ObjectHeaders {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.values().serialize(to)
    }
}

impl<'de> Deserialize<'de> for ObjectHeaders {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        HeaderValues::deserialize(from).map(Self::of)
    }
}

impl fmt::Display for ObjectHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_inject_a_header() {
        let mut headers = ObjectHeaders::default();
        for bad in ["", "a\r\nx: y", "a\nb", " a", "a ", "é", "a\u{0}b", &"x".repeat(MAX_HEADER_BYTES + 1)] {
            assert!(headers.set(ObjectHeader::CacheControl, bad).is_err(), "{bad:?}");
            assert!(headers.set_metadata("x", bad).is_err(), "{bad:?}");
        }
        assert_eq!(headers, ObjectHeaders::default());
    }

    #[test]
    fn metadata_is_bounded_in_all() {
        let mut headers = ObjectHeaders::default();
        headers.set_metadata("A", &"x".repeat(2000)).unwrap();
        assert!(headers.set_metadata("b", &"x".repeat(47)).is_err());
        headers.set_metadata("b", &"x".repeat(46)).unwrap();
        headers.set_metadata("a", "short").unwrap();
        assert_eq!(headers.metadata().next(), Some(("a", "short")));
        assert!(matches!(headers.set_metadata("Tidegate-sha256", "x"), Err(ObjectHeaderError::Reserved(_))));
    }

    #[test]
    fn what_is_shared_is_changed_for_one_alone() {
        let (mut shared, mut one, mut other) =
            (HeaderPool::default(), ObjectHeaders::default(), ObjectHeaders::default());
        for headers in [&mut one, &mut other] {
            headers.set(ObjectHeader::CacheControl, "no-cache").unwrap();
            shared.share(headers);
        }
        let memory = |headers: &ObjectHeaders| headers.0.as_ref().map(Arc::as_ptr);
        assert_eq!(memory(&one), memory(&other));
        other.set(ObjectHeader::CacheControl, "no-store").unwrap();
        assert_eq!(
            (one.get(ObjectHeader::CacheControl), other.get(ObjectHeader::CacheControl)),
            (Some("no-cache"), Some("no-store"))
        );
    }

    #[test]
    fn what_became_empty_equals_what_always_was() {
        let mut headers = ObjectHeaders::default();
        headers.set(ObjectHeader::Expires, "0").unwrap();
        headers.set_metadata("a", "b").unwrap();
        headers.remove(ObjectHeader::Expires);
        headers.remove_metadata("A");
        assert_eq!(headers, ObjectHeaders::default());
        assert_eq!(serde_json::to_string(&headers).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<ObjectHeaders>("{}").unwrap(), headers);
        assert!(serde_json::from_str::<ObjectHeaders>(r#"{"other": {}}"#).is_err());
    }

    #[test]
    fn the_default_type_of_s3_is_no_difference() {
        let has = ObjectHeaders::observed([(ObjectHeader::ContentType, "binary/octet-stream".to_owned())], []);
        assert!(has.differences(&ObjectHeaders::default()).is_empty());
        let mut wants = ObjectHeaders::default();
        wants.set(ObjectHeader::ContentType, "text/html; charset=utf-8").unwrap();
        assert_eq!(has.differences(&wants).len(), 1);
    }
}
