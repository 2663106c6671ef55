//! The manifest of a release: everything that Tidegate answers for at one site, key by key, in the order of a listing.
//!
//! Besides what the release itself is made of, it holds what earlier releases still need: objects that stay on the site
//! for pages that visitors have cached, and bodies that were set aside before they were replaced. So one stream tells a
//! run everything. Owns the form, which is compressed JSON lines, written and read piece by piece. Never stores anything.

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
use crate::release::{FORMAT, ReleaseId};

/// Longest line, in bytes: a key, headers and metadata at their longest, escaped as JSON, with room to spare.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Compressed bytes that are handed on at a time.
const CHUNK: usize = 256 * 1024;

/// What a manifest knows of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestRecord {
    /// Its key, relative to the site.
    #[serde(rename = "k")]
    pub key: StoredKey,
    /// Where it stands.
    #[serde(rename = "w", default, skip_serializing_if = "RecordState::is_live")]
    pub state: RecordState,
    /// Bytes.
    #[serde(rename = "s")]
    pub size: u64,
    /// The ETag that S3 answered when it was written.
    #[serde(rename = "e")]
    pub etag: ETag,
    /// What is known of its content.
    #[serde(rename = "i", default, skip_serializing_if = "ContentIdentity::is_empty")]
    pub identity: ContentIdentity,
    /// Its headers.
    #[serde(rename = "h", default)]
    pub headers: ObjectHeaders,
    /// Where it redirects.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<RedirectTarget>,
    /// What a copy onto itself must repeat.
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    pub attributes: PreservedAttributes,
}

/// Where an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordState {
    /// On the site, and part of the release.
    #[default]
    Live,
    /// On the site, for earlier releases up to this one.
    Retained(ReleaseId),
    /// Not on the site: its body was set aside for earlier releases up to this one.
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

fn is_default(keeping: &PreservedAttributes) -> bool {
    *keeping == PreservedAttributes::default()
}

impl ManifestRecord {
    /// As a listing would show it.
    #[must_use]
    pub fn listed(&self) -> ListedObject {
        ListedObject { key: self.key.clone(), size: self.size, etag: self.etag.clone() }
    }

    /// As a HEAD would show it, without asking.
    #[must_use]
    pub fn observed(&self) -> ObservedObject {
        ObservedObject {
            identity: self.identity.clone(),
            headers: self.headers.clone(),
            redirect: self.redirect.as_ref().map(|target| target.as_str().to_owned()),
            attributes: self.attributes.clone(),
        }
    }

    /// The name under which its body is set aside: one for each state of each key.
    #[must_use]
    pub fn body_name(&self) -> String {
        body_name(&self.key, &self.etag)
    }

    /// Sorts by key; what is on the site, of which there is one a key, comes before what was set aside.
    fn place(&self) -> (&StoredKey, Option<&ETag>) {
        (&self.key, Some(&self.etag).filter(|_| !self.state.is_on_site()))
    }
}

/// The name under which the state `etag` of `key` is set aside.
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

/// The last line: a manifest that was cut is none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestTrailer {
    records: u64,
}

/// Why something is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not gzip, or damaged.
    #[error("the manifest is damaged: {0}")]
    Damaged(#[from] std::io::Error),
    /// A line of another form.
    #[error("line {0} of the manifest cannot be read: {1}")]
    Line(u64, serde_json::Error),
    /// A line that never ends.
    #[error("line {0} of the manifest has more than {MAX_LINE_BYTES} bytes")]
    TooLong(u64),
    /// Another form.
    #[error("the manifest has the form {0}, this version of Tidegate reads {FORMAT}: use a newer one")]
    Format(u32),
    /// Records that do not follow each other.
    #[error("the manifest holds `{0}` out of order")]
    Disorder(StoredKey),
    /// Cut.
    #[error("the manifest ends before its last line")]
    Cut,
}

/// Writes a manifest, record by record in order.
pub struct ManifestEncoder {
    gzip: GzEncoder<Vec<u8>>,
    records: u64,
}

impl ManifestEncoder {
    /// Begins one.
    ///
    /// # Errors
    /// [`ManifestError`], where memory cannot be had.
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

    /// Bytes that can be sent on, once there are enough of them.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        (self.gzip.get_ref().len() >= CHUNK).then(|| std::mem::take(self.gzip.get_mut()))
    }

    /// The last bytes.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn finish(mut self) -> Result<Vec<u8>, ManifestError> {
        let records = self.records;
        self.line(&ManifestTrailer { records })?;
        Ok(self.gzip.finish()?)
    }
}

/// Reads a manifest, piece by piece.
pub struct ManifestDecoder {
    gzip: GzDecoder<Vec<u8>>,
    lines: u64,
    records: u64,
    /// The place of the last record.
    last: Option<(StoredKey, Option<ETag>)>,
    whole: bool,
}

impl Default for ManifestDecoder {
    fn default() -> Self {
        Self { gzip: GzDecoder::new(Vec::new()), lines: 0, records: 0, last: None, whole: false }
    }
}

impl ManifestDecoder {
    /// Takes the next bytes and gives the records that they complete.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<ManifestRecord>, ManifestError> {
        let mut found = Vec::new();
        // What a few bytes unpack to is read before the next few: memory does not depend on how well they were packed.
        for piece in bytes.chunks(4096) {
            self.gzip.write_all(piece)?;
            self.lines(&mut found)?;
        }
        Ok(found)
    }

    /// The last records.
    ///
    /// # Errors
    /// [`ManifestError::Cut`] where the end was not seen.
    pub fn finish(mut self) -> Result<Vec<ManifestRecord>, ManifestError> {
        let mut found = Vec::new();
        self.gzip.try_finish()?;
        self.lines(&mut found)?;
        if self.whole && self.gzip.get_ref().is_empty() { Ok(found) } else { Err(ManifestError::Cut) }
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
        let wrong = |error| ManifestError::Line(self.lines, error);
        if self.lines == 1 {
            let head: ManifestHeader = serde_json::from_slice(line).map_err(wrong)?;
            return if head.tidegate_manifest == FORMAT {
                Ok(())
            } else {
                Err(ManifestError::Format(head.tidegate_manifest))
            };
        }
        if line.starts_with(b"{\"records\"") {
            let tail: ManifestTrailer = serde_json::from_slice(line).map_err(wrong)?;
            if self.whole || tail.records != self.records {
                return Err(ManifestError::Cut);
            }
            self.whole = true;
            return Ok(());
        }
        let record: ManifestRecord = serde_json::from_slice(line).map_err(wrong)?;
        let in_order = self.last.as_ref().is_none_or(|(key, etag)| (key, etag.as_ref()) < record.place());
        if self.whole || !in_order {
            return Err(ManifestError::Disorder(record.key));
        }
        self.records += 1;
        let (key, etag) = record.place();
        self.last = Some((key.clone(), etag.cloned()));
        found.push(record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(key: &str, standing: RecordState, etag: &str) -> ManifestRecord {
        ManifestRecord {
            key: StoredKey::new(key),
            state: standing,
            size: 7,
            etag: ETag::new(etag),
            identity: ContentIdentity { sha256: Some([3; 32]), ..ContentIdentity::default() },
            headers: ObjectHeaders::default(),
            redirect: None,
            attributes: PreservedAttributes::default(),
        }
    }

    fn written(records: &[ManifestRecord]) -> Vec<u8> {
        let mut encoder = ManifestEncoder::new().unwrap();
        let mut bytes = Vec::new();
        for record in records {
            encoder.push(record).unwrap();
            bytes.extend(encoder.take().unwrap_or_default());
        }
        bytes.extend(encoder.finish().unwrap());
        bytes
    }

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<ManifestRecord>, ManifestError> {
        let mut decoder = ManifestDecoder::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(piece) {
            found.extend(decoder.push(piece)?);
        }
        found.extend(decoder.finish()?);
        Ok(found)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_however_it_is_cut(
            keys in proptest::collection::btree_set("[a-c/é]{1,6}", 0..40),
            piece in 1_usize..200,
        ) {
            let records: Vec<ManifestRecord> = keys
                .iter()
                .flat_map(|key| {
                    let id = "r7".parse().unwrap();
                    [record(key, RecordState::Live, "b"), record(key, RecordState::Archived(id), "a")]
                })
                .collect();
            prop_assert_eq!(read(&written(&records), piece).unwrap(), records);
        }

        #[test]
        fn a_cut_or_a_flipped_byte_is_no_manifest(at: prop::sample::Index, flip in 1_u8..=255) {
            let records: Vec<ManifestRecord> = (0..50).map(|n| record(&format!("{n:03}"), RecordState::Live, "e")).collect();
            let bytes = written(&records);
            let at = at.index(bytes.len() - 1);
            prop_assert!(read(&bytes[..at], 16).is_err());
            let mut damaged = bytes;
            damaged[at] ^= flip;
            // The ten bytes of gzip's header hold a date and a system, and the last byte before its trailer may have bits
            // to spare: those say nothing of the content, which must then be the same.
            prop_assert!(at < 10 || read(&damaged, 16).map_or(true, |found| found == records));
        }
    }

    #[test]
    fn records_must_follow_each_other() {
        for wrong in [
            [record("b", RecordState::Live, "x"), record("a", RecordState::Live, "x")],
            [record("a", RecordState::Live, "x"), record("a", RecordState::Live, "x")],
            [record("a", RecordState::Archived("r1".parse().unwrap()), "x"), record("a", RecordState::Live, "x")],
        ] {
            assert!(matches!(read(&written(&wrong), 99), Err(ManifestError::Disorder(_))));
        }
    }

    #[test]
    fn each_state_of_each_key_has_a_body_of_its_own() {
        let names: std::collections::BTreeSet<String> =
            [("a", "x"), ("a", "y"), ("b", "x"), ("ax", ""), ("a\u{0}x", "")]
                .iter()
                .map(|(key, etag)| body_name(&StoredKey::new(key), &ETag::new(etag)))
                .collect();
        assert_eq!(names.len(), 5);
    }
}
