//! Reads archives from real tools: completely, by ranges, in bounded memory, from local files and from S3.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::StreamExt;
use proptest::prelude::*;
use tidegate_core::config::ArchiveLimits;
use tidegate_core::content::{ContentReader, ReadError};
use tidegate_publish::source::content::SourceContent;
use tidegate_publish::source::digest::Algorithms;
use tidegate_publish::source::ranged::ReadAhead;
use tidegate_publish::source::{OpenedSource, SourceOptions, open as open_source};
use tokio::runtime::Handle;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use crate::memory_s3::MemoryS3;
use crate::support::*;

/// How one entry is written.
#[derive(Debug, Clone, Copy)]
struct Compression {
    deflated: bool,
    zip64: bool,
}

/// The content of one entry, in a form that can be printed if a case fails.
#[derive(Debug, Clone)]
enum Content {
    Bytes(Vec<u8>),
    Repeated(u8, usize),
    Varied(usize),
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Repeated(byte, length) => vec![*byte; *length],
            Self::Varied(length) => (0..*length).map(|n| (n * n).to_le_bytes()[1]).collect(),
        }
    }
}

type Tree<T> = BTreeMap<String, (T, Compression)>;

fn options(compression: Compression) -> SimpleFileOptions {
    let method = if compression.deflated { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    SimpleFileOptions::default().compression_method(method).large_file(compression.zip64)
}

/// Writes a zip, with sizes in the headers, or (`streamed`) with data descriptors as a tool that cannot seek.
fn pack(tree: &Tree<Vec<u8>>, streamed: bool) -> Vec<u8> {
    fn fill<W: Write + std::io::Seek>(writer: &mut ZipWriter<W>, tree: &Tree<Vec<u8>>) {
        for (name, (content, compression)) in tree {
            writer.start_file(name.as_str(), options(*compression)).unwrap();
            writer.write_all(content).unwrap();
        }
    }
    if streamed {
        let mut bytes = Vec::new();
        let mut writer: ZipWriter<StreamWriter<&mut Vec<u8>>> = ZipWriter::new_stream(&mut bytes);
        fill(&mut writer, tree);
        writer.finish().unwrap();
        bytes
    } else {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        fill(&mut writer, tree);
        writer.finish().unwrap().into_inner()
    }
}

fn trees() -> impl Strategy<Value = Tree<Content>> {
    let name = prop::collection::vec("[a-cé.]{0,2}[a-z]", 1..4).prop_map(|parts| parts.join("/"));
    let content = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Content::Bytes),
        (any::<u8>(), 0_usize..700_000).prop_map(|(byte, length)| Content::Repeated(byte, length)),
        (0_usize..400_000).prop_map(Content::Varied),
    ];
    let compression = (any::<bool>(), any::<bool>()).prop_map(|(deflated, zip64)| Compression { deflated, zip64 });
    prop::collection::btree_map(name, (content, compression), 1..12)
        // A name that is a file and a folder is refused, as another test checks.
        .prop_map(|mut tree| {
            let names: Vec<String> = tree.keys().cloned().collect();
            tree.retain(|name, _| !names.iter().any(|other| other.starts_with(&format!("{name}/"))));
            tree
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_back_packed_archives(
        tree in trees(),
        streamed in any::<bool>(),
        block in prop_oneof![Just(0_usize), 61_usize..5_000, 50_000_usize..300_000],
        window in 37_usize..100_000,
        skip in 0_u64..10_000,
        readers in 1_usize..5,
        (offset, length) in (0_usize..500_000, 0_u32..100_000),
    ) {
        let tree: Tree<Vec<u8>> =
            tree.into_iter().map(|(name, (content, compression))| (name, (content.bytes(), compression))).collect();
        let bytes = pack(&tree, streamed);
        let read_ahead = ReadAhead { block, window, skip, readers };
        let (ranged, _) = counted(bytes, read_ahead);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let opened = open_ranged(ranged, unlimited()).unwrap();
        let truth: BTreeMap<String, Vec<u8>> = tree.iter().map(|(name, (content, _))| (name.clone(), content.clone())).collect();
        let sizes: Vec<u64> = opened.artifact.items().iter().map(|item| item.size).collect();
        prop_assert_eq!(sizes, truth.values().map(|content| content.len() as u64).collect::<Vec<_>>());
        prop_assert_eq!(runtime.block_on(read_all(&opened)), truth);

        let content = SourceContent::new(opened.reader, runtime.handle().clone());
        let deadline = Instant::now() + Duration::from_secs(60);
        let truth: Vec<_> = tree.iter().map(|(name, (content, _))| (key(name), content)).collect();
        let names: Vec<_> = truth.iter().map(|(name, _)| name.clone()).collect();
        let heads = content.heads(&names, length, deadline);
        for ((name, whole), head) in truth.iter().zip(heads) {
            prop_assert_eq!(&head.unwrap(), &whole[..whole.len().min(length as usize)]);
            let part = content.range(name, offset as u64, length, deadline).unwrap();
            let start = whole.len().min(offset);
            prop_assert_eq!(&part, &whole[start..whole.len().min(start + length as usize)]);
        }
    }
}

fn unlimited() -> ArchiveLimits {
    ArchiveLimits { ratio: u64::MAX, ..ArchiveLimits::default() }
}

const GIBIBYTE: u64 = 1 << 30;

/// A zip of a gibibyte of zeros, made without having it in memory.
fn deflated_zeros() -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("zeros", options(Compression { deflated: true, zip64: true })).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..GIBIBYTE >> 20 {
        writer.write_all(&zeros).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

async fn count(opened: &OpenedSource) -> u64 {
    let mut body = opened.reader.stream(&key("zeros")).await.unwrap();
    let (mut read, zeros) = (0, vec![0; 64 * 1024]);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.unwrap();
        assert!(chunk.len() <= 64 * 1024 && chunk[..] == zeros[..chunk.len()]);
        read += chunk.len() as u64;
    }
    read
}

#[tokio::test]
async fn streams_a_deflated_gibibyte_in_bounded_memory() {
    let bytes = deflated_zeros();
    let (ranged, counters) = counted(bytes.clone(), REMOTE);
    let opened = open_ranged(ranged, unlimited()).unwrap();
    assert_eq!(count(&opened).await, GIBIBYTE);
    assert!(
        counters.peak.load(Ordering::SeqCst) <= bytes.len() + 2 * 1024 * 1024,
        "{}",
        counters.peak.load(Ordering::SeqCst)
    );
    let refused = open_limited(bytes, ArchiveLimits::default()).expect_err("a zip bomb").to_string();
    assert!(refused.contains("compressed more than"), "{refused}");
}

#[tokio::test]
async fn streams_a_stored_gibibyte_in_bounded_memory() {
    // The records of an archive, around content that is generated while it is read.
    let content = vec![0; 0];
    let mut crc = flate2::Crc::new();
    let zeros = vec![0; 1 << 20];
    for _ in 0..GIBIBYTE >> 20 {
        crc.update(&zeros);
    }
    let size = u32::try_from(GIBIBYTE).unwrap();
    let frame = zip(&[Entry {
        crc32: Some(crc.sum()),
        size: Some(size),
        compressed_size: Some(size),
        ..entry("zeros", &content)
    }]);
    let header = 30 + "zeros".len() as u64;
    let end = frame.len() - 6;
    let mut frame = frame;
    let directory = u32::from_le_bytes(frame[end..end + 4].try_into().unwrap()) + size;
    frame[end..end + 4].copy_from_slice(&directory.to_le_bytes());
    let whole = frame.len() as u64 + GIBIBYTE;
    let fill = move |buffer: &mut [u8], offset: u64| {
        let content = header..header + GIBIBYTE;
        if content.contains(&offset) && content.contains(&(offset + buffer.len() as u64 - 1)) {
            return;
        }
        for (at, byte) in (offset..).zip(buffer.iter_mut()).filter(|(at, _)| !content.contains(at)) {
            *byte = frame[usize::try_from(if at < header { at } else { at - GIBIBYTE }).unwrap()];
        }
    };
    let counters = Arc::new(ReadCounters::default());
    let ranged = CountingBytes { size: whole, read_ahead: REMOTE, fill, counters: Arc::clone(&counters) };
    let opened = open_ranged(Arc::new(ranged), ArchiveLimits::default()).unwrap();
    assert!(
        counters.bytes.load(Ordering::SeqCst) < 9 << 20,
        "opening must read the end and the header, not the content"
    );
    assert_eq!(count(&opened).await, GIBIBYTE);
    let peak = counters.peak.load(Ordering::SeqCst);
    assert!(peak <= 4 * REMOTE.block + 2 * REMOTE.window, "{peak} bytes of the archive were in memory at once");
}

#[tokio::test]
async fn stops_reading_ahead_while_the_body_is_not_consumed() {
    let (ranged, counters) = counted(deflated_zeros(), ReadAhead { window: 4096, ..LOCAL });
    let opened = open_ranged(ranged, unlimited()).unwrap();
    let opening = counters.bytes.load(Ordering::SeqCst);
    let mut body = opened.reader.stream(&key("zeros")).await.unwrap();
    body.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    // Four chunks of 64 KiB are a few hundred bytes when compressed.
    let ahead = counters.bytes.load(Ordering::SeqCst) - opening;
    assert!(ahead <= 3 * 4096, "{ahead} compressed bytes were read");
}

#[tokio::test]
async fn reads_many_small_entries_with_few_requests() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for n in 0..2_000 {
        writer.start_file(format!("{n:04}"), options(Compression { deflated: false, zip64: false })).unwrap();
        writer.write_all(&vec![b'x'; 10_000]).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let blocks = bytes.len().div_ceil(REMOTE.block);
    let (ranged, counters) = counted(bytes, REMOTE);
    let opened = open_ranged(ranged, ArchiveLimits::default()).unwrap();
    let opening = counters.reads.load(Ordering::SeqCst);
    assert!(opening <= 2 * blocks + 2, "opening took {opening} reads for {blocks} blocks");
    let mut keys: Vec<_> = opened.artifact.items().iter().rev().map(|item| item.key.clone()).collect();
    keys.sort_by_cached_key(|key| opened.reader.position(key));
    assert_eq!(keys[0].as_str(), "0000");
    let reader = &opened.reader;
    let digests: Vec<_> = futures::stream::iter(&keys)
        .map(|key| async move { reader.digest(key, Algorithms::default()).await.unwrap() })
        .buffered(32)
        .collect()
        .await;
    assert!(digests.iter().all(|identity| *identity == digests[0] && identity.sha256.is_some()));
    let reading = counters.reads.load(Ordering::SeqCst) - opening;
    assert!(reading <= blocks + 2, "reading took {reading} reads for {blocks} blocks");
    assert!(counters.peak.load(Ordering::SeqCst) <= 5 * REMOTE.block, "{}", counters.peak.load(Ordering::SeqCst));
}

#[tokio::test]
async fn reads_distant_headers_one_by_one() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for n in 0..20 {
        writer.start_file(format!("{n:04}"), options(Compression { deflated: false, zip64: false })).unwrap();
        writer.write_all(&vec![b'x'; 1_000_000]).unwrap();
    }
    let (ranged, counters) = counted(writer.finish().unwrap().into_inner(), REMOTE);
    open_ranged(ranged, ArchiveLimits::default()).unwrap();
    let bytes = counters.bytes.load(Ordering::SeqCst);
    assert!(bytes < 2 * REMOTE.block + 20_000, "opening read {bytes} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_a_staged_zip_only_with_its_listed_etag() {
    let archive = zip(&[Entry { deflate: true, ..entry("a.txt", b"hello hello hello") }, entry("empty", b"")]);
    let bucket = Arc::new(MemoryS3::new(&[("in/site.zip", &archive)]));
    let s3 = bucket.client();
    let source = "s3://bucket/in/site.zip".parse().unwrap();
    let opened = open_source(&source, &s3, &SourceOptions::default()).await.unwrap();
    let print = &opened.artifact.fingerprint().0;
    assert!(print.starts_with("etag:") && print.len() == 5 + 32, "{print}");
    assert!(opened.reader.staged(&key("a.txt")).is_none(), "S3 cannot copy an entry");
    assert_eq!(drain(&opened.reader, &key("a.txt")).await.unwrap(), b"hello hello hello");
    assert_eq!(drain(&opened.reader, &key("empty")).await.unwrap(), b"");
    assert!(bucket.reads.lock().unwrap().iter().all(Option::is_some), "every read must have a range");
    let gone = opened.reader.whole(&key("b.txt")).await.unwrap_err().to_string();
    assert_eq!(gone, "the source has no object `b.txt`");

    // A zip whose blocks are not all in memory, and which is then replaced.
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["1", "2"] {
        writer.start_file(name, options(Compression { deflated: false, zip64: false })).unwrap();
        writer.write_all(&vec![b'x'; 20_000_000]).unwrap();
    }
    bucket.put("in/site.zip", &writer.finish().unwrap().into_inner());
    let opened = open_source(&source, &s3, &SourceOptions::default()).await.unwrap();
    bucket.put("in/site.zip", &archive);
    let message = drain(&opened.reader, &key("1")).await.unwrap_err().to_string();
    assert!(message.contains("`s3://bucket/in/site.zip` changed since it was read"), "{message}");

    let missing =
        open_source(&"s3://bucket/no.zip".parse().unwrap(), &s3, &SourceOptions::default()).await.unwrap_err();
    assert!(missing.to_string().contains("`s3://bucket/no.zip` does not exist"));
}

#[tokio::test(flavor = "multi_thread")]
async fn fails_on_a_short_response() {
    let archive = zip(&[entry("a.txt", &[b'x'; 3000])]);
    let s3 = {
        let mut bucket = MemoryS3::new(&[("site.zip", &archive)]);
        bucket.cut = 10;
        Arc::new(bucket).client()
    };
    let message =
        open_source(&"s3://bucket/site.zip".parse().unwrap(), &s3, &SourceOptions::default()).await.unwrap_err();
    assert!(message.to_string().contains("shorter than the range"), "{message}");
}

#[tokio::test]
async fn identifies_a_local_zip_by_its_digest_and_detects_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.zip");
    let archive = zip(&[entry("a.txt", b"hello"), entry("b.txt", b"world")]);
    std::fs::write(&path, &archive).unwrap();
    let s3 = Arc::new(MemoryS3::new(&[])).client();
    let source = path.to_str().unwrap().parse().unwrap();
    let opened = open_source(&source, &s3, &SourceOptions::default()).await.unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&archive);
    assert_eq!(*opened.artifact.fingerprint().0, *format!("sha256:{}", hex::encode(digest)));
    let found = opened.reader.digest(&key("a.txt"), Algorithms { md5: true, ..Algorithms::default() }).await.unwrap();
    assert_eq!(hex::encode(found.md5.unwrap()), "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(found.sha256.unwrap()[..], <sha2::Sha256 as sha2::Digest>::digest(b"hello")[..]);

    std::fs::write(&path, [&archive[..], b"more"].concat()).unwrap();
    let message = drain(&opened.reader, &key("a.txt")).await.unwrap_err().to_string();
    assert!(message.contains("changed since it was opened"), "{message}");
    let missing = "no.zip".parse().unwrap();
    let message = open_source(&missing, &s3, &SourceOptions::default()).await.unwrap_err().to_string();
    assert!(message.contains("`no.zip` does not exist"), "{message}");
    let folder = folder.path().join("folder.zip");
    std::fs::create_dir(&folder).unwrap();
    let message =
        open_source(&folder.to_str().unwrap().parse().unwrap(), &s3, &SourceOptions::default()).await.unwrap_err();
    assert!(message.to_string().contains("not a file"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gives_plugins_what_was_read_by_the_deadline() {
    let archive = zip(&[entry("a.txt", b"hello"), entry("b.txt", b"world")]);
    let s3 = Arc::new(MemoryS3::new(&[("site.zip", &archive)])).client();
    let opened = open_source(&"s3://bucket/site.zip".parse().unwrap(), &s3, &SourceOptions::default()).await.unwrap();
    let content = SourceContent::new(opened.reader.clone(), Handle::current());
    let keys = [key("b.txt"), key("no.txt"), key("a.txt")];
    let (past, soon) = (Instant::now(), Instant::now() + Duration::from_secs(60));
    let (late, heads) =
        tokio::task::spawn_blocking(move || (content.heads(&keys, 3, past), content.heads(&keys, 3, soon)))
            .await
            .unwrap();
    assert!(
        late.iter().all(|head| matches!(head, Err(ReadError::Unavailable { .. } | ReadError::NotFound(_)))),
        "{late:?}"
    );
    assert_eq!(heads[0].as_deref(), Ok(&b"wor"[..]));
    assert_eq!(heads[1], Err(ReadError::NotFound(key("no.txt"))));
    assert_eq!(heads[2].as_deref(), Ok(&b"hel"[..]));
}
