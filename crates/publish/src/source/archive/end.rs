//! The end record of an archive, and the zip64 end record that may precede it.
//!
//! After the central directory was read, both must say exactly where it is. Otherwise, a reader that finds the
//! directory from the end and a reader that trusts the declared offset would see two different archives. Source of the
//! layout: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.14 to 4.3.16.

use std::ops::Range;

use rawzip::{ReaderAt, ZipArchive};

use super::error::{ArchiveError, ErrorBuilder};
use super::reader_at::ArchiveReaderAt;

/// Size of the end record without its comment, in bytes.
pub(super) const END_RECORD: u64 = 22;
/// The longest comment, in bytes.
pub(super) const MAX_COMMENT: u64 = 65_535;
/// Size of the zip64 end record without extensible data, in bytes.
const ZIP64_RECORD: usize = 56;
/// Size of the zip64 end record and its locator, in bytes.
const ZIP64_END: usize = ZIP64_RECORD + 20;

/// The end record without its comment, found where the file ends.
pub(super) struct EndRecord {
    bytes: [u8; 22],
}

impl EndRecord {
    /// Checks that there is exactly one end record, at the end, of an archive in one part.
    pub(super) fn find(
        errors: ErrorBuilder<'_>,
        archive: &ZipArchive<ArchiveReaderAt<'_>>,
        size: u64,
    ) -> Result<Self, ArchiveError> {
        if archive.end_offset() != size {
            return Err(errors.ambiguous("bytes follow its end record"));
        }
        let start = size.saturating_sub(END_RECORD + MAX_COMMENT);
        let mut tail = vec![0; usize::try_from(size - start).unwrap_or(0)];
        archive.get_ref().read_exact_at(&mut tail, start).map_err(|error| errors.record(error))?;
        let mut found = None;
        for (index, record) in tail.windows(22).enumerate().filter(|(_, bytes)| bytes.starts_with(b"PK\x05\x06")) {
            let offset = start + index as u64;
            if offset == archive.eocd_offset() {
                found = record.first_chunk().copied();
            } else if offset + END_RECORD + u64::from(u16_at(record, 20)) == size {
                return Err(errors.ambiguous("it has two end records"));
            }
        }
        let Some(bytes) = found else { return Err(ArchiveError::NotZip(errors.0.to_owned())) };
        let disks = [4, 6].map(|at| u16_at(&bytes, at));
        if disks.iter().any(|disk| !matches!(*disk, 0 | u16::MAX)) || u16_at(&bytes, 8) != u16_at(&bytes, 10) {
            return Err(errors.damaged("it is one part of several"));
        }
        Ok(Self { bytes })
    }

    /// Checks the declared size of the directory. `directory` is the range of its records.
    pub(super) fn check_extent(
        &self,
        errors: ErrorBuilder<'_>,
        archive: &ZipArchive<ArchiveReaderAt<'_>>,
        directory: &Range<u64>,
    ) -> Result<(), ArchiveError> {
        let declared = u32_at(&self.bytes, 12);
        if declared != u32::MAX && u64::from(declared) != directory.end.saturating_sub(directory.start) {
            return Err(errors.ambiguous("its directory is longer or shorter than its end record says"));
        }
        match archive.eocd_offset().checked_sub(directory.end) {
            Some(0) => Ok(()),
            Some(between) if between == ZIP64_END as u64 => Ok(()),
            _ => Err(errors.ambiguous("there are bytes between its directory and its end record")),
        }
    }

    /// Checks every number of both end records against the directory, which has `count` entries.
    pub(super) fn check_numbers(
        &self,
        errors: ErrorBuilder<'_>,
        archive: &ZipArchive<ArchiveReaderAt<'_>>,
        directory: &Range<u64>,
        count: u64,
    ) -> Result<(), ArchiveError> {
        let length = directory.end.saturating_sub(directory.start);
        let is_zip64 = directory.end != archive.eocd_offset();
        if is_zip64 {
            let mut end = [0; ZIP64_END];
            archive.get_ref().read_exact_at(&mut end, directory.end).map_err(|error| errors.record(error))?;
            let disks = [u32_at(&end, 16), u32_at(&end, 20), u32_at(&end, ZIP64_RECORD + 4)];
            let agrees = end.starts_with(b"PK\x06\x06")
                && end.get(ZIP64_RECORD..).is_some_and(|locator| locator.starts_with(b"PK\x06\x07"))
                && u64_at(&end, 4) == ZIP64_RECORD as u64 - 12
                && disks == [0; 3]
                && [24, 32].iter().all(|at| u64_at(&end, *at) == count)
                && u64_at(&end, 40) == length
                && u64_at(&end, 48) == directory.start
                && u64_at(&end, ZIP64_RECORD + 8) == directory.end
                // The number of disks. Some tools count from 0.
                && u32_at(&end, ZIP64_RECORD + 16) <= 1;
            if !agrees {
                return Err(errors.ambiguous("its zip64 end record does not match its directory"));
            }
        }
        // With a zip64 record, the largest value of a field stands for the number in that record.
        let u16_agrees = |at, expected| {
            let declared = u16_at(&self.bytes, at);
            u64::from(declared) == expected || (is_zip64 && declared == u16::MAX)
        };
        let u32_agrees = |at, expected| {
            let declared = u32_at(&self.bytes, at);
            u64::from(declared) == expected || (is_zip64 && declared == u32::MAX)
        };
        let agrees = u16_agrees(4, 0)
            && u16_agrees(6, 0)
            && u16_agrees(8, count)
            && u16_agrees(10, count)
            && u32_agrees(12, length)
            && u32_agrees(16, directory.start);
        if agrees { Ok(()) } else { Err(errors.ambiguous("its end record does not match its directory")) }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
