//! Buckets themselves: whether they are there, making them, making them public, and telling what they are like.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, ErrorDocument, IndexDocument, PublicAccessBlockConfiguration,
    WebsiteConfiguration,
};
use serde_json::{Map, Value, json};
use tidegate_core::location::Bucket;
use tidegate_publish::{AwsError, Connection, S3};

use crate::changes::{FoundBucket, IamChange};

/// The region whose buckets have no location constraint. Source: Amazon S3 API reference, `CreateBucket`.
const FIRST_REGION: &str = "us-east-1";

/// A client of S3 for buckets themselves.
#[derive(Debug, Clone)]
pub struct BucketClient {
    pub(super) client: Client,
}

impl BucketClient {
    /// Makes a client.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { client: S3::new(connection).client().clone() }
    }

    /// Whether a bucket is there, and whose; nothing where there is none.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn bucket(&self, bucket: &Bucket) -> Result<Option<FoundBucket>, AwsError> {
        let answer = self.client.head_bucket().bucket(bucket.as_str()).send().await;
        match answer.map_err(|error| AwsError::new("HeadBucket", bucket.to_string(), &error)) {
            Ok(_) => Ok(Some(FoundBucket::Ours)),
            Err(error) if error.is_not_found() => Ok(None),
            // Buckets of others answer 403, also to those who may everything at home.
            Err(error) if error.is_denied() => Ok(Some(FoundBucket::Theirs)),
            // A bucket in another region is there.
            Err(error) if matches!(error.status, Some(301 | 400)) => Ok(Some(FoundBucket::Ours)),
            Err(error) => Err(error),
        }
    }

    /// Takes one step that is about a bucket; whether it was one.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn apply(&self, change: &IamChange) -> Result<bool, AwsError> {
        match change {
            IamChange::CreateBucket { bucket, region } => self.create_bucket(bucket, region.as_deref()).await?,
            IamChange::AllowPublicAccess { bucket } => self.allow_public_access(bucket).await?,
            IamChange::SetBucketPolicy { bucket, policy } => {
                let request = self.client.put_bucket_policy().bucket(bucket.as_str()).policy(policy);
                request.send().await.map_err(|error| AwsError::new("PutBucketPolicy", bucket.to_string(), &error))?;
            }
            IamChange::SetWebsite { bucket, index, error } => self.set_website(bucket, index, error).await?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    async fn create_bucket(&self, bucket: &Bucket, region: Option<&str>) -> Result<(), AwsError> {
        let region = region.map(str::to_owned).or_else(|| self.region());
        let place = region.filter(|region| region != FIRST_REGION).map(|region| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region.as_str()))
                .build()
        });
        let request = self.client.create_bucket().bucket(bucket.as_str()).set_create_bucket_configuration(place);
        request.send().await.map_err(|error| AwsError::new("CreateBucket", bucket.to_string(), &error))?;
        Ok(())
    }

    fn region(&self) -> Option<String> {
        self.client.config().region().map(ToString::to_string)
    }

    async fn allow_public_access(&self, bucket: &Bucket) -> Result<(), AwsError> {
        let open = PublicAccessBlockConfiguration::builder()
            .block_public_acls(false)
            .ignore_public_acls(false)
            .block_public_policy(false)
            .restrict_public_buckets(false)
            .build();
        let request =
            self.client.put_public_access_block().bucket(bucket.as_str()).public_access_block_configuration(open);
        request.send().await.map_err(|error| AwsError::new("PutPublicAccessBlock", bucket.to_string(), &error))?;
        Ok(())
    }

    async fn set_website(&self, bucket: &Bucket, index: &str, error: &str) -> Result<(), AwsError> {
        let malformed = |why: aws_sdk_s3::error::BuildError| {
            AwsError::malformed("PutBucketWebsite", bucket.to_string(), why.to_string())
        };
        let website = WebsiteConfiguration::builder()
            .index_document(IndexDocument::builder().suffix(index).build().map_err(malformed)?)
            .error_document(ErrorDocument::builder().key(error).build().map_err(malformed)?)
            .build();
        let request = self.client.put_bucket_website().bucket(bucket.as_str()).website_configuration(website);
        request.send().await.map_err(|error| AwsError::new("PutBucketWebsite", bucket.to_string(), &error))?;
        Ok(())
    }

    /// A bucket's policy; nothing where it has none.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn bucket_policy(&self, bucket: &Bucket) -> Result<Option<String>, AwsError> {
        let answer = self.client.get_bucket_policy().bucket(bucket.as_str()).send().await;
        match answer.map_err(|error| AwsError::new("GetBucketPolicy", bucket.to_string(), &error)) {
            Ok(answer) => Ok(answer.policy),
            Err(error) if error.code.as_deref() == Some("NoSuchBucketPolicy") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a bucket takes ACLs; nothing where the caller may not know.
    ///
    /// # Errors
    /// [`AwsError`], but for a refusal.
    pub async fn acls_enabled(&self, bucket: &Bucket) -> Result<Option<bool>, AwsError> {
        let answer = self.client.get_bucket_ownership_controls().bucket(bucket.as_str()).send().await;
        match answer.map_err(|error| AwsError::new("GetBucketOwnershipControls", bucket.to_string(), &error)) {
            Ok(answer) => {
                let rules = answer.ownership_controls.map(|controls| controls.rules).unwrap_or_default();
                Ok(Some(!rules.iter().any(|rule| rule.object_ownership().as_str() == "BucketOwnerEnforced")))
            }
            // Buckets from before ownership controls take ACLs.
            Err(error) if error.code.as_deref() == Some("OwnershipControlsNotFoundError") => Ok(Some(true)),
            Err(error) if error.is_denied() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How a bucket encrypts by itself: `AES256`, `aws:kms`; nothing where the caller may not know.
    ///
    /// # Errors
    /// [`AwsError`], but for a refusal.
    pub async fn encryption(&self, bucket: &Bucket) -> Result<Option<String>, AwsError> {
        let answer = self.client.get_bucket_encryption().bucket(bucket.as_str()).send().await;
        match answer.map_err(|error| AwsError::new("GetBucketEncryption", bucket.to_string(), &error)) {
            Ok(answer) => {
                let rules = answer.server_side_encryption_configuration.map(|kinds| kinds.rules).unwrap_or_default();
                let kind = rules.iter().filter_map(|rule| rule.apply_server_side_encryption_by_default()).next();
                Ok(kind.map(|kind| kind.sse_algorithm().as_str().to_owned()))
            }
            Err(error) if error.is_denied() || error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What decides who can see a bucket, each part or why it cannot be told.
    pub async fn describe(&self, bucket: &Bucket) -> Value {
        let name = bucket.as_str();
        let mut told = Map::new();
        let mut put = |part: &str, answer: Result<Value, AwsError>| {
            told.insert(part.to_owned(), answer.unwrap_or_else(|error| json!({ "error": error.to_string() })));
        };
        let answer = self.client.get_bucket_location().bucket(name).send().await;
        let answer = answer.map_err(|error| AwsError::new("GetBucketLocation", name, &error));
        put(
            "region",
            answer.map(|answer| {
                let place = answer.location_constraint.map(|place| place.as_str().to_owned());
                json!(place.filter(|place| !place.is_empty()).unwrap_or_else(|| FIRST_REGION.to_owned()))
            }),
        );
        let acl = self.client.get_bucket_acl().bucket(name).send().await;
        let acl = acl.map_err(|error| AwsError::new("GetBucketAcl", name, &error));
        put(
            "acl",
            acl.map(|answer| {
                let grants = answer.grants().iter().map(|grant| {
                    let grantee = grant.grantee();
                    json!({
                        "permission": grant.permission().map(aws_sdk_s3::types::Permission::as_str),
                        "grantee": grantee.and_then(|who| who.uri().or(who.display_name()).or(who.id())),
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
        let status = self.client.get_bucket_policy_status().bucket(name).send().await;
        let status = status.map_err(|error| AwsError::new("GetBucketPolicyStatus", name, &error));
        put(
            "public-by-policy",
            match status {
                Ok(answer) => Ok(json!(answer.policy_status.and_then(|status| status.is_public))),
                Err(error) if error.is_not_found() => Ok(json!(false)),
                Err(error) => Err(error),
            },
        );
        let block = self.client.get_public_access_block().bucket(name).send().await;
        let block = block.map_err(|error| AwsError::new("GetPublicAccessBlock", name, &error));
        put(
            "public-access-block",
            match block {
                Ok(answer) => Ok(answer.public_access_block_configuration.map_or(Value::Null, |block| {
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
        put("takes-acls", self.acls_enabled(bucket).await.map(|takes| json!(takes)));
        put("encryption", self.encryption(bucket).await.map(|kind| json!(kind)));
        Value::Object(told)
    }
}
