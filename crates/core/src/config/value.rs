//! Values of a configuration, validated when parsed.

use serde::{Deserialize, Serialize};

use crate::arn::{Arn, Partition};
use crate::headers::RESERVED_METADATA;
use crate::location::{LocationError, ObjectLocation, Prefix};
use crate::sanitize::sanitize_name;

/// A site name: 1 to 63 lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SiteName(String);

/// The ARN of an IAM role.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleArn(String);

/// The id of a CloudFront distribution: upper-case letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DistributionId(String);

/// An origin path as in CloudFront, `/docs/v1` or empty, stored as the matching prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OriginPath(Prefix);

/// The name of an object's user metadata, in lower case and without `x-amz-meta-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MetadataName(String);

/// Where the component of a plugin is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PluginReference {
    /// Bundled with Tidegate; its name.
    Bundled(String),
    /// A component in a file; its path relative to the configuration.
    File(String),
    /// A script in a file; its path relative to the configuration. The bundled engine runs it.
    Script(String),
    /// An object in S3: `s3://bucket/key.wasm`.
    Object(ObjectLocation),
}

/// A SHA-256: 64 hexadecimal digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Hex(String);

/// Default duration of a lease without renewal, in seconds.
const DEFAULT_SECONDS: u16 = 30;

/// Duration of a lease without renewal. A configuration allows 10 to 900 seconds: a renewal needs time for a second attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct LeaseSeconds(u16);

impl LeaseSeconds {
    /// Any duration, for tests.
    #[must_use]
    pub const fn any(seconds: u16) -> Self {
        Self(seconds)
    }
}

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
        if (10..=900).contains(&seconds) { Ok(Self(seconds)) } else { Err(ValueError::LeaseSeconds(seconds)) }
    }
}

/// Why a value of the configuration is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a site name.
    #[error("invalid site name `{0}`; use 1 to 63 lower-case letters, digits and hyphens")]
    SiteName(String),
    /// Not an account.
    #[error("invalid account `{0}`; use its id of 12 digits")]
    Account(String),
    /// Not the ARN of a role.
    #[error("invalid role `{0}`; use `arn:aws:iam::123456789012:role/NAME`")]
    Role(String),
    /// Not the id of a distribution.
    #[error("invalid distribution id `{0}`; use upper-case letters and digits, such as `E2EXAMPLE`")]
    Distribution(String),
    /// Not a key value store.
    #[error("invalid store `{0}`; use `arn:aws:cloudfront::123456789012:key-value-store/ID`")]
    Store(String),
    /// Not a number of reads.
    #[error("invalid number of reads `{0}`; use 2, or 3 for more rules with placeholders")]
    MaxReads(u64),
    /// Not the name of a CloudFront function.
    #[error("invalid function name `{0}`; use 1 to 64 letters, digits, `-` and `_`")]
    EdgeFunction(String),
    /// Not an origin path.
    #[error("invalid origin path `{0}`; use a path that starts with `/` and does not end with it, or an empty one")]
    OriginPath(String),
    /// Not a metadata name.
    #[error(
        "invalid metadata name `{0}`; use lower-case letters, digits, `-`, `_` and `.`, without `x-amz-meta-` or `tidegate-`"
    )]
    MetadataName(String),
    /// Not a plugin.
    #[error(
        "invalid plugin `{0}`; use the name of a bundled plugin, or the path of a `.wasm` component or a `.js` script"
    )]
    Plugin(String),
    /// Not a SHA-256.
    #[error("invalid SHA-256 `{0}`; use 64 hexadecimal digits")]
    Sha256(String),
    /// Not a glob.
    #[error("invalid glob `{0}`: {1}")]
    Glob(String, String),
    /// Not a repository.
    #[error("invalid repository `{0}`; use `owner/name`")]
    Repository(String),
    /// Not an event that may start a workflow run.
    #[error(
        "invalid event `{0}` in `run-events`; list events of `on:`, such as `push`, and use `pull-requests = true` for pull requests"
    )]
    RunEvent(String),
    /// Not the URL of an API.
    #[error("invalid API URL `{0}`; use `https://HOST/PATH`")]
    ApiUrl(String),
    /// Not the URL of a page.
    #[error("invalid page URL `{0}`; use `https://HOST/PATH`")]
    PageUrl(String),
    /// Not a public key of minisign.
    #[error("invalid key `{0}`; use the line of `minisign.pub` that starts with `RW`")]
    TrustedKey(String),
    /// Not a place of a signature.
    #[error("invalid signature `{0}`; use the path of a `.minisig` file, or `s3://bucket/key`")]
    Signature(String),
    /// Not a version requirement.
    #[error("invalid version `{0}`: {1}; use a requirement as in Cargo, such as `1.2` or `=1.2.0`")]
    Version(String, String),
    /// Not a header name.
    #[error("invalid header name `{0}`; use letters, digits, `-` and `_`")]
    HeaderName(String),
    /// Not an amount of content.
    #[error("invalid `reads` `{0}`; use a number of bytes, such as 65536, or a share of 0% to 100%, such as \"25%\"")]
    Reads(String),
    /// Out of range.
    #[error("`lease-seconds` must be 10 to 900, not {0}")]
    LeaseSeconds(u16),
    /// Not a location in S3.
    #[error(transparent)]
    Location(#[from] LocationError),
}

impl RoleArn {
    /// The 12 digits of the account.
    #[must_use]
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }

    /// The AWS partition.
    #[must_use]
    pub fn partition(&self) -> Partition {
        Partition::of(&self.0)
    }

    /// The role's path: `/`, or folders between slashes.
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
    /// The matching prefix in the bucket.
    pub(super) fn prefix(&self) -> &Prefix {
        &self.0
    }
}

impl TryFrom<String> for SiteName {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let valid = (1..=63).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !text.starts_with('-');
        if valid { Ok(Self(text)) } else { Err(ValueError::SiteName(sanitize_name(&text))) }
    }
}

impl TryFrom<String> for RoleArn {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c));
        let valid = Arn::parse(&text).is_some_and(|arn| {
            arn.service == "iam" && arn.region.is_empty() && arn.resource.strip_prefix("role/").is_some_and(is_name)
        });
        if valid { Ok(Self(text)) } else { Err(ValueError::Role(sanitize_name(&text))) }
    }
}

impl TryFrom<String> for DistributionId {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let valid =
            (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if valid { Ok(Self(text)) } else { Err(ValueError::Distribution(sanitize_name(&text))) }
    }
}

impl TryFrom<String> for OriginPath {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        match text.strip_prefix('/') {
            None if text.is_empty() => Ok(Self::default()),
            Some(rest) if !rest.is_empty() && !rest.ends_with('/') => Ok(Self(Prefix::new(rest)?)),
            _ => Err(ValueError::OriginPath(sanitize_name(&text))),
        }
    }
}

impl MetadataName {
    /// The prefix of metadata headers in S3's responses.
    const HEADER: &str = "x-amz-meta-";

    /// The response header that contains the metadata.
    #[must_use]
    pub fn header(&self) -> String {
        format!("{}{}", Self::HEADER, self.0)
    }
}

impl TryFrom<String> for MetadataName {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let token = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        let valid = !text.is_empty()
            && text.chars().all(token)
            && !text.starts_with(Self::HEADER)
            && !text.starts_with(RESERVED_METADATA);
        if valid { Ok(Self(text)) } else { Err(ValueError::MetadataName(sanitize_name(&text))) }
    }
}

impl TryFrom<String> for PluginReference {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        if text.starts_with("s3://") {
            let object: ObjectLocation = text.parse()?;
            object.check_for_policies()?;
            return Ok(Self::Object(object));
        }
        let is_name =
            !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        match text.rsplit_once('.') {
            _ if is_name => Ok(Self::Bundled(text)),
            Some((_, "wasm")) => Ok(Self::File(text)),
            Some((_, "js")) => Ok(Self::Script(text)),
            _ => Err(ValueError::Plugin(sanitize_name(&text))),
        }
    }
}

impl Sha256Hex {
    /// Computes the digest of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(crate::identity::sha256(bytes))
    }
}

impl TryFrom<String> for Sha256Hex {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let valid = text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
        if valid { Ok(Self(text.to_ascii_lowercase())) } else { Err(ValueError::Sha256(sanitize_name(&text))) }
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
            Self::Bundled(name) | Self::File(name) | Self::Script(name) => f.write_str(name),
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
