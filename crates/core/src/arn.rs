//! Names of resources, as policies write them.
//!
//! Owns ARNs of buckets, objects and distributions. Never parses one that AWS answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::location::{Bucket, Location, ObjectLocation};

/// A partition of AWS: `aws`, `aws-cn`, `aws-us-gov`, …
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Partition(String);

/// Not a partition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a partition of AWS, write `aws`, `aws-cn` or `aws-us-gov`")]
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

    /// The partition that an ARN names; `aws` where it is none.
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
        let fine = rest.is_some_and(|rest| {
            rest.is_empty() || (rest.starts_with('-') && rest.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        });
        if fine { Ok(Self(text)) } else { Err(PartitionError(text.escape_default().to_string())) }
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

/// A distribution's ARN.
#[must_use]
pub fn distribution_arn(partition: &Partition, account: &str, distribution: &str) -> String {
    format!("arn:{partition}:cloudfront::{account}:distribution/{distribution}")
}

/// A bucket's ARN.
#[must_use]
pub fn bucket_arn(partition: &Partition, bucket: &Bucket) -> String {
    format!("arn:{partition}:s3:::{bucket}")
}

/// One object.
#[must_use]
pub fn object_arn(partition: &Partition, object: &ObjectLocation) -> String {
    format!("arn:{partition}:s3:::{}/{}", object.bucket, object.key)
}

/// Every object below a place. A prefix ends in `/` or is empty, so a sibling whose name only begins alike is not meant.
#[must_use]
pub fn objects_arn(partition: &Partition, location: &Location) -> String {
    format!("arn:{partition}:s3:::{}/{}*", location.bucket, location.prefix)
}
