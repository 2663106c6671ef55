//! What S3 returns about a site: pages of a listing, and responses about single objects. A [`Listing`] is always complete.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::headers::ObjectHeaders;
use crate::identity::{ContentIdentity, ETag};
use crate::key::StoredKey;

/// One object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its key, relative to the site.
    pub key: StoredKey,
    /// Size in bytes.
    pub size: u64,
    /// Its ETag.
    pub etag: ETag,
}

impl ListedObject {
    /// The identity that the listing shows. An ETag that looks like an MD5 may not be one (SSE-KMS), so a different ETag
    /// does not prove different content.
    #[must_use]
    pub fn identity(&self) -> ContentIdentity {
        match self.etag.as_md5() {
            Some(md5) => ContentIdentity { md5: Some(md5), ..ContentIdentity::default() },
            None => ContentIdentity { opaque: Some(self.etag.text().into_owned()), ..ContentIdentity::default() },
        }
    }
}

/// Proof of a complete, sorted listing of a prefix. Only [`Pagination::finish`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    count: u64,
    digest: String,
}

/// Checks pages of a listing until the last one.
#[derive(Debug, Default)]
pub struct Pagination {
    last: Option<StoredKey>,
    count: u64,
    hash: Sha256,
    finished: bool,
}

/// Why a listing is incomplete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// The last page is missing.
    #[error("incomplete listing: the last page is missing; run again")]
    Unfinished,
    /// A page after the last one, or keys out of order: the server does not list as S3 does.
    #[error("invalid listing: the server returned `{0}` out of order")]
    Disorder(StoredKey),
}

impl Pagination {
    /// Adds a page; `last` says that it is the last one.
    ///
    /// # Errors
    /// [`ListingError::Disorder`] if keys are not in order.
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
            self.hash.update(object.etag.text().as_bytes());
            self.hash.update([0]);
        }
        self.finished |= last;
        Ok(())
    }

    /// The number of objects so far.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.count
    }

    /// Finishes the listing.
    ///
    /// # Errors
    /// [`ListingError::Unfinished`] if the last page is missing.
    pub fn finish(self) -> Result<Listing, ListingError> {
        if !self.finished {
            return Err(ListingError::Unfinished);
        }
        Ok(Listing { count: self.count, digest: hex::encode(self.hash.finalize()) })
    }
}

impl Listing {
    /// The number of objects.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// SHA-256 over all keys, sizes and ETags. Equal digests mean an equal state of the bucket.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// One object in a response to HEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedObject {
    /// Its identity, from checksums, metadata, and the ETag if that is an MD5.
    pub identity: ContentIdentity,
    /// Its headers and metadata.
    pub headers: ObjectHeaders,
    /// Its redirect target, not validated.
    pub redirect: Option<String>,
    /// What a copy onto itself must preserve.
    pub attributes: PreservedAttributes,
}

/// Attributes that a copy resets unless they are repeated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreservedAttributes {
    /// Storage class, unless it is `STANDARD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Server-side encryption: `AES256`, `aws:kms`, `aws:kms:dsse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// ARN of the KMS key.
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
    fn rejects_an_incomplete_listing() {
        let mut pages = Pagination::default();
        pages.page(&[object("a"), object("b")], false).unwrap();
        assert_eq!(pages.finish(), Err(ListingError::Unfinished));
    }

    #[test]
    fn rejects_pages_out_of_order() {
        let mut pages = Pagination::default();
        pages.page(&[object("b")], false).unwrap();
        assert!(pages.page(&[object("b")], true).is_err());
        let mut pages = Pagination::default();
        pages.page(&[object("b")], true).unwrap();
        assert!(pages.page(&[object("c")], true).is_err());
    }
}
