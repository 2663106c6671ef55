//! Listing objects page by page.

use aws_sdk_s3::types::EncodingType;
use futures::stream::{self, Stream, TryStreamExt};
use percent_encoding::percent_decode_str;
use tidegate_core::identity::ETag;
use tidegate_core::key::StoredKey;
use tidegate_core::listing::{ListedObject, ListingError};
use tidegate_core::location::{Bucket, Location};
use tidegate_core::timestamp::Timestamp;

use super::client::S3;
use crate::aws_error::AwsError;

/// Most objects of one page. Source: Amazon S3 API reference, `ListObjectsV2`.
const PAGE: i32 = 1000;

/// One page of a listing.
#[derive(Debug, Clone)]
pub struct ListPage {
    /// Its objects, relative to the prefix.
    pub objects: Vec<ListedObject>,
    /// When each of them was written.
    pub modified: Vec<Timestamp>,
    /// Whether this is the last page.
    pub last: bool,
}

/// Why a bucket could not be listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A page could not be read.
    #[error(transparent)]
    Cloud(#[from] AwsError),
    /// The pages do not form a complete listing.
    #[error(transparent)]
    Listing(#[from] ListingError),
}

/// What is listed.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListScope<'a> {
    pub(super) bucket: &'a Bucket,
    /// A prefix, or the beginning of a key.
    pub(super) prefix: &'a str,
    /// Only keys after this one.
    pub(super) after: Option<&'a str>,
    /// Most objects of one page.
    pub(super) page: i32,
}

/// One page, with full keys.
#[derive(Debug)]
pub(super) struct BucketPage {
    pub(super) objects: Vec<BucketObject>,
    next: Option<String>,
}

/// One object, with its full key.
#[derive(Debug)]
pub(super) struct BucketObject {
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) etag: ETag,
    pub(super) modified: Timestamp,
}

/// Where a listing continues.
enum PageToken {
    First,
    After(String),
    End,
}

impl<'a> ListScope<'a> {
    /// All objects below a prefix.
    pub(super) fn below(location: &'a Location) -> Self {
        Self { bucket: &location.bucket, prefix: location.prefix.as_str(), after: None, page: PAGE }
    }

    pub(super) fn subject(&self) -> String {
        format!("s3://{}/{}", self.bucket, StoredKey::new(self.prefix))
    }
}

impl S3 {
    /// The first page of the objects below a prefix.
    ///
    /// # Errors
    /// [`AwsError`], also for a truncated response without a continuation token.
    pub async fn first_page(&self, location: &Location) -> Result<ListPage, AwsError> {
        Ok(relative(location, self.bucket_page(ListScope::below(location), None).await?))
    }

    /// All pages of the objects below a prefix.
    pub(crate) fn pages<'a>(
        &'a self,
        location: &'a Location,
    ) -> impl Stream<Item = Result<ListPage, AwsError>> + Send + 'a {
        self.bucket_pages(ListScope::below(location)).map_ok(|page| relative(location, page))
    }

    /// All pages of a listing.
    pub(super) fn bucket_pages<'a>(
        &'a self,
        scope: ListScope<'a>,
    ) -> impl Stream<Item = Result<BucketPage, AwsError>> + Send + 'a {
        stream::try_unfold(PageToken::First, move |token| async move {
            let token = match token {
                PageToken::First => None,
                PageToken::After(token) => Some(token),
                PageToken::End => return Ok(None),
            };
            let page = self.bucket_page(scope, token.clone()).await?;
            let next = match &page.next {
                // Without this check, a server that repeats a page forever would keep the run busy forever.
                Some(next) if token.as_ref() == Some(next) => {
                    let why = "two pages of the listing have the same token";
                    return Err(AwsError::malformed("ListObjectsV2", scope.subject(), why));
                }
                Some(next) => PageToken::After(next.clone()),
                None => PageToken::End,
            };
            Ok(Some((page, next)))
        })
    }

    /// One page of a listing, after the page that returned `token`.
    pub(super) async fn bucket_page(
        &self,
        scope: ListScope<'_>,
        token: Option<String>,
    ) -> Result<BucketPage, AwsError> {
        let malformed = |why: &str| AwsError::malformed("ListObjectsV2", scope.subject(), why);
        let output = self
            .client
            .list_objects_v2()
            .bucket(scope.bucket.as_str())
            .set_prefix(Some(scope.prefix.to_owned()).filter(|prefix| !prefix.is_empty()))
            .max_keys(scope.page)
            // A key can hold characters that XML cannot; one such key would make the whole page unreadable.
            .encoding_type(EncodingType::Url)
            // A token stands for the key where it continues.
            .set_start_after(scope.after.filter(|_| token.is_none()).map(str::to_owned))
            .set_continuation_token(token)
            .send()
            .await
            .map_err(|error| AwsError::new("ListObjectsV2", scope.subject(), &error))?;
        let next = match (output.is_truncated(), output.next_continuation_token) {
            (Some(true), None) => return Err(malformed("the response is truncated, but has no continuation token")),
            (Some(true), token) => token,
            (_, _) => None,
        };
        // A server that does not know the parameter omits it from its response.
        let encoded = output.encoding_type.is_some();
        let key = |key: Option<String>| {
            let key = if encoded { key.and_then(decode) } else { key };
            key.ok_or_else(|| malformed("the response has an object without a readable key"))
        };
        let objects = output.contents.unwrap_or_default().into_iter().map(|object| {
            let modified = object.last_modified.and_then(|time| time.to_millis().ok()).unwrap_or_default();
            Ok(BucketObject {
                key: key(object.key)?,
                size: u64::try_from(object.size.unwrap_or_default()).unwrap_or_default(),
                etag: ETag::new(&object.e_tag.unwrap_or_default()),
                modified: Timestamp::from_milliseconds(u64::try_from(modified).unwrap_or_default()),
            })
        });
        Ok(BucketPage { objects: objects.collect::<Result<_, AwsError>>()?, next })
    }
}

/// The same page with keys relative to the prefix, without an object that is named like the prefix: that is a folder
/// marker.
pub(super) fn relative(location: &Location, page: BucketPage) -> ListPage {
    let objects = page.objects.into_iter().filter_map(|object| {
        let key = location.prefix.relative(&object.key)?;
        Some((ListedObject { key, size: object.size, etag: object.etag }, object.modified))
    });
    let (objects, modified) = objects.unzip();
    ListPage { objects, modified, last: page.next.is_none() }
}

/// Decodes a key of a listing with `encoding-type=url`. Keys are encoded like form values, with `+` for a space.
fn decode(key: String) -> Option<String> {
    if !key.contains(['+', '%']) {
        return Some(key);
    }
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_keys_as_form_values() {
        for (encoded, key) in
            [("a/b.html", "a/b.html"), ("a+b%2B%25.html", "a b+%.html"), ("a%20b", "a b"), ("%C3%A9%07", "\u{e9}\u{7}")]
        {
            assert_eq!(decode(encoded.to_owned()).as_deref(), Some(key));
        }
        assert_eq!(decode("%ff".to_owned()), None);
    }
}
