//! One record of the central directory, and the rules that it must obey alone. Source of numbers: PKWARE, APPNOTE.TXT
//! 6.3.10.

use std::fmt;

use rawzip::extra_fields::{ExtraFieldId, ExtraFields};
use rawzip::{CompressionMethod, ZipArchiveEntryWayfinder, ZipFileHeaderRecord};
use tidegate_core::key::Key;
use tidegate_core::sanitize::sanitize_name;

use super::error::{ArchiveError, ErrorBuilder};
use super::limits::ArchiveLimits;

/// Flags that change how an entry is read: encrypted, data descriptor, patch, strong encryption, UTF-8, masked. The
/// others only describe the compression level.
pub(super) const MEANINGFUL_FLAGS: u16 = 1 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 11 | 1 << 13;
/// The file type in a Unix mode, and its values for a regular file and a folder.
const FILE_TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
/// The NTFS attribute of a Windows link.
const REPARSE_POINT: u32 = 0x400;
/// Extra fields that hold a link's target behind a fixed number of bytes: PKWARE's Unix field and Info-ZIP's second
/// one.
const LINK_FIELDS: [(ExtraFieldId, usize); 2] = [(ExtraFieldId::UNIX, 12), (ExtraFieldId::new(0x756e), 14)];

/// One record of the central directory that obeys the rules.
pub(super) struct CentralRecord {
    /// The key; nothing for a folder.
    pub(super) key: Option<Key>,
    /// The name of a folder.
    pub(super) folder: Box<str>,
    pub(super) wayfinder: ZipArchiveEntryWayfinder,
    /// The offset of the local header.
    pub(super) header_offset: u64,
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
/// Without the UTF-8 flag, a name is in a code page that the archive does not declare. If it is valid UTF-8, it is read
/// as UTF-8: most tools on Unix write UTF-8 without the flag, and text in a code page is hardly ever valid UTF-8. Other
/// names are refused.
pub(super) fn entry_name<'a>(central: &ZipFileHeaderRecord<'a>) -> Result<&'a str, String> {
    let raw = central.file_path().as_bytes();
    let escaped = || sanitize_name(&String::from_utf8_lossy(raw));
    let name = std::str::from_utf8(raw).map_err(|_| format!("the name `{}` is not UTF-8; rename it", escaped()))?;
    if name.is_empty() {
        return Err("an entry has no name; remove it".to_owned());
    }
    let has_drive = matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    if has_drive {
        return Err(format!("the name `{}` starts with a drive letter; make it relative", escaped()));
    }
    for (field, data) in central.extra_fields() {
        // One byte for the version, four for a checksum, and a second name that some readers prefer.
        if field == ExtraFieldId::INFO_ZIP_UNICODE_PATH && data.get(5..) != Some(raw) {
            return Err(format!(
                "the name `{}` has a second name in an extra field; rename it to plain UTF-8",
                escaped()
            ));
        }
    }
    Ok(name)
}

/// Checks a record against the rules and limits.
pub(super) fn check_record(
    errors: ErrorBuilder<'_>,
    name: &str,
    central: &ZipFileHeaderRecord<'_>,
    limits: ArchiveLimits,
) -> Result<(), ArchiveError> {
    let refuse = |why: &dyn fmt::Display| Err(errors.entry(name, why));
    let flags = central.flags();
    if flags.is_encrypted()
        || flags.has_strong_encryption()
        || flags.is_masked()
        || central.compression_method() == CompressionMethod::AES
    {
        return refuse(&"is encrypted; build the archive without a password");
    }
    let method = central.compression_method();
    if !matches!(method, CompressionMethod::STORE | CompressionMethod::DEFLATE) || flags.bits() & 1 << 5 != 0 {
        return refuse(&format_args!("is compressed with method {method}; use deflate, or store it"));
    }
    let attributes = central.external_attributes();
    let kind = attributes >> 16 & FILE_TYPE;
    if attributes & REPARSE_POINT != 0 || !matches!(kind, 0 | REGULAR | FOLDER) {
        return refuse(&"is a link or a device; add the file itself");
    }
    let mut fields = central.extra_fields();
    let mut zip64 = 0;
    for (field, data) in fields.by_ref() {
        zip64 += u32::from(field == ExtraFieldId::ZIP64);
        if LINK_FIELDS.iter().any(|(link, fixed)| *link == field && data.len() > *fixed) {
            return refuse(&"is a link; add the file itself");
        }
    }
    check_fields(errors, name, &fields, zip64)?;
    let (compressed, size) = (central.compressed_size_hint(), central.uncompressed_size_hint());
    if name.ends_with('/') && size > 0 {
        return refuse(&"is a folder with content; build the archive again");
    }
    if !name.ends_with('/') && kind == FOLDER {
        return refuse(&"is a folder by its attributes and a file by its name; build the archive again");
    }
    if method == CompressionMethod::STORE && compressed != size {
        return refuse(&"is not compressed, but declares two sizes; build the archive again");
    }
    if size > limits.entry_bytes {
        let (name, limit) = (sanitize_name(name), limits.entry_bytes);
        return Err(errors.limit(format_args!("has the entry `{name}` of {size} bytes, and the limit is {limit}")));
    }
    if size > ArchiveLimits::RATIO_EXEMPT_BYTES && size / limits.ratio.max(1) > compressed {
        let (name, ratio) = (sanitize_name(name), limits.ratio);
        return Err(errors.limit(format_args!("has the entry `{name}`, which is compressed more than {ratio} to 1")));
    }
    Ok(())
}

/// Checks extra fields after they were iterated: none may be cut off, and only one may be a zip64 field with sizes.
pub(super) fn check_fields(
    errors: ErrorBuilder<'_>,
    name: &str,
    iterated: &ExtraFields<'_>,
    zip64: u32,
) -> Result<(), ArchiveError> {
    // Tools that align entries leave up to three bytes of padding.
    if iterated.remaining_bytes().len() > 3 || zip64 > 1 {
        let why = "has extra fields that are cut off or contradict each other; build the archive again";
        return Err(errors.entry(name, why));
    }
    Ok(())
}
