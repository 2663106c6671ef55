//! The client of S3 for buckets.

mod notification;

use std::collections::BTreeSet;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, ErrorDocument, IndexDocument, Permission,
    PublicAccessBlockConfiguration, WebsiteConfiguration,
};
use serde_json::{Map, Value, json};
use tidegate_core::config::AccountId;
use tidegate_core::location::Bucket;
use tidegate_publish::{AwsError, Connection, S3};

use crate::changes::{BucketChange, FoundBucket};

/// The region whose buckets have no location constraint. Source: Amazon S3 API reference, `CreateBucket`.
const DEFAULT_REGION: &str = "us-east-1";

/// A client of S3 for buckets.
#[derive(Debug, Clone)]
pub struct BucketClient {
    client: Client,
}

impl BucketClient {
    /// A client with the caller's connection.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { client: S3::new(connection).client().clone() }
    }

    /// Whether a bucket exists and is accessible.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn bucket(&self, bucket: &Bucket) -> Result<Option<FoundBucket>, AwsError> {
        match send!("HeadBucket", bucket.as_str(), self.client.head_bucket().bucket(bucket.as_str())) {
            Ok(_) => Ok(Some(FoundBucket::Accessible)),
            Err(error) if error.is_not_found() => Ok(None),
            // A bucket of another account returns 403, also to an administrator of this one.
            Err(error) if error.is_denied() => Ok(Some(FoundBucket::Denied)),
            // A bucket in another region returns a redirect.
            Err(error) if matches!(error.status, Some(301 | 400)) => Ok(Some(FoundBucket::Accessible)),
            Err(error) => Err(error),
        }
    }

    /// Those of the buckets that this account owns, as far as the caller may know it.
    ///
    /// # Errors
    /// [`AwsError`], where S3 does not answer.
    pub async fn owned_by(
        &self,
        buckets: &BTreeSet<Bucket>,
        account: &AccountId,
    ) -> Result<BTreeSet<Bucket>, AwsError> {
        let mut owned = BTreeSet::new();
        for bucket in buckets {
            let request = self.client.head_bucket().bucket(bucket.as_str()).expected_bucket_owner(account.as_str());
            match send!("HeadBucket", bucket.as_str(), request) {
                Ok(_) => drop(owned.insert(bucket.clone())),
                Err(error) if error.status.is_some() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(owned)
    }

    pub(crate) async fn change(&self, change: &BucketChange) -> Result<(), AwsError> {
        let client = &self.client;
        match change {
            BucketChange::CreateBucket { bucket, region } => {
                let region = region.clone().or_else(|| client.config().region().map(ToString::to_string));
                let location = region.filter(|region| region != DEFAULT_REGION).map(|region| {
                    let constraint = BucketLocationConstraint::from(region.as_str());
                    CreateBucketConfiguration::builder().location_constraint(constraint).build()
                });
                let request = client.create_bucket().bucket(bucket.as_str()).set_create_bucket_configuration(location);
                send!("CreateBucket", bucket.as_str(), request).map(drop)
            }
            BucketChange::AllowPublicAccess { bucket } => {
                let open = PublicAccessBlockConfiguration::builder()
                    .block_public_acls(false)
                    .ignore_public_acls(false)
                    .block_public_policy(false)
                    .restrict_public_buckets(false)
                    .build();
                let request = client.put_public_access_block().bucket(bucket.as_str());
                let request = request.public_access_block_configuration(open);
                send!("PutPublicAccessBlock", bucket.as_str(), request).map(drop)
            }
            BucketChange::SetBucketPolicy { bucket, policy } => {
                let request = client.put_bucket_policy().bucket(bucket.as_str()).policy(policy);
                send!("PutBucketPolicy", bucket.as_str(), request).map(drop)
            }
            BucketChange::DeleteBucketPolicy { bucket } => {
                let request = client.delete_bucket_policy().bucket(bucket.as_str());
                send!("DeleteBucketPolicy", bucket.as_str(), request).map(drop)
            }
            BucketChange::SetWebsite { bucket, index, error } => {
                let malformed = |why: aws_sdk_s3::error::BuildError| {
                    AwsError::malformed("PutBucketWebsite", bucket.as_str(), why.to_string())
                };
                let website = WebsiteConfiguration::builder()
                    .index_document(IndexDocument::builder().suffix(index).build().map_err(malformed)?)
                    .error_document(ErrorDocument::builder().key(error).build().map_err(malformed)?)
                    .build();
                let request = client.put_bucket_website().bucket(bucket.as_str()).website_configuration(website);
                send!("PutBucketWebsite", bucket.as_str(), request).map(drop)
            }
            BucketChange::EnableEventBridge { bucket } => self.send_events(bucket).await,
        }
    }

    /// The bucket policy.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn bucket_policy(&self, bucket: &Bucket) -> Result<Option<String>, AwsError> {
        match send!("GetBucketPolicy", bucket.as_str(), self.client.get_bucket_policy().bucket(bucket.as_str())) {
            Ok(output) => Ok(output.policy),
            Err(error) if error.code.as_deref() == Some("NoSuchBucketPolicy") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether ACLs are enabled for a bucket; `None` where the caller may not read that.
    ///
    /// # Errors
    /// [`AwsError`] other than access denied.
    pub async fn acls_enabled(&self, bucket: &Bucket) -> Result<Option<bool>, AwsError> {
        let request = self.client.get_bucket_ownership_controls().bucket(bucket.as_str());
        match send!("GetBucketOwnershipControls", bucket.as_str(), request) {
            Ok(output) => {
                let rules = output.ownership_controls.map(|controls| controls.rules).unwrap_or_default();
                Ok(Some(!rules.iter().any(|rule| rule.object_ownership().as_str() == "BucketOwnerEnforced")))
            }
            // Buckets older than ownership controls have ACLs.
            Err(error) if error.code.as_deref() == Some("OwnershipControlsNotFoundError") => Ok(Some(true)),
            Err(error) if error.is_denied() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The default encryption of a bucket, `AES256` or `aws:kms`; `None` where the caller may not read it.
    ///
    /// # Errors
    /// [`AwsError`] other than access denied.
    pub async fn encryption(&self, bucket: &Bucket) -> Result<Option<String>, AwsError> {
        let request = self.client.get_bucket_encryption().bucket(bucket.as_str());
        match send!("GetBucketEncryption", bucket.as_str(), request) {
            Ok(output) => {
                let rules = output.server_side_encryption_configuration.map(|kinds| kinds.rules).unwrap_or_default();
                let default = rules.iter().find_map(|rule| rule.apply_server_side_encryption_by_default());
                Ok(default.map(|default| default.sse_algorithm().as_str().to_owned()))
            }
            Err(error) if error.is_denied() || error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Everything that decides who can read a bucket. A part that cannot be read is an object with an `error`.
    pub async fn describe(&self, bucket: &Bucket) -> Value {
        let (client, name) = (&self.client, bucket.as_str());
        let mut parts = Map::new();
        let mut put = |part: &str, result: Result<Value, AwsError>| {
            parts.insert(part.to_owned(), result.unwrap_or_else(|error| json!({ "error": error.to_string() })));
        };
        let location = send!("GetBucketLocation", name, client.get_bucket_location().bucket(name));
        put(
            "region",
            location.map(|output| {
                let region = output.location_constraint.map(|region| region.as_str().to_owned());
                json!(region.filter(|region| !region.is_empty()).unwrap_or_else(|| DEFAULT_REGION.to_owned()))
            }),
        );
        let acl = send!("GetBucketAcl", name, client.get_bucket_acl().bucket(name));
        put(
            "acl",
            acl.map(|output| {
                let grants = output.grants().iter().map(|grant| {
                    let grantee = grant.grantee();
                    json!({
                        "permission": grant.permission().map(Permission::as_str),
                        "grantee": grantee.and_then(|grantee| grantee.uri().or(grantee.display_name()).or(grantee.id())),
                    })
                });
                Value::Array(grants.collect())
            }),
        );
        put(
            "bucket-policy",
            self.bucket_policy(bucket).await.map(|policy| {
                policy.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap_or(Value::String(text)))
            }),
        );
        put(
            "public-by-policy",
            match send!("GetBucketPolicyStatus", name, client.get_bucket_policy_status().bucket(name)) {
                Ok(output) => Ok(json!(output.policy_status.and_then(|status| status.is_public))),
                Err(error) if error.is_not_found() => Ok(json!(false)),
                Err(error) => Err(error),
            },
        );
        put(
            "public-access-block",
            match send!("GetPublicAccessBlock", name, client.get_public_access_block().bucket(name)) {
                Ok(output) => Ok(output.public_access_block_configuration.map_or(Value::Null, |block| {
                    json!({
                        "block-public-acls": block.block_public_acls,
                        "ignore-public-acls": block.ignore_public_acls,
                        "block-public-policy": block.block_public_policy,
                        "restrict-public-buckets": block.restrict_public_buckets,
                    })
                })),
                Err(error) if error.is_not_found() => Ok(Value::Null),
                Err(error) => Err(error),
            },
        );
        put("acls-enabled", self.acls_enabled(bucket).await.map(|enabled| json!(enabled)));
        put("encryption", self.encryption(bucket).await.map(|kind| json!(kind)));
        Value::Object(parts)
    }
}
