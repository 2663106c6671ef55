//! Operations that make an object or change its tags.

use s3s::{S3Request, S3Response, dto::*};

use super::{
    EmulatedS3,
    request::{ArrivingBody, check_redirect, encryption, kept_headers, source_of, storage_class, strong, timestamp},
};
use crate::s3::checksum::{Algorithm, set_checksum};
use crate::s3::condition::ReadConditions;
use crate::s3::copy::CopyRequest;
use crate::s3::object::{collect_tags, parse_tags};
use crate::s3::{PutSpec, S3Failure, WriteCondition};

pub(super) async fn put_object(
    service: &EmulatedS3,
    req: S3Request<PutObjectInput>,
) -> Result<S3Response<PutObjectOutput>, S3Failure> {
    let asked = req.input;
    if asked.write_offset_bytes.is_some() {
        return Err(S3Failure::NotImplemented("x-amz-write-offset-bytes"));
    }
    let bucket = service.store.bucket(&asked.bucket)?;
    service.check_acl(&asked.bucket, &req.headers)?;
    let options = PutSpec {
        headers: kept_headers(&req.headers, asked.metadata),
        storage_class: storage_class(&req.headers)?,
        encryption: encryption(
            &bucket,
            &req.headers,
            asked.server_side_encryption.as_ref(),
            asked.ssekms_key_id,
            asked.bucket_key_enabled,
        )?,
        tags: asked.tagging.as_deref().map(parse_tags).transpose()?.unwrap_or_default(),
        condition: WriteCondition::of_write(&req.headers)?,
    };
    check_redirect(&options.headers)?;
    service.gate.ask_key(req.credentials.as_ref(), &options.encryption, "kms:GenerateDataKey")?;
    let arriving = ArrivingBody {
        body: asked.body,
        headers: &req.headers,
        trailers: req.trailing_headers,
        algorithm: asked.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?,
        part_of: None,
        length: asked.content_length,
    };
    let staged = service.take_body(arriving).await?;
    let info = service.store.put_staged(&asked.bucket, &asked.key, options, staged).await?;
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

/// COPY or REPLACE.
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
) -> Result<S3Response<CopyObjectOutput>, S3Failure> {
    let asked = &req.input;
    let bucket = service.store.bucket(&asked.bucket)?;
    service.check_acl(&asked.bucket, &req.headers)?;
    let source = source_of(&asked.copy_source)?;
    let said = kept_headers(&req.headers, asked.metadata.clone());
    check_redirect(&said)?;
    let replaces_headers = replaces(asked.metadata_directive.as_ref().map(MetadataDirective::as_str))?;
    let replaces_tags = replaces(asked.tagging_directive.as_ref().map(TaggingDirective::as_str))?;
    let storage_class = storage_class(&req.headers)?;
    let says_something_new =
        storage_class.is_some() || said.website_redirect.is_some() || asked.server_side_encryption.is_some();
    let options = PutSpec {
        headers: said.clone(),
        storage_class,
        encryption: encryption(
            &bucket,
            &req.headers,
            asked.server_side_encryption.as_ref(),
            asked.ssekms_key_id.clone(),
            asked.bucket_key_enabled,
        )?,
        tags: asked.tagging.as_deref().map(parse_tags).transpose()?.unwrap_or_default(),
        condition: WriteCondition::of_write(&req.headers)?,
    };
    service.ask_to_decrypt_source(&req, &source)?;
    service.ask_to_encrypt(&req, &options.encryption)?;
    let tags = replaces_tags.then(|| options.tags.clone());
    if !replaces_tags {
        service.ask_tags_move(&req, &source)?;
    }
    let copy = CopyRequest {
        source,
        destination: (asked.bucket.clone(), asked.key.clone()),
        conditions: ReadConditions {
            if_match: asked.copy_source_if_match.clone(),
            if_none_match: asked.copy_source_if_none_match.clone(),
            if_modified_since: asked.copy_source_if_modified_since.clone(),
            if_unmodified_since: asked.copy_source_if_unmodified_since.clone(),
        },
        headers: replaces_headers.then_some(said),
        tags,
        algorithm: asked.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?,
        options,
        says_something_new,
    };
    let from = copy.source.0.clone();
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
) -> Result<S3Response<PutObjectTaggingOutput>, S3Failure> {
    let tags = req.input.tagging.tag_set.into_iter();
    let tags = collect_tags(tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())))?;
    service.store.set_tags(&req.input.bucket, &req.input.key, tags).await?;
    Ok(S3Response::new(PutObjectTaggingOutput::default()))
}

pub(super) async fn delete_object_tagging(
    service: &EmulatedS3,
    req: S3Request<DeleteObjectTaggingInput>,
) -> Result<S3Response<DeleteObjectTaggingOutput>, S3Failure> {
    service.store.set_tags(&req.input.bucket, &req.input.key, std::collections::BTreeMap::new()).await?;
    Ok(S3Response::new(DeleteObjectTaggingOutput::default()))
}

impl EmulatedS3 {
    /// Tags that come along need the right to read them there and to write them here.
    fn ask_tags_move(
        &self,
        req: &S3Request<CopyObjectInput>,
        (bucket, key): &(String, String),
    ) -> Result<(), S3Failure> {
        let Ok(info) = self.store.head(bucket, key) else {
            // What is wrong with the source is told by the copy itself.
            return Ok(());
        };
        if info.tags.is_empty() {
            return Ok(());
        }
        let nothing = super::Context::new();
        let credentials = req.credentials.as_ref();
        self.gate.ask(credentials, "s3:GetObjectTagging", &super::object_arn(bucket, key), &nothing)?;
        self.gate.ask(
            credentials,
            "s3:PutObjectTagging",
            &super::object_arn(&req.input.bucket, &req.input.key),
            &nothing,
        )
    }
}
