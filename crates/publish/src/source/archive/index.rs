//! Finds the entries of an archive: reads the central directory, and checks every record against the rules. Unpacks
//! nothing.

use std::ops::Range;
use std::sync::Arc;

use rawzip::{CompressionMethod, ZipArchive};
use tidegate_core::config::ArchiveLimits;
use tidegate_core::key::Key;
use tidegate_core::listing_filter::ListingExclusions;

use super::end::{END_RECORD, EndRecord, MAX_COMMENT};
use super::entry::EntryReader;
use super::error::{ArchiveError, ErrorBuilder};
use super::files::{ArchiveBytes, ArchiveEntry};
use super::links::{self, ArchiveLink};
use super::local;
use super::name::{EntryName, EntryPath, Separators};
use super::reader_at::ArchiveReaderAt;
use super::record::{CentralRecord, check_excluded_record, check_record};
use crate::source::block_cache::BlockCache;
use crate::source::error::SourceError;
use crate::source::names::Refusals;
use crate::source::ranged::Ranged;

/// Size of a central header without its name, extra fields and comment, in bytes. Source: PKWARE, APPNOTE.TXT 6.3.10.
const CENTRAL_HEADER: u64 = 46;

/// The files of an archive, and its bytes.
pub(super) struct ArchiveIndex {
    pub(super) archive: Arc<ArchiveBytes>,
    /// Sorted by key.
    pub(super) entries: Vec<ArchiveEntry>,
    /// Names that were read in a code page that the archive does not declare: the first of them, and how many.
    pub(super) code_page_names: Option<(String, usize)>,
}

/// What is listed of an archive.
struct ArchiveListing<'a> {
    limits: ArchiveLimits,
    exclusions: &'a mut ListingExclusions,
}

/// The records of a central directory, and the range of their bytes.
struct CentralDirectory {
    records: Vec<CentralRecord>,
    range: Range<u64>,
    separators: Separators,
}

/// The tree of an archive, before links are resolved.
#[derive(Default)]
struct ArchiveTree {
    files: Vec<ArchiveEntry>,
    /// Links, whose content is their target.
    links: Vec<ArchiveEntry>,
    folders: Vec<Key>,
    code_page_names: Option<(String, usize)>,
}

impl ArchiveIndex {
    /// Reads the index, with every check that needs no unpacking but that of links.
    pub(super) fn read(
        name: String,
        bytes: Arc<dyn Ranged>,
        limits: ArchiveLimits,
        exclusions: &mut ListingExclusions,
    ) -> Result<Self, SourceError> {
        let archive = Arc::new(ArchiveBytes { name, blocks: BlockCache::new(bytes) });
        let ArchiveTree { files, links, folders, code_page_names } =
            read_tree(&archive.name, &archive.blocks, ArchiveListing { limits, exclusions })?;
        let mut entries = if links.is_empty() {
            files
        } else {
            let links = links.into_iter().map(|link| read_link(&archive, link)).collect::<Result<Vec<_>, _>>()?;
            links::resolve(ErrorBuilder(&archive.name), files, &links, &folders, limits)?
        };
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        let index = Self { archive, entries, code_page_names };
        match folders.iter().find(|folder| index.entry(folder).is_ok()) {
            None => Ok(index),
            Some(folder) => {
                let why = "is a file, and a folder with an entry of its own; rename one of them";
                Err(ErrorBuilder(&index.archive.name).entry(folder.as_str(), why).into())
            }
        }
    }

    pub(super) fn entry(&self, key: &Key) -> Result<&ArchiveEntry, SourceError> {
        let index = self.entries.binary_search_by(|entry| entry.key.cmp(key)).ok();
        index.and_then(|index| self.entries.get(index)).ok_or_else(|| SourceError::Absent(key.clone()))
    }
}

/// Reads the target of a link.
fn read_link(archive: &Arc<ArchiveBytes>, entry: ArchiveEntry) -> Result<ArchiveLink, SourceError> {
    let refuse = |why| ErrorBuilder(&archive.name).entry(entry.key.as_str(), why);
    if entry.size > links::MAX_TARGET_BYTES {
        return Err(refuse("is a link with more than 4,096 bytes; build the archive again").into());
    }
    let target = EntryReader::new(Arc::clone(archive), entry.clone()).take(entry.size)?.unwrap_or_default();
    let target =
        String::from_utf8(target.into()).map_err(|_| refuse("is a link to a name that is not UTF-8; rename it"))?;
    Ok(ArchiveLink { key: entry.key, target })
}

fn read_tree(
    name: &str,
    blocks: &BlockCache,
    ArchiveListing { limits, exclusions }: ArchiveListing<'_>,
) -> Result<ArchiveTree, SourceError> {
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
        let why = format_args!("has {count} entries, and the limit is {}", limits.entries);
        return Err(errors.limit(why, "entries").into());
    }
    let listing = ArchiveListing { limits, exclusions };
    let CentralDirectory { mut records, range, separators } =
        read_directory(errors, &archive, &mut buffer, &end, listing)?;
    let mut refused = Refusals::default();
    let mut paths = Vec::with_capacity(records.len());
    records.sort_by_key(|record| record.header_offset);
    for record in &records {
        if record.is_excluded {
            paths.push(EntryPath::Excluded);
            continue;
        }
        match EntryPath::new(&record.name, separators, record.is_dos) {
            // Only now is it known that `\` separates folders.
            Ok(EntryPath::File(key)) if exclusions.excludes(key.as_str()) => paths.push(EntryPath::Excluded),
            Ok(path) => paths.push(path),
            Err(reason) => refused.push(reason),
        }
    }
    refused.finish()?;
    if records.first().is_none_or(|first| first.header_offset != 0) {
        return Err(errors.ambiguous("there are bytes before its first entry").into());
    }
    end.check_numbers(errors, &archive, &range, count)?;
    let offsets = local::data_offsets(errors, &archive, blocks, &records)?;
    let mut tree = ArchiveTree::default();
    for ((record, path), offset) in records.into_iter().zip(paths).zip(offsets) {
        if record.name.from_code_page && path != EntryPath::Excluded {
            let (_, count) = tree.code_page_names.get_or_insert_with(|| (record.name.text.to_string(), 0));
            *count += 1;
        }
        let key = match path {
            EntryPath::File(key) => key,
            EntryPath::Folder(key) => {
                tree.folders.push(key);
                continue;
            }
            EntryPath::Root | EntryPath::Excluded => continue,
        };
        let entry = ArchiveEntry {
            key,
            offset,
            compressed_size: record.wayfinder.compressed_size_hint(),
            size: record.wayfinder.uncompressed_size_hint(),
            crc32: record.crc32,
            deflated: record.method == CompressionMethod::DEFLATE,
        };
        if record.is_link { tree.links.push(entry) } else { tree.files.push(entry) }
    }
    Ok(tree)
}

/// Reads and checks the central directory.
fn read_directory(
    errors: ErrorBuilder<'_>,
    archive: &ZipArchive<ArchiveReaderAt<'_>>,
    buffer: &mut [u8],
    end: &EndRecord,
    ArchiveListing { limits, exclusions }: ArchiveListing<'_>,
) -> Result<CentralDirectory, SourceError> {
    let mut refused = Refusals::default();
    let mut records = Vec::new();
    let mut separators = Separators::default();
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
        let raw = central.file_path().as_bytes();
        let name = EntryName::decode(raw, central.flags().is_utf8(), central.extra_fields());
        let shown = name.clone().unwrap_or_else(|_| EntryName::lossy(raw));
        if exclusions.excludes(&shown.text) {
            // Its bytes are still accounted for, but it is not read, whatever it is.
            check_excluded_record(errors, &shown.text, &central)?;
            separators.add(&central, &shown);
            records.push(CentralRecord::excluded(&central, shown));
            continue;
        }
        let name = match name {
            Ok(name) => name,
            Err(reason) => {
                refused.push(reason);
                continue;
            }
        };
        total_bytes = total_bytes.saturating_add(central.uncompressed_size_hint());
        check_record(errors, &name.text, &central, limits)?;
        if total_bytes > limits.total_bytes {
            let why = format_args!("unpacks to more than {} bytes", limits.total_bytes);
            return Err(errors.limit(why, "total-bytes").into());
        }
        separators.add(&central, &name);
        records.push(CentralRecord::new(&central, name));
    }
    if count != archive.entries_hint() {
        let why =
            format!("the entry count in its end record ({}) does not match its directory", archive.entries_hint());
        return Err(errors.damaged(why).into());
    }
    end.check_extent(errors, archive, &range)?;
    refused.finish()?;
    Ok(CentralDirectory { records, range, separators })
}
