//! What the objects of the site's staged prefix declared when they were last published, as compressed JSON lines in the
//! order of a listing. It saves requests: a run without it asks S3 again.

use std::io::{self, Write as _};
use std::pin::pin;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder};
use futures::stream::{self, TryStreamExt};
use serde::{Deserialize, Serialize};
use tidegate_core::declared::DeclaredHeaders;
use tidegate_core::identity::ETag;
use tidegate_core::key::Key;
use tidegate_core::location::Location;
use tidegate_core::release::FORMAT;
use tidegate_core::timestamp::Timestamp;

use super::error::StateError;
use super::store::StateStore;
use crate::aws_error::AwsError;
use crate::s3::PutCondition;

/// The document.
const STAGED_HEADERS: &str = "staged-headers.gz";

/// Longest line, in bytes: more than the longest key, headers and metadata, escaped as JSON.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StagedHeadersStart {
    tidegate_staged_headers: u32,
    source: Location,
}

/// What one version of an object declared.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StagedHeadersRecord {
    /// Relative to the prefix.
    #[serde(rename = "k")]
    pub(crate) key: Key,
    #[serde(rename = "e")]
    pub(crate) etag: ETag,
    /// When it was written. Other headers for the same bytes do not change the ETag.
    #[serde(rename = "m")]
    pub(crate) modified: Timestamp,
    #[serde(rename = "d")]
    pub(crate) declared: DeclaredHeaders,
}

impl StateStore {
    /// The URL of the document, for messages.
    pub(crate) fn staged_headers_url(&self) -> String {
        format!("s3://{}/{}", self.location.bucket, self.key(STAGED_HEADERS))
    }

    /// Passes what is remembered of a prefix to `receive`, in the order of a listing. A damaged document is read up to the
    /// damage.
    pub(crate) async fn staged_headers(
        &self,
        source: &Location,
        receive: impl FnMut(StagedHeadersRecord) + Send,
    ) -> Result<(), AwsError> {
        let key = self.key(STAGED_HEADERS);
        let Some(bytes) = self.s3.stream(&self.location.bucket, &key).await? else { return Ok(()) };
        let mut bytes = pin!(bytes);
        let mut lines = GzDecoder::new(RecordLines { source, receive, line: Vec::new(), started: false });
        while let Some(chunk) = bytes.try_next().await? {
            if let Err(error) = lines.write_all(&chunk) {
                tracing::debug!(%error, key, "stopped reading the headers of staged objects");
                break;
            }
        }
        Ok(())
    }

    /// Stores what the objects of a prefix declare. `records` are in the order of a listing.
    pub(crate) async fn put_staged_headers(
        &self,
        source: &Location,
        records: impl Iterator<Item = StagedHeadersRecord> + Send + Unpin,
    ) -> Result<(), StateError> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        line(&mut encoder, &StagedHeadersStart { tidegate_staged_headers: FORMAT, source: source.clone() })?;
        let chunks = records.map(Some).chain([None]).map(move |record| {
            match record {
                Some(record) => line(&mut encoder, &record)?,
                None => encoder.try_finish()?,
            }
            Ok::<_, StateError>(Bytes::from(std::mem::take(encoder.get_mut())))
        });
        self.s3.put_stream(&self.location, STAGED_HEADERS, stream::iter(chunks), PutCondition::Always).await
    }
}

fn line(encoder: &mut GzEncoder<Vec<u8>>, value: &impl Serialize) -> Result<(), StateError> {
    serde_json::to_writer(&mut *encoder, value)?;
    Ok(encoder.write_all(b"\n")?)
}

/// Receives the decompressed document.
struct RecordLines<'a, F> {
    source: &'a Location,
    receive: F,
    /// The beginning of a line.
    line: Vec<u8>,
    started: bool,
}

impl<F: FnMut(StagedHeadersRecord)> RecordLines<'_, F> {
    fn read(&mut self, line: &[u8]) -> io::Result<()> {
        if self.started {
            (self.receive)(serde_json::from_slice(line)?);
            return Ok(());
        }
        let start: StagedHeadersStart = serde_json::from_slice(line)?;
        self.started = start.tidegate_staged_headers == FORMAT && start.source == *self.source;
        if self.started { Ok(()) } else { Err(io::Error::other("it has another format or source")) }
    }
}

impl<F: FnMut(StagedHeadersRecord)> io::Write for RecordLines<'_, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.last() == Some(&b'\n') {
                let line = std::mem::take(&mut self.line);
                self.read(&line)?;
            } else if self.line.len() > MAX_LINE_BYTES {
                return Err(io::Error::other("a line is too long"));
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
