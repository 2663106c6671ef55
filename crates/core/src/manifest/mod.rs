//! The manifest of a release: every object that Tidegate manages for a site, in the order of a listing.
//!
//! It also has what earlier releases need: objects that stay on the site for cached pages, and archived bodies. So a run
//! reads a single manifest. The format is compressed JSON lines, written and read as a stream.

pub mod next;

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::headers::ObjectHeaders;
use crate::identity::{ContentIdentity, ETag};
use crate::key::StoredKey;
use crate::listing::{ListedObject, ObservedObject, PreservedAttributes};
use crate::redirect::RedirectTarget;
use crate::release::id::ReleaseId;
use crate::release::layout::FORMAT;

/// Longest line, in bytes: more than the longest key, headers and metadata, escaped as JSON.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Compressed bytes that are returned at a time.
const CHUNK: usize = 256 * 1024;

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

    /// The order of records: by key, the object on the site before archived bodies.
    fn sort_key(&self) -> (&StoredKey, Option<&ETag>) {
        (&self.key, Some(&self.etag).filter(|_| !self.state.is_on_site()))
    }
}

/// The name of the archived body of a key's version.
#[must_use]
pub fn body_name(key: &StoredKey, etag: &ETag) -> String {
    let mut hash = Sha256::new();
    hash.update(key.as_str().as_bytes());
    hash.update([0]);
    hash.update(etag.as_str().as_bytes());
    hex::encode(hash.finalize())
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestHeader {
    tidegate_manifest: u32,
}

/// The last line, which proves that the manifest is complete.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestTrailer {
    records: u64,
}

/// Why a manifest is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not gzip, or damaged.
    #[error("damaged manifest: {0}")]
    Damaged(#[from] std::io::Error),
    /// An invalid line.
    #[error("invalid line {0} of the manifest: {1}")]
    Line(u64, serde_json::Error),
    /// Longer than [`MAX_LINE_BYTES`].
    #[error("line {0} of the manifest too long: more than {MAX_LINE_BYTES} bytes")]
    TooLong(u64),
    /// Another format.
    #[error("unsupported manifest format {0}: this version of Tidegate reads format {FORMAT}; use a newer version")]
    Format(u32),
    /// Records are not in order.
    #[error("invalid manifest: `{0}` is out of order")]
    Disorder(StoredKey),
    /// The end is missing.
    #[error("incomplete manifest: the last line is missing")]
    Incomplete,
}

/// Writes a manifest. Records must be in order.
pub struct ManifestEncoder {
    gzip: GzEncoder<Vec<u8>>,
    records: u64,
}

impl ManifestEncoder {
    /// Starts a manifest.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn new() -> Result<Self, ManifestError> {
        let mut encoder = Self { gzip: GzEncoder::new(Vec::new(), Compression::fast()), records: 0 };
        encoder.line(&ManifestHeader { tidegate_manifest: FORMAT })?;
        Ok(encoder)
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), ManifestError> {
        serde_json::to_writer(&mut self.gzip, value).map_err(|error| ManifestError::Line(self.records, error))?;
        Ok(self.gzip.write_all(b"\n")?)
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn push(&mut self, record: &ManifestRecord) -> Result<(), ManifestError> {
        self.records += 1;
        self.line(record)
    }

    /// Returns finished bytes, if there are enough of them.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        (self.gzip.get_ref().len() >= CHUNK).then(|| std::mem::take(self.gzip.get_mut()))
    }

    /// Returns the last bytes.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn finish(mut self) -> Result<Vec<u8>, ManifestError> {
        let records = self.records;
        self.line(&ManifestTrailer { records })?;
        Ok(self.gzip.finish()?)
    }
}

/// Reads a manifest from chunks of any size.
pub struct ManifestDecoder {
    gzip: GzDecoder<Vec<u8>>,
    lines: u64,
    records: u64,
    /// The sort key of the last record.
    last: Option<(StoredKey, Option<ETag>)>,
    complete: bool,
}

impl Default for ManifestDecoder {
    fn default() -> Self {
        Self { gzip: GzDecoder::new(Vec::new()), lines: 0, records: 0, last: None, complete: false }
    }
}

impl ManifestDecoder {
    /// Adds bytes and returns the records that they complete.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<ManifestRecord>, ManifestError> {
        let mut found = Vec::new();
        // Small pieces, each read before the next is decompressed, limit memory whatever the compression ratio.
        for piece in bytes.chunks(4096) {
            self.gzip.write_all(piece)?;
            self.lines(&mut found)?;
        }
        Ok(found)
    }

    /// Returns the last records.
    ///
    /// # Errors
    /// [`ManifestError::Incomplete`] if the end is missing.
    pub fn finish(mut self) -> Result<Vec<ManifestRecord>, ManifestError> {
        let mut found = Vec::new();
        self.gzip.try_finish()?;
        self.lines(&mut found)?;
        if self.complete && self.gzip.get_ref().is_empty() { Ok(found) } else { Err(ManifestError::Incomplete) }
    }

    fn lines(&mut self, found: &mut Vec<ManifestRecord>) -> Result<(), ManifestError> {
        let text = std::mem::take(self.gzip.get_mut());
        let mut rest = text.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            self.line(line, found)?;
        }
        if rest.len() > MAX_LINE_BYTES {
            return Err(ManifestError::TooLong(self.lines + 1));
        }
        *self.gzip.get_mut() = rest.to_vec();
        Ok(())
    }

    fn line(&mut self, line: &[u8], found: &mut Vec<ManifestRecord>) -> Result<(), ManifestError> {
        self.lines += 1;
        let invalid = |error| ManifestError::Line(self.lines, error);
        if self.lines == 1 {
            let header: ManifestHeader = serde_json::from_slice(line).map_err(invalid)?;
            return if header.tidegate_manifest == FORMAT {
                Ok(())
            } else {
                Err(ManifestError::Format(header.tidegate_manifest))
            };
        }
        if line.starts_with(b"{\"records\"") {
            let trailer: ManifestTrailer = serde_json::from_slice(line).map_err(invalid)?;
            if self.complete || trailer.records != self.records {
                return Err(ManifestError::Incomplete);
            }
            self.complete = true;
            return Ok(());
        }
        let record: ManifestRecord = serde_json::from_slice(line).map_err(invalid)?;
        let in_order = self.last.as_ref().is_none_or(|(key, etag)| (key, etag.as_ref()) < record.sort_key());
        if self.complete || !in_order {
            return Err(ManifestError::Disorder(record.key));
        }
        self.records += 1;
        let (key, etag) = record.sort_key();
        self.last = Some((key.clone(), etag.cloned()));
        found.push(record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        let mut encoder = ManifestEncoder::new().unwrap();
        let mut bytes = Vec::new();
        for record in records {
            encoder.push(record).unwrap();
            bytes.extend(encoder.take().unwrap_or_default());
        }
        bytes.extend(encoder.finish().unwrap());
        bytes
    }

    fn decode(bytes: &[u8], chunk_size: usize) -> Result<Vec<ManifestRecord>, ManifestError> {
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
            assert!(matches!(decode(&encode(&wrong), 99), Err(ManifestError::Disorder(_))));
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
