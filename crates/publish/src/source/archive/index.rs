//! Finds the entries of an archive: reads the central directory, and checks every record against the rules. Unpacks
//! nothing.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use rawzip::{CompressionMethod, ZipArchive};
use tidegate_core::key::Key;

use super::end::{END_RECORD, EndRecord, MAX_COMMENT};
use super::error::{ArchiveError, ErrorBuilder};
use super::limits::ArchiveLimits;
use super::local;
use super::reader_at::ArchiveReaderAt;
use super::record::{CentralRecord, check_record, entry_name};
use crate::source::block_cache::BlockCache;
use crate::source::error::SourceError;
use crate::source::names::Refusals;
use crate::source::ranged::Ranged;

/// Size of a central header without its name, extra fields and comment, in bytes. Source: PKWARE, APPNOTE.TXT 6.3.10.
const CENTRAL_HEADER: u64 = 46;

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

/// The files of an archive, and its bytes.
pub(super) struct ArchiveIndex {
    /// The archive's name in errors.
    pub(super) name: String,
    pub(super) blocks: BlockCache,
    /// Sorted by key.
    pub(super) entries: Vec<ArchiveEntry>,
}

/// The records of a central directory, and the range of their bytes.
struct CentralDirectory {
    records: Vec<CentralRecord>,
    range: Range<u64>,
}

impl ArchiveIndex {
    /// Reads the index, with every check that needs no unpacking.
    pub(super) fn read(name: String, bytes: Arc<dyn Ranged>, limits: ArchiveLimits) -> Result<Self, SourceError> {
        let blocks = BlockCache::new(bytes);
        let mut entries = read_entries(&name, &blocks, limits)?;
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self { name, blocks, entries })
    }

    pub(super) fn entry(&self, key: &Key) -> Result<&ArchiveEntry, SourceError> {
        let index = self.entries.binary_search_by(|entry| entry.key.cmp(key)).ok();
        index.and_then(|index| self.entries.get(index)).ok_or_else(|| SourceError::Absent(key.clone()))
    }

    pub(super) fn read_error(&self, error: io::Error) -> ArchiveError {
        ErrorBuilder(&self.name).read(error)
    }
}

fn read_entries(name: &str, blocks: &BlockCache, limits: ArchiveLimits) -> Result<Vec<ArchiveEntry>, SourceError> {
    let errors = ErrorBuilder(name);
    let size = blocks.source().size();
    if size == 0 {
        return Err(ArchiveError::ZeroBytes(name.to_owned()).into());
    }
    let mut buffer = vec![0; rawzip::MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
    let archive = ZipArchive::with_max_search_space(END_RECORD + MAX_COMMENT)
        .locate_in_reader(ArchiveReaderAt::new(blocks), &mut buffer, size)
        .map_err(|(_, error)| errors.parse(error))?;
    let end = EndRecord::find(errors, &archive, size)?;
    let count = archive.entries_hint();
    if count == 0 {
        return Err(ArchiveError::Empty(name.to_owned()).into());
    }
    if count > limits.entries {
        return Err(errors.limit(format_args!("has {count} entries, and the limit is {}", limits.entries)).into());
    }
    let CentralDirectory { mut records, range } = read_directory(errors, &archive, &mut buffer, &end, limits)?;
    records.sort_by_key(|record| record.header_offset);
    if records.first().is_none_or(|first| first.header_offset != 0) {
        return Err(errors.ambiguous("there are bytes before its first entry").into());
    }
    end.check_numbers(errors, &archive, &range, count)?;
    let offsets = local::data_offsets(errors, &archive, blocks, &records)?;
    let files = records.into_iter().zip(offsets).filter_map(|(record, offset)| {
        Some(ArchiveEntry {
            key: record.key?,
            offset,
            compressed_size: record.wayfinder.compressed_size_hint(),
            size: record.wayfinder.uncompressed_size_hint(),
            crc32: record.crc32,
            deflated: record.method == CompressionMethod::DEFLATE,
        })
    });
    Ok(files.collect())
}

/// Reads and checks the central directory.
fn read_directory(
    errors: ErrorBuilder<'_>,
    archive: &ZipArchive<ArchiveReaderAt<'_>>,
    buffer: &mut [u8],
    end: &EndRecord,
    limits: ArchiveLimits,
) -> Result<CentralDirectory, SourceError> {
    let mut refused = Refusals::default();
    let mut records = Vec::new();
    let mut range = archive.directory_offset()..archive.directory_offset();
    let (mut count, mut total_bytes) = (0_u64, 0_u64);
    let mut entries = archive.entries(buffer);
    while let Some(central) = entries.next_entry().map_err(|error| errors.parse(error))? {
        count += 1;
        if count > archive.entries_hint() {
            break;
        }
        let variable = central.file_path().len()
            + central.extra_fields().remaining_bytes().len()
            + central.comment().as_bytes().len();
        range.end = central.central_directory_offset() + CENTRAL_HEADER + variable as u64;
        let name = match entry_name(&central) {
            Ok(name) => name,
            Err(reason) => {
                refused.push(reason);
                continue;
            }
        };
        total_bytes = total_bytes.saturating_add(central.uncompressed_size_hint());
        check_record(errors, name, &central, limits)?;
        if total_bytes > limits.total_bytes {
            return Err(errors.limit(format_args!("unpacks to more than {} bytes", limits.total_bytes)).into());
        }
        let (key, folder) = match name.strip_suffix('/') {
            Some(bare) => (Key::new(bare).map(|_| None), name),
            None => (Key::new(name).map(Some), ""),
        };
        match key {
            Ok(key) => records.push(CentralRecord {
                key,
                folder: folder.into(),
                wayfinder: central.wayfinder(),
                header_offset: central.local_header_offset(),
                flags: central.flags().bits(),
                method: central.compression_method(),
                crc32: central.crc32(),
            }),
            Err(error) => refused.push(error),
        }
    }
    if count != archive.entries_hint() {
        let why =
            format!("the entry count in its end record ({}) does not match its directory", archive.entries_hint());
        return Err(errors.damaged(why).into());
    }
    end.check_extent(errors, archive, &range)?;
    refused.finish()?;
    Ok(CentralDirectory { records, range })
}
