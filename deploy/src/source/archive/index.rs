//! From an archive's bytes to its entries: finds the central directory and holds every record against the rules.
//!
//! Owns which archives can be published. Never unpacks anything; [`end`](super::end) judges the end records and [`local`] reads
//! the headers in front of the entries.

use std::fmt;
use std::ops::Range;

use rawzip::extra_fields::{ExtraFieldId, ExtraFields};
use rawzip::{CompressionMethod, ErrorKind, ZipArchive, ZipArchiveEntryWayfinder, ZipFileHeaderRecord};
use tidegate_host::key::Key;

use super::end::{END_RECORD, EndRecord, MOST_COMMENT};
use super::entry::Entry;
use super::eye::Eye;
use super::limits::Limits;
use super::{ArchiveError, local};
use crate::source::SourceError;
use crate::source::names::Refusals;
use crate::source::ranged::Blocks;

/// Bytes of a central header without its name, extra fields and comment. Source of this and of all figures below: PKWARE,
/// APPNOTE.TXT 6.3.10.
const CENTRAL_HEADER: u64 = 46;
/// Flags that say how to read an entry: encrypted, data descriptor, patch, strong encryption, UTF-8, masked. The rest only
/// say how hard the packer tried.
pub(super) const MEANINGFUL_FLAGS: u16 = 1 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 11 | 1 << 13;
/// The file type in a Unix mode, a regular file and a folder.
const FILE_TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
/// NTFS: the entry is a link of Windows.
const REPARSE_POINT: u32 = 0x400;
/// Extra fields that carry a link's target behind their fixed part: PKWARE's Unix field and Info-ZIP's second one.
const LINK_FIELDS: [(ExtraFieldId, usize); 2] = [(ExtraFieldId::UNIX, 12), (ExtraFieldId::new(0x756e), 14)];

/// One record of the central directory that obeys the rules.
pub(super) struct Record {
    /// The key; nothing for a folder.
    pub(super) key: Option<Key>,
    /// A folder's name.
    pub(super) folder: Box<str>,
    pub(super) way: ZipArchiveEntryWayfinder,
    pub(super) header: u64,
    pub(super) flags: u16,
    pub(super) method: CompressionMethod,
    pub(super) crc32: u32,
}

impl Record {
    pub(super) fn name(&self) -> &str {
        self.key.as_ref().map_or(&self.folder, Key::as_str)
    }
}

/// Says what is wrong with one archive.
#[derive(Clone, Copy)]
pub(super) struct Blame<'a>(pub(super) &'a str);

impl Blame<'_> {
    pub(super) fn damaged(self, why: impl fmt::Display) -> ArchiveError {
        ArchiveError::Damaged { archive: self.0.to_owned(), why: format!("{why}") }
    }

    pub(super) fn ambiguous(self, why: impl fmt::Display) -> ArchiveError {
        ArchiveError::Ambiguous { archive: self.0.to_owned(), why: format!("{why}") }
    }

    pub(super) fn entry(self, entry: &str, why: impl fmt::Display) -> ArchiveError {
        ArchiveError::Entry {
            archive: self.0.to_owned(),
            entry: entry.escape_default().to_string(),
            why: format!("{why}"),
        }
    }

    fn limit(self, why: impl fmt::Display) -> ArchiveError {
        ArchiveError::Limit { archive: self.0.to_owned(), why: format!("{why}") }
    }

    pub(super) fn io(self, error: std::io::Error) -> ArchiveError {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.damaged("a record lies beyond its end"),
            _ => ArchiveError::Read { archive: self.0.to_owned(), error },
        }
    }

    pub(super) fn parse(self, error: rawzip::Error) -> ArchiveError {
        match error.into_kind() {
            ErrorKind::IO(error) => self.io(error),
            ErrorKind::MissingEndOfCentralDirectory => ArchiveError::NotZip(self.0.to_owned()),
            ErrorKind::Eof => self.damaged("a record is cut off"),
            ErrorKind::InvalidSignature { .. } => self.damaged("a record is not where another one says"),
            other => self.damaged(other.to_string().to_lowercase()),
        }
    }
}

/// All files of an archive, in no order, after every check that needs no unpacking.
pub(super) fn read(name: &str, blocks: &Blocks, limits: Limits) -> Result<Vec<(Key, Entry)>, SourceError> {
    let blame = Blame(name);
    let size = blocks.source().size();
    if size == 0 {
        return Err(ArchiveError::ZeroBytes(name.to_owned()).into());
    }
    let mut buffer = vec![0; rawzip::MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
    let archive = ZipArchive::with_max_search_space(END_RECORD + MOST_COMMENT)
        .locate_in_reader(Eye::new(blocks), &mut buffer, size)
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
        let entry = Entry {
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
    blame: Blame<'_>,
    archive: &ZipArchive<Eye<'_>>,
    buffer: &mut [u8],
    end: &EndRecord,
    limits: Limits,
) -> Result<(Vec<Record>, Range<u64>), SourceError> {
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
            Ok(key) => records.push(Record {
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

/// An entry's name, if it has only one.
///
/// Without the UTF-8 flag a name is in a code page that the archive does not tell. One that is valid UTF-8 is taken as
/// that: most tools on Unix write UTF-8 and forget the flag, and text in a code page hardly ever is valid UTF-8. Other names are refused.
fn name_of<'a>(central: &ZipFileHeaderRecord<'a>) -> Result<&'a str, String> {
    let raw = central.file_path().as_bytes();
    let shown = || String::from_utf8_lossy(raw).escape_default().to_string();
    let name = std::str::from_utf8(raw).map_err(|_| format!("the name `{}` is not UTF-8, rename it", shown()))?;
    if name.is_empty() {
        return Err("an entry has no name, remove it".to_owned());
    }
    let drive = matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    if drive {
        return Err(format!("the name `{}` starts with a drive letter, make it relative", shown()));
    }
    for (field, data) in central.extra_fields() {
        // A version, a checksum, and a second name that some readers prefer.
        if field == ExtraFieldId::INFO_ZIP_UNICODE_PATH && data.get(5..) != Some(raw) {
            return Err(format!(
                "the name `{}` has a second name in an extra field, rename it to plain UTF-8",
                shown()
            ));
        }
    }
    Ok(name)
}

/// The rules for what an entry is, in the order in which a reader would trip over them.
fn check_record(
    blame: Blame<'_>,
    name: &str,
    central: &ZipFileHeaderRecord<'_>,
    limits: Limits,
) -> Result<(), ArchiveError> {
    let refuse = |why: &dyn fmt::Display| Err(blame.entry(name, why));
    let flags = central.flags();
    if flags.is_encrypted()
        || flags.has_strong_encryption()
        || flags.is_masked()
        || central.compression_method() == CompressionMethod::AES
    {
        return refuse(&"is encrypted, pack it without a password");
    }
    let method = central.compression_method();
    if !matches!(method, CompressionMethod::STORE | CompressionMethod::DEFLATE) || flags.bits() & 1 << 5 != 0 {
        return refuse(&format_args!("is packed with method {method}, pack it with deflate or store it"));
    }
    let attributes = central.external_attributes();
    let kind = attributes >> 16 & FILE_TYPE;
    if attributes & REPARSE_POINT != 0 || !matches!(kind, 0 | REGULAR | FOLDER) {
        return refuse(&"is a link or a device, pack the file itself");
    }
    let mut fields = central.extra_fields();
    let mut zip64 = 0;
    for (field, data) in fields.by_ref() {
        zip64 += u32::from(field == ExtraFieldId::ZIP64);
        if LINK_FIELDS.iter().any(|(link, fixed)| *link == field && data.len() > *fixed) {
            return refuse(&"is a link, pack the file itself");
        }
    }
    check_fields(blame, name, fields, zip64)?;
    let (packed, size) = (central.compressed_size_hint(), central.uncompressed_size_hint());
    if name.ends_with('/') && size > 0 {
        return refuse(&"is a folder with content, pack it again");
    }
    if !name.ends_with('/') && kind == FOLDER {
        return refuse(&"is a folder by its attributes and a file by its name, pack it again");
    }
    if method == CompressionMethod::STORE && packed != size {
        return refuse(&"is stored and declares two sizes, pack it again");
    }
    if size > limits.entry_bytes {
        let why = format!("holds `{}` of {size} bytes, {} are allowed", name.escape_default(), limits.entry_bytes);
        return Err(blame.limit(why));
    }
    if size > Limits::FREE_OF_RATIO && size / limits.ratio.max(1) > packed {
        let why = format!("holds `{}`, packed tighter than 1 to {}", name.escape_default(), limits.ratio);
        return Err(blame.limit(why));
    }
    Ok(())
}

/// Extra fields after they were walked: none may be cut off, and sizes may not stand in two of them.
pub(super) fn check_fields(
    blame: Blame<'_>,
    name: &str,
    walked: ExtraFields<'_>,
    zip64: u32,
) -> Result<(), ArchiveError> {
    // Up to three bytes are padding, which aligning packers leave.
    if walked.remaining_bytes().len() > 3 || zip64 > 1 {
        return Err(blame.entry(name, "has extra fields that are cut off or contradict each other, pack it again"));
    }
    Ok(())
}
