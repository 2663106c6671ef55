//! Places in S3: [`Bucket`], [`Prefix`], [`Location`] (`s3://bucket/prefix/`) and the sources of a publish.
//!
//! Owns their grammar. Never asks a bucket anything.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::key::{Key, KeyError, MAX_KEY_BYTES, StoredKey};
use crate::release::id::{ReleaseId, ReleaseIdError};

/// A bucket's name: 3 to 63 lower-case letters, digits, hyphens and dots.
/// Source: Amazon S3 user guide, "General purpose bucket naming rules".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bucket(String);

/// A prefix that ends in `/`, or the empty one, so that `docs` never touches `docs2/`.
///
/// Its segments obey the rules of [`Key`]; `*`, `?` and `$` are refused, since they mean something in a policy document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(String);

/// A prefix in a bucket: `s3://bucket/prefix/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Location {
    /// The bucket.
    pub bucket: Bucket,
    /// The prefix in it.
    pub prefix: Prefix,
}

/// One object: `s3://bucket/key`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectLocation {
    /// The bucket.
    pub bucket: Bucket,
    /// The whole key in it.
    pub key: Key,
}

/// Where an artifact is read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A zip file of this machine.
    Archive(PathBuf),
    /// A staged prefix.
    Prefix(Location),
    /// A staged zip.
    Object(ObjectLocation),
    /// An earlier release of the site, `release:r42`.
    Release(ReleaseId),
}

/// Why a text is not a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Not a bucket's name.
    #[error("`{0}` is not a bucket's name, use 3 to 63 lower-case letters, digits, hyphens and dots")]
    Bucket(String),
    /// Does not start with `s3://`.
    #[error("`{0}` is not a place in S3, write `s3://bucket/prefix/`")]
    Scheme(String),
    /// A character that policies give a meaning.
    #[error("the prefix `{0}` holds `{1}`, which is a wildcard or a variable in a policy, choose another name")]
    PolicyCharacter(String, char),
    /// A prefix that is not made of keys' segments.
    #[error("the prefix `{0}` cannot be used: {1}")]
    Prefix(String, KeyError),
    /// The prefix leaves no room for a key.
    #[error("the prefix `{0}` is too long, shorten it to leave room for keys")]
    PrefixTooLong(String),
    /// A zip's key that is not a key.
    #[error("`{0}` does not name an object: {1}")]
    Object(String, KeyError),
    /// Not a release.
    #[error(transparent)]
    Release(#[from] ReleaseIdError),
    /// An empty path.
    #[error("a source is empty, name a directory, a `.zip` file, `s3://bucket/prefix/` or `s3://bucket/name.zip`")]
    EmptySource,
}

impl Bucket {
    /// Parses a bucket's name.
    ///
    /// # Errors
    /// [`LocationError::Bucket`].
    pub fn new(name: &str) -> Result<Self, LocationError> {
        let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let fine = (3..=63).contains(&name.len())
            && name.chars().all(|c| ends(c) || c == '-' || c == '.')
            && name.starts_with(ends)
            && name.ends_with(ends)
            && !name.contains("..");
        if fine { Ok(Self(name.to_owned())) } else { Err(LocationError::Bucket(name.escape_default().to_string())) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Prefix {
    /// Parses a prefix and adds the final `/` where it lacks.
    ///
    /// # Errors
    /// [`LocationError`] for a prefix that is not made of segments of a [`Key`], or that a policy would misread.
    pub fn new(text: &str) -> Result<Self, LocationError> {
        let bare = text.strip_suffix('/').unwrap_or(text);
        if bare.is_empty() && !text.starts_with('/') {
            return Ok(Self::default());
        }
        let shown = || text.escape_default().to_string();
        Key::new(bare).map_err(|error| LocationError::Prefix(shown(), error))?;
        if let Some(c) = bare.chars().find(|c| matches!(c, '*' | '?' | '$')) {
            return Err(LocationError::PolicyCharacter(shown(), c));
        }
        if bare.len() + 2 > MAX_KEY_BYTES {
            return Err(LocationError::PrefixTooLong(shown()));
        }
        Ok(Self(format!("{bare}/")))
    }

    /// The prefix: empty, or with its final `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole key of `key` below this prefix.
    #[must_use]
    pub fn join(&self, key: &str) -> String {
        format!("{}{key}", self.0)
    }

    /// `whole` relative to this prefix; nothing for keys that are not below it, and for the prefix itself.
    #[must_use]
    pub fn relative(&self, whole: &str) -> Option<StoredKey> {
        whole.strip_prefix(self.0.as_str()).filter(|rest| !rest.is_empty()).map(StoredKey::new)
    }

    /// Whether everything below `other` is below this prefix too.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

impl Location {
    /// Whether the two share a key: one lies within the other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.bucket == other.bucket && (self.prefix.contains(&other.prefix) || other.prefix.contains(&self.prefix))
    }
}

fn split(text: &str) -> Result<(Bucket, &str), LocationError> {
    let rest = text.strip_prefix("s3://").ok_or_else(|| LocationError::Scheme(text.escape_default().to_string()))?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((Bucket::new(bucket)?, key))
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
        let key = Key::new(key).map_err(|error| LocationError::Object(text.escape_default().to_string(), error))?;
        Ok(Self { bucket, key })
    }
}

impl FromStr for Source {
    type Err = LocationError;

    /// `release:r42` is an earlier release; `s3://…` is a prefix, or a zip where it ends in `.zip`; anything else is a path, of a zip where it ends in `.zip`.
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
    fn a_prefix_ends_in_a_slash_so_that_siblings_stay_apart() {
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
    fn places_are_read_as_people_type_them() {
        let place: Location = "s3://docs.acme.com/v1".parse().unwrap();
        assert_eq!(place.to_string(), "s3://docs.acme.com/v1/");
        assert_eq!("s3://bucket".parse::<Location>().unwrap().prefix, Prefix::default());
        for bad in ["bucket/x", "s3://B/x", "s3:///x", "s3://a", "http://x.com/"] {
            assert!(bad.parse::<Location>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sources_are_told_apart_by_their_form() {
        assert!(matches!("s3://bucket/x/site.ZIP".parse(), Ok(Source::Object(_))));
        assert!(matches!("s3://bucket/x".parse(), Ok(Source::Prefix(_))));
        assert!(matches!("out/site.zip".parse(), Ok(Source::Archive(_))));
        assert!(matches!("public".parse(), Ok(Source::Directory(_))));
        assert!("".parse::<Source>().is_err());
    }

    #[test]
    fn overlap_is_seen_both_ways() {
        let place = |text: &str| text.parse::<Location>().unwrap();
        assert!(place("s3://bucket").overlaps(&place("s3://bucket/x")));
        assert!(place("s3://bucket/x").overlaps(&place("s3://bucket")));
        assert!(!place("s3://bucket/x").overlaps(&place("s3://bucket/xy")));
        assert!(!place("s3://bucket-a").overlaps(&place("s3://bucket-b")));
    }
}
