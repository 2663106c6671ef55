//! The accounts that buckets belong to. With them, S3 refuses requests for a bucket of the same name that another account
//! created after the bucket was deleted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::ConfigError;
use super::value::{SiteName, ValueError};
use crate::location::Bucket;
use crate::sanitize::sanitize_name;

/// The id of an AWS account: 12 digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

impl TryFrom<String> for AccountId {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let valid = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if valid { Ok(Self(text)) } else { Err(ValueError::Account(sanitize_name(&text))) }
    }
}

/// The expected owners of buckets. Buckets that are not in it are not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketOwners(BTreeMap<String, AccountId>);

impl BucketOwners {
    /// The owner of one bucket.
    #[must_use]
    pub fn of(bucket: &Bucket, owner: AccountId) -> Self {
        Self([(bucket.as_str().to_owned(), owner)].into())
    }

    /// The expected owner of a bucket.
    #[must_use]
    pub fn owner(&self, bucket: &str) -> Option<&str> {
        self.0.get(bucket).map(AccountId::as_str)
    }

    /// Whether no bucket has an expected owner.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an owner unless the bucket has one.
    pub(super) fn add_missing(&mut self, bucket: &Bucket, owner: &AccountId) {
        self.0.entry(bucket.as_str().to_owned()).or_insert_with(|| owner.clone());
    }

    /// Adds an owner. Refuses a second one.
    pub(super) fn add(
        &mut self,
        site: &SiteName,
        bucket: &Bucket,
        owner: Option<&AccountId>,
    ) -> Result<(), ConfigError> {
        let Some(owner) = owner else { return Ok(()) };
        match self.0.insert(bucket.as_str().to_owned(), owner.clone()) {
            Some(other) if other != *owner => {
                Err(ConfigError::Owners { site: site.clone(), bucket: bucket.as_str().to_owned() })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const TEXT: &str = r#"
        state = "s3://acme-state/"
        state-owner = "111111111111"
        [[site]]
        name = "docs"
        owner = "222222222222"
        builds = "s3://acme-builds/docs/"
        target = "s3://acme-docs/"
    "#;

    #[test]
    fn each_bucket_has_the_owner_of_its_field() {
        let owners = |text: &str| -> Result<String, String> {
            let config = Config::parse(text).map_err(|error| error.to_string())?;
            let owners = config.site("docs").unwrap().bucket_owners();
            let of = |bucket: &str| owners.owner(bucket).unwrap_or("-").to_owned();
            Ok(["acme-docs", "acme-builds", "acme-state", "other"].map(of).join(" "))
        };
        assert_eq!(owners(TEXT), Ok("222222222222 222222222222 111111111111 -".to_owned()));
        let own = TEXT.replace("builds =", "builds-owner = \"333333333333\"\nbuilds =");
        assert_eq!(owners(&own), Ok("222222222222 333333333333 111111111111 -".to_owned()));
        let none = TEXT.replace("owner = \"222222222222\"", "").replace("state-owner = \"111111111111\"", "");
        assert_eq!(owners(&none), Ok("- - - -".to_owned()));
        let error =
            owners(&TEXT.replace("acme-state/", "acme-docs/state/").replace("acme-docs/\"", "acme-docs/site/\""));
        assert!(error.as_ref().is_err_and(|error| error.contains("`acme-docs`")), "{error:?}");
        for bad in ["12345678901", "1234567890123", "arn:aws:iam::1:root", "１２３４５６７８９０１２"] {
            let error = owners(&TEXT.replace("222222222222", bad));
            assert!(error.as_ref().is_err_and(|error| error.contains("12 digits")), "{error:?}");
        }
    }
}
