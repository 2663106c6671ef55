//! What a site's bucket shows of itself: pages of a listing, and answers about single objects.
//!
//! Owns the rule that a [`Listing`] is never a short one. Never asks the bucket: `deploy` does, page by page.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::headers::ObjectHeaders;
use crate::identity::{ContentIdentity, ETag};
use crate::key::StoredKey;

/// One object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its key, relative to the site.
    pub key: StoredKey,
    /// Bytes.
    pub size: u64,
    /// Its ETag.
    pub etag: ETag,
}

impl ListedObject {
    /// What the listing alone says of the content. An ETag in the form of an MD5 can be something else (SSE-KMS), so a
    /// difference in it is not yet a different content.
    #[must_use]
    pub fn identity(&self) -> ContentIdentity {
        match self.etag.as_md5() {
            Some(md5) => ContentIdentity { md5: Some(md5), ..ContentIdentity::default() },
            None => ContentIdentity { opaque: Some(self.etag.as_str().to_owned()), ..ContentIdentity::default() },
        }
    }
}

/// Proof that every object below a prefix was seen, in order. Made by [`Pagination::finish`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    count: u64,
    digest: String,
}

/// Checks pages as they come, until the last one.
#[derive(Debug, Default)]
pub struct Pagination {
    last: Option<StoredKey>,
    count: u64,
    hash: Sha256,
    finished: bool,
}

/// A listing that is not whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// The last page was never seen.
    #[error("the listing ended before its last page, run again")]
    Unfinished,
    /// A page after the last one, or keys out of order: the server does not list as S3 does.
    #[error("the server listed `{0}` out of order, so its listing cannot be trusted")]
    Disorder(StoredKey),
}

impl Pagination {
    /// Takes note of one page; `last` says that no other follows.
    ///
    /// # Errors
    /// [`ListingError::Disorder`] where the page does not follow the one before it.
    pub fn page(&mut self, objects: &[ListedObject], last: bool) -> Result<(), ListingError> {
        for object in objects {
            let in_order = self.last.as_ref().is_none_or(|before| *before < object.key);
            if self.finished || !in_order {
                return Err(ListingError::Disorder(object.key.clone()));
            }
            self.last = Some(object.key.clone());
            self.count += 1;
            self.hash.update(object.key.as_str().as_bytes());
            self.hash.update([0]);
            self.hash.update(object.size.to_be_bytes());
            self.hash.update(object.etag.as_str().as_bytes());
            self.hash.update([0]);
        }
        self.finished |= last;
        Ok(())
    }

    /// Objects so far, for progress.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.count
    }

    /// The listing.
    ///
    /// # Errors
    /// [`ListingError::Unfinished`] where the last page was not seen.
    pub fn finish(self) -> Result<Listing, ListingError> {
        if !self.finished {
            return Err(ListingError::Unfinished);
        }
        Ok(Listing { count: self.count, digest: hex::encode(self.hash.finalize()) })
    }
}

impl Listing {
    /// How many objects there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// SHA-256 over every key, size and ETag: two listings with one digest show one state.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// One object as a HEAD shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedObject {
    /// What its checksums, its metadata and its ETag, where that is an MD5, say of the content.
    pub identity: ContentIdentity,
    /// Its headers and metadata.
    pub headers: ObjectHeaders,
    /// Its redirect target, as it is.
    pub redirect: Option<String>,
    /// What a copy onto itself must repeat to keep.
    pub attributes: PreservedAttributes,
}

/// Properties of an object that a copy resets unless it repeats them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreservedAttributes {
    /// Storage class, where it is not the standard one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Server-side encryption: `AES256`, `aws:kms`, `aws:kms:dsse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// The KMS key's ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> ListedObject {
        ListedObject { key: StoredKey::new(key), size: 1, etag: ETag::new("x") }
    }

    #[test]
    fn a_short_listing_is_no_listing() {
        let mut pages = Pagination::default();
        pages.page(&[object("a"), object("b")], false).unwrap();
        assert_eq!(pages.finish(), Err(ListingError::Unfinished));
    }

    #[test]
    fn pages_must_follow_each_other() {
        let mut pages = Pagination::default();
        pages.page(&[object("b")], false).unwrap();
        assert!(pages.page(&[object("b")], true).is_err());
        let mut pages = Pagination::default();
        pages.page(&[object("b")], true).unwrap();
        assert!(pages.page(&[object("c")], true).is_err());
    }
}
