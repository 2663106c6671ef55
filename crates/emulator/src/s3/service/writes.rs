//! Operations that create an object or change its tags.

use s3s::{S3Request, S3Response, dto::*};

use super::super::access::{Context, object_arn};
use super::super::algorithm::Algorithm;
use super::super::checksum::set_checksum;
use super::super::condition::{ReadConditions, WriteCondition};
use super::super::copy::{CopyRequest, source_name};
use super::super::error::S3Failure;
use super::super::object::{ObjectName, collect_tags, parse_tags};
use super::super::store::PutSpec;
use super::backend::{EmulatedS3, OperationResult};
use super::request::{IncomingBody, check_redirect, encryption, storage_class, stored_headers, strong, timestamp};

pub(super) async fn put_object(
    service: &EmulatedS3,
    req: S3Request<PutObjectInput>,
) -> OperationResult<PutObjectOutput> {
    let input = req.input;
    if input.write_offset_bytes.is_some() {
        return Err(S3Failure::NotImplemented("x-amz-write-offset-bytes"));
    }
    let bucket = service.store.bucket(&input.bucket)?;
    service.check_acl(&input.bucket, &req.headers)?;
    let options = PutSpec {
        headers: stored_headers(&req.headers, input.metadata),
        storage_class: storage_class(&req.headers)?,
        encryption: encryption(
            &bucket,
            &req.headers,
            input.server_side_encryption.as_ref(),
            input.ssekms_key_id,
            input.bucket_key_enabled,
        )?,
        tags: input.tagging.as_deref().map(parse_tags).transpose()?.unwrap_or_default(),
        condition: WriteCondition::of_write(&req.headers)?,
    };
    check_redirect(&options.headers)?;
    service.authorizer.authorize_key(
        req.credentials.as_ref(),
        &ObjectName::new(&input.bucket, &input.key),
        &options.encryption,
        "kms:GenerateDataKey",
    )?;
    let incoming = IncomingBody {
        body: input.body,
        headers: &req.headers,
        trailers: req.trailing_headers,
        algorithm: input.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?,
        part_of: None,
        length: input.content_length,
    };
    let staged = service.receive_body(incoming).await?;
    let info = service.store.put_staged(&input.bucket, &input.key, options, staged).await?;
    let mut output = PutObjectOutput {
        e_tag: Some(strong(&info.etag)),
        server_side_encryption: Some(ServerSideEncryption::from(info.encryption.algorithm.clone())),
        ssekms_key_id: info.encryption.kms_key.clone(),
        bucket_key_enabled: info.encryption.bucket_key,
        version_id: info.version.clone(),
        checksum_type: Some(ChecksumType::from(info.checksum.kind.name().to_owned())),
        ..PutObjectOutput::default()
    };
    set_checksum!(output, &info.checksum);
    Ok(S3Response::new(output))
}

/// Whether a directive is REPLACE rather than COPY.
fn replaces(directive: Option<&str>) -> Result<bool, S3Failure> {
    match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(S3Failure::InvalidArgument("Unknown metadata directive.")),
    }
}

pub(super) async fn copy_object(
    service: &EmulatedS3,
    req: S3Request<CopyObjectInput>,
) -> OperationResult<CopyObjectOutput> {
    let input = &req.input;
    let bucket = service.store.bucket(&input.bucket)?;
    service.check_acl(&input.bucket, &req.headers)?;
    let source = source_name(&input.copy_source)?;
    let sent = stored_headers(&req.headers, input.metadata.clone());
    check_redirect(&sent)?;
    let replaces_headers = replaces(input.metadata_directive.as_ref().map(MetadataDirective::as_str))?;
    let replaces_tags = replaces(input.tagging_directive.as_ref().map(TaggingDirective::as_str))?;
    let storage_class = storage_class(&req.headers)?;
    let changes_attributes =
        storage_class.is_some() || sent.website_redirect.is_some() || input.server_side_encryption.is_some();
    let options = PutSpec {
        headers: sent.clone(),
        storage_class,
        encryption: encryption(
            &bucket,
            &req.headers,
            input.server_side_encryption.as_ref(),
            input.ssekms_key_id.clone(),
            input.bucket_key_enabled,
        )?,
        tags: input.tagging.as_deref().map(parse_tags).transpose()?.unwrap_or_default(),
        condition: WriteCondition::of_write(&req.headers)?,
    };
    service.authorize_decrypt_source(&req, &source)?;
    service.authorize_encrypt(&req, &ObjectName::new(&input.bucket, &input.key), &options.encryption)?;
    let tags = replaces_tags.then(|| options.tags.clone());
    if !replaces_tags {
        service.authorize_tag_copy(&req, &source)?;
    }
    let copy = CopyRequest {
        source,
        destination: ObjectName::new(&input.bucket, &input.key),
        conditions: ReadConditions {
            if_match: input.copy_source_if_match.clone(),
            if_none_match: input.copy_source_if_none_match.clone(),
            if_modified_since: input.copy_source_if_modified_since.clone(),
            if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
        },
        headers: replaces_headers.then_some(sent),
        tags,
        algorithm: input.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?,
        options,
        changes_attributes,
    };
    let from = copy.source.bucket.clone();
    let info = service.hide_missing(&req, &from, service.store.copy(copy).await)?;
    let mut result = CopyObjectResult {
        e_tag: Some(strong(&info.etag)),
        last_modified: Some(timestamp(info.modified())),
        checksum_type: Some(ChecksumType::from(info.checksum.kind.name().to_owned())),
        ..CopyObjectResult::default()
    };
    set_checksum!(result, &info.checksum);
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(result),
        server_side_encryption: Some(ServerSideEncryption::from(info.encryption.algorithm.clone())),
        ssekms_key_id: info.encryption.kms_key.clone(),
        bucket_key_enabled: info.encryption.bucket_key,
        version_id: info.version,
        ..CopyObjectOutput::default()
    }))
}

pub(super) async fn put_object_tagging(
    service: &EmulatedS3,
    req: S3Request<PutObjectTaggingInput>,
) -> OperationResult<PutObjectTaggingOutput> {
    let tags = req.input.tagging.tag_set.into_iter();
    let tags = collect_tags(tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())))?;
    service.store.set_tags(&req.input.bucket, &req.input.key, tags).await?;
    Ok(S3Response::new(PutObjectTaggingOutput::default()))
}

pub(super) async fn delete_object_tagging(
    service: &EmulatedS3,
    req: S3Request<DeleteObjectTaggingInput>,
) -> OperationResult<DeleteObjectTaggingOutput> {
    service.store.set_tags(&req.input.bucket, &req.input.key, std::collections::BTreeMap::new()).await?;
    Ok(S3Response::new(DeleteObjectTaggingOutput::default()))
}

impl EmulatedS3 {
    /// Copying tags needs the permissions to read them from the source and to write them to the destination.
    fn authorize_tag_copy(&self, req: &S3Request<CopyObjectInput>, source: &ObjectName) -> Result<(), S3Failure> {
        let Ok(info) = self.store.head(&source.bucket, &source.key) else {
            // The copy itself reports a missing source.
            return Ok(());
        };
        if info.tags.is_empty() {
            return Ok(());
        }
        let no_context = Context::new();
        let credentials = req.credentials.as_ref();
        self.authorizer.authorize(
            credentials,
            "s3:GetObjectTagging",
            &object_arn(&source.bucket, &source.key),
            &no_context,
        )?;
        self.authorizer.authorize(
            credentials,
            "s3:PutObjectTagging",
            &object_arn(&req.input.bucket, &req.input.key),
            &no_context,
        )
    }
}
