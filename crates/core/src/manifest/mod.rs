//! The manifest of a release: every object that Tidegate manages for a site, in the order of a listing.
//!
//! It also has what earlier releases need: objects that stay on the site for cached pages, and archived bodies. So a run
//! reads a single manifest. It is stored as [lines](crate::stored_lines): by key, the object on the site before archived
//! bodies.

pub mod next;
pub mod ranges;
pub mod written;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::headers::ObjectHeaders;
use crate::identity::{ContentIdentity, ETag};
use crate::key::StoredKey;
use crate::listing::{ListedObject, ObservedObject, PreservedAttributes};
use crate::redirect::RedirectTarget;
use crate::release::id::ReleaseId;
use crate::stored_lines::{LineDecoder, LineEncoder, LinePosition, StoredLine};

/// One object in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestRecord {
    /// Its key, relative to the site.
    #[serde(rename = "k")]
    pub key: StoredKey,
    /// Its state.
    #[serde(rename = "w", default, skip_serializing_if = "RecordState::is_live")]
    pub state: RecordState,
    /// Size in bytes.
    #[serde(rename = "s")]
    pub size: u64,
    /// The ETag that S3 returned when it was written.
    #[serde(rename = "e")]
    pub etag: ETag,
    /// What is known of its content.
    #[serde(rename = "i", default, skip_serializing_if = "ContentIdentity::is_empty")]
    pub identity: ContentIdentity,
    /// Its headers.
    #[serde(rename = "h", default)]
    pub headers: ObjectHeaders,
    /// Its redirect target.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<RedirectTarget>,
    /// What a copy onto itself must preserve.
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    pub attributes: PreservedAttributes,
}

/// The state of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordState {
    /// On the site, and part of the release.
    #[default]
    Live,
    /// On the site, for earlier releases up to this one.
    Retained(ReleaseId),
    /// Not on the site: its body is archived for earlier releases up to this one.
    Archived(ReleaseId),
}

impl RecordState {
    fn is_live(&self) -> bool {
        *self == Self::Live
    }

    /// Whether the object is on the site.
    #[must_use]
    pub fn is_on_site(self) -> bool {
        !matches!(self, Self::Archived(_))
    }
}

fn is_default(attributes: &PreservedAttributes) -> bool {
    *attributes == PreservedAttributes::default()
}

impl ManifestRecord {
    /// The object as in a listing.
    #[must_use]
    pub fn listed(&self) -> ListedObject {
        ListedObject { key: self.key.clone(), size: self.size, etag: self.etag.clone() }
    }

    /// The object as in a response to HEAD.
    #[must_use]
    pub fn observed(&self) -> ObservedObject {
        ObservedObject {
            identity: self.identity.clone(),
            headers: self.headers.clone(),
            redirect: self.redirect.as_ref().map(|target| target.as_str().to_owned()),
            attributes: self.attributes.clone(),
        }
    }

    /// The name of its archived body.
    #[must_use]
    pub fn body_name(&self) -> String {
        body_name(&self.key, &self.etag)
    }
}

/// The name of the archived body of a key's version.
#[must_use]
pub fn body_name(key: &StoredKey, etag: &ETag) -> String {
    let mut hash = Sha256::new();
    hash.update(key.as_str().as_bytes());
    hash.update([0]);
    hash.update(etag.text().as_bytes());
    hex::encode(hash.finalize())
}

impl StoredLine for ManifestRecord {
    const DOCUMENT: &'static str = "manifest";

    fn position(&self) -> LinePosition {
        (self.key.clone(), Some(self.etag.clone()).filter(|_| !self.state.is_on_site()))
    }
}

/// Writes a manifest.
pub type ManifestEncoder = LineEncoder<ManifestRecord>;

/// Reads a manifest.
pub type ManifestDecoder = LineDecoder<ManifestRecord>;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stored_lines::LineError;

    fn record(key: &str, state: RecordState, etag: &str) -> ManifestRecord {
        ManifestRecord {
            key: StoredKey::new(key),
            state,
            size: 7,
            etag: ETag::new(etag),
            identity: ContentIdentity { sha256: Some([3; 32]), ..ContentIdentity::default() },
            headers: ObjectHeaders::default(),
            redirect: None,
            attributes: PreservedAttributes::default(),
        }
    }

    fn encode(records: &[ManifestRecord]) -> Vec<u8> {
        let mut encoder = ManifestEncoder::new(&()).unwrap();
        let mut bytes = Vec::new();
        for record in records {
            encoder.push(record).unwrap();
            bytes.extend(encoder.take().unwrap_or_default());
        }
        bytes.extend(encoder.finish().unwrap());
        bytes
    }

    fn decode(bytes: &[u8], chunk_size: usize) -> Result<Vec<ManifestRecord>, LineError> {
        let mut decoder = ManifestDecoder::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(chunk_size) {
            found.extend(decoder.push(piece)?);
        }
        found.extend(decoder.finish()?);
        Ok(found)
    }

    proptest! {
        #[test]
        fn decodes_what_was_encoded_in_chunks_of_any_size(
            keys in proptest::collection::btree_set("[a-c/é]{1,6}", 0..40),
            chunk_size in 1_usize..200,
        ) {
            let records: Vec<ManifestRecord> = keys
                .iter()
                .flat_map(|key| {
                    let id = "r7".parse().unwrap();
                    [record(key, RecordState::Live, "b"), record(key, RecordState::Archived(id), "a")]
                })
                .collect();
            prop_assert_eq!(decode(&encode(&records), chunk_size).unwrap(), records);
        }

        #[test]
        fn rejects_a_truncated_or_damaged_manifest(at: prop::sample::Index, flip in 1_u8..=255) {
            let records: Vec<ManifestRecord> = (0..50).map(|n| record(&format!("{n:03}"), RecordState::Live, "e")).collect();
            let bytes = encode(&records);
            let at = at.index(bytes.len() - 1);
            prop_assert!(decode(&bytes[..at], 16).is_err());
            let mut damaged = bytes;
            damaged[at] ^= flip;
            // The ten bytes of the gzip header contain a date and a system, and the last byte before the trailer may have
            // unused bits. A change there leaves the content unchanged.
            prop_assert!(at < 10 || decode(&damaged, 16).map_or(true, |found| found == records));
        }
    }

    #[test]
    fn rejects_records_out_of_order() {
        for wrong in [
            [record("b", RecordState::Live, "x"), record("a", RecordState::Live, "x")],
            [record("a", RecordState::Live, "x"), record("a", RecordState::Live, "x")],
            [record("a", RecordState::Archived("r1".parse().unwrap()), "x"), record("a", RecordState::Live, "x")],
        ] {
            assert!(matches!(decode(&encode(&wrong), 99), Err(LineError::Disorder(_))));
        }
    }

    #[test]
    fn every_version_of_every_key_has_its_own_body_name() {
        let names: std::collections::BTreeSet<String> =
            [("a", "x"), ("a", "y"), ("b", "x"), ("ax", ""), ("a\u{0}x", "")]
                .iter()
                .map(|(key, etag)| body_name(&StoredKey::new(key), &ETag::new(etag)))
                .collect();
        assert_eq!(names.len(), 5);
    }
}
