//! Operations that list keys.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{S3Request, S3Response, dto::*};

use super::super::error::S3Failure;
use super::super::list::{ListCursor, ListEntry, ListQuery, MAX_PAGE_SIZE, ObjectPage};
use super::super::object::ObjectInfo;
use super::backend::{EmulatedS3, OperationResult};
use super::request::{count, length, strong, timestamp};
use crate::iam::ACCOUNT_ID;

/// Characters that `encoding-type=url` does not encode.
const UNENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');

/// The encoding of keys in an answer.
#[derive(Clone, Copy)]
pub(super) enum Spelling {
    Plain,
    /// As in a form: percent-encoded bytes, and `+` for a space.
    Url,
}

impl Spelling {
    pub(super) fn of(requested: Option<&EncodingType>) -> Result<Self, S3Failure> {
        match requested.map(EncodingType::as_str) {
            None => Ok(Self::Plain),
            Some("url") => Ok(Self::Url),
            Some(_) => Err(S3Failure::InvalidArgument("Invalid Encoding Method specified in Request")),
        }
    }

    pub(super) fn spell(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Url => utf8_percent_encode(text, UNENCODED).to_string().replace(' ', "+"),
        }
    }
}

fn limit(requested: Option<i32>) -> Result<usize, S3Failure> {
    match requested {
        None => Ok(MAX_PAGE_SIZE),
        Some(requested) => usize::try_from(requested)
            .map(|requested| requested.min(MAX_PAGE_SIZE))
            .map_err(|_| S3Failure::InvalidArgument("Argument maxKeys must be an integer between 0 and 2147483647")),
    }
}

fn object(spelling: Spelling, key: &str, info: &ObjectInfo, with_owner: bool) -> Object {
    Object {
        key: Some(spelling.spell(key)),
        size: Some(length(info.size)),
        e_tag: Some(strong(&info.etag)),
        last_modified: Some(timestamp(info.modified())),
        storage_class: Some(ObjectStorageClass::from(info.storage_class.clone())),
        checksum_algorithm: Some(vec![ChecksumAlgorithm::from(info.checksum.algorithm.name().to_owned())]),
        checksum_type: Some(ChecksumType::from(info.checksum.kind.name().to_owned())),
        owner: with_owner.then(|| Owner { id: Some(ACCOUNT_ID.to_owned()), display_name: None }),
        restore_status: None,
    }
}

fn split(page: &ObjectPage, spelling: Spelling, with_owner: bool) -> (Vec<Object>, Vec<CommonPrefix>) {
    let mut objects = Vec::new();
    let mut prefixes = Vec::new();
    for entry in &page.entries {
        match entry {
            ListEntry::Object(key, info) => objects.push(object(spelling, key, info, with_owner)),
            ListEntry::CommonPrefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(spelling.spell(prefix)) }),
        }
    }
    (objects, prefixes)
}

pub(super) async fn list_objects_v2(
    service: &EmulatedS3,
    req: S3Request<ListObjectsV2Input>,
) -> OperationResult<ListObjectsV2Output> {
    let input = req.input;
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let after = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => Some(ListCursor::from_token(token)?),
        (None, Some(key)) => Some(ListCursor::Key(key.clone())),
        (None, None) => None,
    };
    let query = ListQuery {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()),
        after,
        limit: limit(input.max_keys)?,
    };
    let page = service.store.list_page(&input.bucket, &query)?;
    let (contents, common_prefixes) = split(&page, spelling, input.fetch_owner.unwrap_or(false));
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket.clone()),
        prefix: Some(spelling.spell(query.prefix)),
        delimiter: query.delimiter.map(|delimiter| spelling.spell(delimiter)),
        start_after: input.start_after.as_deref().map(|key| spelling.spell(key)),
        max_keys: Some(count(query.limit)),
        key_count: Some(count(page.entries.len())),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_ref().map(ListCursor::to_token),
        continuation_token: input.continuation_token,
        encoding_type: input.encoding_type,
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        request_charged: None,
    }))
}

pub(super) async fn list_objects(
    service: &EmulatedS3,
    req: S3Request<ListObjectsInput>,
) -> OperationResult<ListObjectsOutput> {
    let input = req.input;
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let prefix = input.prefix.as_deref().unwrap_or_default();
    // A page that ended in a common prefix has that prefix as its marker, which stands for all its keys.
    let after = input.marker.clone().map(|marker| match delimiter {
        Some(delimiter) if marker.len() > prefix.len() && marker.ends_with(delimiter) => ListCursor::Prefix(marker),
        _ => ListCursor::Key(marker),
    });
    let query = ListQuery { prefix, delimiter, after, limit: limit(input.max_keys)? };
    let page = service.store.list_page(&input.bucket, &query)?;
    let (contents, common_prefixes) = split(&page, spelling, true);
    let next_marker = page.next.as_ref().filter(|_| delimiter.is_some()).map(|next| match next {
        ListCursor::Key(text) | ListCursor::Prefix(text) => spelling.spell(text),
    });
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket.clone()),
        prefix: Some(spelling.spell(prefix)),
        delimiter: delimiter.map(|delimiter| spelling.spell(delimiter)),
        marker: Some(spelling.spell(input.marker.as_deref().unwrap_or_default())),
        next_marker,
        max_keys: Some(count(query.limit)),
        is_truncated: Some(page.next.is_some()),
        encoding_type: input.encoding_type,
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        request_charged: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_keys_as_a_form_does() {
        assert_eq!(Spelling::Url.spell("a b/c+é\r.html"), "a+b/c%2B%C3%A9%0D.html");
        assert_eq!(Spelling::Plain.spell("a b"), "a b");
    }
}
