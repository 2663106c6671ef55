//! ARNs: those of a configuration, parsed, and those of buckets, objects and distributions, written.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::iam_name::policy_character;
use crate::location::{Bucket, Location, ObjectLocation};
use crate::sanitize::sanitize_name;

/// An AWS partition: `aws`, `aws-cn`, `aws-us-gov`, …
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Partition(String);

/// Not a partition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid AWS partition `{0}`; use `aws`, `aws-cn` or `aws-us-gov`")]
pub struct PartitionError(String);

impl Default for Partition {
    fn default() -> Self {
        Self("aws".to_owned())
    }
}

impl Partition {
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain of its services. Source: AWS General Reference, "AWS service endpoints".
    #[must_use]
    pub fn dns_suffix(&self) -> &'static str {
        if self.0 == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
    }

    /// The partition of a region. Source: the partition data of the AWS SDKs.
    #[must_use]
    pub fn of_region(region: &str) -> Self {
        let prefixes = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("eu-isoe-", "aws-iso-e"),
            ("us-isof-", "aws-iso-f"),
            ("eusc-", "aws-eusc"),
        ];
        let found = prefixes.into_iter().find(|(prefix, _)| region.starts_with(prefix));
        found.map_or_else(Self::default, |(_, name)| Self(name.to_owned()))
    }

    /// The partition of an ARN; `aws` for a text that is not an ARN.
    #[must_use]
    pub fn of(arn: &str) -> Self {
        arn.split(':').nth(1).and_then(|name| Self::try_from(name.to_owned()).ok()).unwrap_or_default()
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Partition {
    type Error = PartitionError;
    fn try_from(text: String) -> Result<Self, PartitionError> {
        let rest = text.strip_prefix("aws");
        let valid = rest.is_some_and(|rest| {
            rest.is_empty() || (rest.starts_with('-') && rest.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        });
        if valid { Ok(Self(text)) } else { Err(PartitionError(sanitize_name(&text))) }
    }
}

impl std::str::FromStr for Partition {
    type Err = PartitionError;
    fn from_str(text: &str) -> Result<Self, PartitionError> {
        Self::try_from(text.to_owned())
    }
}

impl From<Partition> for String {
    fn from(partition: Partition) -> Self {
        partition.0
    }
}

/// An ARN of one resource, `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn<'a> {
    /// The AWS partition.
    pub partition: Partition,
    /// The service, such as `kms`.
    pub service: &'a str,
    /// The region; empty for a service without regions.
    pub region: &'a str,
    /// The 12 digits of the account.
    pub account: &'a str,
    /// What the service calls the resource; never empty.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Parses an ARN. `None` if a part is invalid, or if the resource has a character of [`policy_character`], since the ARN
    /// would stand for several resources in a policy.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = *parts.as_slice() else { return None };
        let is_name = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        let valid = !service.is_empty()
            && is_name(service)
            && is_name(region)
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && !resource.is_empty()
            && resource.bytes().all(|byte| byte.is_ascii_graphic())
            && policy_character(resource).is_none();
        let partition = Partition::try_from(partition.to_owned()).ok()?;
        valid.then_some(Self { partition, service, region, account, resource })
    }
}

/// The ARN of a CloudFront distribution.
#[must_use]
pub fn distribution_arn(partition: &Partition, account: &str, distribution: &str) -> String {
    format!("arn:{partition}:cloudfront::{account}:distribution/{distribution}")
}

/// The ARN of a bucket.
#[must_use]
pub fn bucket_arn(partition: &Partition, bucket: &Bucket) -> String {
    format!("arn:{partition}:s3:::{bucket}")
}

/// The ARN of an object.
#[must_use]
pub fn object_arn(partition: &Partition, object: &ObjectLocation) -> String {
    format!("arn:{partition}:s3:::{}/{}", object.bucket, object.key)
}

/// The ARN of every object below a location. A prefix ends in `/` or is empty, so `docs` does not match `docs2/`.
#[must_use]
pub fn objects_arn(partition: &Partition, location: &Location) -> String {
    format!("arn:{partition}:s3:::{}/{}*", location.bucket, location.prefix)
}
