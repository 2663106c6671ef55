//! Content that a plugin read: recorded while it runs, and served again without the source.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::key::Key;

/// One read of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedRead {
    /// The key in the source.
    pub(super) key: Key,
    /// Where it starts, in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) offset: u64,
    /// How much was requested, in bytes.
    pub(super) length: u32,
    /// What the source returned.
    pub(super) answer: RecordedBytes,
}

/// The answer to a read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RecordedBytes {
    /// UTF-8.
    Text(String),
    /// Other bytes.
    Base64(String),
    /// The source did not return them, for this reason.
    Unavailable(String),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn is_zero(offset: &u64) -> bool {
    *offset == 0
}

impl RecordedBytes {
    fn new(answer: &Result<Vec<u8>, ReadError>) -> Self {
        match answer {
            Ok(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Self::Text(text.to_owned()),
                Err(_) => Self::Base64(STANDARD.encode(bytes)),
            },
            Err(ReadError::Unavailable { why, .. }) => Self::Unavailable(why.clone()),
            Err(error) => Self::Unavailable(error.to_string()),
        }
    }

    /// The bytes; an error if they are damaged.
    pub(super) fn decode(&self) -> Result<Result<Vec<u8>, String>, base64::DecodeError> {
        Ok(match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::Base64(text) => Ok(STANDARD.decode(text)?),
            Self::Unavailable(why) => Err(why.clone()),
        })
    }
}

/// Reads of one object, by offset and length.
type Reads<T> = BTreeMap<(Key, u64, u32), T>;

/// Records what is read through it.
pub(super) struct RecordingContent<'a> {
    content: &'a dyn ContentReader,
    reads: Mutex<Reads<RecordedBytes>>,
}

impl<'a> RecordingContent<'a> {
    pub(super) fn new(content: &'a dyn ContentReader) -> Self {
        Self { content, reads: Mutex::default() }
    }

    /// The reads, in the order of keys.
    pub(super) fn finish(self) -> Vec<RecordedRead> {
        let reads = self.reads.into_inner().unwrap_or_else(PoisonError::into_inner);
        reads.into_iter().map(|((key, offset, length), answer)| RecordedRead { key, offset, length, answer }).collect()
    }

    fn record(&self, key: &Key, offset: u64, length: u32, answer: &Result<Vec<u8>, ReadError>) {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        reads.insert((key.clone(), offset, length), RecordedBytes::new(answer));
    }
}

impl ContentReader for RecordingContent<'_> {
    fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>> {
        let heads = self.content.heads(keys, length, deadline);
        keys.iter().zip(&heads).for_each(|(key, head)| self.record(key, 0, length, head));
        heads
    }

    fn range(&self, key: &Key, offset: u64, length: u32, deadline: Instant) -> Result<Vec<u8>, ReadError> {
        let range = self.content.range(key, offset, length, deadline);
        self.record(key, offset, length, &range);
        range
    }
}

/// Bytes of one object from an offset, or why there are none.
struct Segment {
    offset: u64,
    length: u32,
    bytes: Result<Vec<u8>, String>,
}

/// Serves recorded content. Any part of what was recorded can be read.
pub(super) struct ReplayedContent {
    sizes: BTreeMap<Key, u64>,
    segments: BTreeMap<Key, Vec<Segment>>,
    /// The first read that was not recorded.
    missing: Mutex<Option<MissingRead>>,
}

/// A read that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRead {
    /// The key in the source.
    pub key: String,
    /// Where it starts, in bytes.
    pub offset: u64,
    /// How much was requested, in bytes.
    pub length: u32,
}

impl ReplayedContent {
    /// Content with the sizes of all objects.
    pub(super) fn new(sizes: BTreeMap<Key, u64>, reads: &[RecordedRead]) -> Result<Self, base64::DecodeError> {
        let mut segments: BTreeMap<Key, Vec<Segment>> = BTreeMap::new();
        for RecordedRead { key, offset, length, answer } in reads {
            let segment = Segment { offset: *offset, length: *length, bytes: answer.decode()? };
            segments.entry(key.clone()).or_default().push(segment);
        }
        Ok(Self { sizes, segments, missing: Mutex::default() })
    }

    /// The first read that was not recorded.
    pub(super) fn missing(self) -> Option<MissingRead> {
        self.missing.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: &Key, offset: u64, length: u32) -> Option<Result<Vec<u8>, String>> {
        let segments = self.segments.get(key)?;
        let size = self.sizes.get(key).copied().unwrap_or(u64::MAX);
        let wanted = usize::try_from(size.saturating_sub(offset).min(u64::from(length))).ok()?;
        let part = |segment: &Segment| {
            let bytes = segment.bytes.as_ref().ok()?;
            let start = usize::try_from(offset.checked_sub(segment.offset)?).ok()?;
            bytes.get(start..start.checked_add(wanted)?).map(<[u8]>::to_vec)
        };
        let same = |segment: &&Segment| segment.offset == offset && segment.length == length;
        let bytes = segments.iter().find_map(part).map(Ok);
        bytes.or_else(|| segments.iter().find(same).map(|segment| segment.bytes.clone()))
    }
}

impl ContentReader for ReplayedContent {
    fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>> {
        keys.iter().map(|key| self.range(key, 0, length, deadline)).collect()
    }

    fn range(&self, key: &Key, offset: u64, length: u32, _: Instant) -> Result<Vec<u8>, ReadError> {
        let why = match self.find(key, offset, length) {
            Some(Ok(bytes)) => return Ok(bytes),
            Some(Err(why)) => why,
            None => {
                let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
                missing.get_or_insert_with(|| MissingRead { key: key.to_string(), offset, length });
                "it was not recorded".to_owned()
            }
        };
        Err(ReadError::Unavailable { key: key.clone(), why })
    }
}
