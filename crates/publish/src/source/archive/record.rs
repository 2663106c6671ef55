//! One record of the central directory, and the rules for what an entry may be.
//!
//! Owns those rules, but for the ones that hold between records. Source of figures: PKWARE, APPNOTE.TXT 6.3.10.

use std::fmt;

use rawzip::extra_fields::{ExtraFieldId, ExtraFields};
use rawzip::{CompressionMethod, ZipArchiveEntryWayfinder, ZipFileHeaderRecord};
use tidegate_core::key::Key;

use super::ArchiveError;
use super::error::ErrorBuilder;
use super::limits::ArchiveLimits;

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
pub(super) struct CentralRecord {
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

impl CentralRecord {
    pub(super) fn name(&self) -> &str {
        self.key.as_ref().map_or(&self.folder, Key::as_str)
    }
}

/// An entry's name, if it has only one.
///
/// Without the UTF-8 flag a name is in a code page that the archive does not tell. One that is valid UTF-8 is taken as
/// that: most tools on Unix write UTF-8 and forget the flag, and text in a code page hardly ever is valid UTF-8. Other names are refused.
pub(super) fn name_of<'a>(central: &ZipFileHeaderRecord<'a>) -> Result<&'a str, String> {
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
pub(super) fn check_record(
    blame: ErrorBuilder<'_>,
    name: &str,
    central: &ZipFileHeaderRecord<'_>,
    limits: ArchiveLimits,
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
    if size > ArchiveLimits::FREE_OF_RATIO && size / limits.ratio.max(1) > packed {
        let why = format!("holds `{}`, packed tighter than 1 to {}", name.escape_default(), limits.ratio);
        return Err(blame.limit(why));
    }
    Ok(())
}

/// Extra fields after they were walked: none may be cut off, and sizes may not stand in two of them.
pub(super) fn check_fields(
    blame: ErrorBuilder<'_>,
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
