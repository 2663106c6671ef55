//! Access to a bucket: its policy, public access block and ACL.

use s3s::{S3Request, S3Response, dto::*};

use super::super::bucket::PublicAccessBlock;
use super::super::error::S3Failure;
use super::backend::{EmulatedS3, OperationResult};
use crate::iam::ACCOUNT_ID;
use crate::iam::document::BucketPolicy;

/// Longest policy of a bucket, in bytes. Source: Amazon S3 User Guide, "Bucket policies".
const MAX_POLICY_SIZE: usize = 20 * 1024;

pub(super) async fn get_bucket_policy(
    service: &EmulatedS3,
    req: S3Request<GetBucketPolicyInput>,
) -> OperationResult<GetBucketPolicyOutput> {
    let policy = service.store.bucket(&req.input.bucket)?.policy.ok_or(S3Failure::NoSuchBucketPolicy)?;
    Ok(S3Response::new(GetBucketPolicyOutput { policy: Some(policy) }))
}

pub(super) async fn put_bucket_policy(
    service: &EmulatedS3,
    req: S3Request<PutBucketPolicyInput>,
) -> OperationResult<PutBucketPolicyOutput> {
    let text = req.input.policy;
    if text.len() > MAX_POLICY_SIZE {
        return Err(S3Failure::InvalidArgument("The policy is longer than 20 KB"));
    }
    let policy = BucketPolicy::parse(&text).map_err(|error| S3Failure::MalformedPolicy(error.to_string()))?;
    let bucket = service.store.bucket(&req.input.bucket)?;
    if policy.is_public() && bucket.public_access_block.block_public_policy {
        return Err(S3Failure::AccessDenied(
            "public policies are prevented by the BlockPublicPolicy setting of the bucket's public access block"
                .to_owned(),
        ));
    }
    service.store.set_policy(&req.input.bucket, Some(text)).await?;
    Ok(S3Response::new(PutBucketPolicyOutput::default()))
}

pub(super) async fn delete_bucket_policy(
    service: &EmulatedS3,
    req: S3Request<DeleteBucketPolicyInput>,
) -> OperationResult<DeleteBucketPolicyOutput> {
    service.store.set_policy(&req.input.bucket, None).await?;
    Ok(S3Response::new(DeleteBucketPolicyOutput::default()))
}

pub(super) async fn get_bucket_policy_status(
    service: &EmulatedS3,
    req: S3Request<GetBucketPolicyStatusInput>,
) -> OperationResult<GetBucketPolicyStatusOutput> {
    let text = service.store.bucket(&req.input.bucket)?.policy.ok_or(S3Failure::NoSuchBucketPolicy)?;
    let public = BucketPolicy::parse(&text).is_ok_and(|policy| policy.is_public());
    Ok(S3Response::new(GetBucketPolicyStatusOutput { policy_status: Some(PolicyStatus { is_public: Some(public) }) }))
}

pub(super) async fn get_public_access_block(
    service: &EmulatedS3,
    req: S3Request<GetPublicAccessBlockInput>,
) -> OperationResult<GetPublicAccessBlockOutput> {
    let block = service.store.bucket(&req.input.bucket)?.public_access_block;
    Ok(S3Response::new(GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(PublicAccessBlockConfiguration {
            block_public_acls: Some(block.block_public_acls),
            ignore_public_acls: Some(block.ignore_public_acls),
            block_public_policy: Some(block.block_public_policy),
            restrict_public_buckets: Some(block.restrict_public_buckets),
        }),
    }))
}

pub(super) async fn put_public_access_block(
    service: &EmulatedS3,
    req: S3Request<PutPublicAccessBlockInput>,
) -> OperationResult<PutPublicAccessBlockOutput> {
    let configuration = req.input.public_access_block_configuration;
    let block = PublicAccessBlock {
        block_public_acls: configuration.block_public_acls.unwrap_or_default(),
        ignore_public_acls: configuration.ignore_public_acls.unwrap_or_default(),
        block_public_policy: configuration.block_public_policy.unwrap_or_default(),
        restrict_public_buckets: configuration.restrict_public_buckets.unwrap_or_default(),
    };
    service.store.set_public_access_block(&req.input.bucket, block).await?;
    Ok(S3Response::new(PutPublicAccessBlockOutput::default()))
}

/// The owner has full control. Other ACLs of buckets are not supported.
pub(super) async fn get_bucket_acl(
    service: &EmulatedS3,
    req: S3Request<GetBucketAclInput>,
) -> OperationResult<GetBucketAclOutput> {
    service.store.bucket(&req.input.bucket)?;
    let grant = Grant {
        grantee: Some(Grantee {
            id: Some(ACCOUNT_ID.to_owned()),
            type_: Type::from_static(Type::CANONICAL_USER),
            display_name: None,
            email_address: None,
            uri: None,
        }),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    };
    Ok(S3Response::new(GetBucketAclOutput {
        grants: Some(vec![grant]),
        owner: Some(Owner { id: Some(ACCOUNT_ID.to_owned()), display_name: None }),
    }))
}
