//! Checks that must hold for any bytes, and panics if one does not. Two other readers are compared with ours: the `zip`
//! crate by the central directory, and the `zip` crate as a stream, which sees only local headers. Allowed differences
//! are explained where they are allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use tidegate_core::artifact::Fingerprint;
use tidegate_core::config::ArchiveLimits;
use tidegate_publish::source::archive::ArchiveError;
use tidegate_publish::source::body::CHUNK;
use tidegate_publish::source::ranged::{Ranged, ReadAhead};
use tidegate_publish::source::{OpenedSource, SourceError, open_archive};
use tokio::runtime::Runtime;
use zip::ZipArchive;
use zip::read::{ZipFile, read_zipfile_from_stream};

use super::zip_parts::{u16_at, u32_at};

/// Low limits, so that one archive takes milliseconds whatever it declares.
pub(crate) const LIMITS: ArchiveLimits =
    ArchiveLimits { entries: 2_000, entry_bytes: 2 << 20, total_bytes: 4 << 20, ratio: 250 };

/// Most bytes of one read: the longest central record (twice, for its parser's buffer), a window, and the end with the
/// longest comment.
const LARGEST_READ: usize = 512 * 1024;

/// The result for one archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CheckedArchive {
    /// It was refused when it was opened, with this kind of error.
    Refused(&'static str),
    /// It was opened.
    Opened {
        /// Entries that were read completely.
        read: usize,
        /// Entries that were refused while they were read.
        broken: usize,
        /// Entries that the stream reader saw as well, before it failed or reached the directory.
        streamed: usize,
    },
}

/// Bytes in memory. A read of too many of them panics.
struct BoundedMemory {
    bytes: Bytes,
    read_ahead: ReadAhead,
}

impl Ranged for BoundedMemory {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        assert!(length <= LARGEST_READ, "one read of {length} bytes");
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end =
            start.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(self.bytes.slice(start..end))
    }

    fn read_ahead(&self) -> ReadAhead {
        self.read_ahead
    }
}

/// How a file is read.
const FILE: ReadAhead = ReadAhead { block: 0, window: 64 * 1024, skip: 0, readers: 1 };
/// How an object is read, with blocks so small that records cross their boundaries.
const OBJECT: ReadAhead = ReadAhead { block: 61, window: 37, skip: 100, readers: 3 };

type Contents = BTreeMap<String, Result<Bytes, String>>;

/// Checks one archive.
pub(crate) fn check(runtime: &Runtime, bytes: &[u8]) -> CheckedArchive {
    let bytes = Bytes::copy_from_slice(bytes);
    let opened = open(&bytes, FILE);
    let reads_again = bytes.len().is_multiple_of(4) && bytes.len() < 20_000;
    let again = reads_again.then(|| open(&bytes, OBJECT));
    let opened = match opened {
        Err(error) => {
            if let Some(again) = again {
                let again = again.expect_err("the archive must be refused however it is read");
                assert_eq!(again.to_string(), error.to_string(), "the error depends on how the archive is read");
            }
            return CheckedArchive::Refused(kind(&error));
        }
        Ok(opened) => opened,
    };
    let contents = read(runtime, &opened);
    if let Some(again) = again {
        let again = again.expect("the archive must be opened however it is read");
        assert_eq!(read(runtime, &again), contents, "the contents depend on how the archive is read");
    }
    let streamed = if has_odd_unicode_path(&bytes) {
        0
    } else {
        let links = compare_directory(&bytes, &contents);
        compare_stream(&bytes, &contents, &links)
    };
    let read = contents.values().filter(|content| content.is_ok()).count();
    CheckedArchive::Opened { read, broken: contents.len() - read, streamed }
}

fn open(bytes: &Bytes, read_ahead: ReadAhead) -> Result<OpenedSource, SourceError> {
    let source = Arc::new(BoundedMemory { bytes: bytes.clone(), read_ahead });
    let opened = open_archive("x.zip".to_owned(), source, Fingerprint("x".into()), LIMITS);
    if let Err(error) = &opened {
        let message = error.to_string();
        assert!(!message.contains("its headers cannot be parsed"), "a thread of the reader panicked");
        assert!(!message.chars().any(char::is_control), "control characters in {message:?}");
    }
    opened
}

/// The kind of an error, for the counts.
fn kind(error: &SourceError) -> &'static str {
    match error {
        SourceError::Archive(ArchiveError::ZeroBytes(_)) => "zero bytes",
        SourceError::Archive(ArchiveError::NotZip(_)) => "not a zip",
        SourceError::Archive(ArchiveError::Empty(_)) => "no entries",
        SourceError::Archive(ArchiveError::Damaged { .. }) => "damaged",
        SourceError::Archive(ArchiveError::Ambiguous { .. }) => "ambiguous",
        SourceError::Archive(ArchiveError::Entry { .. }) => "an entry",
        SourceError::Archive(ArchiveError::Limit { .. }) => "a limit",
        SourceError::Names(_) => "names",
        SourceError::Artifact(_) => "names that collide",
        other => panic!("unexpected error of bytes in memory: {other}"),
    }
}

/// Reads every entry in both ways, which must agree.
fn read(runtime: &Runtime, opened: &OpenedSource) -> Contents {
    let items = opened.artifact.items();
    assert!(items.len() as u64 <= LIMITS.entries && items.iter().all(|item| item.size <= LIMITS.entry_bytes));
    assert!(items.iter().map(|item| item.size).sum::<u64>() <= LIMITS.total_bytes);
    let mut contents = Contents::new();
    for item in items {
        let (whole, streamed) = runtime.block_on(async {
            let whole = opened.reader.whole(&item.key).await;
            let mut streamed = Ok(Vec::new());
            match opened.reader.stream(&item.key).await {
                Ok(mut body) => {
                    while let Some(chunk) = body.next().await {
                        match (chunk, &mut streamed) {
                            (Ok(chunk), Ok(all)) => {
                                assert!(chunk.len() <= CHUNK, "a chunk of {} bytes", chunk.len());
                                all.extend_from_slice(&chunk);
                            }
                            (Err(error), streamed) => {
                                let sent = streamed.as_ref().map_or(0, Vec::len) as u64;
                                assert!(sent < item.size || item.size == 0, "the error follows the last byte");
                                *streamed = Err(error);
                            }
                            (Ok(_), Err(_)) => panic!("bytes follow an error"),
                        }
                    }
                }
                Err(error) => streamed = Err(error),
            }
            (whole, streamed)
        });
        for error in [whole.as_ref().err(), streamed.as_ref().err()].into_iter().flatten() {
            assert!(matches!(error, SourceError::Archive(ArchiveError::Entry { .. })), "{error}");
        }
        let whole = whole.map_err(|error| error.to_string());
        let streamed = streamed.map(Bytes::from).map_err(|error| error.to_string());
        assert_eq!(whole, streamed, "{}", item.key);
        if let Ok(content) = &whole {
            assert_eq!(content.len() as u64, item.size);
        }
        contents.insert(item.key.as_str().to_owned(), whole);
    }
    contents
}

/// An archive that our reader opens is opened by the other reader, with the same files of the same sizes, and entries
/// that our reader reads have the same bytes. The reverse does not hold: the other reader may read entries that ours
/// refuses (bytes after the compressed content, another size than declared). It does not follow links, whose names are
/// returned.
fn compare_directory(bytes: &Bytes, contents: &Contents) -> BTreeSet<String> {
    let mut links = BTreeSet::new();
    let mut archive = match ZipArchive::new(Cursor::new(bytes.as_ref())) {
        Err(_) if has_needless_zip64_record(bytes) => return links,
        archive => archive.expect("the other reader refuses the archive"),
    };
    let mut seen = BTreeSet::new();
    for at in 0..archive.len() {
        let (name, size, folder) = {
            let entry = archive.by_index_raw(at).expect("the other reader refuses a header");
            if entry.unix_mode().is_some_and(|mode| mode & 0o170_000 == 0o120_000) {
                links.insert(name_of(&entry));
                continue;
            }
            let name = name_of(&entry);
            let folder = name.is_empty() || name.ends_with('/');
            (name, entry.size(), folder)
        };
        if folder {
            continue;
        }
        let ours = contents.get(&name).unwrap_or_else(|| panic!("only the other reader sees {name:?}"));
        if let Ok(ours) = ours {
            assert_eq!(ours.len() as u64, size, "the size of {name:?}");
            let mut theirs = Vec::new();
            let read = archive.by_index(at).expect("the other reader refuses an entry");
            read.take(LIMITS.entry_bytes + 1).read_to_end(&mut theirs).expect("the other reader refuses its content");
            assert!(ours[..] == theirs[..], "{name:?} has two contents");
        }
        seen.insert(name);
    }
    for (name, content) in contents.iter().filter(|(name, _)| !seen.contains(*name)) {
        assert!(is_linked(name, &links), "only our reader sees {name:?}");
        if let Ok(content) = content {
            let same = |other: &String| contents.get(other).is_some_and(|other| other.as_ref() == Ok(content));
            assert!(seen.iter().any(same), "{name:?} has a content of its own");
        }
    }
    links
}

/// Whether a name is that of a link, or below one.
fn is_linked(name: &str, links: &BTreeSet<String>) -> bool {
    links
        .iter()
        .any(|link| name.strip_prefix(link.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The key of an entry of the other reader, with a `/` after that of a folder. Without the flag, the other reader reads
/// every name in code page 437, and ours only those that are not UTF-8. The other one leaves separators and `./` alone.
fn name_of<R: Read + ?Sized>(entry: &ZipFile<'_, R>) -> String {
    let name = match String::from_utf8(entry.name_raw().to_vec()) {
        Ok(name) => name,
        Err(_) => entry.name().expect("every byte has a character").into_owned(),
    };
    name.replace('\\', "/").split_inclusive('/').filter(|segment| *segment != "./").collect()
}

/// Whether there may be a Unicode path field of an unknown version, which our reader ignores and the other one uses.
fn has_odd_unicode_path(bytes: &[u8]) -> bool {
    bytes.windows(5).any(|field| matches!(field, [0x75, 0x70, _, _, version] if *version != 1))
}

/// Whether there is a zip64 end record although the plain one has every number. Info-ZIP writes one whenever an entry
/// has an unknown size. The other reader takes the record for bytes before the archive, and fails.
fn has_needless_zip64_record(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).rposition(|bytes| bytes == b"PK\x05\x06") else { return false };
    let has_zip64 = end.checked_sub(20).is_some_and(|at| bytes[at..].starts_with(b"PK\x06\x07"));
    let needs = [8, 10].iter().any(|at| u16_at(bytes, end + at) == Some(u16::MAX))
        || [12, 16].iter().any(|at| u32_at(bytes, end + at) == Some(u32::MAX));
    has_zip64 && !needs
}

/// A reader that ignores the directory sees no other files and no other bytes. It fails at the first data descriptor,
/// which it cannot read. Entries that unpack to more or less than they declare are refused by our reader only.
fn compare_stream(bytes: &Bytes, contents: &Contents, links: &BTreeSet<String>) -> usize {
    let mut stream = Cursor::new(bytes.as_ref());
    let mut streamed = 0;
    while let Ok(Some(mut entry)) = read_zipfile_from_stream(&mut stream) {
        let name = name_of(&entry);
        let mut theirs = Vec::new();
        let read = entry.by_ref().take(LIMITS.entry_bytes + 1).read_to_end(&mut theirs);
        // A local header does not say that an entry is a link.
        if name.is_empty() || name.ends_with('/') || links.contains(&name) {
            continue;
        }
        let ours = contents.get(&name).unwrap_or_else(|| panic!("only the stream reader sees {name:?}"));
        match (ours, read) {
            (Ok(ours), Ok(_)) => assert!(ours[..] == theirs[..], "{name:?} has another content in the stream"),
            (Ok(_), Err(error)) => panic!("the stream reader refuses {name:?}: {error}"),
            // Its position in the stream is unknown now.
            (Err(_), _) => break,
        }
        streamed += 1;
    }
    streamed
}
