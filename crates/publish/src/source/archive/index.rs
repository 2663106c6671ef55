//! From an archive's bytes to its entries: finds the central directory and holds every record against the rules.
//!
//! Owns which archives can be published. Never unpacks anything; [`end`](super::end) judges the end records and [`local`] reads
//! the headers in front of the entries.

use std::ops::Range;

use rawzip::{CompressionMethod, ZipArchive};
use tidegate_core::key::Key;

use super::end::{END_RECORD, EndRecord, MOST_COMMENT};
use super::entry::ArchiveEntry;
use super::error::ErrorBuilder;
use super::limits::ArchiveLimits;
use super::reader_at::ArchiveReaderAt;
use super::record::{CentralRecord, check_record, name_of};
use super::{ArchiveError, local};
use crate::source::SourceError;
use crate::source::names::Refusals;
use crate::source::ranged::Blocks;

/// Bytes of a central header without its name, extra fields and comment. Source of this and of all figures below: PKWARE,
/// APPNOTE.TXT 6.3.10.
const CENTRAL_HEADER: u64 = 46;
/// All files of an archive, in no order, after every check that needs no unpacking.
pub(super) fn read(
    name: &str,
    blocks: &Blocks,
    limits: ArchiveLimits,
) -> Result<Vec<(Key, ArchiveEntry)>, SourceError> {
    let blame = ErrorBuilder(name);
    let size = blocks.source().size();
    if size == 0 {
        return Err(ArchiveError::ZeroBytes(name.to_owned()).into());
    }
    let mut buffer = vec![0; rawzip::MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
    let archive = ZipArchive::with_max_search_space(END_RECORD + MOST_COMMENT)
        .locate_in_reader(ArchiveReaderAt::new(blocks), &mut buffer, size)
        .map_err(|(_, error)| blame.parse(error))?;
    let end = EndRecord::find(blame, &archive, size)?;
    let count = archive.entries_hint();
    if count == 0 {
        return Err(ArchiveError::Empty(name.to_owned()).into());
    }
    if count > limits.entries {
        return Err(blame.limit(format_args!("holds {count} entries, {} are allowed", limits.entries)).into());
    }
    let (mut records, directory) = list(blame, &archive, &mut buffer, &end, limits)?;
    records.sort_by_key(|record| record.header);
    if records.first().is_none_or(|first| first.header != 0) {
        return Err(blame.ambiguous("bytes stand before its first entry").into());
    }
    end.check_numbers(blame, &archive, &directory, count)?;
    let data = local::verify(blame, &archive, blocks, &records)?;
    let files = records.into_iter().zip(data).filter_map(|(record, data)| {
        let entry = ArchiveEntry {
            data,
            packed: record.way.compressed_size_hint(),
            size: record.way.uncompressed_size_hint(),
            crc32: record.crc32,
            deflated: record.method == CompressionMethod::DEFLATE,
        };
        Some((record.key?, entry))
    });
    Ok(files.collect())
}

/// Walks the central directory, and says where it is.
fn list(
    blame: ErrorBuilder<'_>,
    archive: &ZipArchive<ArchiveReaderAt<'_>>,
    buffer: &mut [u8],
    end: &EndRecord,
    limits: ArchiveLimits,
) -> Result<(Vec<CentralRecord>, Range<u64>), SourceError> {
    let mut refused = Refusals::default();
    let mut records = Vec::new();
    let mut directory = archive.directory_offset()..archive.directory_offset();
    let (mut seen, mut total) = (0_u64, 0_u64);
    let mut entries = archive.entries(buffer);
    while let Some(central) = entries.next_entry().map_err(|error| blame.parse(error))? {
        seen += 1;
        if seen > archive.entries_hint() {
            break;
        }
        let variable = central.file_path().len()
            + central.extra_fields().remaining_bytes().len()
            + central.comment().as_bytes().len();
        directory.end = central.central_directory_offset() + CENTRAL_HEADER + variable as u64;
        let name = match name_of(&central) {
            Ok(name) => name,
            Err(reason) => {
                refused.push(reason);
                continue;
            }
        };
        total = total.saturating_add(central.uncompressed_size_hint());
        check_record(blame, name, &central, limits)?;
        if total > limits.total_bytes {
            return Err(blame.limit(format_args!("unpacks to more than {} bytes", limits.total_bytes)).into());
        }
        let (key, folder) = match name.strip_suffix('/') {
            Some(bare) => (Key::new(bare).map(|_| None), name),
            None => (Key::new(name).map(Some), ""),
        };
        match key {
            Ok(key) => records.push(CentralRecord {
                key,
                folder: folder.into(),
                way: central.wayfinder(),
                header: central.local_header_offset(),
                flags: central.flags().bits(),
                method: central.compression_method(),
                crc32: central.crc32(),
            }),
            Err(error) => refused.push(error),
        }
    }
    if seen != archive.entries_hint() {
        let why = format_args!("its end record counts {} entries and its directory others", archive.entries_hint())
            .to_string();
        return Err(blame.damaged(why).into());
    }
    end.check_extent(blame, archive, &directory)?;
    refused.finish()?;
    Ok((records, directory))
}
