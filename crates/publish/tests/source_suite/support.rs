//! What the tests of the sources share: bytes that count their readers, and zips with any lie in them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use tidegate_core::artifact::Fingerprint;
use tidegate_core::key::Key;
use tidegate_publish::source::archive::{Archive, ArchiveLimits};
use tidegate_publish::source::ranged::{Ranged, ReadAhead};
use tidegate_publish::source::{OpenedSource, SourceError, SourceReader};

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(crate) fn keys(opened: &OpenedSource) -> Vec<&str> {
    opened.artifact.items().iter().map(|item| item.key.as_str()).collect()
}

/// Bytes by position that count what is read and how much of it is still held by anybody.
pub(crate) struct Counted<F> {
    pub(crate) size: u64,
    pub(crate) pace: ReadAhead,
    /// Fills a buffer from an offset.
    pub(crate) fill: F,
    pub(crate) tally: Arc<Tally>,
}

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) reads: AtomicUsize,
    pub(crate) bytes: AtomicUsize,
    pub(crate) held: AtomicUsize,
    pub(crate) peak: AtomicUsize,
}

struct Held(Vec<u8>, Arc<Tally>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.1.held.fetch_sub(self.0.len(), Ordering::SeqCst);
    }
}

impl<F: Fn(&mut [u8], u64) + Send + Sync> Ranged for Counted<F> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        if offset + length as u64 > self.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; length];
        (self.fill)(&mut bytes, offset);
        self.tally.reads.fetch_add(1, Ordering::SeqCst);
        self.tally.bytes.fetch_add(length, Ordering::SeqCst);
        let held = self.tally.held.fetch_add(length, Ordering::SeqCst) + length;
        self.tally.peak.fetch_max(held, Ordering::SeqCst);
        Ok(Bytes::from_owner(Held(bytes, Arc::clone(&self.tally))))
    }

    fn pace(&self) -> ReadAhead {
        self.pace
    }
}

/// As a local file is read.
pub(crate) const LOCAL: ReadAhead = ReadAhead { block: 0, window: 64 * 1024, skip: 0, readers: 1 };
/// As an object in S3 is read.
pub(crate) const REMOTE: ReadAhead =
    ReadAhead { block: 4 * 1024 * 1024, window: 512 * 1024, skip: 512 * 1024, readers: 8 };

pub(crate) fn counted(bytes: Vec<u8>, pace: ReadAhead) -> (Arc<dyn Ranged>, Arc<Tally>) {
    let tally = Arc::new(Tally::default());
    let size = bytes.len() as u64;
    let fill = move |buffer: &mut [u8], offset: u64| {
        let start = usize::try_from(offset).unwrap();
        buffer.copy_from_slice(&bytes[start..start + buffer.len()]);
    };
    (Arc::new(Counted { size, pace, fill, tally: Arc::clone(&tally) }), tally)
}

pub(crate) fn open(bytes: Vec<u8>) -> Result<OpenedSource, SourceError> {
    open_limited(bytes, ArchiveLimits::default())
}

pub(crate) fn open_limited(bytes: Vec<u8>, limits: ArchiveLimits) -> Result<OpenedSource, SourceError> {
    Archive::open_ranged("x.zip".to_owned(), counted(bytes, LOCAL).0, Fingerprint("x".into()), limits)
}

/// The words with which an archive is refused, at opening or when its first entry is read.
pub(crate) async fn refusal(bytes: Vec<u8>) -> String {
    match open(bytes) {
        Err(error) => error.to_string(),
        Ok(opened) => {
            let first = opened.artifact.items().first().expect("an archive that opens empty").key.clone();
            opened.reader.whole(&first).await.expect_err("an archive that must be refused").to_string()
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

/// Reads by the stream, as an upload does.
pub(crate) async fn drain(reader: &SourceReader, key: &Key) -> Result<Vec<u8>, SourceError> {
    let mut body = reader.stream(key).await?;
    let mut whole = Vec::new();
    while let Some(chunk) = body.next().await {
        whole.extend_from_slice(&chunk?);
    }
    assert_eq!(whole.len() as u64, body.size());
    Ok(whole)
}

/// One entry of a zip that is made by hand. Fields that are `None` tell the truth.
#[derive(Clone, Default)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) deflate: bool,
    pub(crate) method: Option<u16>,
    pub(crate) flags: u16,
    pub(crate) attributes: u32,
    pub(crate) extra: Vec<u8>,
    pub(crate) crc32: Option<u32>,
    pub(crate) size: Option<u32>,
    pub(crate) packed: Option<u32>,
    /// Bytes between the packed content and the next record.
    pub(crate) behind: Vec<u8>,
    /// Bytes that are counted as packed content, behind the real one.
    pub(crate) padding: Vec<u8>,
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) local_method: Option<u16>,
    pub(crate) local_flags: Option<u16>,
    pub(crate) local_size: Option<u32>,
    pub(crate) local_packed: Option<u32>,
    pub(crate) local_crc32: Option<u32>,
    pub(crate) local_extra: Vec<u8>,
    /// Where the directory says that the header is.
    pub(crate) header: Option<u32>,
}

pub(crate) fn entry(name: &str, content: &[u8]) -> Entry {
    Entry { name: name.as_bytes().to_vec(), content: content.to_vec(), ..Entry::default() }
}

/// What goes wrong with the end of a zip that is made by hand.
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
        let header = u32::try_from(bytes.len()).unwrap();
        let mut packed = if entry.deflate { deflate(&entry.content) } else { entry.content.clone() };
        packed.extend_from_slice(&entry.padding);
        let mut crc = flate2::Crc::new();
        crc.update(&entry.content);
        let crc32 = entry.crc32.unwrap_or(crc.sum());
        let size = entry.size.unwrap_or(u32::try_from(entry.content.len()).unwrap());
        let packed_size = entry.packed.unwrap_or(u32::try_from(packed.len()).unwrap());
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
                entry.local_packed.unwrap_or(packed_size),
                entry.local_size.unwrap_or(size),
            ],
        );
        push16(
            &mut bytes,
            &[u16::try_from(local_name.len()).unwrap(), u16::try_from(entry.local_extra.len()).unwrap()],
        );
        bytes.extend_from_slice(local_name);
        bytes.extend_from_slice(&entry.local_extra);
        bytes.extend_from_slice(&packed);
        bytes.extend_from_slice(&entry.behind);

        directory.extend_from_slice(b"PK\x01\x02");
        push16(&mut directory, &[0x031e, 20, entry.flags, method, 0, 0x21]);
        push32(&mut directory, &[crc32, packed_size, size]);
        push16(
            &mut directory,
            &[u16::try_from(entry.name.len()).unwrap(), u16::try_from(entry.extra.len()).unwrap(), 0, 0, 0],
        );
        push32(&mut directory, &[entry.attributes, entry.header.unwrap_or(header)]);
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
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

/// An extra field.
pub(crate) fn field(id: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push16(&mut bytes, &[id, u16::try_from(data.len()).unwrap()]);
    bytes.extend_from_slice(data);
    bytes
}

/// A data descriptor with or without its signature, with sizes of four or of eight bytes.
pub(crate) fn descriptor(content: &[u8], packed: usize, signature: bool, wide: bool) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let mut bytes = if signature { b"PK\x07\x08".to_vec() } else { Vec::new() };
    push32(&mut bytes, &[crc.sum()]);
    for value in [packed, content.len()] {
        bytes.extend_from_slice(&(value as u64).to_le_bytes()[..if wide { 8 } else { 4 }]);
    }
    bytes
}

pub(crate) fn push16(bytes: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
}

pub(crate) fn push32(bytes: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
}
