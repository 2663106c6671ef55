//! The bytes of an archive, and where the bytes of one file are.

use std::io;

use tidegate_core::key::Key;

use super::error::{ArchiveError, ErrorBuilder};
use crate::source::block_cache::BlockCache;

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArchiveEntry {
    pub(super) key: Key,
    /// Where the compressed bytes begin.
    pub(super) offset: u64,
    /// Compressed bytes.
    pub(super) compressed_size: u64,
    /// Unpacked bytes.
    pub(super) size: u64,
    /// Checksum of the unpacked bytes.
    pub(super) crc32: u32,
    /// Whether it is deflated; otherwise it is stored.
    pub(super) deflated: bool,
}

/// The bytes of an archive.
pub(super) struct ArchiveBytes {
    /// The archive's name in errors.
    pub(super) name: String,
    pub(super) blocks: BlockCache,
}

impl ArchiveBytes {
    pub(super) fn read_error(&self, error: io::Error) -> ArchiveError {
        ErrorBuilder(&self.name).read(error)
    }
}
