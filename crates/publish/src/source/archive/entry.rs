//! Unpacks one entry. Its size, its checksum and the end of its compressed data are checked before the last bytes are
//! returned.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use super::error::ErrorBuilder;
use super::files::{ArchiveBytes, ArchiveEntry};
use crate::source::body::{CHUNK, Chunks};
use crate::source::error::SourceError;

/// If at most this many compressed bytes of an entry are left (256 KiB), they are read through the shared blocks. More
/// bytes are read through windows of the entry's own, so that they do not evict blocks that other entries need.
const SMALL: u64 = 256 * 1024;

/// Reads one entry from start to end, once.
pub(super) struct EntryReader {
    archive: Arc<ArchiveBytes>,
    entry: ArchiveEntry,
    /// Nothing after the end was checked, or after an error.
    input: Option<EntryInput>,
    left: u64,
    checksum: Crc,
}

enum EntryInput {
    Stored(CompressedBytes),
    Deflated(Box<DeflateDecoder<CompressedBytes>>),
}

/// The compressed bytes of one entry, read by windows.
struct CompressedBytes {
    archive: Arc<ArchiveBytes>,
    position: u64,
    end: u64,
    window: Bytes,
}

impl EntryReader {
    pub(super) fn new(archive: Arc<ArchiveBytes>, entry: ArchiveEntry) -> Self {
        let bytes = CompressedBytes {
            archive: Arc::clone(&archive),
            position: entry.offset,
            end: entry.offset.saturating_add(entry.compressed_size),
            window: Bytes::new(),
        };
        let input = if entry.deflated {
            EntryInput::Deflated(Box::new(DeflateDecoder::new(bytes)))
        } else {
            EntryInput::Stored(bytes)
        };
        Self { archive, left: entry.size, entry, input: Some(input), checksum: Crc::new() }
    }

    /// The next bytes, at most `limit`. All of the entry is checked before its last bytes are returned.
    pub(super) fn take(&mut self, limit: u64) -> Result<Option<Bytes>, SourceError> {
        let Some(mut input) = self.input.take() else { return Ok(None) };
        let length = self.left.min(limit);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        input.by_ref().take(length).read_to_end(&mut bytes).map_err(|error| self.explain(error))?;
        self.checksum.update(&bytes);
        self.left -= bytes.len() as u64;
        if (bytes.len() as u64) < length {
            let declared = self.entry.size;
            return Err(self.refuse(format_args!(
                "unpacks to less than the {declared} bytes that it declares; build the archive again"
            )));
        }
        if self.left > 0 {
            self.input = Some(input);
        } else {
            self.check_end(input)?;
        }
        Ok(if bytes.is_empty() { None } else { Some(bytes.into()) })
    }

    fn check_end(&self, mut input: EntryInput) -> Result<(), SourceError> {
        if input.read(&mut [0]).map_err(|error| self.explain(error))? > 0 {
            let declared = self.entry.size;
            return Err(self.refuse(format_args!(
                "unpacks to more than the {declared} bytes that it declares; build the archive again"
            )));
        }
        if input.consumed(&self.entry) != self.entry.compressed_size {
            return Err(self.refuse("has bytes after its compressed content; build the archive again"));
        }
        if self.checksum.sum() != self.entry.crc32 {
            return Err(self.refuse("does not have the checksum that it declares; build or upload the archive again"));
        }
        let unchanged = self.archive.blocks.source().check_unchanged();
        Ok(unchanged.map_err(|error| self.archive.read_error(error))?)
    }

    fn refuse(&self, why: impl std::fmt::Display) -> SourceError {
        ErrorBuilder(&self.archive.name).entry(self.entry.key.as_str(), why).into()
    }

    /// Distinguishes compressed data that is invalid from an archive that cannot be read.
    fn explain(&self, error: io::Error) -> SourceError {
        match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                self.refuse("cannot be unpacked; build or upload the archive again")
            }
            _ => self.archive.read_error(error).into(),
        }
    }
}

impl Chunks for EntryReader {
    fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        self.take(CHUNK as u64)
    }
}

impl EntryInput {
    /// How many compressed bytes were used for what was read so far.
    fn consumed(&self, entry: &ArchiveEntry) -> u64 {
        match self {
            Self::Stored(bytes) => entry.compressed_size - (bytes.end - bytes.position) - bytes.window.len() as u64,
            Self::Deflated(decoder) => decoder.total_in(),
        }
    }
}

impl Read for EntryInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(bytes) => bytes.read(buffer),
            Self::Deflated(decoder) => decoder.read(buffer),
        }
    }
}

impl BufRead for CompressedBytes {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.window.is_empty() && self.position < self.end {
            let left = self.end - self.position;
            let blocks = &self.archive.blocks;
            let read_ahead = blocks.read_ahead();
            let shared = read_ahead.block > 0 && left <= SMALL;
            let length = if shared { left } else { left.min(read_ahead.window as u64) };
            let length = usize::try_from(length).map_err(io::Error::other)?;
            self.window = if shared {
                blocks.read(self.position, length)?
            } else {
                blocks.source().read_at(self.position, length)?
            };
            self.position += length as u64;
        }
        Ok(&self.window)
    }

    fn consume(&mut self, amount: usize) {
        self.window.advance(amount.min(self.window.len()));
    }
}

impl Read for CompressedBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}
