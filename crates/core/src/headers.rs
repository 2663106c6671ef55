//! Response headers and user metadata that S3 stores with an object.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sanitize::sanitize_name;

/// Most user metadata of one object, names and values together, in bytes.
/// Source: Amazon S3 user guide, "User-defined object metadata".
pub const MAX_METADATA_BYTES: usize = 2048;

/// Longest value of one header, in bytes. S3 limits all request headers together to 8 KiB.
pub const MAX_HEADER_BYTES: usize = 2048;

/// Prefix of metadata names that are reserved for Tidegate. Plugins cannot set them.
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

    /// Parses a name. Ignores case.
    ///
    /// # Errors
    /// [`ObjectHeaderError::Unknown`].
    pub fn parse(name: &str) -> Result<Self, ObjectHeaderError> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| ObjectHeaderError::Unknown(sanitize_name(name)))
    }
}

/// The headers and user metadata of one object. Values are visible ASCII and spaces, so they cannot inject a header.
///
/// Cheap to clone, and the size of a pointer: most objects of a site have the same headers as many others and share them
/// (see [`HeaderPool`]) until they are changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ObjectHeaders(
    /// `None` if no header is set, never empty values, so that equal headers compare equal.
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

/// A difference between current and desired headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHeaderChange<'a> {
    /// The name of the header in lower case, with `x-amz-meta-` for metadata.
    pub name: String,
    /// The current value.
    pub current: Option<&'a str>,
    /// The desired value.
    pub desired: Option<&'a str>,
}

static NONE: HeaderValues = HeaderValues { system: BTreeMap::new(), metadata: BTreeMap::new() };

/// Shares the memory of equal headers.
#[derive(Debug, Default)]
pub struct HeaderPool {
    known: HashSet<ObjectHeaders>,
    /// The addresses of those.
    addresses: HashSet<usize>,
}

impl HeaderPool {
    /// Replaces headers with equal ones from the pool, or adds them to it.
    pub fn share(&mut self, headers: &mut ObjectHeaders) {
        if self.addresses.contains(&headers.address()) {
            return;
        }
        match self.known.get(headers) {
            Some(known) => *headers = known.clone(),
            None => {
                self.addresses.insert(headers.address());
                self.known.insert(headers.clone());
            }
        }
    }
}

/// Why a header or metadata entry is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectHeaderError {
    /// S3 does not store it.
    #[error("S3 does not store the header `{0}`; use metadata or one of {known}", known = known())]
    Unknown(String),
    /// The value is empty or contains other characters than visible ASCII and spaces.
    #[error("invalid value of `{0}`: {1:?}; use visible ASCII and spaces")]
    Value(String, String),
    /// Longer than [`MAX_HEADER_BYTES`].
    #[error("value of `{0}` too long: {1} bytes; use at most {MAX_HEADER_BYTES}")]
    TooLong(String, usize),
    /// Not a token of HTTP headers.
    #[error("invalid metadata name `{0}`; use lower-case letters, digits, `-`, `_` and `.`")]
    MetadataName(String),
    /// Reserved for Tidegate.
    #[error("reserved metadata name `{0}`: the prefix `{RESERVED_METADATA}` is Tidegate's; use another name")]
    Reserved(String),
    /// More metadata than S3 stores.
    #[error("too much metadata: {0} bytes; use at most {MAX_METADATA_BYTES}")]
    TooMuchMetadata(usize),
}

fn known() -> String {
    ObjectHeader::ALL.map(|name| format!("`{}`", name.as_str())).join(", ")
}

fn check_value(name: &str, value: &str) -> Result<(), ObjectHeaderError> {
    if value.len() > MAX_HEADER_BYTES {
        return Err(ObjectHeaderError::TooLong(name.to_owned(), value.len()));
    }
    let valid = !value.is_empty()
        && value.bytes().all(|b| (0x20..0x7f).contains(&b))
        && !value.starts_with(' ')
        && !value.ends_with(' ');
    if valid { Ok(()) } else { Err(ObjectHeaderError::Value(name.to_owned(), value.chars().take(100).collect())) }
}

impl ObjectHeaders {
    fn values(&self) -> &HeaderValues {
        self.0.as_deref().unwrap_or(&NONE)
    }

    fn from_values(values: HeaderValues) -> Self {
        Self((values != NONE).then(|| Arc::new(values)))
    }

    /// Changes the values, but not those of headers that share their memory.
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

    /// Removes a header, if it is set.
    pub fn remove(&mut self, name: ObjectHeader) {
        if self.get(name).is_some() {
            self.edit(|values| drop(values.system.remove(&name)));
        }
    }

    /// The address of the memory that equal headers may share; 0 without headers. As long as a clone is kept, no other
    /// headers have it.
    #[must_use]
    pub fn address(&self) -> usize {
        self.0.as_ref().map_or(0, |values| Arc::as_ptr(values).addr())
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

    /// Sets user metadata. The name is without `x-amz-meta-` and is stored in lower case.
    ///
    /// # Errors
    /// [`ObjectHeaderError`] for names and values that S3 would change, for reserved names, and if the total exceeds
    /// [`MAX_METADATA_BYTES`]. The metadata is then unchanged.
    pub fn set_metadata(&mut self, name: &str, value: &str) -> Result<(), ObjectHeaderError> {
        if name.to_ascii_lowercase().starts_with(RESERVED_METADATA) {
            return Err(ObjectHeaderError::Reserved(sanitize_name(name)));
        }
        self.insert_metadata(name, value)
    }

    fn insert_metadata(&mut self, name: &str, value: &str) -> Result<(), ObjectHeaderError> {
        let lower = name.to_ascii_lowercase();
        let token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        if lower.is_empty() || !lower.bytes().all(token) {
            return Err(ObjectHeaderError::MetadataName(sanitize_name(name)));
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

    /// Removes user metadata, if it is set.
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

    /// Headers from a response of S3, for comparison and display. Unlike [`ObjectHeaders::set`], accepts every value.
    #[must_use]
    pub fn observed(
        system: impl IntoIterator<Item = (ObjectHeader, String)>,
        metadata: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self::from_values(HeaderValues {
            system: system.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
            metadata: metadata
                .into_iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .filter(|(name, _)| !name.starts_with(RESERVED_METADATA))
                .collect(),
        })
    }

    /// The differences between current headers (`self`) and desired ones.
    #[must_use]
    pub fn differences<'a>(&'a self, desired: &'a Self) -> Vec<ObjectHeaderChange<'a>> {
        let mut changes = Vec::new();
        if self == desired {
            return changes;
        }
        for name in ObjectHeader::ALL {
            let change = ObjectHeaderChange {
                name: name.as_str().to_owned(),
                current: self.get(name),
                desired: desired.get(name),
            };
            // S3 returns its default for an object that was written without a content type.
            let is_default = name == ObjectHeader::ContentType
                && change.desired.is_none()
                && matches!(change.current, Some("binary/octet-stream" | "application/octet-stream"));
            if change.current != change.desired && !is_default {
                changes.push(change);
            }
        }
        let (current, desired) = (&self.values().metadata, &desired.values().metadata);
        let names: BTreeSet<&String> = current.keys().chain(desired.keys()).collect();
        for name in names {
            let (current, desired) = (current.get(name).map(String::as_str), desired.get(name).map(String::as_str));
            if current != desired {
                changes.push(ObjectHeaderChange { name: format!("x-amz-meta-{name}"), current, desired });
            }
        }
        changes
    }
}

impl Serialize for ObjectHeaders {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.values().serialize(to)
    }
}

impl<'de> Deserialize<'de> for ObjectHeaders {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        HeaderValues::deserialize(from).map(Self::from_values)
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
    fn metadata_has_a_total_limit() {
        let mut headers = ObjectHeaders::default();
        headers.set_metadata("A", &"x".repeat(2000)).unwrap();
        assert!(headers.set_metadata("b", &"x".repeat(47)).is_err());
        headers.set_metadata("b", &"x".repeat(46)).unwrap();
        headers.set_metadata("a", "short").unwrap();
        assert_eq!(headers.metadata().next(), Some(("a", "short")));
        assert!(matches!(headers.set_metadata("Tidegate-sha256", "x"), Err(ObjectHeaderError::Reserved(_))));
    }

    #[test]
    fn a_change_does_not_affect_shared_headers() {
        let (mut pool, mut one, mut other) =
            (HeaderPool::default(), ObjectHeaders::default(), ObjectHeaders::default());
        for headers in [&mut one, &mut other] {
            headers.set(ObjectHeader::CacheControl, "no-cache").unwrap();
            pool.share(headers);
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
    fn emptied_headers_equal_empty_ones() {
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
    fn ignores_the_default_content_type_of_s3() {
        let current = ObjectHeaders::observed([(ObjectHeader::ContentType, "binary/octet-stream".to_owned())], []);
        assert!(current.differences(&ObjectHeaders::default()).is_empty());
        let mut desired = ObjectHeaders::default();
        desired.set(ObjectHeader::ContentType, "text/html; charset=utf-8").unwrap();
        assert_eq!(current.differences(&desired).len(), 1);
    }
}
