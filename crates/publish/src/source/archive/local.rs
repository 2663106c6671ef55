//! The headers in front of the entries: each must repeat what the central directory says, and leave no byte unaccounted for.
//!
//! Owns that comparison. Never unpacks anything.

use std::thread;

use rawzip::extra_fields::ExtraFieldId;
use rawzip::{ReaderAt, ZipArchive};

use super::ArchiveError;
use super::error::ErrorBuilder;
use super::reader_at::ArchiveReaderAt;
use super::record::{CentralRecord, MEANINGFUL_FLAGS, check_fields};
use crate::source::ranged::{Blocks, SLOTS};

/// Room for the longest name and the longest extra fields.
const VARIABLE: usize = 2 * 65_535;

/// Where each entry's packed bytes begin. `records` are sorted by the place of their headers, and the first is at the
/// beginning.
pub(super) fn verify(
    blame: ErrorBuilder<'_>,
    archive: &ZipArchive<ArchiveReaderAt<'_>>,
    blocks: &Blocks,
    records: &[CentralRecord],
) -> Result<Vec<u64>, ArchiveError> {
    let mut ends: Vec<u64> = records.iter().skip(1).map(|record| record.header).collect();
    ends.push(archive.directory_offset());
    let pace = blocks.pace();
    let far = |record: &CentralRecord, end: u64| pace.block == 0 || end.saturating_sub(record.header) > pace.skip;
    let all_far = records.iter().zip(&ends).filter(|(record, end)| far(record, **end)).count() > records.len() / 2;
    // Threads that walk through blocks must be fewer than the slots, or they push each other's blocks out.
    let threads = if all_far { pace.readers } else { pace.readers.min(SLOTS - 1) };
    let share = records.len().div_ceil(threads.max(1)).max(1);
    let part = |archive: ZipArchive<ArchiveReaderAt<'_>>,
                records: &[CentralRecord],
                ends: &[u64]|
     -> Result<Vec<u64>, ArchiveError> {
        let mut buffer = vec![0; VARIABLE];
        let check = |(record, end): (&CentralRecord, &u64)| {
            check_one(blame, &archive, record, *end, far(record, *end), &mut buffer)
        };
        records.iter().zip(ends).map(check).collect()
    };
    thread::scope(|scope| {
        let parts: Vec<_> = records
            .chunks(share)
            .zip(ends.chunks(share))
            .map(|(records, ends)| {
                let (archive, part) = (archive.clone(), &part);
                scope.spawn(move || part(archive, records, ends))
            })
            .collect();
        let mut data = Vec::with_capacity(records.len());
        for part in parts {
            let found = part.join().unwrap_or_else(|_| Err(blame.damaged("its headers could not be parsed")));
            data.append(&mut found?);
        }
        Ok(data)
    })
}

/// Compares one local header. `end` is where the next record begins.
fn check_one(
    blame: ErrorBuilder<'_>,
    archive: &ZipArchive<ArchiveReaderAt<'_>>,
    record: &CentralRecord,
    end: u64,
    alone: bool,
    buffer: &mut [u8],
) -> Result<u64, ArchiveError> {
    let name = record.name();
    archive.get_ref().aim(record.header, alone).map_err(|error| blame.io(error))?;
    let entry = archive.get_entry(record.way).map_err(|error| blame.parse(error))?;
    let local = entry.local_header(buffer).map_err(|error| blame.parse(error))?;
    let differs = |what: &str| {
        let why = format!("has another {what} in its own header than in the directory, pack it again");
        Err(blame.entry(name, why))
    };
    if local.file_path().as_bytes() != name.as_bytes() {
        return differs("name");
    }
    if local.compression_method() != record.method {
        return differs("method");
    }
    if (local.flags().bits() ^ record.flags) & MEANINGFUL_FLAGS != 0 {
        return differs("set of flags");
    }
    let mut fields = local.extra_fields();
    let mut zip64 = 0;
    for (field, data) in fields.by_ref() {
        zip64 += u32::from(field == ExtraFieldId::ZIP64);
        if field == ExtraFieldId::INFO_ZIP_UNICODE_PATH && data.get(5..) != Some(name.as_bytes()) {
            return differs("name");
        }
    }
    check_fields(blame, name, fields, zip64)?;
    let (packed, size) = (record.way.compressed_size_hint(), record.way.uncompressed_size_hint());
    let sizes = (local.compressed_size_hint(), local.uncompressed_size_hint(), local.crc32());
    let later = local.flags().has_data_descriptor();
    // A packer that streams knows none of the three yet; it may know them all the same.
    let agrees = |local: u64, central: u64| local == central || (later && local == 0);
    if !agrees(sizes.0, packed) || !agrees(sizes.1, size) {
        return differs("size");
    }
    if !agrees(u64::from(sizes.2), u64::from(record.crc32)) {
        return differs("checksum");
    }
    let (data, data_end) = entry.compressed_data_range();
    let Some(rest) = end.checked_sub(data_end) else {
        return Err(blame.entry(name, "overlaps the next entry or the directory, pack it again"));
    };
    match (later, rest) {
        (false, 0) => Ok(data),
        (true, 12 | 16 | 20 | 24) => {
            let mut descriptor = [0; 24];
            let (descriptor, _) = descriptor.split_at_mut(usize::try_from(rest).unwrap_or(0));
            archive.get_ref().read_exact_at(descriptor, data_end).map_err(|error| blame.io(error))?;
            if same_descriptor(descriptor, record.crc32, packed, size) { Ok(data) } else { differs("size or checksum") }
        }
        _ => Err(blame.ambiguous(format_args!("{rest} bytes behind `{}` belong to no entry", name.escape_default()))),
    }
}

/// Whether a data descriptor says the same as the directory. It comes with or without a signature and with sizes of four or of eight
/// bytes; the four forms have four lengths.
fn same_descriptor(bytes: &[u8], crc32: u32, packed: u64, size: u64) -> bool {
    let (signature, wide) = match bytes.len() {
        12 => (false, false),
        16 => (true, false),
        20 => (false, true),
        _ => (true, true),
    };
    let mut expected = Vec::with_capacity(24);
    if signature {
        expected.extend_from_slice(b"PK\x07\x08");
    }
    expected.extend_from_slice(&crc32.to_le_bytes());
    for value in [packed, size] {
        match (wide, u32::try_from(value)) {
            (true, _) => expected.extend_from_slice(&value.to_le_bytes()),
            (false, Ok(narrow)) => expected.extend_from_slice(&narrow.to_le_bytes()),
            (false, Err(_)) => return false,
        }
    }
    bytes == expected
}
