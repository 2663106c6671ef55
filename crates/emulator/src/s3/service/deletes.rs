//! Operations that delete objects.

use futures::{StreamExt as _, stream};
use s3s::{S3Request, S3Response, dto::*};

use super::super::access::{Context, object_arn};
use super::super::condition::WriteCondition;
use super::super::error::S3Failure;
use super::backend::{EmulatedS3, OperationResult};

/// Most keys of one DeleteObjects. Source: API Reference, DeleteObjects.
const MAX_KEYS: usize = 1_000;

/// Deletes of one request that may wait for the database at the same time.
const CONCURRENT_DELETES: usize = 64;

pub(super) async fn delete_object(
    service: &EmulatedS3,
    req: S3Request<DeleteObjectInput>,
) -> OperationResult<DeleteObjectOutput> {
    let input = req.input;
    if input.if_match_size.is_some() || input.if_match_last_modified_time.is_some() {
        return Err(S3Failure::NotImplemented("x-amz-if-match-size, x-amz-if-match-last-modified-time"));
    }
    let condition = match &input.if_match {
        None => WriteCondition::None,
        Some(ETagCondition::Any) => WriteCondition::Present,
        Some(ETagCondition::ETag(etag)) => WriteCondition::of_delete(Some(etag.value())),
    };
    let marker = service.store.delete(&input.bucket, &input.key, condition).await?;
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: marker.as_ref().map(|_| true),
        version_id: marker,
        ..DeleteObjectOutput::default()
    }))
}

/// Every key has its own result: an error for one does not prevent the deletion of the others.
pub(super) async fn delete_objects(
    service: &EmulatedS3,
    req: S3Request<DeleteObjectsInput>,
) -> OperationResult<DeleteObjectsOutput> {
    let input = &req.input;
    if input.delete.objects.is_empty() || input.delete.objects.len() > MAX_KEYS {
        return Err(S3Failure::MalformedXml);
    }
    let quiet = input.delete.quiet.unwrap_or(false);
    // A caller that may delete nothing must not learn whether the bucket exists, so the keys are authorized first.
    let mut deletes = Vec::with_capacity(input.delete.objects.len());
    for object in &input.delete.objects {
        deletes.push(delete_one(service, &req, object));
    }
    let results: Vec<Result<Option<String>, S3Failure>> =
        stream::iter(deletes).buffered(CONCURRENT_DELETES).collect().await;
    let mut deleted = Vec::new();
    let mut errors = Vec::new();
    for (object, result) in input.delete.objects.iter().zip(results) {
        let key = object.key.clone();
        match result {
            Ok(_) if quiet => {}
            Ok(marker) => deleted.push(DeletedObject {
                key: Some(key),
                delete_marker: marker.as_ref().map(|_| true),
                delete_marker_version_id: marker,
                version_id: None,
            }),
            // A missing bucket and a failed store affect all keys.
            Err(error @ (S3Failure::NoSuchBucket | S3Failure::Storage(_))) => return Err(error),
            Err(error) => errors.push(Error {
                code: Some(error.code().as_str().to_owned()),
                message: Some(error.to_string()),
                key: Some(key),
                version_id: None,
            }),
        }
    }
    Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), request_charged: None }))
}

async fn delete_one(
    service: &EmulatedS3,
    req: &S3Request<DeleteObjectsInput>,
    object: &ObjectIdentifier,
) -> Result<Option<String>, S3Failure> {
    let arn = object_arn(&req.input.bucket, &object.key);
    let no_context = Context::new();
    service.authorizer.authorize(req.credentials.as_ref(), "s3:DeleteObject", &arn, &no_context)?;
    if object.version_id.as_deref().is_some_and(|version| version != "null") {
        return Err(S3Failure::NotImplemented("VersionId"));
    }
    if object.size.is_some() || object.last_modified_time.is_some() {
        return Err(S3Failure::NotImplemented("Size, LastModifiedTime"));
    }
    let etag = object.e_tag.as_ref().map(ETag::value);
    if etag.is_some_and(|etag| etag != "*") {
        service.authorizer.authorize(req.credentials.as_ref(), "s3:GetObject", &arn, &no_context)?;
    }
    service.store.delete(&req.input.bucket, &object.key, WriteCondition::of_delete(etag)).await
}
