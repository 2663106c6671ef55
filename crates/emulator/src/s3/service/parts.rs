//! Operations of multipart uploads.

use s3s::{
    S3Request, S3Response,
    dto::{Part as PartOutput, *},
};

use super::super::algorithm::{Algorithm, ChecksumKind};
use super::super::bucket::REGION;
use super::super::checksum::set_checksum;
use super::super::condition::{ReadConditions, WriteCondition};
use super::super::copy::source_name;
use super::super::error::S3Failure;
use super::super::multipart::{CompletedUpload, MAX_PARTS, NamedPart, UploadInProgress, UploadName, UploadedPart};
use super::super::object::{ObjectName, now, parse_tags, time_of};
use super::backend::{EmulatedS3, OperationResult};
use super::lists::Spelling;
use super::request::{
    IncomingBody, check_redirect, count, encryption, length, storage_class, stored_headers, strong, timestamp,
};

fn name(bucket: &str, key: &str, id: &str) -> UploadName {
    UploadName { bucket: bucket.to_owned(), key: key.to_owned(), id: id.to_owned() }
}

fn part_number(number: i32) -> Result<u32, S3Failure> {
    u32::try_from(number)
        .ok()
        .filter(|number| (1..=MAX_PARTS).contains(number))
        .ok_or(S3Failure::InvalidArgument("Part number must be an integer between 1 and 10000, inclusive"))
}

fn output_number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(super) async fn create_multipart_upload(
    service: &EmulatedS3,
    req: S3Request<CreateMultipartUploadInput>,
) -> OperationResult<CreateMultipartUploadOutput> {
    let input = req.input;
    let bucket = service.store.bucket(&input.bucket)?;
    service.check_acl(&input.bucket, &req.headers)?;
    let algorithm = input.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?;
    let part_algorithm = algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let kind = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
        None => part_algorithm.default_kind(),
        Some("FULL_OBJECT") => ChecksumKind::FullObject,
        Some("COMPOSITE") => ChecksumKind::Composite,
        Some(_) => {
            return Err(S3Failure::InvalidRequest("Value for x-amz-checksum-type header is invalid."));
        }
    };
    if !part_algorithm.allows(kind) {
        return Err(S3Failure::InvalidRequest(
            "The checksum type cannot be used with the specified checksum algorithm.",
        ));
    }
    let upload = UploadInProgress {
        initiated: now(),
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
        algorithm,
        kind,
    };
    check_redirect(&upload.headers)?;
    service.authorizer.authorize_key(
        req.credentials.as_ref(),
        &ObjectName::new(&input.bucket, &input.key),
        &upload.encryption,
        "kms:GenerateDataKey",
    )?;
    let encrypted = upload.encryption.clone();
    let created = service.store.create_upload(&input.bucket, &input.key, upload).await?;
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(created.bucket),
        key: Some(created.key),
        upload_id: Some(created.id),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: algorithm.map(|_| ChecksumType::from(kind.name().to_owned())),
        server_side_encryption: Some(ServerSideEncryption::from(encrypted.algorithm)),
        ssekms_key_id: encrypted.kms_key,
        bucket_key_enabled: encrypted.bucket_key,
        ..CreateMultipartUploadOutput::default()
    }))
}

pub(super) async fn upload_part(
    service: &EmulatedS3,
    req: S3Request<UploadPartInput>,
) -> OperationResult<UploadPartOutput> {
    let input = req.input;
    let number = part_number(input.part_number)?;
    let name = name(&input.bucket, &input.key, &input.upload_id);
    let upload = service.store.upload(&name)?;
    let credentials = req.credentials.as_ref();
    let object = ObjectName::new(&input.bucket, &input.key);
    for action in ["kms:GenerateDataKey", "kms:Decrypt"] {
        service.authorizer.authorize_key(credentials, &object, &upload.encryption, action)?;
    }
    let incoming = IncomingBody {
        body: input.body,
        headers: &req.headers,
        trailers: req.trailing_headers,
        algorithm: input.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?,
        part_of: Some(&upload),
        length: input.content_length,
    };
    let staged = service.receive_body(incoming).await?;
    let part = service.store.put_part(name, number, staged).await?;
    let mut output = UploadPartOutput {
        e_tag: Some(strong(&part.etag)),
        server_side_encryption: Some(ServerSideEncryption::from(upload.encryption.algorithm)),
        ssekms_key_id: upload.encryption.kms_key,
        bucket_key_enabled: upload.encryption.bucket_key,
        ..UploadPartOutput::default()
    };
    set_checksum!(output, &part.checksum);
    Ok(S3Response::new(output))
}

/// Parses `x-amz-copy-source-range`. Unlike `Range`, it must name both ends, and they must be within the source.
fn copy_range(text: &str, size: u64) -> Result<std::ops::Range<u64>, S3Failure> {
    let ends = text.strip_prefix("bytes=").and_then(|ends| ends.split_once('-'));
    let ends = ends.and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    let Some((first, last)) = ends.filter(|(first, last)| first <= last) else {
        return Err(S3Failure::InvalidArgument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
        ));
    };
    if last >= size {
        return Err(S3Failure::InvalidRange);
    }
    Ok(first..last + 1)
}

pub(super) async fn upload_part_copy(
    service: &EmulatedS3,
    req: S3Request<UploadPartCopyInput>,
) -> OperationResult<UploadPartCopyOutput> {
    let input = &req.input;
    let number = part_number(input.part_number)?;
    let name = name(&input.bucket, &input.key, &input.upload_id);
    let upload = service.store.upload(&name)?;
    let from = source_name(&input.copy_source)?;
    service.authorize_decrypt_source(&req, &from)?;
    service.authorize_encrypt(&req, &ObjectName::new(&input.bucket, &input.key), &upload.encryption)?;
    let conditions = ReadConditions {
        if_match: input.copy_source_if_match.clone(),
        if_none_match: input.copy_source_if_none_match.clone(),
        if_modified_since: input.copy_source_if_modified_since.clone(),
        if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
    };
    let limit = service.store.limits().single_body;
    let part: UploadedPart = loop {
        let source = service
            .store
            .source(&from, Some(upload.part_algorithm()), |info| {
                conditions.check_copy(info)?;
                let range = match input.copy_source_range.as_deref() {
                    Some(range) => copy_range(range, info.size)?,
                    None => 0..info.size,
                };
                if range.end - range.start > limit {
                    return Err(S3Failure::InvalidRequest(
                        "The specified copy range is larger than the maximum allowable size for a copy source: 5368709120",
                    ));
                }
                Ok(range)
            })
            .await;
        let source = service.hide_missing(&req, &from.bucket, source)?;
        if let Some(part) = service.store.copy_part(name.clone(), number, from.clone(), source).await? {
            break part;
        }
    };
    let mut result = CopyPartResult {
        e_tag: Some(strong(&part.etag)),
        last_modified: Some(timestamp(time_of(part.modified))),
        ..CopyPartResult::default()
    };
    set_checksum!(result, &part.checksum);
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(result),
        server_side_encryption: Some(ServerSideEncryption::from(upload.encryption.algorithm)),
        ..UploadPartCopyOutput::default()
    }))
}

pub(super) async fn list_parts(
    service: &EmulatedS3,
    req: S3Request<ListPartsInput>,
) -> OperationResult<ListPartsOutput> {
    let input = req.input;
    let (upload, parts) = service.store.upload_parts(&name(&input.bucket, &input.key, &input.upload_id))?;
    let max_parts = input.max_parts.and_then(|max_parts| usize::try_from(max_parts).ok()).unwrap_or(1_000).min(1_000);
    let after = input.part_number_marker.and_then(|marker| u32::try_from(marker).ok()).unwrap_or_default();
    let remaining: Vec<_> = parts.into_iter().filter(|(number, _)| *number > after).collect();
    let truncated = remaining.len() > max_parts;
    let listed: Vec<PartOutput> = remaining
        .into_iter()
        .take(max_parts)
        .map(|(number, part)| {
            let mut output = PartOutput {
                part_number: Some(output_number(number)),
                size: Some(length(part.size)),
                e_tag: Some(strong(&part.etag)),
                last_modified: Some(timestamp(time_of(part.modified))),
                ..PartOutput::default()
            };
            set_checksum!(output, &part.checksum);
            output
        })
        .collect();
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        is_truncated: Some(truncated),
        max_parts: Some(count(max_parts)),
        part_number_marker: input.part_number_marker,
        next_part_number_marker: listed.last().and_then(|part| part.part_number),
        parts: Some(listed),
        storage_class: Some(StorageClass::from(upload.storage_class.unwrap_or_else(|| "STANDARD".to_owned()))),
        checksum_algorithm: upload.algorithm.map(|algorithm| ChecksumAlgorithm::from(algorithm.name().to_owned())),
        checksum_type: upload.algorithm.map(|_| ChecksumType::from(upload.kind.name().to_owned())),
        ..ListPartsOutput::default()
    }))
}

pub(super) async fn list_multipart_uploads(
    service: &EmulatedS3,
    req: S3Request<ListMultipartUploadsInput>,
) -> OperationResult<ListMultipartUploadsOutput> {
    let input = req.input;
    if input.delimiter.as_deref().is_some_and(|delimiter| !delimiter.is_empty()) {
        return Err(S3Failure::NotImplemented("delimiter in ListMultipartUploads"));
    }
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let max_uploads =
        input.max_uploads.and_then(|max_uploads| usize::try_from(max_uploads).ok()).unwrap_or(1_000).min(1_000);
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let after_key = input.key_marker.as_deref().unwrap_or_default();
    // Without an upload marker, all uploads of the marked key are skipped.
    let after_id = input.upload_id_marker.as_deref();
    let remaining: Vec<_> = service
        .store
        .uploads(&input.bucket)?
        .into_iter()
        .filter(|(name, _)| name.key.starts_with(prefix))
        .filter(|(name, _)| {
            name.key.as_str() > after_key
                || (name.key == after_key && after_id.is_some_and(|after_id| name.id.as_str() > after_id))
        })
        .collect();
    let truncated = remaining.len() > max_uploads;
    let last =
        remaining.get(..max_uploads.min(remaining.len())).and_then(|page| page.last()).map(|(name, _)| name.clone());
    let uploads = remaining.into_iter().take(max_uploads).map(|(name, upload)| MultipartUpload {
        key: Some(spelling.spell(&name.key)),
        upload_id: Some(name.id),
        initiated: Some(timestamp(time_of(upload.initiated))),
        storage_class: Some(StorageClass::from(upload.storage_class.unwrap_or_else(|| "STANDARD".to_owned()))),
        checksum_algorithm: upload.algorithm.map(|algorithm| ChecksumAlgorithm::from(algorithm.name().to_owned())),
        checksum_type: upload.algorithm.map(|_| ChecksumType::from(upload.kind.name().to_owned())),
        ..MultipartUpload::default()
    });
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: Some(spelling.spell(prefix)),
        key_marker: Some(spelling.spell(after_key)),
        upload_id_marker: input.upload_id_marker,
        next_key_marker: last.as_ref().filter(|_| truncated).map(|name| spelling.spell(&name.key)),
        next_upload_id_marker: last.filter(|_| truncated).map(|name| name.id),
        is_truncated: Some(truncated),
        max_uploads: Some(count(max_uploads)),
        encoding_type: input.encoding_type,
        uploads: Some(uploads.collect()),
        ..ListMultipartUploadsOutput::default()
    }))
}

/// The checksum among the five fields of a part or a request.
macro_rules! stated_checksum {
    ($of:expr) => {{
        let of = &$of;
        [
            (Algorithm::Crc32, &of.checksum_crc32),
            (Algorithm::Crc32c, &of.checksum_crc32c),
            (Algorithm::Crc64Nvme, &of.checksum_crc64nvme),
            (Algorithm::Sha1, &of.checksum_sha1),
            (Algorithm::Sha256, &of.checksum_sha256),
        ]
        .into_iter()
        .find_map(|(algorithm, value)| Some((algorithm, value.clone()?)))
    }};
}

pub(super) async fn complete_multipart_upload(
    service: &EmulatedS3,
    req: S3Request<CompleteMultipartUploadInput>,
) -> OperationResult<CompleteMultipartUploadOutput> {
    let input = req.input;
    let named =
        input.multipart_upload.as_ref().and_then(|upload| upload.parts.as_ref()).ok_or(S3Failure::MalformedXml)?;
    let parts = named
        .iter()
        .map(|part| {
            Ok(NamedPart {
                number: part_number(part.part_number.ok_or(S3Failure::MalformedXml)?)?,
                etag: part.e_tag.as_ref().ok_or(S3Failure::MalformedXml)?.value().to_owned(),
                checksum: stated_checksum!(part),
            })
        })
        .collect::<Result<Vec<_>, S3Failure>>()?;
    let completion = CompletedUpload {
        parts,
        condition: WriteCondition::of_write(&req.headers)?,
        checksum: stated_checksum!(input),
        size: input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
    };
    let info = service.store.complete_upload(name(&input.bucket, &input.key, &input.upload_id), completion).await?;
    let mut output = CompleteMultipartUploadOutput {
        location: Some(format!("https://s3.{}.amazonaws.com/{}/{}", REGION, input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(strong(&info.etag)),
        server_side_encryption: Some(ServerSideEncryption::from(info.encryption.algorithm.clone())),
        ssekms_key_id: info.encryption.kms_key.clone(),
        bucket_key_enabled: info.encryption.bucket_key,
        version_id: info.version.clone(),
        checksum_type: Some(ChecksumType::from(info.checksum.kind.name().to_owned())),
        ..CompleteMultipartUploadOutput::default()
    };
    set_checksum!(output, &info.checksum);
    Ok(S3Response::new(output))
}

pub(super) async fn abort_multipart_upload(
    service: &EmulatedS3,
    req: S3Request<AbortMultipartUploadInput>,
) -> OperationResult<AbortMultipartUploadOutput> {
    service.store.abort_upload(name(&req.input.bucket, &req.input.key, &req.input.upload_id)).await?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}
