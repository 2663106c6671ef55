//! Helpers of the source tests: bytes that count reads, and zips with any wrong value in them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use tidegate_core::artifact::Fingerprint;
use tidegate_core::config::{ArchiveLimits, PluginUse};
use tidegate_core::key::Key;
use tidegate_core::listing_filter::ListingFilter;
use tidegate_core::location::Prefix;
use tidegate_publish::source::ranged::{Ranged, ReadAhead};
use tidegate_publish::source::{OpenedSource, SourceError, SourceOptions, SourceReader, open_archive};

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(crate) fn keys(opened: &OpenedSource) -> Vec<&str> {
    opened.artifact.items().iter().map(|item| item.key.as_str()).collect()
}

/// Options with the patterns of one plugin `exclude`, without its defaults.
pub(crate) fn excluding(globs: &[&str]) -> SourceOptions {
    let settings = serde_json::json!({ "defaults": false, "globs": globs });
    let used = PluginUse::new("exclude".to_owned().try_into().unwrap(), settings.as_object().unwrap().clone());
    SourceOptions { filter: ListingFilter::new(&[used], &Prefix::default()), ..SourceOptions::default() }
}

/// The paths that a listing left out.
pub(crate) fn excluded(opened: &OpenedSource) -> Vec<&str> {
    opened.exclusions.iter().map(|excluded| excluded.path.as_str()).collect()
}

/// Bytes by position that count what is read, and how much of it is in memory.
pub(crate) struct CountingBytes<F> {
    pub(crate) size: u64,
    pub(crate) read_ahead: ReadAhead,
    /// Fills a buffer from an offset.
    pub(crate) fill: F,
    pub(crate) counters: Arc<ReadCounters>,
}

#[derive(Default)]
pub(crate) struct ReadCounters {
    pub(crate) reads: AtomicUsize,
    pub(crate) bytes: AtomicUsize,
    /// Bytes that were read and are still in memory.
    pub(crate) in_memory: AtomicUsize,
    /// The most that were in memory at once.
    pub(crate) peak: AtomicUsize,
}

/// Bytes that are subtracted from the counters when they are dropped.
struct CountedBytes {
    bytes: Vec<u8>,
    counters: Arc<ReadCounters>,
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for CountedBytes {
    fn drop(&mut self) {
        self.counters.in_memory.fetch_sub(self.bytes.len(), Ordering::SeqCst);
    }
}

impl<F: Fn(&mut [u8], u64) + Send + Sync> Ranged for CountingBytes<F> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        if offset + length as u64 > self.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; length];
        (self.fill)(&mut bytes, offset);
        self.counters.reads.fetch_add(1, Ordering::SeqCst);
        self.counters.bytes.fetch_add(length, Ordering::SeqCst);
        let in_memory = self.counters.in_memory.fetch_add(length, Ordering::SeqCst) + length;
        self.counters.peak.fetch_max(in_memory, Ordering::SeqCst);
        Ok(Bytes::from_owner(CountedBytes { bytes, counters: Arc::clone(&self.counters) }))
    }

    fn read_ahead(&self) -> ReadAhead {
        self.read_ahead
    }
}

/// How a local file is read.
pub(crate) const LOCAL: ReadAhead = ReadAhead { block: 0, window: 64 * 1024, skip: 0, readers: 1 };
/// How an object in S3 is read.
pub(crate) const REMOTE: ReadAhead =
    ReadAhead { block: 4 * 1024 * 1024, window: 512 * 1024, skip: 512 * 1024, readers: 8 };

pub(crate) fn counted(bytes: Vec<u8>, read_ahead: ReadAhead) -> (Arc<dyn Ranged>, Arc<ReadCounters>) {
    let counters = Arc::new(ReadCounters::default());
    let size = bytes.len() as u64;
    let fill = move |buffer: &mut [u8], offset: u64| {
        let start = usize::try_from(offset).unwrap();
        buffer.copy_from_slice(&bytes[start..start + buffer.len()]);
    };
    (Arc::new(CountingBytes { size, read_ahead, fill, counters: Arc::clone(&counters) }), counters)
}

pub(crate) fn open(bytes: Vec<u8>) -> Result<OpenedSource, SourceError> {
    open_limited(bytes, ArchiveLimits::default())
}

pub(crate) fn open_limited(bytes: Vec<u8>, limits: ArchiveLimits) -> Result<OpenedSource, SourceError> {
    open_ranged(counted(bytes, LOCAL).0, limits)
}

pub(crate) fn open_ranged(bytes: Arc<dyn Ranged>, limits: ArchiveLimits) -> Result<OpenedSource, SourceError> {
    open_archive("x.zip".to_owned(), bytes, Fingerprint("x".into()), limits)
}

/// The error with which an archive is refused, when it is opened or when its first entry is read.
pub(crate) async fn refusal(bytes: Vec<u8>) -> String {
    match open(bytes) {
        Err(error) => error.to_string(),
        Ok(opened) => {
            let first =
                opened.artifact.items().first().expect("an archive without entries must be refused").key.clone();
            opened.reader.whole(&first).await.expect_err("the archive must be refused").to_string()
        }
    }
}

pub(crate) async fn read_all(opened: &OpenedSource) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for item in opened.artifact.items() {
        all.insert(item.key.as_str().to_owned(), drain(&opened.reader, &item.key).await.unwrap());
    }
    all
}

/// Reads a stream to its end, as an upload does.
pub(crate) async fn drain(reader: &SourceReader, key: &Key) -> Result<Vec<u8>, SourceError> {
    let mut body = reader.stream(key).await?;
    let mut whole = Vec::new();
    while let Some(chunk) = body.next().await {
        whole.extend_from_slice(&chunk?);
    }
    assert_eq!(whole.len() as u64, body.size());
    Ok(whole)
}

/// One entry of a zip that is made by hand. Fields that are `None` get the correct value.
#[derive(Clone, Default)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) deflate: bool,
    pub(crate) method: Option<u16>,
    pub(crate) flags: u16,
    pub(crate) attributes: u32,
    /// "Version made by", whose high byte is the system; Unix without one.
    pub(crate) made_by: Option<u16>,
    pub(crate) extra: Vec<u8>,
    pub(crate) crc32: Option<u32>,
    pub(crate) size: Option<u32>,
    pub(crate) compressed_size: Option<u32>,
    /// Bytes between the compressed content and the next record.
    pub(crate) after_data: Vec<u8>,
    /// Bytes that are counted as compressed content, after the real content.
    pub(crate) padding: Vec<u8>,
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) local_method: Option<u16>,
    pub(crate) local_flags: Option<u16>,
    pub(crate) local_size: Option<u32>,
    pub(crate) local_compressed_size: Option<u32>,
    pub(crate) local_crc32: Option<u32>,
    pub(crate) local_extra: Vec<u8>,
    /// The offset of the local header in the directory.
    pub(crate) header_offset: Option<u32>,
}

pub(crate) fn entry(name: &str, content: &[u8]) -> Entry {
    Entry { name: name.as_bytes().to_vec(), content: content.to_vec(), ..Entry::default() }
}

/// The end of a zip that is made by hand, and bytes around it.
#[derive(Clone, Default)]
pub(crate) struct End {
    pub(crate) before: Vec<u8>,
    pub(crate) after: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    pub(crate) before_end: Vec<u8>,
    pub(crate) count: Option<u16>,
    pub(crate) directory_size: Option<u32>,
    pub(crate) disk: u16,
}

pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    zip_with(entries, &End::default())
}

pub(crate) fn zip_with(entries: &[Entry], end: &End) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    let count = u16::try_from(entries.len()).unwrap();
    for entry in entries {
        let header_offset = u32::try_from(bytes.len()).unwrap();
        let mut compressed = if entry.deflate { deflate(&entry.content) } else { entry.content.clone() };
        compressed.extend_from_slice(&entry.padding);
        let mut crc = flate2::Crc::new();
        crc.update(&entry.content);
        let crc32 = entry.crc32.unwrap_or(crc.sum());
        let size = entry.size.unwrap_or(u32::try_from(entry.content.len()).unwrap());
        let compressed_size = entry.compressed_size.unwrap_or(u32::try_from(compressed.len()).unwrap());
        let method = entry.method.unwrap_or(if entry.deflate { 8 } else { 0 });
        let local_name = entry.local_name.as_ref().unwrap_or(&entry.name);

        bytes.extend_from_slice(b"PK\x03\x04");
        push16(
            &mut bytes,
            &[20, entry.local_flags.unwrap_or(entry.flags), entry.local_method.unwrap_or(method), 0, 0x21],
        );
        push32(
            &mut bytes,
            &[
                entry.local_crc32.unwrap_or(crc32),
                entry.local_compressed_size.unwrap_or(compressed_size),
                entry.local_size.unwrap_or(size),
            ],
        );
        push16(
            &mut bytes,
            &[u16::try_from(local_name.len()).unwrap(), u16::try_from(entry.local_extra.len()).unwrap()],
        );
        bytes.extend_from_slice(local_name);
        bytes.extend_from_slice(&entry.local_extra);
        bytes.extend_from_slice(&compressed);
        bytes.extend_from_slice(&entry.after_data);

        directory.extend_from_slice(b"PK\x01\x02");
        push16(&mut directory, &[entry.made_by.unwrap_or(0x031e), 20, entry.flags, method, 0, 0x21]);
        push32(&mut directory, &[crc32, compressed_size, size]);
        push16(
            &mut directory,
            &[u16::try_from(entry.name.len()).unwrap(), u16::try_from(entry.extra.len()).unwrap(), 0, 0, 0],
        );
        push32(&mut directory, &[entry.attributes, entry.header_offset.unwrap_or(header_offset)]);
        directory.extend_from_slice(&entry.name);
        directory.extend_from_slice(&entry.extra);
    }
    let start = u32::try_from(bytes.len()).unwrap();
    let directory_size = u32::try_from(directory.len()).unwrap();
    bytes.append(&mut directory);
    bytes.extend_from_slice(&end.before_end);
    bytes.extend_from_slice(b"PK\x05\x06");
    let count = end.count.unwrap_or(count);
    push16(&mut bytes, &[end.disk, end.disk, count, count]);
    push32(&mut bytes, &[end.directory_size.unwrap_or(directory_size), start]);
    push16(&mut bytes, &[u16::try_from(end.comment.len()).unwrap()]);
    bytes.extend_from_slice(&end.comment);
    bytes.extend_from_slice(&end.after);
    [end.before.clone(), bytes].concat()
}

pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// An extra field.
pub(crate) fn field(id: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push16(&mut bytes, &[id, u16::try_from(data.len()).unwrap()]);
    bytes.extend_from_slice(data);
    bytes
}

/// A Unicode path field for the name `raw` of a header.
pub(crate) fn unicode_path(raw: &[u8], name: &str) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(raw);
    field(0x7075, &[&[1], &crc.sum().to_le_bytes()[..], name.as_bytes()].concat())
}

/// A symbolic link.
pub(crate) fn link(name: &str, target: &str) -> Entry {
    Entry { attributes: 0o120_777 << 16, ..entry(name, target.as_bytes()) }
}

/// A data descriptor, with or without its signature, with sizes of four or (`zip64`) eight bytes.
pub(crate) fn descriptor(content: &[u8], compressed_size: usize, signature: bool, zip64: bool) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let mut bytes = if signature { b"PK\x07\x08".to_vec() } else { Vec::new() };
    push32(&mut bytes, &[crc.sum()]);
    for value in [compressed_size, content.len()] {
        bytes.extend_from_slice(&(value as u64).to_le_bytes()[..if zip64 { 8 } else { 4 }]);
    }
    bytes
}

pub(crate) fn push16(bytes: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
}

pub(crate) fn push32(bytes: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
}
