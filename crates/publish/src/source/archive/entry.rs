//! Unpacks one entry, and checks what comes out before its last bytes are handed on.
//!
//! Owns the counting of real output, the checksum and the end of the packed data. Never reads the archive's structure.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use tidegate_core::key::Key;

use super::error::ErrorBuilder;
use super::{Archive, ArchiveError};
use crate::source::SourceError;
use crate::source::body::{CHUNK, Chunks};
use crate::source::ranged::Blocks;

/// Up to this many packed bytes, what is left of an entry is read through the shared blocks, if there are any; larger
/// entries are read by windows of their own, which do not push the others' blocks out.
const SMALL: u64 = 256 * 1024;

/// Where an entry's bytes are and what must come out of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ArchiveEntry {
    /// Where the packed bytes begin.
    pub(super) data: u64,
    /// Packed bytes.
    pub(super) packed: u64,
    /// Unpacked bytes.
    pub(super) size: u64,
    /// Checksum of the unpacked bytes.
    pub(super) crc32: u32,
    /// Deflated, or else stored.
    pub(super) deflated: bool,
}

/// Reads one entry from its beginning to its end, once.
pub(super) struct EntryReader {
    archive: Arc<Archive>,
    key: Key,
    entry: ArchiveEntry,
    /// Nothing any more once the end was reached and checked, or reading failed.
    input: Option<PackedInput>,
    left: u64,
    checksum: Crc,
}

enum PackedInput {
    Stored(PackedBytes),
    Deflated(Box<DeflateDecoder<PackedBytes>>),
}

/// The packed bytes of one entry, a window at a time.
struct PackedBytes {
    archive: Arc<Archive>,
    at: u64,
    end: u64,
    window: Bytes,
}

impl EntryReader {
    pub(super) fn new(archive: Arc<Archive>, key: Key, entry: ArchiveEntry) -> Self {
        let end = entry.data.saturating_add(entry.packed);
        let packed = PackedBytes { archive: Arc::clone(&archive), at: entry.data, end, window: Bytes::new() };
        let input = if entry.deflated {
            PackedInput::Deflated(Box::new(DeflateDecoder::new(packed)))
        } else {
            PackedInput::Stored(packed)
        };
        Self { archive, key, entry, input: Some(input), left: entry.size, checksum: Crc::new() }
    }

    /// The next `most` bytes, checked before the last of them are handed out.
    pub(super) fn take(&mut self, most: u64) -> Result<Option<Bytes>, SourceError> {
        let Some(mut input) = self.input.take() else { return Ok(None) };
        let wanted = self.left.min(most);
        let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
        input.by_ref().take(wanted).read_to_end(&mut bytes).map_err(|error| self.explain(error))?;
        self.checksum.update(&bytes);
        self.left -= bytes.len() as u64;
        if (bytes.len() as u64) < wanted {
            return Err(self.refuse(format_args!(
                "unpacks to less than the {} bytes it declares, pack it again",
                self.entry.size
            )));
        }
        if self.left > 0 {
            self.input = Some(input);
        } else {
            self.finish(input)?;
        }
        Ok(if bytes.is_empty() { None } else { Some(bytes.into()) })
    }

    fn finish(&self, mut input: PackedInput) -> Result<(), SourceError> {
        if input.read(&mut [0]).map_err(|error| self.explain(error))? > 0 {
            return Err(self.refuse(format_args!(
                "unpacks to more than the {} bytes it declares, pack it again",
                self.entry.size
            )));
        }
        if input.consumed(&self.entry) != self.entry.packed {
            return Err(self.refuse("has bytes behind its packed content, pack it again"));
        }
        if self.checksum.sum() != self.entry.crc32 {
            return Err(self.refuse("does not have the checksum it declares, pack or upload it again"));
        }
        let unchanged = self.archive.blocks.source().unchanged();
        Ok(unchanged.map_err(|error| ArchiveError::Read { archive: self.archive.name.clone(), error })?)
    }

    fn refuse(&self, why: impl std::fmt::Display) -> SourceError {
        ErrorBuilder(&self.archive.name).entry(self.key.as_str(), why).into()
    }

    /// Tells packed data that cannot be unpacked from an archive that cannot be read.
    fn explain(&self, error: io::Error) -> SourceError {
        match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                self.refuse("cannot be unpacked, pack or upload it again")
            }
            _ => ArchiveError::Read { archive: self.archive.name.clone(), error }.into(),
        }
    }
}

impl Chunks for EntryReader {
    fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        self.take(CHUNK as u64)
    }
}

impl PackedInput {
    /// Packed bytes that made what was read.
    fn consumed(&self, entry: &ArchiveEntry) -> u64 {
        match self {
            Self::Stored(packed) => entry.packed - (packed.end - packed.at) - packed.window.len() as u64,
            Self::Deflated(decoder) => decoder.total_in(),
        }
    }
}

impl Read for PackedInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(packed) => packed.read(buffer),
            Self::Deflated(decoder) => decoder.read(buffer),
        }
    }
}

impl PackedBytes {
    fn blocks(&self) -> &Blocks {
        &self.archive.blocks
    }
}

impl BufRead for PackedBytes {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.window.is_empty() && self.at < self.end {
            let left = self.end - self.at;
            let pace = self.blocks().pace();
            let shared = pace.block > 0 && left <= SMALL;
            let length = if shared { left } else { left.min(pace.window as u64) };
            let length = usize::try_from(length).map_err(io::Error::other)?;
            self.window = if shared {
                self.blocks().read(self.at, length)?
            } else {
                self.blocks().source().read_at(self.at, length)?
            };
            self.at += length as u64;
        }
        Ok(&self.window)
    }

    fn consume(&mut self, amount: usize) {
        self.window.advance(amount.min(self.window.len()));
    }
}

impl Read for PackedBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}
