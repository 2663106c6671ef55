//! The format of stored documents with a line for each object, such as manifests and plans: compressed JSON lines.
//!
//! They are written and read as a stream, so memory does not grow with them. The first line names the document and its
//! format. The last one counts the lines in between, and the checksum of gzip covers every byte: a document that is
//! truncated or damaged is an error.

use std::io::Write;
use std::marker::PhantomData;

use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::identity::ETag;
use crate::key::StoredKey;
use crate::release::layout::FORMAT;

/// Longest line, in bytes (1 MiB): many times the longest key, headers, metadata and differences, escaped as JSON. A longer
/// line is not written either, so whatever is written can be read.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Compressed bytes that are returned at a time.
const CHUNK: usize = 256 * 1024;

/// Where a line belongs: by key, then what concerns the current object, then what concerns archived bodies by their ETags.
pub type LinePosition = (StoredKey, Option<ETag>);

/// A line of a document. Lines are in the order of their positions, each of which occurs once.
pub trait StoredLine: Serialize + DeserializeOwned {
    /// What the document is called.
    const DOCUMENT: &'static str;

    /// Where the line belongs.
    fn position(&self) -> LinePosition;
}

/// The first line.
#[derive(Debug, Serialize)]
struct FirstLine<'a, A> {
    tidegate: &'a str,
    format: u32,
    #[serde(flatten)]
    about: &'a A,
}

/// What a reader needs of the first line. The rest is for people.
#[derive(Debug, Deserialize)]
struct DocumentHeader {
    tidegate: String,
    format: u32,
}

/// The last line, which proves that the document is complete.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastLine {
    lines: u64,
}

/// Why a document is rejected.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Not gzip, or damaged.
    #[error("it is damaged: {0}")]
    Damaged(#[from] std::io::Error),
    /// An invalid line.
    #[error("line {0} is invalid: {1}")]
    Invalid(u64, serde_json::Error),
    /// Longer than [`MAX_LINE_BYTES`].
    #[error("line {0} has more than {MAX_LINE_BYTES} bytes")]
    TooLong(u64),
    /// Another document.
    #[error("it holds a `{0}`")]
    Document(String),
    /// Another format.
    #[error("it has format {0}, but this version of Tidegate reads {FORMAT}")]
    Format(u32),
    /// Lines are not in order.
    #[error("`{0}` is out of order")]
    Disorder(StoredKey),
    /// The end is missing.
    #[error("it is truncated: the last line is missing")]
    Incomplete,
}

/// Writes a document.
pub struct LineEncoder<T> {
    gzip: GzEncoder<Vec<u8>>,
    line: Vec<u8>,
    lines: u64,
    kind: PhantomData<fn(&T)>,
}

impl<T: StoredLine> LineEncoder<T> {
    /// Starts a document. `about` describes it for people: a struct, or `()`.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn new(about: &impl Serialize) -> Result<Self, LineError> {
        let gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let mut encoder = Self { gzip, line: Vec::new(), lines: 0, kind: PhantomData };
        encoder.write(&FirstLine { tidegate: T::DOCUMENT, format: FORMAT, about })?;
        Ok(encoder)
    }

    /// A whole document.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn whole(about: &impl Serialize, lines: &[T]) -> Result<Vec<u8>, LineError> {
        let mut encoder = Self::new(about)?;
        lines.iter().try_for_each(|line| encoder.push(line))?;
        encoder.finish()
    }

    fn write(&mut self, value: &impl Serialize) -> Result<(), LineError> {
        // The first line comes before the lines that are counted.
        let number = self.lines + 1;
        self.line.clear();
        serde_json::to_writer(&mut self.line, value).map_err(|error| LineError::Invalid(number, error))?;
        if self.line.len() > MAX_LINE_BYTES {
            return Err(LineError::TooLong(number));
        }
        self.line.push(b'\n');
        Ok(self.gzip.write_all(&self.line)?)
    }

    /// Adds a line. Lines must be in order.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn push(&mut self, line: &T) -> Result<(), LineError> {
        self.lines += 1;
        self.write(line)
    }

    /// Returns finished bytes, if there are enough of them.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        (self.gzip.get_ref().len() >= CHUNK).then(|| std::mem::take(self.gzip.get_mut()))
    }

    /// Returns the last bytes.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn finish(mut self) -> Result<Vec<u8>, LineError> {
        let lines = self.lines;
        self.write(&LastLine { lines })?;
        Ok(self.gzip.finish()?)
    }
}

/// Reads a document from chunks of any size.
pub struct LineDecoder<T> {
    gzip: GzDecoder<Vec<u8>>,
    /// The number of the current line.
    number: u64,
    /// Lines between the first and the last one.
    lines: u64,
    position: Option<LinePosition>,
    complete: bool,
    kind: PhantomData<fn() -> T>,
}

impl<T> Default for LineDecoder<T> {
    fn default() -> Self {
        let gzip = GzDecoder::new(Vec::new());
        Self { gzip, number: 0, lines: 0, position: None, complete: false, kind: PhantomData }
    }
}

impl<T: StoredLine> LineDecoder<T> {
    /// Reads a whole document.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn whole(bytes: &[u8]) -> Result<Vec<T>, LineError> {
        let mut decoder = Self::default();
        let mut lines = decoder.push(bytes)?;
        lines.extend(decoder.finish()?);
        Ok(lines)
    }

    /// Adds bytes and returns the lines that they complete.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<T>, LineError> {
        let mut found = Vec::new();
        // Small pieces, each read before the next is decompressed, limit memory whatever the compression ratio.
        for piece in bytes.chunks(4096) {
            self.gzip.write_all(piece)?;
            self.split(&mut found)?;
        }
        Ok(found)
    }

    /// Returns the last lines.
    ///
    /// # Errors
    /// [`LineError::Incomplete`] if the end is missing.
    pub fn finish(mut self) -> Result<Vec<T>, LineError> {
        let mut found = Vec::new();
        match self.gzip.try_finish() {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(LineError::Incomplete),
            finished => finished?,
        }
        self.split(&mut found)?;
        if self.complete && self.gzip.get_ref().is_empty() { Ok(found) } else { Err(LineError::Incomplete) }
    }

    fn split(&mut self, found: &mut Vec<T>) -> Result<(), LineError> {
        let text = std::mem::take(self.gzip.get_mut());
        let mut rest = text.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            self.line(line, found)?;
        }
        if rest.len() > MAX_LINE_BYTES {
            return Err(LineError::TooLong(self.number + 1));
        }
        *self.gzip.get_mut() = rest.to_vec();
        Ok(())
    }

    fn line(&mut self, line: &[u8], found: &mut Vec<T>) -> Result<(), LineError> {
        self.number += 1;
        let invalid = |error| LineError::Invalid(self.number, error);
        if self.number == 1 {
            let first: DocumentHeader = serde_json::from_slice(line).map_err(invalid)?;
            return if first.tidegate != T::DOCUMENT {
                Err(LineError::Document(first.tidegate))
            } else if first.format != FORMAT {
                Err(LineError::Format(first.format))
            } else {
                Ok(())
            };
        }
        if line.starts_with(b"{\"lines\"") {
            let last: LastLine = serde_json::from_slice(line).map_err(invalid)?;
            if self.complete || last.lines != self.lines {
                return Err(LineError::Incomplete);
            }
            self.complete = true;
            return Ok(());
        }
        let line: T = serde_json::from_slice(line).map_err(invalid)?;
        let position = line.position();
        if self.complete || self.position.as_ref().is_some_and(|last| *last >= position) {
            return Err(LineError::Disorder(position.0));
        }
        self.lines += 1;
        self.position = Some(position);
        found.push(line);
        Ok(())
    }
}
