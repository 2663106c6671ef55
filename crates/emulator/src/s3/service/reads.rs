//! Operations that read one object.

use std::{collections::BTreeSet, ops::Range};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderValue, header};
use s3s::{
    S3Request, S3Response, StdError,
    dto::{Range as RangeHeader, *},
    stream::{ByteStream, RemainingLength},
};

use super::super::checksum::set_checksum;
use super::super::condition::ReadConditions;
use super::super::content::ObjectContent;
use super::super::error::S3Failure;
use super::super::object::{ObjectInfo, ObjectName};
use super::backend::{EmulatedS3, OperationResult};
use super::request::{count, length, strong, timestamp};

/// The content type of an object that was stored without one. Source: API Reference, PutObject, `Content-Type`.
const UNKNOWN_TYPE: &str = "binary/octet-stream";

/// The bytes that a request asks for, and whether they are less than the whole object.
struct RequestedRange {
    range: Range<u64>,
    partial: bool,
}

fn requested_range(
    info: &ObjectInfo,
    range: Option<&RangeHeader>,
    part: Option<i32>,
) -> Result<RequestedRange, S3Failure> {
    match (range, part) {
        (Some(_), Some(_)) => {
            Err(S3Failure::InvalidRequest("Cannot specify both Range header and partNumber query parameter"))
        }
        (None, None) => Ok(RequestedRange { range: 0..info.size, partial: false }),
        // An empty object has no byte that a range could select.
        (Some(_), None) if info.size == 0 => Err(S3Failure::InvalidRange),
        (Some(range), None) => {
            let range = range.check(info.size).map_err(|_| S3Failure::InvalidRange)?;
            Ok(RequestedRange { range, partial: true })
        }
        (None, Some(1)) if info.parts.is_empty() => Ok(RequestedRange { range: 0..info.size, partial: info.size > 0 }),
        (None, Some(number)) => {
            let mut start = 0;
            for (index, part) in info.parts.iter().enumerate() {
                if count(index + 1) == number {
                    return Ok(RequestedRange { range: start..start + part.size, partial: part.size > 0 });
                }
                start += part.size;
            }
            Err(S3Failure::InvalidRange)
        }
    }
}

/// The fields that GetObject and HeadObject share.
macro_rules! object_output {
    ($output:ident, $info:expr, $requested:expr, $with_checksum:expr) => {{
        let (info, requested): (&ObjectInfo, &RequestedRange) = ($info, $requested);
        let mut output = $output {
            accept_ranges: Some("bytes".to_owned()),
            bucket_key_enabled: info.encryption.bucket_key,
            cache_control: info.headers.cache_control.clone(),
            content_disposition: info.headers.content_disposition.clone(),
            content_encoding: info.headers.content_encoding.clone(),
            content_language: info.headers.content_language.clone(),
            content_length: Some(length(requested.range.end - requested.range.start)),
            content_range: requested.partial.then(|| {
                format!("bytes {}-{}/{}", requested.range.start, requested.range.end.saturating_sub(1), info.size)
            }),
            content_type: Some(info.headers.content_type.clone().unwrap_or_else(|| UNKNOWN_TYPE.to_owned())),
            e_tag: Some(strong(&info.etag)),
            last_modified: Some(timestamp(info.modified())),
            metadata: (!info.headers.metadata.is_empty()).then(|| info.headers.metadata.clone().into_iter().collect()),
            ssekms_key_id: info.encryption.kms_key.clone(),
            server_side_encryption: Some(ServerSideEncryption::from(info.encryption.algorithm.clone())),
            // STANDARD is reported as no storage class. Source: API Reference, HeadObject.
            version_id: info.version.clone(),
            storage_class: (info.storage_class != "STANDARD").then(|| StorageClass::from(info.storage_class.clone())),
            website_redirect_location: info.headers.website_redirect.clone(),
            ..$output::default()
        };
        if $with_checksum && !requested.partial {
            set_checksum!(output, &info.checksum);
            output.checksum_type = Some(ChecksumType::from(info.checksum.kind.name().to_owned()));
        }
        output
    }};
}

/// `Expires` can be any text, but the field of the protocol library only a date.
fn extra_headers(info: &ObjectInfo) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(expires) = info.headers.expires.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(header::EXPIRES, expires);
    }
    headers
}

fn wants_checksum(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

pub(super) async fn get_object(
    service: &EmulatedS3,
    req: S3Request<GetObjectInput>,
) -> OperationResult<GetObjectOutput> {
    let input = &req.input;
    if input.version_id.as_deref().is_some_and(|version| version != "null") {
        return Err(S3Failure::NotImplemented("versionId"));
    }
    let conditions = ReadConditions {
        if_match: input.if_match.clone(),
        if_none_match: input.if_none_match.clone(),
        if_modified_since: input.if_modified_since.clone(),
        if_unmodified_since: input.if_unmodified_since.clone(),
    };
    let mut found = None;
    let object = service.store.get_range(&input.bucket, &input.key, |info| {
        conditions.check(info)?;
        let requested = requested_range(info, input.range.as_ref(), input.part_number)?;
        let range = requested.range.clone();
        found = Some(requested);
        Ok(range)
    });
    let object = service.hide_missing(&req, &input.bucket, object)?;
    let requested = found.ok_or(S3Failure::NoSuchKey)?;
    service.authorize_decrypt(&req, &ObjectName::new(&input.bucket, &input.key), &object.info.encryption)?;
    let mut output =
        object_output!(GetObjectOutput, &object.info, &requested, wants_checksum(input.checksum_mode.as_ref()));
    output.tag_count = (!object.info.tags.is_empty()).then(|| count(object.info.tags.len()));
    output.parts_count =
        input.part_number.filter(|_| !object.info.parts.is_empty()).map(|_| count(object.info.parts.len()));
    output.body = Some(StreamingBlob::new(Sized::new(object.content)));
    Ok(S3Response::with_headers(output, extra_headers(&object.info)))
}

pub(super) async fn head_object(
    service: &EmulatedS3,
    req: S3Request<HeadObjectInput>,
) -> OperationResult<HeadObjectOutput> {
    let input = &req.input;
    if input.version_id.as_deref().is_some_and(|version| version != "null") {
        return Err(S3Failure::NotImplemented("versionId"));
    }
    let conditions = ReadConditions {
        if_match: input.if_match.clone(),
        if_none_match: input.if_none_match.clone(),
        if_modified_since: input.if_modified_since.clone(),
        if_unmodified_since: input.if_unmodified_since.clone(),
    };
    let info = service.hide_missing(&req, &input.bucket, service.store.head(&input.bucket, &input.key))?;
    conditions.check(&info)?;
    // Without its checksum, an object is described without its KMS key.
    if wants_checksum(input.checksum_mode.as_ref()) {
        service.authorize_decrypt(&req, &ObjectName::new(&input.bucket, &input.key), &info.encryption)?;
    }
    let requested = requested_range(&info, input.range.as_ref(), input.part_number)?;
    let mut output = object_output!(HeadObjectOutput, &info, &requested, wants_checksum(input.checksum_mode.as_ref()));
    output.parts_count = input.part_number.filter(|_| !info.parts.is_empty()).map(|_| count(info.parts.len()));
    Ok(S3Response::with_headers(output, extra_headers(&info)))
}

pub(super) async fn get_object_attributes(
    service: &EmulatedS3,
    req: S3Request<GetObjectAttributesInput>,
) -> OperationResult<GetObjectAttributesOutput> {
    let input = &req.input;
    let info = service.hide_missing(&req, &input.bucket, service.store.head(&input.bucket, &input.key))?;
    // One header value may hold several names.
    let names: BTreeSet<&str> =
        input.object_attributes.iter().flat_map(|names| names.as_str().split(',')).map(str::trim).collect();
    let mut output = GetObjectAttributesOutput {
        last_modified: Some(timestamp(info.modified())),
        ..GetObjectAttributesOutput::default()
    };
    for name in names {
        match name {
            "ETag" => output.e_tag = Some(strong(&info.etag)),
            "ObjectSize" => output.object_size = Some(length(info.size)),
            "StorageClass" => {
                output.storage_class = Some(StorageClass::from(info.storage_class.clone()));
            }
            "Checksum" => {
                let mut checksum = Checksum::default();
                set_checksum!(checksum, &info.checksum);
                checksum.checksum_type = Some(ChecksumType::from(info.checksum.kind.name().to_owned()));
                output.checksum = Some(checksum);
            }
            "ObjectParts" if !info.parts.is_empty() => {
                output.object_parts = Some(attribute_parts(&info, input.max_parts, input.part_number_marker));
            }
            "ObjectParts" => {}
            _ => return Err(S3Failure::InvalidArgument("Invalid attribute name specified.")),
        }
    }
    Ok(S3Response::new(output))
}

fn attribute_parts(info: &ObjectInfo, max_parts: Option<i32>, marker: Option<i32>) -> GetObjectAttributesParts {
    let max_parts = max_parts.and_then(|max_parts| usize::try_from(max_parts).ok()).unwrap_or(1_000).min(1_000);
    let after = marker.and_then(|marker| u32::try_from(marker).ok()).unwrap_or_default();
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let remaining: Vec<_> = info.parts.iter().filter(|part| part.number > after).collect();
    let parts: Vec<ObjectPart> = remaining
        .iter()
        .take(max_parts)
        .map(|part| {
            let mut output = ObjectPart {
                part_number: Some(number(part.number)),
                size: Some(length(part.size)),
                ..ObjectPart::default()
            };
            set_checksum!(output, &part.checksum);
            output
        })
        .collect();
    GetObjectAttributesParts {
        is_truncated: Some(remaining.len() > max_parts),
        max_parts: Some(count(max_parts)),
        next_part_number_marker: parts.last().and_then(|part| part.part_number),
        part_number_marker: marker,
        total_parts_count: Some(count(info.parts.len())),
        parts: Some(parts),
    }
}

pub(super) async fn get_object_tagging(
    service: &EmulatedS3,
    req: S3Request<GetObjectTaggingInput>,
) -> OperationResult<GetObjectTaggingOutput> {
    let info = service.hide_missing(&req, &req.input.bucket, service.store.head(&req.input.bucket, &req.input.key))?;
    let tag_set = info.tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect();
    Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id: None }))
}

/// A body that knows its length.
struct Sized {
    bytes: std::pin::Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send + Sync>>,
    left: u64,
}

impl Sized {
    fn new(content: ObjectContent) -> Self {
        let left = content.length();
        Self { bytes: Box::pin(content.stream()), left }
    }
}

impl Stream for Sized {
    type Item = Result<Bytes, StdError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let next = std::task::ready!(self.bytes.poll_next_unpin(context));
        if let Some(Ok(chunk)) = &next {
            self.left = self.left.saturating_sub(chunk.len() as u64);
        }
        std::task::Poll::Ready(next.map(|chunk| chunk.map_err(StdError::from)))
    }
}

impl ByteStream for Sized {
    fn remaining_length(&self) -> RemainingLength {
        usize::try_from(self.left).map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}
