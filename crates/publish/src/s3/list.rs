//! Listing a prefix, page by page.

use std::borrow::Cow;

use aws_sdk_s3::types::EncodingType;
use percent_encoding::percent_decode_str;
use tidegate_core::identity::ETag;
use tidegate_core::listing::{ListedObject, ListingError};
use tidegate_core::location::Location;

use super::S3;
use crate::aws_error::AwsError;

/// Objects of one page. S3's most. Source: Amazon S3 API reference, `ListObjectsV2`.
const PAGE: i32 = 1000;

/// One page of a listing.
#[derive(Debug, Clone)]
pub struct ListPage {
    /// Its objects, relative to the prefix.
    pub objects: Vec<ListedObject>,
    /// How to ask for the next page; nothing on the last one.
    pub next: Option<String>,
}

/// Why a bucket could not be listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A page could not be had.
    #[error(transparent)]
    Cloud(#[from] AwsError),
    /// The pages do not make a listing.
    #[error(transparent)]
    Listing(#[from] ListingError),
}

impl S3 {
    /// One page below a prefix, after the page that `token` follows.
    ///
    /// # Errors
    /// [`AwsError`], also for an answer that claims more pages and does not say where.
    pub async fn page(&self, location: &Location, token: Option<String>) -> Result<ListPage, AwsError> {
        let subject = location.to_string();
        let answer = self
            .client
            .list_objects_v2()
            .bucket(location.bucket.as_str())
            .set_prefix(Some(location.prefix.as_str().to_owned()).filter(|prefix| !prefix.is_empty()))
            .max_keys(PAGE)
            // A key can hold characters that XML cannot; one such key would make the whole listing unreadable.
            .encoding_type(EncodingType::Url)
            .set_continuation_token(token)
            .send()
            .await
            .map_err(|error| AwsError::new("ListObjectsV2", &subject, &error))?;
        let next = match (answer.is_truncated(), answer.next_continuation_token) {
            (Some(true), None) => {
                return Err(AwsError::malformed("ListObjectsV2", subject, "the answer is cut and names no next page"));
            }
            (Some(true), token) => token,
            (_, _) => None,
        };
        // A server that does not know the parameter says so by not repeating it.
        let encoded = answer.encoding_type.is_some();
        let mut objects = Vec::new();
        for object in answer.contents.unwrap_or_default() {
            let key =
                object.key.as_deref().and_then(|key| if encoded { decoded(key) } else { Some(Cow::Borrowed(key)) });
            let Some(key) = key else {
                return Err(AwsError::malformed(
                    "ListObjectsV2",
                    subject,
                    "the answer has an object without a readable key",
                ));
            };
            // The prefix itself can be an object: a directory marker.
            if let Some(key) = location.prefix.relative(&key) {
                let size = u64::try_from(object.size.unwrap_or_default()).unwrap_or_default();
                objects.push(ListedObject { key, size, etag: ETag::new(&object.e_tag.unwrap_or_default()) });
            }
        }
        Ok(ListPage { objects, next })
    }
}

/// A key as `encoding-type=url` writes it: as in a form, with `+` for a space.
fn decoded(key: &str) -> Option<Cow<'_, str>> {
    if !key.contains('+') {
        return percent_decode_str(key).decode_utf8().ok();
    }
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|key| Cow::Owned(key.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_a_form_writes_them() {
        for (written, key) in
            [("a/b.html", "a/b.html"), ("a+b%2B%25.html", "a b+%.html"), ("a%20b", "a b"), ("%C3%A9%07", "\u{e9}\u{7}")]
        {
            assert_eq!(decoded(written).as_deref(), Some(key));
        }
        assert_eq!(decoded("%ff"), None);
    }
}
