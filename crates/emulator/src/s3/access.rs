//! Authorization of S3 requests: turns a request into the actions, resources and condition keys that policies use, and
//! checks each. [`crate::iam`] evaluates the policies.
//!
//! Source of the mapping: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3", and
//! the permissions that the API Reference lists for each operation.

mod operations;

use http::HeaderMap;
use s3s::{S3Request, S3Result, auth::Credentials, dto::CopySource};

use super::{copy::source_name, error::S3Failure, store::ObjectStore};
use crate::iam::document::BucketPolicy;
use crate::iam::{AccessDenied, AccessRequest, IamService};

/// Request headers that are condition keys of the same name.
const HEADER_KEYS: [(&str, &str); 14] = [
    ("x-amz-acl", "s3:x-amz-acl"),
    ("x-amz-content-sha256", "s3:x-amz-content-sha256"),
    ("x-amz-copy-source", "s3:x-amz-copy-source"),
    ("x-amz-grant-full-control", "s3:x-amz-grant-full-control"),
    ("x-amz-grant-read", "s3:x-amz-grant-read"),
    ("x-amz-grant-read-acp", "s3:x-amz-grant-read-acp"),
    ("x-amz-grant-write-acp", "s3:x-amz-grant-write-acp"),
    ("x-amz-metadata-directive", "s3:x-amz-metadata-directive"),
    ("x-amz-server-side-encryption", "s3:x-amz-server-side-encryption"),
    ("x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption-aws-kms-key-id"),
    ("x-amz-storage-class", "s3:x-amz-storage-class"),
    ("x-amz-website-redirect-location", "s3:x-amz-website-redirect-location"),
    ("if-match", "s3:if-match"),
    ("if-none-match", "s3:if-none-match"),
];

/// The ARN of a bucket.
pub(super) fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// The ARN of an object.
pub(super) fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// Authorizes every operation.
#[derive(Clone)]
pub(crate) struct Authorizer {
    iam: IamService,
    /// The buckets, with their policies, regions and owners.
    pub(super) store: ObjectStore,
}

/// The caller of a distribution's requests for its bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OriginCaller<'a> {
    /// A caller without credentials.
    Anonymous,
    /// CloudFront, for the distribution with this ARN.
    Distribution(&'a str),
}

/// CloudFront in policies.
const CLOUDFRONT: &str = "cloudfront.amazonaws.com";

/// The condition keys of one request.
pub(super) type Context = Vec<(String, String)>;

impl Authorizer {
    pub(crate) fn new(store: ObjectStore, iam: IamService) -> Self {
        Self { iam, store }
    }

    /// Whether a distribution may read an object.
    pub(crate) fn origin_may_get(&self, caller: OriginCaller<'_>, bucket: &str, key: &str) -> bool {
        self.origin_may(caller, "s3:GetObject", &object_arn(bucket, key))
    }

    /// Whether a distribution may list a bucket. Without that, a missing key is not distinguished from a forbidden one.
    pub(crate) fn origin_may_list(&self, caller: OriginCaller<'_>, bucket: &str) -> bool {
        self.origin_may(caller, "s3:ListBucket", &bucket_arn(bucket))
    }

    fn origin_may(&self, caller: OriginCaller<'_>, action: &str, resource: &str) -> bool {
        match caller {
            OriginCaller::Anonymous => self.authorize(None, action, resource, &Context::new()).is_ok(),
            OriginCaller::Distribution(arn) => {
                let request = AccessRequest { action, resource, context: &[("aws:SourceArn", arn)] };
                // A restriction of public buckets does not concern services.
                let policy = self.stored_policy(resource);
                self.iam.service_is_allowed(CLOUDFRONT, &request, policy.map(|(policy, _)| policy).as_ref())
            }
        }
    }

    /// Checks that the owner of an access key may read an object and the location of its bucket, for a service that reads
    /// it on behalf of the caller.
    pub(crate) fn caller_may_read(&self, access_key_id: &str, bucket: &str, key: &str) -> Result<(), AccessDenied> {
        let actions = [("s3:GetBucketLocation", bucket_arn(bucket)), ("s3:GetObject", object_arn(bucket, key))];
        actions.iter().try_for_each(|(action, resource)| {
            let request = AccessRequest { action, resource, context: &[] };
            self.iam.authorize_at(Some(access_key_id), &request, self.policy(resource).as_ref())
        })
    }

    /// Checks one action.
    pub(super) fn authorize(
        &self,
        credentials: Option<&Credentials>,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Result<(), S3Failure> {
        let context: Vec<(&str, &str)> = context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let request = AccessRequest { action, resource, context: &context };
        let policy = self.policy(resource);
        match credentials {
            Some(credentials) => self
                .iam
                .authorize_at(Some(&credentials.access_key), &request, policy.as_ref())
                .map_err(|denied| S3Failure::AccessDenied(denied.to_string())),
            None => self
                .iam
                .authorize_at(None, &request, policy.as_ref())
                .map_err(|_| S3Failure::AccessDenied("Access Denied".to_owned())),
        }
    }

    /// The policy of the bucket that a resource is, or is in. A public policy is ignored if the bucket restricts public
    /// access.
    fn policy(&self, resource: &str) -> Option<BucketPolicy> {
        let (policy, restricts) = self.stored_policy(resource)?;
        (!policy.is_public() || !restricts).then_some(policy)
    }

    /// The policy, and whether the bucket restricts public access.
    fn stored_policy(&self, resource: &str) -> Option<(BucketPolicy, bool)> {
        let name = resource.strip_prefix("arn:aws:s3:::")?.split('/').next()?;
        let bucket = self.store.bucket(name).ok()?;
        let policy = BucketPolicy::parse(bucket.policy.as_deref()?).ok()?;
        Some((policy, bucket.public_access_block.restrict_public_buckets))
    }

    fn authorize_bucket<T>(&self, request: &S3Request<T>, action: &str, bucket: &str) -> S3Result<()> {
        Ok(self.authorize(
            request.credentials.as_ref(),
            action,
            &bucket_arn(bucket),
            &header_context(&request.headers),
        )?)
    }

    fn authorize_object<T>(&self, request: &S3Request<T>, action: &str, bucket: &str, key: &str) -> S3Result<()> {
        Ok(self.authorize(
            request.credentials.as_ref(),
            action,
            &object_arn(bucket, key),
            &header_context(&request.headers),
        )?)
    }

    /// Checks what every request that creates an object needs, and what its headers need in addition.
    fn authorize_write<T>(&self, request: &S3Request<T>, bucket: &str, key: &str, creates: bool) -> S3Result<()> {
        let mut context = header_context(&request.headers);
        context.push(("s3:ObjectCreationOperation".to_owned(), creates.to_string()));
        let arn = object_arn(bucket, key);
        let credentials = request.credentials.as_ref();
        self.authorize(credentials, "s3:PutObject", &arn, &context)?;
        let has = |name: &str| request.headers.contains_key(name);
        if has("x-amz-acl") || request.headers.keys().any(|name| name.as_str().starts_with("x-amz-grant-")) {
            self.authorize(credentials, "s3:PutObjectAcl", &arn, &context)?;
        }
        if has("x-amz-tagging") {
            self.authorize(credentials, "s3:PutObjectTagging", &arn, &context)?;
        }
        if has("if-match") {
            self.authorize(credentials, "s3:GetObject", &arn, &context)?;
        }
        Ok(())
    }

    fn authorize_source<T>(&self, request: &S3Request<T>, source: &CopySource) -> S3Result<()> {
        let source = source_name(source)?;
        self.authorize_object(request, "s3:GetObject", &source.bucket, &source.key)
    }

    fn authorize_list<T>(
        &self,
        request: &S3Request<T>,
        bucket: &str,
        parameters: [(&str, Option<String>); 3],
    ) -> S3Result<()> {
        let mut context = header_context(&request.headers);
        context.extend(parameters.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        Ok(self.authorize(request.credentials.as_ref(), "s3:ListBucket", &bucket_arn(bucket), &context)?)
    }
}

/// The condition keys in the headers.
fn header_context(headers: &HeaderMap) -> Context {
    let mut context: Context = HEADER_KEYS
        .into_iter()
        .filter_map(|(header, key)| Some((key.to_owned(), headers.get(header)?.to_str().ok()?.to_owned())))
        .collect();
    if let Some(tags) = headers.get("x-amz-tagging") {
        for (name, value) in url::form_urlencoded::parse(tags.as_bytes()) {
            context.push((format!("s3:RequestObjectTag/{name}"), value.into_owned()));
            context.push(("s3:RequestObjectTagKeys".to_owned(), name.into_owned()));
        }
    }
    context
}
