//! One record of the central directory, and the rules that it must obey alone. Source of numbers: PKWARE, APPNOTE.TXT
//! 6.3.10.

use std::fmt;

use rawzip::extra_fields::{ExtraFieldId, ExtraFields};
use rawzip::{CompressionMethod, ZipArchiveEntryWayfinder, ZipFileHeaderRecord};
use tidegate_core::config::ArchiveLimits;
use tidegate_core::sanitize::sanitize_name;

use super::error::{ArchiveError, ErrorBuilder};
use super::name::{EntryName, is_dos};

/// Flags that change how an entry is read, so that both of its headers must have them: encrypted, patch, strong
/// encryption, UTF-8, masked. The one for a data descriptor is not among them, because every byte between two entries is
/// checked. The others only describe the compression level.
pub(super) const MEANINGFUL_FLAGS: u16 = 1 | 1 << 5 | 1 << 6 | UTF8_FLAG | 1 << 13;
/// The flag of a name in UTF-8.
pub(super) const UTF8_FLAG: u16 = 1 << 11;
/// The file type in a Unix mode, and its values for a regular file, a folder and a symbolic link.
const FILE_TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
const LINK: u32 = 0o120_000;
/// The NTFS attribute of a Windows link.
const REPARSE_POINT: u32 = 0x400;
/// Extra fields that hold a link's target behind a fixed number of bytes: PKWARE's Unix field and Info-ZIP's second
/// one.
const LINK_FIELDS: [(ExtraFieldId, usize); 2] = [(ExtraFieldId::UNIX, 12), (ExtraFieldId::new(0x756e), 14)];

/// One record of the central directory that obeys the rules.
pub(super) struct CentralRecord {
    /// The name in the header, if it is not the text.
    raw: Option<Box<[u8]>>,
    /// The name as text.
    pub(super) name: EntryName<'static>,
    pub(super) is_dos: bool,
    /// Whether the content is the target of a symbolic link.
    pub(super) is_link: bool,
    /// Whether it is excluded. Then it is neither read nor published.
    pub(super) is_excluded: bool,
    pub(super) wayfinder: ZipArchiveEntryWayfinder,
    /// The offset of the local header.
    pub(super) header_offset: u64,
    pub(super) flags: u16,
    pub(super) method: CompressionMethod,
    pub(super) crc32: u32,
}

impl CentralRecord {
    pub(super) fn new(central: &ZipFileHeaderRecord<'_>, name: EntryName<'_>) -> Self {
        let raw = central.file_path().as_bytes();
        Self {
            raw: (raw != name.text.as_bytes()).then(|| raw.into()),
            name: EntryName { text: name.text.into_owned().into(), ..name },
            is_dos: is_dos(central),
            is_link: file_type(central) == LINK,
            is_excluded: false,
            wayfinder: central.wayfinder(),
            header_offset: central.local_header_offset(),
            flags: central.flags().bits(),
            method: central.compression_method(),
            crc32: central.crc32(),
        }
    }

    pub(super) fn excluded(central: &ZipFileHeaderRecord<'_>, name: EntryName<'_>) -> Self {
        Self { is_excluded: true, ..Self::new(central, name) }
    }

    pub(super) fn raw(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(self.name.text.as_bytes())
    }
}

fn file_type(central: &ZipFileHeaderRecord<'_>) -> u32 {
    central.external_attributes() >> 16 & FILE_TYPE
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
    let kind = file_type(central);
    let is_windows_link = kind != LINK && central.external_attributes() & REPARSE_POINT != 0;
    if is_windows_link || !matches!(kind, 0 | REGULAR | FOLDER | LINK) {
        return refuse(&"is a Windows link or a device; add the file itself");
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
    // A name that ends with `\\` is that of a folder, or it is refused.
    let is_folder = name.ends_with(['/', '\\']);
    let (compressed, size) = (central.compressed_size_hint(), central.uncompressed_size_hint());
    if is_folder && size > 0 {
        return refuse(&"is a folder with content; build the archive again");
    }
    if !is_folder && kind == FOLDER {
        return refuse(&"is a folder by its attributes and a file by its name; build the archive again");
    }
    if is_folder && kind == LINK {
        return refuse(&"is a link by its attributes and a folder by its name; build the archive again");
    }
    if method == CompressionMethod::STORE && compressed != size {
        return refuse(&"is not compressed, but declares two sizes; build the archive again");
    }
    if size > limits.entry_bytes {
        let (name, limit) = (sanitize_name(name), limits.entry_bytes);
        let why = format_args!("has the entry `{name}` of {size} bytes, and the limit is {limit}");
        return Err(errors.limit(why, "entry-bytes"));
    }
    if size > ArchiveLimits::RATIO_EXEMPT_BYTES && size / limits.ratio.max(1) > compressed {
        let (name, ratio) = (sanitize_name(name), limits.ratio);
        let why = format_args!("has the entry `{name}`, which is compressed more than {ratio} to 1");
        return Err(errors.limit(why, "ratio"));
    }
    Ok(())
}

/// Checks what must hold of an excluded record, too, so that the bytes of the archive are accounted for.
pub(super) fn check_excluded_record(
    errors: ErrorBuilder<'_>,
    name: &str,
    central: &ZipFileHeaderRecord<'_>,
) -> Result<(), ArchiveError> {
    let mut fields = central.extra_fields();
    let zip64 = fields.by_ref().map(|(field, _)| u32::from(field == ExtraFieldId::ZIP64)).sum();
    check_fields(errors, name, &fields, zip64)
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
