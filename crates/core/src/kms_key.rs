//! Names of KMS keys.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::arn::{Arn, Partition};
use crate::sanitize::sanitize_name;

/// A KMS key: the ARN of a key or of an alias, or a key id or alias in the account and region of the bucket.
/// Source: AWS KMS Developer Guide, "Key identifiers (`KeyId`)".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KmsKey(String);

/// Not a KMS key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid KMS key `{0}`; use the ARN of a key or alias, `arn:aws:kms:REGION:123456789012:key/ID`, a key id, or `alias/NAME`"
)]
pub struct KmsKeyError(String);

/// The characters of a key id: of a UUID, or `mrk-` and digits.
fn is_id(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// The characters of an alias. Source: AWS KMS API reference, `CreateAlias`.
fn is_alias(text: &str) -> bool {
    (1..=250).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "/_-".contains(c))
}

fn is_resource(text: &str) -> bool {
    text.strip_prefix("key/").is_some_and(is_id) || text.strip_prefix("alias/").is_some_and(is_alias)
}

impl KmsKey {
    /// The key as S3 accepts it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the key whose ARN S3 reports for an object. `None` for an alias: S3 reports the ARN of its key.
    #[must_use]
    pub fn is_reported_as(&self, arn: &str) -> Option<bool> {
        if self.alias().is_some() {
            return None;
        }
        Some(self.0 == arn || arn.rsplit_once(":key/").is_some_and(|(_, id)| id == self.0))
    }

    /// The key's ARN for a policy. For an alias, it covers all keys of the account, and the policy must name [`Self::alias`].
    #[must_use]
    pub fn policy_resource(&self, partition: &Partition) -> String {
        let id = if self.alias().is_some() { "*" } else { self.0.rsplit('/').next().unwrap_or_default() };
        match Arn::parse(&self.0) {
            Some(arn) => format!("arn:{}:kms:{}:{}:key/{id}", arn.partition, arn.region, arn.account),
            None => format!("arn:{partition}:kms:*:*:key/{id}"),
        }
    }

    /// The alias, `alias/NAME`.
    #[must_use]
    pub fn alias(&self) -> Option<&str> {
        let resource = Arn::parse(&self.0).map_or(self.0.as_str(), |arn| arn.resource);
        resource.starts_with("alias/").then_some(resource)
    }
}

impl TryFrom<String> for KmsKey {
    type Error = KmsKeyError;
    fn try_from(text: String) -> Result<Self, KmsKeyError> {
        let valid = match Arn::parse(&text) {
            Some(arn) => arn.service == "kms" && !arn.region.is_empty() && is_resource(arn.resource),
            None => is_id(&text) || text.strip_prefix("alias/").is_some_and(is_alias),
        };
        if valid { Ok(Self(text)) } else { Err(KmsKeyError(sanitize_name(&text))) }
    }
}

impl FromStr for KmsKey {
    type Err = KmsKeyError;
    fn from_str(text: &str) -> Result<Self, KmsKeyError> {
        Self::try_from(text.to_owned())
    }
}

impl From<KmsKey> for String {
    fn from(key: KmsKey) -> Self {
        key.0
    }
}

impl fmt::Display for KmsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_an_object_s_key_is_recognized() {
        let arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd";
        let is_reported = |key: &str| key.parse::<KmsKey>().unwrap().is_reported_as(arn);
        assert_eq!(is_reported(arn), Some(true));
        assert_eq!(is_reported("1234abcd"), Some(true));
        assert_eq!(is_reported("234abcd"), Some(false));
        assert_eq!(is_reported("arn:aws:kms:eu-west-1:123456789012:key/1234abce"), Some(false));
        assert_eq!(is_reported("alias/site"), None);
        assert_eq!(is_reported("arn:aws:kms:eu-west-1:123456789012:alias/site"), None);
    }

    #[test]
    fn wildcards_and_other_arns_are_refused() {
        for bad in [
            "*",
            "",
            "key/*",
            "alias/",
            "alias/*",
            "alias/a${aws:username}",
            "arn:aws:kms:*:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:eu-west-1:*:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:eu-west-1:123456789012:key/*",
            "arn:aws:kms:eu-west-1:123456789012:*",
            "arn:aws:s3:::bucket",
            "arn:*:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        ] {
            assert!(bad.parse::<KmsKey>().is_err(), "{bad}");
        }
    }
}
