//! Operations that read one object.

use std::{collections::BTreeSet, ops::Range};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderValue, header};
use s3s::{
    S3Request, S3Response, StdError,
    dto::{Range as AskedRange, *},
    stream::{ByteStream, RemainingLength},
};

use super::{
    EmulatedS3,
    request::{count, length, strong, timestamp},
};
use crate::s3::checksum::set_checksum;
use crate::s3::condition::ReadConditions;
use crate::s3::{ObjectInfo, S3Failure, StagedContent};

/// What S3 says of an object that came without a type. Source: API reference, PutObject, `Content-Type`.
const UNKNOWN_TYPE: &str = "binary/octet-stream";

/// Which bytes a request asks for, and whether it asks for less than the object.
struct RequestedRange {
    range: Range<u64>,
    partial: bool,
}

fn wanted(info: &ObjectInfo, range: Option<&AskedRange>, part: Option<i32>) -> Result<RequestedRange, S3Failure> {
    match (range, part) {
        (Some(_), Some(_)) => {
            Err(S3Failure::InvalidRequest("Cannot specify both Range header and partNumber query parameter"))
        }
        (None, None) => Ok(RequestedRange { range: 0..info.size, partial: false }),
        // An empty object has no byte that a range could name.
        (Some(_), None) if info.size == 0 => Err(S3Failure::InvalidRange),
        (Some(asked), None) => {
            let range = asked.check(info.size).map_err(|_| S3Failure::InvalidRange)?;
            Ok(RequestedRange { range, partial: true })
        }
        (None, Some(1)) if info.parts.is_empty() => Ok(RequestedRange { range: 0..info.size, partial: info.size > 0 }),
        (None, Some(number)) => {
            let mut start = 0;
            for (place, part) in info.parts.iter().enumerate() {
                if count(place + 1) == number {
                    return Ok(RequestedRange { range: start..start + part.size, partial: part.size > 0 });
                }
                start += part.size;
            }
            Err(S3Failure::InvalidRange)
        }
    }
}

/// The fields that GetObject and HeadObject answer alike.
macro_rules! described {
    ($output:ident, $info:expr, $wanted:expr, $with_checksum:expr) => {{
        let (info, wanted): (&ObjectInfo, &RequestedRange) = ($info, $wanted);
        let mut output = $output {
            accept_ranges: Some("bytes".to_owned()),
            bucket_key_enabled: info.encryption.bucket_key,
            cache_control: info.headers.cache_control.clone(),
            content_disposition: info.headers.content_disposition.clone(),
            content_encoding: info.headers.content_encoding.clone(),
            content_language: info.headers.content_language.clone(),
            content_length: Some(length(wanted.range.end - wanted.range.start)),
            content_range: wanted
                .partial
                .then(|| format!("bytes {}-{}/{}", wanted.range.start, wanted.range.end.saturating_sub(1), info.size)),
            content_type: Some(info.headers.content_type.clone().unwrap_or_else(|| UNKNOWN_TYPE.to_owned())),
            e_tag: Some(strong(&info.etag)),
            last_modified: Some(timestamp(info.modified())),
            metadata: (!info.headers.metadata.is_empty()).then(|| info.headers.metadata.clone().into_iter().collect()),
            ssekms_key_id: info.encryption.kms_key.clone(),
            server_side_encryption: Some(ServerSideEncryption::from(info.encryption.algorithm.clone())),
            // STANDARD is told by saying nothing. Source: API reference, HeadObject.
            version_id: info.version.clone(),
            storage_class: (info.storage_class != "STANDARD").then(|| StorageClass::from(info.storage_class.clone())),
            website_redirect_location: info.headers.website_redirect.clone(),
            ..$output::default()
        };
        if $with_checksum && !wanted.partial {
            set_checksum!(output, &info.checksum);
            output.checksum_type = Some(ChecksumType::from(info.checksum.kind.name().to_owned()));
        }
        output
    }};
}

/// `Expires` may be any text, which the protocol's own field could not hold.
fn extra_headers(info: &ObjectInfo) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(expires) = info.headers.expires.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(header::EXPIRES, expires);
    }
    headers
}

fn asks_checksum(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

pub(super) async fn get_object(
    service: &EmulatedS3,
    req: S3Request<GetObjectInput>,
) -> Result<S3Response<GetObjectOutput>, S3Failure> {
    let asked = &req.input;
    if asked.version_id.as_deref().is_some_and(|version| version != "null") {
        return Err(S3Failure::NotImplemented("versionId"));
    }
    let conditions = ReadConditions {
        if_match: asked.if_match.clone(),
        if_none_match: asked.if_none_match.clone(),
        if_modified_since: asked.if_modified_since.clone(),
        if_unmodified_since: asked.if_unmodified_since.clone(),
    };
    let mut found = None;
    let object = service.store.get_range(&asked.bucket, &asked.key, |info| {
        conditions.check(info)?;
        let wanted = wanted(info, asked.range.as_ref(), asked.part_number)?;
        let range = wanted.range.clone();
        found = Some(wanted);
        Ok(range)
    });
    let object = service.hide_missing(&req, &asked.bucket, object)?;
    let wanted = found.ok_or(S3Failure::NoSuchKey)?;
    service.ask_to_decrypt(&req, &object.info.encryption)?;
    let mut output = described!(GetObjectOutput, &object.info, &wanted, asks_checksum(asked.checksum_mode.as_ref()));
    output.tag_count = (!object.info.tags.is_empty()).then(|| count(object.info.tags.len()));
    output.parts_count =
        asked.part_number.filter(|_| !object.info.parts.is_empty()).map(|_| count(object.info.parts.len()));
    output.body = Some(StreamingBlob::new(Sized::new(object.content)));
    Ok(S3Response::with_headers(output, extra_headers(&object.info)))
}

pub(super) async fn head_object(
    service: &EmulatedS3,
    req: S3Request<HeadObjectInput>,
) -> Result<S3Response<HeadObjectOutput>, S3Failure> {
    let asked = &req.input;
    if asked.version_id.as_deref().is_some_and(|version| version != "null") {
        return Err(S3Failure::NotImplemented("versionId"));
    }
    let conditions = ReadConditions {
        if_match: asked.if_match.clone(),
        if_none_match: asked.if_none_match.clone(),
        if_modified_since: asked.if_modified_since.clone(),
        if_unmodified_since: asked.if_unmodified_since.clone(),
    };
    let info = service.hide_missing(&req, &asked.bucket, service.store.head(&asked.bucket, &asked.key))?;
    conditions.check(&info)?;
    // Without its checksum an object is described without its key.
    if asks_checksum(asked.checksum_mode.as_ref()) {
        service.ask_to_decrypt(&req, &info.encryption)?;
    }
    let wanted = wanted(&info, asked.range.as_ref(), asked.part_number)?;
    let mut output = described!(HeadObjectOutput, &info, &wanted, asks_checksum(asked.checksum_mode.as_ref()));
    output.parts_count = asked.part_number.filter(|_| !info.parts.is_empty()).map(|_| count(info.parts.len()));
    Ok(S3Response::with_headers(output, extra_headers(&info)))
}

pub(super) async fn get_object_attributes(
    service: &EmulatedS3,
    req: S3Request<GetObjectAttributesInput>,
) -> Result<S3Response<GetObjectAttributesOutput>, S3Failure> {
    let asked = &req.input;
    let info = service.hide_missing(&req, &asked.bucket, service.store.head(&asked.bucket, &asked.key))?;
    // The header may hold several names in one value.
    let names: BTreeSet<&str> =
        asked.object_attributes.iter().flat_map(|names| names.as_str().split(',')).map(str::trim).collect();
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
                output.object_parts = Some(attribute_parts(&info, asked.max_parts, asked.part_number_marker));
            }
            "ObjectParts" => {}
            _ => return Err(S3Failure::InvalidArgument("Invalid attribute name specified.")),
        }
    }
    Ok(S3Response::new(output))
}

fn attribute_parts(info: &ObjectInfo, most: Option<i32>, marker: Option<i32>) -> GetObjectAttributesParts {
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(1_000).min(1_000);
    let after = marker.and_then(|marker| u32::try_from(marker).ok()).unwrap_or_default();
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let behind: Vec<_> = info.parts.iter().filter(|part| part.number > after).collect();
    let parts: Vec<ObjectPart> = behind
        .iter()
        .take(most)
        .map(|part| {
            let mut told = ObjectPart {
                part_number: Some(number(part.number)),
                size: Some(length(part.size)),
                ..ObjectPart::default()
            };
            set_checksum!(told, &part.checksum);
            told
        })
        .collect();
    GetObjectAttributesParts {
        is_truncated: Some(behind.len() > most),
        max_parts: Some(count(most)),
        next_part_number_marker: parts.last().and_then(|part| part.part_number),
        part_number_marker: marker,
        total_parts_count: Some(count(info.parts.len())),
        parts: Some(parts),
    }
}

pub(super) async fn get_object_tagging(
    service: &EmulatedS3,
    req: S3Request<GetObjectTaggingInput>,
) -> Result<S3Response<GetObjectTaggingOutput>, S3Failure> {
    let info = service.hide_missing(&req, &req.input.bucket, service.store.head(&req.input.bucket, &req.input.key))?;
    let tag_set = info.tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect();
    Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id: None }))
}

/// A body that says how long it is.
struct Sized {
    bytes: std::pin::Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send + Sync>>,
    left: u64,
}

impl Sized {
    fn new(content: StagedContent) -> Self {
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
