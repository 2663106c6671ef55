//! Operations that delete objects.

use futures::{StreamExt as _, stream};
use s3s::{S3Request, S3Response, dto::*};

use super::{EmulatedS3, object_arn};
use crate::s3::access::Context;
use crate::s3::{S3Failure, WriteCondition};

/// Most keys of one DeleteObjects. Source: its API reference.
const MOST_KEYS: usize = 1_000;

/// Deletes of one request that may wait for the database together.
const TOGETHER: usize = 64;

pub(super) async fn delete_object(
    service: &EmulatedS3,
    req: S3Request<DeleteObjectInput>,
) -> Result<S3Response<DeleteObjectOutput>, S3Failure> {
    let asked = req.input;
    if asked.if_match_size.is_some() || asked.if_match_last_modified_time.is_some() {
        return Err(S3Failure::NotImplemented("x-amz-if-match-size, x-amz-if-match-last-modified-time"));
    }
    let condition = match &asked.if_match {
        None => WriteCondition::None,
        Some(ETagCondition::Any) => WriteCondition::Present,
        Some(ETagCondition::ETag(etag)) => WriteCondition::of_delete(Some(etag.value())),
    };
    let marker = service.store.delete(&asked.bucket, &asked.key, condition).await?;
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: marker.as_ref().map(|_| true),
        version_id: marker,
        ..DeleteObjectOutput::default()
    }))
}

/// Every key has its own answer: one that may not be deleted does not keep the others from being deleted.
pub(super) async fn delete_objects(
    service: &EmulatedS3,
    req: S3Request<DeleteObjectsInput>,
) -> Result<S3Response<DeleteObjectsOutput>, S3Failure> {
    let asked = &req.input;
    if asked.delete.objects.is_empty() || asked.delete.objects.len() > MOST_KEYS {
        return Err(S3Failure::MalformedXml);
    }
    let quiet = asked.delete.quiet.unwrap_or(false);
    // A caller who may delete nothing here must not learn whether the bucket exists, so the keys are judged first.
    let mut waiting = Vec::with_capacity(asked.delete.objects.len());
    for object in &asked.delete.objects {
        waiting.push(delete_one(service, &req, object));
    }
    let answers: Vec<Result<Option<String>, S3Failure>> = stream::iter(waiting).buffered(TOGETHER).collect().await;
    let mut deleted = Vec::new();
    let mut errors = Vec::new();
    for (object, answer) in asked.delete.objects.iter().zip(answers) {
        let key = object.key.clone();
        match answer {
            Ok(_) if quiet => {}
            Ok(marker) => deleted.push(DeletedObject {
                key: Some(key),
                delete_marker: marker.as_ref().map(|_| true),
                delete_marker_version_id: marker,
                version_id: None,
            }),
            // The bucket and the store itself are everybody's matter.
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
    let nothing = Context::new();
    service.gate.ask(req.credentials.as_ref(), "s3:DeleteObject", &arn, &nothing)?;
    if object.version_id.as_deref().is_some_and(|version| version != "null") {
        return Err(S3Failure::NotImplemented("VersionId"));
    }
    if object.size.is_some() || object.last_modified_time.is_some() {
        return Err(S3Failure::NotImplemented("Size, LastModifiedTime"));
    }
    let etag = object.e_tag.as_ref().map(ETag::value);
    if etag.is_some_and(|etag| etag != "*") {
        service.gate.ask(req.credentials.as_ref(), "s3:GetObject", &arn, &nothing)?;
    }
    service.store.delete(&req.input.bucket, &object.key, WriteCondition::of_delete(etag)).await
}
