//! The local headers in front of the entries. Each must repeat the central directory, and no byte between two records
//! may be unaccounted for.

use std::thread;

use rawzip::extra_fields::ExtraFieldId;
use rawzip::{ReaderAt, ZipArchive};
use tidegate_core::sanitize::sanitize_name;

use super::error::{ArchiveError, ErrorBuilder};
use super::name::EntryName;
use super::reader_at::ArchiveReaderAt;
use super::record::{CentralRecord, MEANINGFUL_FLAGS, UTF8_FLAG, check_fields};
use crate::source::block_cache::{BlockCache, SLOTS};

/// Size of the longest name together with the longest extra fields, in bytes.
const MAX_VARIABLE: usize = 2 * 65_535;

/// A record, with the offset at which the next one begins.
struct BoundedRecord<'a> {
    record: &'a CentralRecord,
    end: u64,
    /// Whether its header is read alone, because the next one is too far away.
    isolated: bool,
}

/// Checks all local headers, and returns where each entry's compressed bytes begin. `records` are sorted by the offsets
/// of their headers, and the first one is at the beginning.
pub(super) fn data_offsets(
    errors: ErrorBuilder<'_>,
    archive: &ZipArchive<ArchiveReaderAt<'_>>,
    blocks: &BlockCache,
    records: &[CentralRecord],
) -> Result<Vec<u64>, ArchiveError> {
    let read_ahead = blocks.read_ahead();
    let ends = records.iter().skip(1).map(|record| record.header_offset).chain([archive.directory_offset()]);
    let bounded = records.iter().zip(ends).map(|(record, end)| {
        let distance = end.saturating_sub(record.header_offset);
        BoundedRecord { record, end, isolated: read_ahead.block == 0 || distance > read_ahead.skip }
    });
    let bounded: Vec<BoundedRecord<'_>> = bounded.collect();
    let mostly_isolated = bounded.iter().filter(|record| record.isolated).count() > records.len() / 2;
    // Threads that read blocks must be fewer than the slots. Otherwise, they evict each other's blocks.
    let threads = if mostly_isolated { read_ahead.readers } else { read_ahead.readers.min(SLOTS - 1) };
    let share = bounded.len().div_ceil(threads.max(1)).max(1);
    let check_share = |archive: ZipArchive<ArchiveReaderAt<'_>>, share: &[BoundedRecord<'_>]| {
        let mut buffer = vec![0; MAX_VARIABLE];
        share.iter().map(|record| data_offset(errors, &archive, record, &mut buffer)).collect()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = bounded
            .chunks(share)
            .map(|share| {
                let (archive, check_share) = (archive.clone(), &check_share);
                scope.spawn(move || -> Result<Vec<u64>, ArchiveError> { check_share(archive, share) })
            })
            .collect();
        let mut offsets = Vec::with_capacity(records.len());
        for worker in workers {
            let result = worker.join().unwrap_or_else(|_| Err(errors.damaged("its headers cannot be parsed")));
            offsets.append(&mut result?);
        }
        Ok(offsets)
    })
}

/// Checks one local header, and returns where the entry's compressed bytes begin.
fn data_offset(
    errors: ErrorBuilder<'_>,
    archive: &ZipArchive<ArchiveReaderAt<'_>>,
    BoundedRecord { record, end, isolated }: &BoundedRecord<'_>,
    buffer: &mut [u8],
) -> Result<u64, ArchiveError> {
    let name = &*record.name.text;
    if *isolated {
        archive.get_ref().read_header_ahead(record.header_offset).map_err(|error| errors.record(error))?;
    }
    let entry = archive.get_entry(record.wayfinder).map_err(|error| errors.parse(error))?;
    let local = entry.local_header(buffer).map_err(|error| errors.parse(error))?;
    let differs = |what: &str| {
        let why = format!("has another {what} in its own header than in the directory; build the archive again");
        Err(errors.entry(name, why))
    };
    let raw = local.file_path().as_bytes();
    let decoded = EntryName::decode(raw, local.flags().is_utf8(), local.extra_fields());
    let is_same = record.is_excluded || decoded.as_ref().map(|decoded| &decoded.text) == Ok(&record.name.text);
    if raw != record.raw() || !is_same {
        return differs("name");
    }
    if local.compression_method() != record.method {
        return differs("method");
    }
    // In ASCII, a name is the same with the flag for UTF-8 and without it.
    let harmless = if raw.is_ascii() { UTF8_FLAG } else { 0 };
    if (local.flags().bits() ^ record.flags) & MEANINGFUL_FLAGS & !harmless != 0 {
        return differs("set of flags");
    }
    let mut fields = local.extra_fields();
    let mut zip64 = 0;
    for (field, _) in fields.by_ref() {
        zip64 += u32::from(field == ExtraFieldId::ZIP64);
    }
    check_fields(errors, name, &fields, zip64)?;
    let has_descriptor = local.flags().has_data_descriptor();
    let descriptor = DataDescriptor {
        crc32: record.crc32,
        compressed_size: record.wayfinder.compressed_size_hint(),
        size: record.wayfinder.uncompressed_size_hint(),
    };
    // A tool that streams may not know these numbers yet.
    let agrees = |local: u64, central: u64| local == central || (has_descriptor && local == 0);
    if !agrees(local.compressed_size_hint(), descriptor.compressed_size)
        || !agrees(local.uncompressed_size_hint(), descriptor.size)
    {
        return differs("size");
    }
    if !agrees(u64::from(local.crc32()), u64::from(descriptor.crc32)) {
        return differs("checksum");
    }
    let (offset, data_end) = entry.compressed_data_range();
    let Some(rest) = end.checked_sub(data_end) else {
        return Err(errors.entry(name, "overlaps the next entry or the directory; build the archive again"));
    };
    match (has_descriptor, rest) {
        (false, 0) => Ok(offset),
        (true, 12 | 16 | 20 | 24) => {
            let mut bytes = [0; 24];
            let (bytes, _) = bytes.split_at_mut(usize::try_from(rest).unwrap_or(0));
            archive.get_ref().read_exact_at(bytes, data_end).map_err(|error| errors.record(error))?;
            if descriptor.matches(bytes) { Ok(offset) } else { differs("size or checksum") }
        }
        _ => Err(errors.ambiguous(format_args!("{rest} bytes after `{}` belong to no entry", sanitize_name(name)))),
    }
}

/// What a data descriptor must repeat of the directory.
struct DataDescriptor {
    crc32: u32,
    compressed_size: u64,
    size: u64,
}

impl DataDescriptor {
    /// Whether `bytes` are this descriptor. It has an optional signature, and sizes of four or eight bytes. Each of the
    /// four forms has its own length.
    fn matches(&self, bytes: &[u8]) -> bool {
        let (has_signature, is_zip64) = match bytes.len() {
            12 => (false, false),
            16 => (true, false),
            20 => (false, true),
            _ => (true, true),
        };
        let mut expected = Vec::with_capacity(24);
        if has_signature {
            expected.extend_from_slice(b"PK\x07\x08");
        }
        expected.extend_from_slice(&self.crc32.to_le_bytes());
        for value in [self.compressed_size, self.size] {
            match (is_zip64, u32::try_from(value)) {
                (true, _) => expected.extend_from_slice(&value.to_le_bytes()),
                (false, Ok(value)) => expected.extend_from_slice(&value.to_le_bytes()),
                (false, Err(_)) => return false,
            }
        }
        bytes == expected
    }
}
