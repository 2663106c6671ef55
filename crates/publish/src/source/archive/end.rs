//! The end of an archive: its end record, and the one with wide numbers that may stand before it.
//!
//! Owns what they must say once the directory was walked: exactly what is there. A reader that finds the directory from its
//! end and one that trusts its declared place would see two archives otherwise. Source of the layout: PKWARE, APPNOTE.TXT
//! 6.3.10, sections 4.3.14 to 4.3.16.

use std::ops::Range;

use rawzip::{ReaderAt, ZipArchive};

use super::ArchiveError;
use super::error::ErrorBuilder;
use super::reader_at::ArchiveReaderAt;

/// Bytes of the end record without its comment.
pub(super) const END_RECORD: u64 = 22;
/// The longest comment.
pub(super) const MOST_COMMENT: u64 = 65_535;
/// Bytes of the wide end record without extensible data.
const WIDE_RECORD: usize = 56;
/// Bytes of the wide end record and its locator.
const WIDE: usize = WIDE_RECORD + 20;

/// The end record without its comment, found where the file ends.
pub(super) struct EndRecord {
    bytes: [u8; 22],
}

impl EndRecord {
    /// Checks that there is one end record, at the end, of an archive in one part.
    pub(super) fn find(
        blame: ErrorBuilder<'_>,
        archive: &ZipArchive<ArchiveReaderAt<'_>>,
        size: u64,
    ) -> Result<Self, ArchiveError> {
        if archive.end_offset() != size {
            return Err(blame.ambiguous("bytes follow its end record"));
        }
        let start = size.saturating_sub(END_RECORD + MOST_COMMENT);
        let mut tail = vec![0; usize::try_from(size - start).unwrap_or(0)];
        archive.get_ref().read_exact_at(&mut tail, start).map_err(|error| blame.io(error))?;
        let mut found = None;
        for (at, record) in tail.windows(22).enumerate().filter(|(_, bytes)| bytes.starts_with(b"PK\x05\x06")) {
            let place = start + at as u64;
            if place == archive.eocd_offset() {
                found = record.first_chunk().copied();
            } else if place + END_RECORD + u64::from(two(record, 20)) == size {
                return Err(blame.ambiguous("it has two end records"));
            }
        }
        let Some(bytes) = found else { return Err(ArchiveError::NotZip(blame.0.to_owned())) };
        let parts = [4, 6].map(|at| two(&bytes, at));
        if parts.iter().any(|part| !matches!(*part, 0 | u16::MAX)) || two(&bytes, 8) != two(&bytes, 10) {
            return Err(blame.damaged("it is one part of several"));
        }
        Ok(Self { bytes })
    }

    /// Holds the directory's extent against what is declared: `directory` is where its records really are.
    pub(super) fn check_extent(
        &self,
        blame: ErrorBuilder<'_>,
        archive: &ZipArchive<ArchiveReaderAt<'_>>,
        directory: &Range<u64>,
    ) -> Result<(), ArchiveError> {
        let declared = four(&self.bytes, 12);
        if declared != u32::MAX && u64::from(declared) != directory.end.saturating_sub(directory.start) {
            return Err(blame.ambiguous("its directory is longer or shorter than its end record says"));
        }
        match archive.eocd_offset().checked_sub(directory.end) {
            Some(0) => Ok(()),
            Some(wide) if wide == WIDE as u64 => Ok(()),
            _ => Err(blame.ambiguous("bytes stand between its directory and its end record")),
        }
    }

    /// Holds every number of both records against the directory of `count` entries.
    pub(super) fn check_numbers(
        &self,
        blame: ErrorBuilder<'_>,
        archive: &ZipArchive<ArchiveReaderAt<'_>>,
        directory: &Range<u64>,
        count: u64,
    ) -> Result<(), ArchiveError> {
        let length = directory.end.saturating_sub(directory.start);
        let is_wide = directory.end != archive.eocd_offset();
        if is_wide {
            let mut wide = [0; WIDE];
            archive.get_ref().read_exact_at(&mut wide, directory.end).map_err(|error| blame.io(error))?;
            let parts = [four(&wide, 16), four(&wide, 20), four(&wide, WIDE_RECORD + 4)];
            let honest = wide.starts_with(b"PK\x06\x06")
                && wide.get(WIDE_RECORD..).is_some_and(|locator| locator.starts_with(b"PK\x06\x07"))
                && eight(&wide, 4) == WIDE_RECORD as u64 - 12
                && parts == [0; 3]
                && [24, 32].iter().all(|at| eight(&wide, *at) == count)
                && eight(&wide, 40) == length
                && eight(&wide, 48) == directory.start
                && eight(&wide, WIDE_RECORD + 8) == directory.end
                // Some packers count from 0.
                && four(&wide, WIDE_RECORD + 16) <= 1;
            if !honest {
                return Err(blame.ambiguous("its zip64 end record does not say what its directory is"));
            }
        }
        let narrow = [(4, 0), (6, 0), (8, count), (10, count)];
        let says =
            |at, truth| u64::from(two(&self.bytes, at)) == truth || (is_wide && two(&self.bytes, at) == u16::MAX);
        let said = [(12, length), (16, directory.start)];
        let tells =
            |at, truth| u64::from(four(&self.bytes, at)) == truth || (is_wide && four(&self.bytes, at) == u32::MAX);
        if narrow.iter().all(|(at, truth)| says(*at, *truth)) && said.iter().all(|(at, truth)| tells(*at, *truth)) {
            Ok(())
        } else {
            Err(blame.ambiguous("its end record does not say where its directory is"))
        }
    }
}

fn two(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |two| u16::from_le_bytes(*two))
}

fn four(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |four| u32::from_le_bytes(*four))
}

fn eight(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |eight| u64::from_le_bytes(*eight))
}
