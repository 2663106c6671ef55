//! How the parser of zip structures looks at the archive's bytes.
//!
//! Owns where its small reads go: to the shared blocks, or to a window of its own where headers lie far apart.

use std::cell::RefCell;
use std::io;

use bytes::Bytes;
use rawzip::ReaderAt;

use crate::source::ranged::Blocks;

/// A header with a name and extra fields of common length, in one read.
const HEADER_WINDOW: u64 = 512;

/// The archive's bytes for one thread of the parser.
#[derive(Clone)]
pub(super) struct ArchiveReaderAt<'a> {
    blocks: &'a Blocks,
    window: RefCell<(u64, Bytes)>,
}

impl<'a> ArchiveReaderAt<'a> {
    pub(super) fn new(blocks: &'a Blocks) -> Self {
        Self { blocks, window: RefCell::default() }
    }

    /// Prepares to read the header at `offset`. `alone` says that its neighbours are too far away to be read along.
    pub(super) fn aim(&self, offset: u64, alone: bool) -> io::Result<()> {
        if alone {
            let length = self.blocks.source().size().saturating_sub(offset).min(HEADER_WINDOW);
            let bytes = self.blocks.source().read_at(offset, usize::try_from(length).unwrap_or(0))?;
            self.window.replace((offset, bytes));
        }
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
        let (start, window) = &*self.window.borrow();
        let within = offset.checked_sub(*start).and_then(|at| usize::try_from(at).ok());
        let seen = within.and_then(|at| window.get(at..at.checked_add(length)?));
        let fetched = if seen.is_none() { self.blocks.read(offset, length)? } else { Bytes::new() };
        let (Some(to), Some(from)) = (buffer.get_mut(..length), seen.or_else(|| fetched.get(..length))) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        to.copy_from_slice(from);
        Ok(length)
    }
}
