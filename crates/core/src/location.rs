//! Locations in S3 ([`Bucket`], [`Prefix`], [`Location`], [`ObjectLocation`]) and the sources of a publish.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::iam_name::policy_character;
use crate::key::{Key, KeyError, MAX_KEY_BYTES, StoredKey};
use crate::release::id::{ReleaseId, ReleaseIdError};
use crate::sanitize::sanitize_name;

/// A bucket name: 3 to 63 lower-case letters, digits, hyphens and dots.
/// Source: Amazon S3 user guide, "General purpose bucket naming rules".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bucket(String);

/// A prefix that is empty or ends in `/`, so that `docs` does not match `docs2/`.
///
/// Its segments follow the rules of [`Key`]. `*`, `?` and `$` are not allowed, since they are special in policy documents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(String);

/// A location: a prefix in a bucket, `s3://bucket/prefix/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Location {
    /// The bucket.
    pub bucket: Bucket,
    /// The prefix.
    pub prefix: Prefix,
}

/// The location of one object: `s3://bucket/key`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectLocation {
    /// The bucket.
    pub bucket: Bucket,
    /// The full key.
    pub key: Key,
}

/// The source of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// A local directory.
    Directory(PathBuf),
    /// A local zip file.
    Archive(PathBuf),
    /// A prefix in S3.
    Prefix(Location),
    /// A zip in S3.
    Object(ObjectLocation),
    /// An earlier release of the site, `release:r42`.
    Release(ReleaseId),
}

/// Why a text is not a location or source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Not a bucket name.
    #[error("invalid bucket name `{0}`; use 3 to 63 lower-case letters, digits, hyphens and dots")]
    Bucket(String),
    /// Does not start with `s3://`.
    #[error("invalid location `{0}`; use `s3://bucket/prefix/`")]
    Scheme(String),
    /// A character that is special in policies.
    #[error("invalid prefix `{0}`: `{1}` is a wildcard or variable in IAM policies; use another name")]
    PolicyCharacter(String, char),
    /// A configured object with a character that is special in policies.
    #[error("invalid object `{0}`: `{1}` is a wildcard or variable in IAM policies; use another name")]
    PolicyCharacterInKey(String, char),
    /// The segments are not valid.
    #[error("invalid prefix `{0}`: {1}")]
    Prefix(String, KeyError),
    /// No key fits below the prefix.
    #[error("prefix too long: `{0}`; shorten it so that keys fit below it")]
    PrefixTooLong(String),
    /// Not a valid key.
    #[error("invalid object location `{0}`: {1}")]
    Object(String, KeyError),
    /// Not a release.
    #[error(transparent)]
    Release(#[from] ReleaseIdError),
    /// An empty path.
    #[error("empty source; use a directory, a `.zip` file, `s3://bucket/prefix/` or `s3://bucket/name.zip`")]
    EmptySource,
}

impl Bucket {
    /// Parses a bucket name.
    ///
    /// # Errors
    /// [`LocationError::Bucket`].
    pub fn new(name: &str) -> Result<Self, LocationError> {
        let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let valid = (3..=63).contains(&name.len())
            && name.chars().all(|c| is_alphanumeric(c) || c == '-' || c == '.')
            && name.starts_with(is_alphanumeric)
            && name.ends_with(is_alphanumeric)
            && !name.contains("..");
        if valid { Ok(Self(name.to_owned())) } else { Err(LocationError::Bucket(sanitize_name(name))) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Prefix {
    /// Parses a prefix, and adds the final `/` if it is missing.
    ///
    /// # Errors
    /// [`LocationError`] if the segments do not follow the rules of [`Key`], or have characters that are special in policies.
    pub fn new(text: &str) -> Result<Self, LocationError> {
        let folder = text.strip_suffix('/').unwrap_or(text);
        if folder.is_empty() && !text.starts_with('/') {
            return Ok(Self::default());
        }
        let sanitized = || sanitize_name(text);
        Key::new(folder).map_err(|error| LocationError::Prefix(sanitized(), error))?;
        if let Some(c) = policy_character(folder) {
            return Err(LocationError::PolicyCharacter(sanitized(), c));
        }
        if folder.len() + 2 > MAX_KEY_BYTES {
            return Err(LocationError::PrefixTooLong(sanitized()));
        }
        Ok(Self(format!("{folder}/")))
    }

    /// The prefix: empty, or with a final `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full key of `key` below this prefix.
    #[must_use]
    pub fn join(&self, key: &str) -> String {
        format!("{}{key}", self.0)
    }

    /// The full key `key` relative to this prefix. `None` if it is not below the prefix, or is the prefix itself.
    #[must_use]
    pub fn relative(&self, key: &str) -> Option<StoredKey> {
        key.strip_prefix(self.0.as_str()).filter(|rest| !rest.is_empty()).map(StoredKey::new)
    }

    /// Whether `other` is within this prefix.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

impl Location {
    /// Whether the two share keys: one is within the other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.bucket == other.bucket && (self.prefix.contains(&other.prefix) || other.prefix.contains(&self.prefix))
    }
}

fn split(text: &str) -> Result<(Bucket, &str), LocationError> {
    let rest = text.strip_prefix("s3://").ok_or_else(|| LocationError::Scheme(sanitize_name(text)))?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((Bucket::new(bucket)?, key))
}

impl ObjectLocation {
    /// Checks that the key means itself in an IAM policy. Objects of a configuration must; uploaded builds need not, since
    /// policies name only their prefix.
    ///
    /// # Errors
    /// [`LocationError::PolicyCharacterInKey`].
    pub fn check_for_policies(&self) -> Result<(), LocationError> {
        match policy_character(self.key.as_str()) {
            Some(c) => Err(LocationError::PolicyCharacterInKey(sanitize_name(&self.to_string()), c)),
            None => Ok(()),
        }
    }
}

impl FromStr for Location {
    type Err = LocationError;
    fn from_str(text: &str) -> Result<Self, LocationError> {
        let (bucket, prefix) = split(text)?;
        Ok(Self { bucket, prefix: Prefix::new(prefix)? })
    }
}

impl FromStr for ObjectLocation {
    type Err = LocationError;
    fn from_str(text: &str) -> Result<Self, LocationError> {
        let (bucket, key) = split(text)?;
        let key = Key::new(key).map_err(|error| LocationError::Object(sanitize_name(text), error))?;
        Ok(Self { bucket, key })
    }
}

impl FromStr for Source {
    type Err = LocationError;

    /// `release:r42` is an earlier release, `s3://…` a prefix or a zip, and everything else a local path. A zip ends in
    /// `.zip`.
    fn from_str(text: &str) -> Result<Self, LocationError> {
        if let Some(id) = text.strip_prefix("release:") {
            return Ok(Self::Release(id.parse()?));
        }
        let zip = text.len() > 4 && text.to_ascii_lowercase().ends_with(".zip");
        match (text.starts_with("s3://"), zip) {
            _ if text.is_empty() => Err(LocationError::EmptySource),
            (true, true) => text.parse().map(Self::Object),
            (true, false) => text.parse().map(Self::Prefix),
            (false, true) => Ok(Self::Archive(PathBuf::from(text))),
            (false, false) => Ok(Self::Directory(PathBuf::from(text))),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl fmt::Display for ObjectLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl Source {
    /// Whether it is on the machine that reads it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Directory(_) | Self::Archive(_))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) | Self::Archive(path) => write!(f, "{}", path.display()),
            Self::Prefix(location) => location.fmt(f),
            Self::Object(object) => object.fmt(f),
            Self::Release(id) => write!(f, "release:{id}"),
        }
    }
}

macro_rules! from_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = LocationError;
            fn try_from(text: String) -> Result<Self, LocationError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

from_text!(Bucket, Prefix, Location, ObjectLocation, Source);

impl FromStr for Bucket {
    type Err = LocationError;
    fn from_str(text: &str) -> Result<Self, LocationError> {
        Self::new(text)
    }
}

impl FromStr for Prefix {
    type Err = LocationError;
    fn from_str(text: &str) -> Result<Self, LocationError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_does_not_match_siblings() {
        let docs = Prefix::new("docs").unwrap();
        assert_eq!(docs.as_str(), "docs/");
        assert_eq!(docs.relative("docs2/x"), None);
        assert_eq!(docs.relative("docs/"), None);
        assert_eq!(docs.relative("docs/x"), Some(StoredKey::new("x")));
        assert!(!docs.contains(&Prefix::new("docs2/").unwrap()));
        for bad in ["/", "/docs", "a//b", "../x", "a/*/b", "a?", "${x}", "a\nb"] {
            assert!(Prefix::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn parses_locations() {
        let location: Location = "s3://docs.acme.com/v1".parse().unwrap();
        assert_eq!(location.to_string(), "s3://docs.acme.com/v1/");
        assert_eq!("s3://bucket".parse::<Location>().unwrap().prefix, Prefix::default());
        for bad in ["bucket/x", "s3://B/x", "s3:///x", "s3://a", "http://x.com/"] {
            assert!(bad.parse::<Location>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn distinguishes_sources() {
        assert!(matches!("s3://bucket/x/site.ZIP".parse(), Ok(Source::Object(_))));
        assert!(matches!("s3://bucket/x".parse(), Ok(Source::Prefix(_))));
        assert!(matches!("out/site.zip".parse(), Ok(Source::Archive(_))));
        assert!(matches!("public".parse(), Ok(Source::Directory(_))));
        assert!("".parse::<Source>().is_err());
    }

    #[test]
    fn overlap_is_symmetric() {
        let location = |text: &str| text.parse::<Location>().unwrap();
        assert!(location("s3://bucket").overlaps(&location("s3://bucket/x")));
        assert!(location("s3://bucket/x").overlaps(&location("s3://bucket")));
        assert!(!location("s3://bucket/x").overlaps(&location("s3://bucket/xy")));
        assert!(!location("s3://bucket-a").overlaps(&location("s3://bucket-b")));
    }
}
