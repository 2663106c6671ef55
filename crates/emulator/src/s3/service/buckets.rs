//! Operations on buckets.

use s3s::{S3Request, S3Response, dto::*};

use super::super::bucket::{BucketRecord, Ownership, REGION, Website};
use super::super::error::S3Failure;
use super::super::object::ObjectEncryption;
use super::backend::{EmulatedS3, OperationResult};
use super::request::{encryption, timestamp};
use crate::iam::ACCOUNT_ID;

pub(super) async fn list_buckets(
    service: &EmulatedS3,
    _req: S3Request<ListBucketsInput>,
) -> OperationResult<ListBucketsOutput> {
    let buckets = service.store.buckets()?.into_iter().map(|(name, bucket)| Bucket {
        name: Some(name),
        creation_date: Some(timestamp(bucket.created())),
        bucket_region: Some(REGION.to_owned()),
    });
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets.collect()),
        owner: Some(Owner { id: Some(ACCOUNT_ID.to_owned()), display_name: None }),
        ..ListBucketsOutput::default()
    }))
}

pub(super) async fn create_bucket(
    service: &EmulatedS3,
    req: S3Request<CreateBucketInput>,
) -> OperationResult<CreateBucketOutput> {
    let ownership = match &req.input.object_ownership {
        Some(ownership) => Ownership::parse(ownership.as_str())?,
        None => Ownership::default(),
    };
    service.store.create_bucket_with(&req.input.bucket, ownership).await?;
    Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{}", req.input.bucket)) }))
}

pub(super) async fn delete_bucket(
    service: &EmulatedS3,
    req: S3Request<DeleteBucketInput>,
) -> OperationResult<DeleteBucketOutput> {
    service.store.delete_bucket(&req.input.bucket).await?;
    Ok(S3Response::new(DeleteBucketOutput::default()))
}

pub(super) async fn head_bucket(
    service: &EmulatedS3,
    req: S3Request<HeadBucketInput>,
) -> OperationResult<HeadBucketOutput> {
    let region = service.store.bucket(&req.input.bucket)?.region.unwrap_or_else(|| REGION.to_owned());
    Ok(S3Response::new(HeadBucketOutput { bucket_region: Some(region), ..HeadBucketOutput::default() }))
}

/// us-east-1 is reported as no constraint.
pub(super) async fn get_bucket_location(
    service: &EmulatedS3,
    req: S3Request<GetBucketLocationInput>,
) -> OperationResult<GetBucketLocationOutput> {
    let region = service.store.bucket(&req.input.bucket)?.region.filter(|region| region != REGION);
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint: region.map(BucketLocationConstraint::from) }))
}

/// A bucket that was never versioned is reported without a status.
pub(super) async fn get_bucket_versioning(
    service: &EmulatedS3,
    req: S3Request<GetBucketVersioningInput>,
) -> OperationResult<GetBucketVersioningOutput> {
    let versioned = service.store.bucket(&req.input.bucket)?.versioned;
    let status = versioned.then(|| BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED));
    Ok(S3Response::new(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() }))
}

pub(super) async fn put_bucket_versioning(
    service: &EmulatedS3,
    req: S3Request<PutBucketVersioningInput>,
) -> OperationResult<PutBucketVersioningOutput> {
    let configuration = req.input.versioning_configuration;
    match configuration.status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::ENABLED) if configuration.mfa_delete.is_none() => {
            service.store.set_versioned(&req.input.bucket).await?;
            Ok(S3Response::new(PutBucketVersioningOutput::default()))
        }
        Some(BucketVersioningStatus::ENABLED) => Err(S3Failure::NotImplemented("MfaDelete")),
        _ => Err(S3Failure::NotImplemented("suspended versioning")),
    }
}

pub(super) async fn get_bucket_encryption(
    service: &EmulatedS3,
    req: S3Request<GetBucketEncryptionInput>,
) -> OperationResult<GetBucketEncryptionOutput> {
    let ObjectEncryption { algorithm, kms_key, bucket_key } = service.store.bucket(&req.input.bucket)?.encryption;
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
            kms_master_key_id: kms_key,
            sse_algorithm: ServerSideEncryption::from(algorithm),
        }),
        bucket_key_enabled: bucket_key,
    };
    Ok(S3Response::new(GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration { rules: vec![rule] }),
    }))
}

pub(super) async fn put_bucket_encryption(
    service: &EmulatedS3,
    req: S3Request<PutBucketEncryptionInput>,
) -> OperationResult<PutBucketEncryptionOutput> {
    let [rule] = req.input.server_side_encryption_configuration.rules.as_slice() else {
        return Err(S3Failure::MalformedXml);
    };
    let default = rule.apply_server_side_encryption_by_default.as_ref().ok_or(S3Failure::MalformedXml)?;
    let encryption = encryption(
        &BucketRecord::default(),
        &req.headers,
        Some(&default.sse_algorithm),
        default.kms_master_key_id.clone(),
        rule.bucket_key_enabled,
    )?;
    service.store.set_encryption(&req.input.bucket, encryption).await?;
    Ok(S3Response::new(PutBucketEncryptionOutput::default()))
}

pub(super) async fn get_bucket_website(
    service: &EmulatedS3,
    req: S3Request<GetBucketWebsiteInput>,
) -> OperationResult<GetBucketWebsiteOutput> {
    let website = service.store.bucket(&req.input.bucket)?.website.ok_or(S3Failure::NoSuchWebsiteConfiguration)?;
    Ok(S3Response::new(GetBucketWebsiteOutput {
        index_document: Some(IndexDocument { suffix: website.index_document }),
        error_document: website.error_document.map(|key| ErrorDocument { key }),
        ..GetBucketWebsiteOutput::default()
    }))
}

pub(super) async fn put_bucket_website(
    service: &EmulatedS3,
    req: S3Request<PutBucketWebsiteInput>,
) -> OperationResult<PutBucketWebsiteOutput> {
    let configuration = req.input.website_configuration;
    if configuration.redirect_all_requests_to.is_some() || configuration.routing_rules.is_some() {
        return Err(S3Failure::NotImplemented("website redirects and routing rules"));
    }
    let Some(index) = configuration.index_document else {
        return Err(S3Failure::InvalidArgument(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
        ));
    };
    if index.suffix.is_empty() || index.suffix.contains('/') {
        return Err(S3Failure::InvalidArgument("The IndexDocument Suffix is not well formed"));
    }
    let website = Website {
        index_document: index.suffix,
        error_document: configuration.error_document.map(|document| document.key),
    };
    service.store.set_website(&req.input.bucket, Some(website)).await?;
    Ok(S3Response::new(PutBucketWebsiteOutput::default()))
}

pub(super) async fn delete_bucket_website(
    service: &EmulatedS3,
    req: S3Request<DeleteBucketWebsiteInput>,
) -> OperationResult<DeleteBucketWebsiteOutput> {
    service.store.set_website(&req.input.bucket, None).await?;
    Ok(S3Response::new(DeleteBucketWebsiteOutput::default()))
}

pub(super) async fn get_bucket_ownership_controls(
    service: &EmulatedS3,
    req: S3Request<GetBucketOwnershipControlsInput>,
) -> OperationResult<GetBucketOwnershipControlsOutput> {
    let ownership = service.store.bucket(&req.input.bucket)?.ownership;
    let rule = OwnershipControlsRule { object_ownership: ObjectOwnership::from(ownership.name().to_owned()) };
    Ok(S3Response::new(GetBucketOwnershipControlsOutput {
        ownership_controls: Some(OwnershipControls { rules: vec![rule] }),
    }))
}

pub(super) async fn put_bucket_ownership_controls(
    service: &EmulatedS3,
    req: S3Request<PutBucketOwnershipControlsInput>,
) -> OperationResult<PutBucketOwnershipControlsOutput> {
    let [rule] = req.input.ownership_controls.rules.as_slice() else {
        return Err(S3Failure::MalformedXml);
    };
    let ownership = Ownership::parse(rule.object_ownership.as_str())?;
    service.store.set_ownership(&req.input.bucket, ownership).await?;
    Ok(S3Response::new(PutBucketOwnershipControlsOutput::default()))
}
