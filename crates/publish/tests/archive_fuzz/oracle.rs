//! What must hold for any bytes that claim to be an archive.
//!
//! Owns the judgement; panics where it is violated. Two readers are held against ours: the `zip` crate by the central
//! directory, and the `zip` crate as a stream, which sees local headers only. What they may differ in is said where it is
//! allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use tidegate_core::artifact::Fingerprint;
use tidegate_publish::source::archive::{Archive, ArchiveError, ArchiveLimits};
use tidegate_publish::source::body::CHUNK;
use tidegate_publish::source::ranged::{Ranged, ReadAhead};
use tidegate_publish::source::{OpenedSource, SourceError};
use tokio::runtime::Runtime;
use zip::ZipArchive;
use zip::read::read_zipfile_from_stream;

use super::form::{four, two};

/// Low, so that one archive takes milliseconds whatever it says.
pub(crate) const LIMITS: ArchiveLimits =
    ArchiveLimits { entries: 2_000, entry_bytes: 2 << 20, total_bytes: 4 << 20, ratio: 250 };

/// Bytes that one read of the archive may ask for: the longest central record (twice, for its parser's buffer), a window,
/// the end with the longest comment.
const LARGEST_READ: usize = 512 * 1024;

/// What became of one archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judged {
    /// It was refused when it was opened; the kind of refusal.
    Refused(&'static str),
    /// It was opened.
    Opened {
        /// Entries that could be read whole.
        read: usize,
        /// Entries that were refused while they were read.
        broken: usize,
        /// Entries that the reader of the stream saw as well, before it gave up or reached the directory.
        streamed: usize,
    },
}

/// Bytes in memory that no reader may ask too much of.
struct Memory(Bytes, ReadAhead);

impl Ranged for Memory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        assert!(length <= LARGEST_READ, "one read of {length} bytes");
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start.checked_add(length).filter(|end| *end <= self.0.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(self.0.slice(start..end))
    }

    fn pace(&self) -> ReadAhead {
        self.1
    }
}

/// As a file is read.
const FILE: ReadAhead = ReadAhead { block: 0, window: 64 * 1024, skip: 0, readers: 1 };
/// As an object is read, with blocks so small that records lie across them.
const OBJECT: ReadAhead = ReadAhead { block: 61, window: 37, skip: 100, readers: 3 };

type Contents = BTreeMap<String, Result<Bytes, String>>;

/// Judges one archive.
pub(crate) fn judge(runtime: &Runtime, bytes: &[u8]) -> Judged {
    let bytes = Bytes::copy_from_slice(bytes);
    let opened = open(&bytes, FILE);
    let other_pace = bytes.len().is_multiple_of(4) && bytes.len() < 20_000;
    let again = other_pace.then(|| open(&bytes, OBJECT));
    let opened = match opened {
        Err(error) => {
            if let Some(again) = again {
                let again = again.expect_err("an archive is refused by one way of reading and opened by the other");
                assert_eq!(again.to_string(), error.to_string(), "the reason depends on how it is read");
            }
            return Judged::Refused(kind(&error));
        }
        Ok(opened) => opened,
    };
    let contents = read(runtime, &opened);
    if let Some(again) = again {
        let again = again.expect("an archive is opened by one way of reading and refused by the other");
        assert_eq!(read(runtime, &again), contents, "the contents depend on how they are read");
    }
    compare_directory(&bytes, &contents);
    let streamed = compare_stream(&bytes, &contents);
    let read = contents.values().filter(|content| content.is_ok()).count();
    Judged::Opened { read, broken: contents.len() - read, streamed }
}

fn open(bytes: &Bytes, pace: ReadAhead) -> Result<OpenedSource, SourceError> {
    let source = Arc::new(Memory(bytes.clone(), pace));
    let opened = Archive::open_ranged("x.zip".to_owned(), source, Fingerprint("x".into()), LIMITS);
    if let Err(error) = &opened {
        let said = error.to_string();
        assert!(!said.contains("its headers could not be parsed"), "a thread of the reader panicked");
        assert!(!said.chars().any(char::is_control), "control characters reach people: {said:?}");
    }
    opened
}

/// The name of a refusal, for the counts.
fn kind(error: &SourceError) -> &'static str {
    match error {
        SourceError::Archive(ArchiveError::ZeroBytes(_)) => "zero bytes",
        SourceError::Archive(ArchiveError::NotZip(_)) => "no zip",
        SourceError::Archive(ArchiveError::Empty(_)) => "no entry",
        SourceError::Archive(ArchiveError::Damaged { .. }) => "damaged",
        SourceError::Archive(ArchiveError::Ambiguous { .. }) => "ambiguous",
        SourceError::Archive(ArchiveError::Entry { .. }) => "an entry",
        SourceError::Archive(ArchiveError::Limit { .. }) => "a limit",
        SourceError::Names(_) => "names",
        SourceError::Artifact(_) => "names that collide",
        other => panic!("bytes in memory cannot fail like this: {other}"),
    }
}

/// Every entry by both ways of reading, which must agree.
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
                                assert!(sent < item.size || item.size == 0, "the error comes behind the last byte");
                                *streamed = Err(error);
                            }
                            (Ok(_), Err(_)) => panic!("bytes behind an error"),
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

/// What is opened here is opened by the other reader, with the same files of the same sizes, and what can be read here has
/// the same bytes there. The reverse does not hold: entries that are refused here while they are read (bytes behind the
/// packed content, another size than declared) may be read there.
fn compare_directory(bytes: &Bytes, contents: &Contents) {
    let mut archive = match ZipArchive::new(Cursor::new(bytes.as_ref())) {
        Err(_) if is_wide_without_need(bytes) => return,
        archive => archive.expect("the other reader refuses the archive"),
    };
    let mut seen = BTreeSet::new();
    for at in 0..archive.len() {
        let (name, size, folder) = {
            let entry = archive.by_index_raw(at).expect("the other reader refuses a header");
            // By its bytes: without its flag, a name is UTF-8 here and of code page 437 there.
            let name = String::from_utf8(entry.name_raw().to_vec()).expect("a name that is not UTF-8");
            (name, entry.size(), entry.name_raw().ends_with(b"/"))
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
    let ours: BTreeSet<String> = contents.keys().cloned().collect();
    assert_eq!(seen, ours, "only this reader sees some of these");
}

/// Whether there is a zip64 end record although the plain one says every number itself. Info-ZIP writes that wherever an
/// entry is of unknown size; the other reader takes the record for bytes before the archive and gives up.
fn is_wide_without_need(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).rposition(|four| four == b"PK\x05\x06") else { return false };
    let wide = end.checked_sub(20).is_some_and(|at| bytes[at..].starts_with(b"PK\x06\x07"));
    let needs = [8, 10].iter().any(|at| two(bytes, end + at) == Some(u16::MAX))
        || [12, 16].iter().any(|at| four(bytes, end + at) == Some(u32::MAX));
    wide && !needs
}

/// A reader that never looks at the directory sees nothing that is not there, and no other bytes. It cannot read data
/// descriptors and gives up at the first one, and where it unpacks more or less than is declared it is we who refuse.
fn compare_stream(bytes: &Bytes, contents: &Contents) -> usize {
    let mut stream = Cursor::new(bytes.as_ref());
    let mut streamed = 0;
    while let Ok(Some(mut entry)) = read_zipfile_from_stream(&mut stream) {
        let Ok(name) = String::from_utf8(entry.name_raw().to_vec()) else { panic!("a name that is not UTF-8") };
        let mut theirs = Vec::new();
        let read = entry.by_ref().take(LIMITS.entry_bytes + 1).read_to_end(&mut theirs);
        if name.ends_with('/') {
            continue;
        }
        let ours = contents.get(&name).unwrap_or_else(|| panic!("only the reader of the stream sees {name:?}"));
        match (ours, read) {
            (Ok(ours), Ok(_)) => assert!(ours[..] == theirs[..], "{name:?} has another content in the stream"),
            (Ok(_), Err(error)) => panic!("the reader of the stream refuses {name:?}: {error}"),
            // Where it stands in the stream is not known any more.
            (Err(_), _) => break,
        }
        streamed += 1;
    }
    streamed
}
