//! The permissions of each operation, and the checks before every operation: session, owner and region.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    dto::*,
};

use super::super::bucket::REGION;
use super::{Authorizer, Context};
use crate::iam::{ACCOUNT_ID, TokenError};

#[async_trait::async_trait]
impl S3Auth for Authorizer {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.iam.secret_key(access_key) {
            Some(found) => Ok(SecretKey::from(found.secret)),
            None => Err(S3Error::with_message(
                S3ErrorCode::InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records.",
            )),
        }
    }
}

/// The region that a request is signed for: `Credential=key/date/region/s3/aws4_request`.
fn signed_region(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    authorization.split("Credential=").nth(1)?.split('/').nth(2)
}

/// The error for a bucket in another region. Its header is also part of the answer to a HEAD. Source: Amazon S3 User
/// Guide, "Making requests", "Request redirection and the REST API".
fn wrong_region(region: &str) -> S3Error {
    let mut error = S3Error::with_message(
        S3ErrorCode::PermanentRedirect,
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
    );
    error.set_status_code(StatusCode::MOVED_PERMANENTLY);
    if let Ok(region) = HeaderValue::from_str(region) {
        error.set_headers(HeaderMap::from_iter([(HeaderName::from_static("x-amz-bucket-region"), region)]));
    }
    error
}

/// The session token of a request, from its headers or its URL.
fn presented_token(context: &S3AccessContext<'_>) -> Option<String> {
    if let Some(token) = context.headers().get("x-amz-security-token") {
        return token.to_str().ok().map(str::to_owned);
    }
    let query = context.uri().query()?;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name.eq_ignore_ascii_case("x-amz-security-token"))
        .map(|(_, token)| token.into_owned())
}

#[async_trait::async_trait]
impl S3Access for Authorizer {
    /// Runs before the operation is parsed: checks the caller's session and the bucket's owner and region.
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let denied = || S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied");
        let bucket =
            context.s3_path().get_bucket_name().and_then(|name| self.store.bucket(name).ok()).unwrap_or_default();
        // Without credentials only the bucket's policy can allow something, which each operation checks.
        let Some(credentials) = context.credentials() else {
            return if bucket.policy.is_some() { Ok(()) } else { Err(denied()) };
        };
        let found = self.iam.secret_key(&credentials.access_key).ok_or_else(denied)?;
        found.check_token(presented_token(context).as_deref()).map_err(|error| match error {
            TokenError::Invalid => S3Error::with_message(
                S3ErrorCode::InvalidToken,
                "The provided token is malformed or otherwise invalid.",
            ),
            TokenError::Expired => S3Error::with_message(S3ErrorCode::ExpiredToken, "The provided token has expired."),
        })?;
        let owner = bucket.owner.as_deref().unwrap_or(ACCOUNT_ID);
        match context.headers().get("x-amz-expected-bucket-owner") {
            Some(expected) if expected != owner => return Err(denied()),
            _ => {}
        }
        let source = context.headers().get("x-amz-copy-source").and_then(|source| source.to_str().ok());
        let source =
            source.and_then(|source| self.store.bucket(source.trim_start_matches('/').split('/').next()?).ok());
        let expected = context.headers().get("x-amz-source-expected-bucket-owner");
        if let (Some(source), Some(expected)) = (source, expected)
            && expected != source.owner.as_deref().unwrap_or(ACCOUNT_ID)
        {
            return Err(denied());
        }
        let region = bucket.region.as_deref().unwrap_or(REGION);
        if signed_region(context.headers()).is_some_and(|signed| signed != region) && bucket.region.is_some() {
            return Err(wrong_region(region));
        }
        if owner == ACCOUNT_ID { Ok(()) } else { Err(denied()) }
    }

    async fn list_buckets(&self, req: &mut S3Request<ListBucketsInput>) -> S3Result<()> {
        Ok(self.authorize(req.credentials.as_ref(), "s3:ListAllMyBuckets", "*", &Context::new())?)
    }

    async fn create_bucket(&self, req: &mut S3Request<CreateBucketInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:CreateBucket", &req.input.bucket)
    }

    async fn delete_bucket(&self, req: &mut S3Request<DeleteBucketInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:DeleteBucket", &req.input.bucket)
    }

    async fn head_bucket(&self, req: &mut S3Request<HeadBucketInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:ListBucket", &req.input.bucket)
    }

    async fn get_bucket_location(&self, req: &mut S3Request<GetBucketLocationInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:GetBucketLocation", &req.input.bucket)
    }

    async fn get_bucket_website(&self, req: &mut S3Request<GetBucketWebsiteInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:GetBucketWebsite", &req.input.bucket)
    }

    async fn put_bucket_website(&self, req: &mut S3Request<PutBucketWebsiteInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:PutBucketWebsite", &req.input.bucket)
    }

    async fn delete_bucket_website(&self, req: &mut S3Request<DeleteBucketWebsiteInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:DeleteBucketWebsite", &req.input.bucket)
    }

    async fn get_bucket_ownership_controls(
        &self,
        req: &mut S3Request<GetBucketOwnershipControlsInput>,
    ) -> S3Result<()> {
        self.authorize_bucket(req, "s3:GetBucketOwnershipControls", &req.input.bucket)
    }

    async fn put_bucket_ownership_controls(
        &self,
        req: &mut S3Request<PutBucketOwnershipControlsInput>,
    ) -> S3Result<()> {
        self.authorize_bucket(req, "s3:PutBucketOwnershipControls", &req.input.bucket)
    }

    async fn get_bucket_versioning(&self, req: &mut S3Request<GetBucketVersioningInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:GetBucketVersioning", &req.input.bucket)
    }

    async fn put_bucket_versioning(&self, req: &mut S3Request<PutBucketVersioningInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:PutBucketVersioning", &req.input.bucket)
    }

    async fn get_bucket_encryption(&self, req: &mut S3Request<GetBucketEncryptionInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:GetEncryptionConfiguration", &req.input.bucket)
    }

    async fn put_bucket_encryption(&self, req: &mut S3Request<PutBucketEncryptionInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:PutEncryptionConfiguration", &req.input.bucket)
    }

    async fn get_bucket_policy(&self, req: &mut S3Request<GetBucketPolicyInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:GetBucketPolicy", &req.input.bucket)
    }

    async fn put_bucket_policy(&self, req: &mut S3Request<PutBucketPolicyInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:PutBucketPolicy", &req.input.bucket)
    }

    async fn delete_bucket_policy(&self, req: &mut S3Request<DeleteBucketPolicyInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:DeleteBucketPolicy", &req.input.bucket)
    }

    async fn get_bucket_policy_status(&self, req: &mut S3Request<GetBucketPolicyStatusInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:GetBucketPolicyStatus", &req.input.bucket)
    }

    async fn get_public_access_block(&self, req: &mut S3Request<GetPublicAccessBlockInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:GetBucketPublicAccessBlock", &req.input.bucket)
    }

    async fn put_public_access_block(&self, req: &mut S3Request<PutPublicAccessBlockInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:PutBucketPublicAccessBlock", &req.input.bucket)
    }

    async fn get_bucket_acl(&self, req: &mut S3Request<GetBucketAclInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:GetBucketAcl", &req.input.bucket)
    }

    async fn list_objects(&self, req: &mut S3Request<ListObjectsInput>) -> S3Result<()> {
        let parameters = [
            ("s3:prefix", req.input.prefix.clone()),
            ("s3:delimiter", req.input.delimiter.clone()),
            ("s3:max-keys", req.input.max_keys.map(|max_keys| max_keys.to_string())),
        ];
        self.authorize_list(req, &req.input.bucket, parameters)
    }

    async fn list_objects_v2(&self, req: &mut S3Request<ListObjectsV2Input>) -> S3Result<()> {
        let parameters = [
            ("s3:prefix", req.input.prefix.clone()),
            ("s3:delimiter", req.input.delimiter.clone()),
            ("s3:max-keys", req.input.max_keys.map(|max_keys| max_keys.to_string())),
        ];
        self.authorize_list(req, &req.input.bucket, parameters)
    }

    async fn get_object(&self, req: &mut S3Request<GetObjectInput>) -> S3Result<()> {
        self.authorize_object(req, "s3:GetObject", &req.input.bucket, &req.input.key)
    }

    async fn head_object(&self, req: &mut S3Request<HeadObjectInput>) -> S3Result<()> {
        self.authorize_object(req, "s3:GetObject", &req.input.bucket, &req.input.key)
    }

    async fn get_object_attributes(&self, req: &mut S3Request<GetObjectAttributesInput>) -> S3Result<()> {
        self.authorize_object(req, "s3:GetObject", &req.input.bucket, &req.input.key)?;
        self.authorize_object(req, "s3:GetObjectAttributes", &req.input.bucket, &req.input.key)
    }

    async fn get_object_tagging(&self, req: &mut S3Request<GetObjectTaggingInput>) -> S3Result<()> {
        self.authorize_object(req, "s3:GetObjectTagging", &req.input.bucket, &req.input.key)
    }

    async fn put_object_tagging(&self, req: &mut S3Request<PutObjectTaggingInput>) -> S3Result<()> {
        self.authorize_object(req, "s3:PutObjectTagging", &req.input.bucket, &req.input.key)
    }

    async fn delete_object_tagging(&self, req: &mut S3Request<DeleteObjectTaggingInput>) -> S3Result<()> {
        self.authorize_object(req, "s3:DeleteObjectTagging", &req.input.bucket, &req.input.key)
    }

    async fn put_object(&self, req: &mut S3Request<PutObjectInput>) -> S3Result<()> {
        self.authorize_write(req, &req.input.bucket, &req.input.key, true)
    }

    async fn copy_object(&self, req: &mut S3Request<CopyObjectInput>) -> S3Result<()> {
        self.authorize_source(req, &req.input.copy_source)?;
        self.authorize_write(req, &req.input.bucket, &req.input.key, true)
    }

    async fn delete_object(&self, req: &mut S3Request<DeleteObjectInput>) -> S3Result<()> {
        self.authorize_object(req, "s3:DeleteObject", &req.input.bucket, &req.input.key)?;
        if req.input.if_match.as_ref().is_some_and(|condition| !condition.is_any()) {
            self.authorize_object(req, "s3:GetObject", &req.input.bucket, &req.input.key)?;
        }
        Ok(())
    }

    /// Authorized key by key when they are deleted, since each key has its own result.
    async fn delete_objects(&self, _req: &mut S3Request<DeleteObjectsInput>) -> S3Result<()> {
        Ok(())
    }

    async fn create_multipart_upload(&self, req: &mut S3Request<CreateMultipartUploadInput>) -> S3Result<()> {
        self.authorize_write(req, &req.input.bucket, &req.input.key, false)
    }

    async fn upload_part(&self, req: &mut S3Request<UploadPartInput>) -> S3Result<()> {
        self.authorize_write(req, &req.input.bucket, &req.input.key, false)
    }

    async fn upload_part_copy(&self, req: &mut S3Request<UploadPartCopyInput>) -> S3Result<()> {
        self.authorize_source(req, &req.input.copy_source)?;
        self.authorize_write(req, &req.input.bucket, &req.input.key, false)
    }

    async fn complete_multipart_upload(&self, req: &mut S3Request<CompleteMultipartUploadInput>) -> S3Result<()> {
        self.authorize_write(req, &req.input.bucket, &req.input.key, true)
    }

    async fn abort_multipart_upload(&self, req: &mut S3Request<AbortMultipartUploadInput>) -> S3Result<()> {
        self.authorize_object(req, "s3:AbortMultipartUpload", &req.input.bucket, &req.input.key)
    }

    async fn list_parts(&self, req: &mut S3Request<ListPartsInput>) -> S3Result<()> {
        self.authorize_object(req, "s3:ListMultipartUploadParts", &req.input.bucket, &req.input.key)
    }

    async fn list_multipart_uploads(&self, req: &mut S3Request<ListMultipartUploadsInput>) -> S3Result<()> {
        self.authorize_bucket(req, "s3:ListBucketMultipartUploads", &req.input.bucket)
    }
}
