//! Values of a configuration, each parsed once at the door.
//!
//! Owns their grammar. Never knows where in a configuration they stand.

use serde::{Deserialize, Serialize};

use crate::arn::Partition;
use crate::headers::RESERVED_METADATA;
use crate::location::{LocationError, Prefix};

/// A site's name: 1 to 63 lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SiteName(String);

/// An IAM role's ARN.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleArn(String);

/// A distribution's id: upper-case letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DistributionId(String);

/// An origin path as CloudFront writes it, `/docs/v1` or empty, kept as the prefix it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OriginPath(Prefix);

/// The name of an object's user metadata, in lower case and without `x-amz-meta-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MetadataName(String);

/// Where a plugin's component is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PluginReference {
    /// Bundled with Tidegate, by name.
    Bundled(String),
    /// A file, relative to the configuration.
    File(String),
    /// An object: `s3://bucket/key.wasm`.
    Object(crate::location::ObjectLocation),
}

/// 64 hexadecimal digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Hex(String);

/// How long a lease lasts unless it is renewed, in seconds, where the configuration does not say.
const DEFAULT_SECONDS: u16 = 30;

/// 1 to 900 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct LeaseSeconds(u16);

impl Default for LeaseSeconds {
    fn default() -> Self {
        Self(DEFAULT_SECONDS)
    }
}

impl From<LeaseSeconds> for u16 {
    fn from(seconds: LeaseSeconds) -> Self {
        seconds.0
    }
}

impl TryFrom<u16> for LeaseSeconds {
    type Error = ValueError;
    fn try_from(seconds: u16) -> Result<Self, ValueError> {
        if (1..=900).contains(&seconds) { Ok(Self(seconds)) } else { Err(ValueError::LeaseSeconds(seconds)) }
    }
}

/// Why a value of the configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a site's name.
    #[error("`{0}` is not a site's name, use 1 to 63 lower-case letters, digits and hyphens")]
    SiteName(String),
    /// Not a role's ARN.
    #[error("`{0}` is not a role, write `arn:aws:iam::123456789012:role/NAME`")]
    Role(String),
    /// Not a distribution's id.
    #[error("`{0}` is not a distribution's id, write upper-case letters and digits such as `E2EXAMPLE`")]
    Distribution(String),
    /// Not an origin path.
    #[error("the origin path `{0}` must start with `/` and not end with it, or be empty")]
    OriginPath(String),
    /// Not the name of user metadata.
    #[error(
        "`{0}` is not the name of user metadata, use lower-case letters, digits, `-`, `_` and `.`, without `x-amz-meta-`"
    )]
    MetadataName(String),
    /// Not a plugin's name.
    #[error("`{0}` is neither a bundled plugin nor the path of a `.wasm` component")]
    Plugin(String),
    /// Not a SHA-256.
    #[error("`{0}` is not a SHA-256, write its 64 hexadecimal digits")]
    Sha256(String),
    /// Not a glob.
    #[error("`{0}` is not a glob: {1}")]
    Glob(String, String),
    /// Not a repository.
    #[error("`{0}` is not a repository, write `owner/name`")]
    Repository(String),
    /// Not an API's address.
    #[error("`{0}` is not the address of an API, write `https://HOST/PATH`")]
    Address(String),
    /// Not a page's address.
    #[error("`{0}` is not the address of a page, write `https://HOST/PATH`")]
    Page(String),
    /// Too short or too long.
    #[error("`lease-seconds` is {0}, use 1 to 900")]
    LeaseSeconds(u16),
    /// Not a place.
    #[error(transparent)]
    Location(#[from] LocationError),
}

impl RoleArn {
    /// The account's 12 digits.
    #[must_use]
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }

    /// The partition of AWS that it is in.
    #[must_use]
    pub fn partition(&self) -> Partition {
        Partition::of(&self.0)
    }

    /// The role's path: `/`, or folders with a slash at both ends.
    #[must_use]
    pub fn path(&self) -> &str {
        let resource = self.0.split_once(":role").map_or("", |(_, resource)| resource);
        resource.strip_suffix(self.role_name()).unwrap_or_default()
    }

    /// The role's name, without its path.
    #[must_use]
    pub fn role_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl OriginPath {
    /// The prefix that it stands for.
    pub(super) fn prefix(&self) -> &Prefix {
        &self.0
    }
}

impl TryFrom<String> for SiteName {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let fine = (1..=63).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !text.starts_with('-');
        if fine { Ok(Self(text)) } else { Err(ValueError::SiteName(text.escape_default().to_string())) }
    }
}

impl TryFrom<String> for RoleArn {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let fine = match parts.as_slice() {
            ["arn", partition, "iam", "", account, resource] => {
                partition.starts_with("aws")
                    && account.len() == 12
                    && account.chars().all(|c| c.is_ascii_digit())
                    && resource.strip_prefix("role/").is_some_and(|name| {
                        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c))
                    })
            }
            _ => false,
        };
        if fine { Ok(Self(text)) } else { Err(ValueError::Role(text.escape_default().to_string())) }
    }
}

impl TryFrom<String> for DistributionId {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let fine = (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if fine { Ok(Self(text)) } else { Err(ValueError::Distribution(text.escape_default().to_string())) }
    }
}

impl TryFrom<String> for OriginPath {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        match text.strip_prefix('/') {
            None if text.is_empty() => Ok(Self::default()),
            Some(rest) if !rest.is_empty() && !rest.ends_with('/') => Ok(Self(Prefix::new(rest)?)),
            _ => Err(ValueError::OriginPath(text.escape_default().to_string())),
        }
    }
}

impl MetadataName {
    /// What S3 puts before the name of metadata in an answer.
    const HEADER: &str = "x-amz-meta-";

    /// The header in which S3 answers it.
    #[must_use]
    pub fn header(&self) -> String {
        format!("{}{}", Self::HEADER, self.0)
    }
}

impl TryFrom<String> for MetadataName {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let token = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        let fine = !text.is_empty()
            && text.chars().all(token)
            && !text.starts_with(Self::HEADER)
            && !text.starts_with(RESERVED_METADATA);
        if fine { Ok(Self(text)) } else { Err(ValueError::MetadataName(text.escape_default().to_string())) }
    }
}

impl TryFrom<String> for PluginReference {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        if text.starts_with("s3://") {
            return Ok(Self::Object(text.parse()?));
        }
        let name = !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        match (name, text.ends_with(".wasm")) {
            (true, _) => Ok(Self::Bundled(text)),
            (false, true) => Ok(Self::File(text)),
            (false, false) => Err(ValueError::Plugin(text.escape_default().to_string())),
        }
    }
}

impl Sha256Hex {
    /// The digest of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(crate::identity::sha256(bytes))
    }
}

impl TryFrom<String> for Sha256Hex {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let fine = text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
        if fine {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(ValueError::Sha256(text.escape_default().to_string()))
        }
    }
}

impl From<OriginPath> for String {
    fn from(path: OriginPath) -> Self {
        match path.0.as_str().trim_end_matches('/') {
            "" => Self::new(),
            rest => format!("/{rest}"),
        }
    }
}

impl From<PluginReference> for String {
    fn from(reference: PluginReference) -> Self {
        reference.to_string()
    }
}

impl std::fmt::Display for PluginReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bundled(name) | Self::File(name) => f.write_str(name),
            Self::Object(object) => object.fmt(f),
        }
    }
}

macro_rules! plain_text {
    ($($name:ident),*) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
        impl $name {
            /// The value as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

plain_text!(SiteName, RoleArn, DistributionId, MetadataName, Sha256Hex);
