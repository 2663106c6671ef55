//! The archive's bytes for the zip parser. Its small reads go to cached blocks, or, for headers that are far apart, to
//! a window per header.

use std::cell::RefCell;
use std::io;

use bytes::Bytes;
use rawzip::ReaderAt;

use crate::source::block_cache::BlockCache;

/// Size of the window for one header, in bytes: enough for a header with a name and extra fields of common length.
const HEADER_WINDOW: u64 = 512;

/// The archive's bytes for one thread of the parser.
#[derive(Clone)]
pub(super) struct ArchiveReaderAt<'a> {
    blocks: &'a BlockCache,
    window: RefCell<Window>,
}

/// Bytes that were read ahead.
#[derive(Clone, Default)]
struct Window {
    offset: u64,
    bytes: Bytes,
}

impl Window {
    fn get(&self, offset: u64, length: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        self.bytes.get(start..start.checked_add(length)?)
    }
}

impl<'a> ArchiveReaderAt<'a> {
    pub(super) fn new(blocks: &'a BlockCache) -> Self {
        Self { blocks, window: RefCell::default() }
    }

    /// Reads the header at `offset` ahead, without its neighbours.
    pub(super) fn read_header_ahead(&self, offset: u64) -> io::Result<()> {
        let length = self.blocks.source().size().saturating_sub(offset).min(HEADER_WINDOW);
        let bytes = self.blocks.source().read_at(offset, usize::try_from(length).unwrap_or(0))?;
        self.window.replace(Window { offset, bytes });
        Ok(())
    }
}

impl ReaderAt for ArchiveReaderAt<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let length = self.blocks.source().size().saturating_sub(offset).min(buffer.len() as u64);
        let length = usize::try_from(length).unwrap_or(0);
        if length == 0 {
            return Ok(0);
        }
        let window = self.window.borrow();
        let cached = window.get(offset, length);
        let read = if cached.is_none() { self.blocks.read(offset, length)? } else { Bytes::new() };
        let (Some(to), Some(from)) = (buffer.get_mut(..length), cached.or_else(|| read.get(..length))) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        to.copy_from_slice(from);
        Ok(length)
    }
}
