//! Splits a zip into its records, whose values [`super::mutation`] changes, and writes them as a zip again. Source of
//! the layout: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16.

use std::io::Write;

/// Size of a local header without its name and extra fields, in bytes.
const LOCAL: usize = 30;
/// Size of a central header without its name, extra fields and comment, in bytes.
const CENTRAL: usize = 46;
/// Size of the end record without its comment, in bytes.
const END: usize = 22;

/// The fields that a local header and a central header share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc32: u32,
    pub(crate) compressed_size: u32,
    pub(crate) size: u32,
    pub(crate) name: Vec<u8>,
    pub(crate) extra: Vec<u8>,
}

/// One entry: its local header, its bytes and its central header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) local: Header,
    /// The compressed bytes.
    pub(crate) data: Vec<u8>,
    /// The bytes between the compressed bytes and the next record: a data descriptor, or nothing.
    pub(crate) after_data: Vec<u8>,
    pub(crate) central: Header,
    pub(crate) made_by: u16,
    pub(crate) attributes: u32,
    pub(crate) comment: Vec<u8>,
    /// Added to the offset of the local header in the central header.
    pub(crate) shift: i64,
}

/// The end of the archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) disk: u16,
    /// Added to the correct number of entries.
    pub(crate) count: i64,
    pub(crate) directory_size: i64,
    pub(crate) directory_offset: i64,
    pub(crate) comment: Vec<u8>,
    /// A zip64 end record with its locator. The value is added to the offset in the locator.
    pub(crate) zip64: Option<i64>,
    /// Whether the end record repeats the numbers of the zip64 record.
    pub(crate) repeats: bool,
    /// Added to the count, the size and the offset in the zip64 record only.
    pub(crate) zip64_shifts: [i64; 3],
}

/// An archive, split into its records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ZipParts {
    pub(crate) before: Vec<u8>,
    pub(crate) members: Vec<Member>,
    /// The order of the central headers, as indices of `members`.
    pub(crate) order: Vec<usize>,
    pub(crate) before_directory: Vec<u8>,
    pub(crate) before_end: Vec<u8>,
    pub(crate) end: End,
    pub(crate) after: Vec<u8>,
}

impl Member {
    /// An entry whose headers are correct.
    pub(crate) fn valid(name: &[u8], content: &[u8], deflated: bool) -> Self {
        let mut member = Self { made_by: 0x031e, ..Self::default() };
        member.local.name = name.to_vec();
        member.fill(content, deflated);
        member
    }

    /// Replaces the content, and corrects the headers.
    pub(crate) fn fill(&mut self, content: &[u8], deflated: bool) {
        self.data = if deflated { deflate(content) } else { content.to_vec() };
        self.local.method = if deflated { 8 } else { 0 };
        self.local.flags &= !(1 << 3);
        self.local.crc32 = checksum(content);
        self.local.compressed_size = narrow(self.data.len());
        self.local.size = narrow(content.len());
        self.after_data.clear();
        let extra = std::mem::take(&mut self.central.extra);
        self.central = Header { extra, ..self.local.clone() };
    }

    /// Writes sizes and checksum after the content, as a tool that cannot seek does. With `keeps`, the local header has
    /// them too.
    pub(crate) fn stream(&mut self, signature: bool, zip64: bool, keeps: bool) {
        let mut bytes = if signature { b"PK\x07\x08".to_vec() } else { Vec::new() };
        bytes.extend_from_slice(&self.central.crc32.to_le_bytes());
        for value in [self.central.compressed_size, self.central.size] {
            let value = u64::from(value).to_le_bytes();
            bytes.extend_from_slice(&value[..if zip64 { 8 } else { 4 }]);
        }
        self.after_data = bytes;
        self.local.flags |= 1 << 3;
        self.central.flags |= 1 << 3;
        if !keeps {
            (self.local.crc32, self.local.compressed_size, self.local.size) = (0, 0, 0);
        }
    }
}

impl ZipParts {
    /// Splits an archive, if its records can be found.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = (0..=bytes.len().checked_sub(END)?).rev().find(|at| bytes[*at..].starts_with(b"PK\x05\x06"))?;
        let comment = usize::from(u16_at(bytes, end + 20)?);
        let after = end + END + comment;
        let zip64 = Zip64End::find(bytes, end).filter(|_| u32_at(bytes, end + 16) == Some(u32::MAX));
        let (count, start) = match &zip64 {
            Some(zip64) => (zip64.count, zip64.directory_offset),
            None => (usize::from(u16_at(bytes, end + 10)?), usize::try_from(u32_at(bytes, end + 16)?).ok()?),
        };
        let mut parts = Self {
            after: bytes.get(after..)?.to_vec(),
            end: End {
                disk: u16_at(bytes, end + 4)?,
                comment: bytes.get(end + END..after)?.to_vec(),
                zip64: zip64.as_ref().map(|_| 0),
                ..End::default()
            },
            ..Self::default()
        };
        let end = zip64.map_or(end, |zip64| zip64.offset);
        let (mut at, mut offsets) = (start, Vec::new());
        while bytes.get(at..)?.starts_with(b"PK\x01\x02") && parts.members.len() < count {
            let length = |field| u16_at(bytes, at + field).map(usize::from);
            let (name, extra, note) = (length(28)?, length(30)?, length(32)?);
            let text = at + CENTRAL;
            let header = Header {
                flags: u16_at(bytes, at + 8)?,
                method: u16_at(bytes, at + 10)?,
                crc32: u32_at(bytes, at + 16)?,
                compressed_size: u32_at(bytes, at + 20)?,
                size: u32_at(bytes, at + 24)?,
                name: bytes.get(text..text + name)?.to_vec(),
                extra: bytes.get(text + name..text + name + extra)?.to_vec(),
            };
            offsets.push(usize::try_from(u32_at(bytes, at + 42)?).ok()?);
            parts.members.push(Member {
                central: header,
                made_by: u16_at(bytes, at + 4)?,
                attributes: u32_at(bytes, at + 38)?,
                comment: bytes.get(text + name + extra..text + name + extra + note)?.to_vec(),
                ..Member::default()
            });
            at = text + name + extra + note;
        }
        parts.before_end = bytes.get(at..end)?.to_vec();
        let mut by_offset: Vec<usize> = (0..offsets.len()).collect();
        by_offset.sort_by_key(|member| offsets[*member]);
        let (mut members, mut order) = (Vec::new(), vec![0; offsets.len()]);
        for (rank, member) in by_offset.iter().enumerate() {
            let next = by_offset.get(rank + 1).map_or(start, |next| offsets[*next]);
            let mut parts = parts.members[*member].clone();
            parts.read_local(bytes, offsets[*member], next)?;
            members.push(parts);
            order[*member] = rank;
        }
        parts.before = bytes.get(..by_offset.first().map_or(start, |first| offsets[*first]))?.to_vec();
        (parts.members, parts.order) = (members, order);
        Some(parts)
    }

    /// Writes the archive, with the changes that were made and no others.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.before.clone();
        let mut offsets = Vec::new();
        for member in &self.members {
            offsets.push(bytes.len() as i64);
            bytes.extend_from_slice(b"PK\x03\x04\x14\0");
            member.local.write(&mut bytes);
            push16(&mut bytes, &[narrow16(member.local.name.len()), narrow16(member.local.extra.len())]);
            for part in [&member.local.name, &member.local.extra, &member.data, &member.after_data] {
                bytes.extend_from_slice(part);
            }
        }
        bytes.extend_from_slice(&self.before_directory);
        let start = bytes.len() as i64;
        for (offset, member) in self.order.iter().filter_map(|at| Some((offsets.get(*at)?, self.members.get(*at)?))) {
            bytes.extend_from_slice(b"PK\x01\x02");
            push16(&mut bytes, &[member.made_by, 20]);
            member.central.write(&mut bytes);
            let lengths =
                [&member.central.name, &member.central.extra, &member.comment].map(|part| narrow16(part.len()));
            push16(&mut bytes, &lengths);
            push16(&mut bytes, &[0, 0]);
            push32(&mut bytes, &[member.attributes, wrapped(offset + member.shift)]);
            for part in [&member.central.name, &member.central.extra, &member.comment] {
                bytes.extend_from_slice(part);
            }
        }
        let size = bytes.len() as i64 - start + self.end.directory_size;
        let offset = start + self.end.directory_offset;
        let count = self.order.len() as i64 + self.end.count;
        bytes.extend_from_slice(&self.before_end);
        if let Some(shift) = self.end.zip64 {
            let zip64_offset = bytes.len() as i64;
            bytes.extend_from_slice(b"PK\x06\x06");
            bytes.extend_from_slice(&44_u64.to_le_bytes());
            push16(&mut bytes, &[45, 45]);
            push32(&mut bytes, &[0, 0]);
            let [count_shift, size_shift, offset_shift] = self.end.zip64_shifts;
            for value in [count + count_shift, count + count_shift, size + size_shift, offset + offset_shift] {
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            bytes.extend_from_slice(b"PK\x06\x07\0\0\0\0");
            bytes.extend_from_slice(&(zip64_offset + shift).to_le_bytes());
            push32(&mut bytes, &[1]);
        }
        bytes.extend_from_slice(b"PK\x05\x06");
        let (count, size, offset) = match self.end.zip64 {
            Some(_) if !self.end.repeats => (u16::MAX, u32::MAX, u32::MAX),
            _ => (wrapped16(count), wrapped(size), wrapped(offset)),
        };
        push16(&mut bytes, &[self.end.disk, self.end.disk, count, count]);
        push32(&mut bytes, &[size, offset]);
        push16(&mut bytes, &[narrow16(self.end.comment.len())]);
        bytes.extend_from_slice(&self.end.comment);
        bytes.extend_from_slice(&self.after);
        bytes
    }

    /// An archive of these entries, in their order.
    pub(crate) fn of(members: Vec<Member>) -> Self {
        Self { order: (0..members.len()).collect(), members, ..Self::default() }
    }
}

impl Header {
    /// Everything between the version and the lengths.
    fn write(&self, bytes: &mut Vec<u8>) {
        push16(bytes, &[self.flags, self.method, 0, 0x21]);
        push32(bytes, &[self.crc32, self.compressed_size, self.size]);
    }
}

impl Member {
    /// Reads the local header and everything up to the next record.
    fn read_local(&mut self, bytes: &[u8], at: usize, next: usize) -> Option<()> {
        if !bytes.get(at..)?.starts_with(b"PK\x03\x04") {
            return None;
        }
        let text = at + LOCAL;
        let (name, extra) = (usize::from(u16_at(bytes, at + 26)?), usize::from(u16_at(bytes, at + 28)?));
        self.local = Header {
            flags: u16_at(bytes, at + 6)?,
            method: u16_at(bytes, at + 8)?,
            crc32: u32_at(bytes, at + 14)?,
            compressed_size: u32_at(bytes, at + 18)?,
            size: u32_at(bytes, at + 22)?,
            name: bytes.get(text..text + name)?.to_vec(),
            extra: bytes.get(text + name..text + name + extra)?.to_vec(),
        };
        let data = text + name + extra;
        let compressed_size = if self.central.compressed_size == u32::MAX {
            zip64_compressed_size(&self.central.extra)?
        } else {
            self.central.compressed_size
        };
        let data_end = data.checked_add(usize::try_from(compressed_size).ok()?)?.min(next);
        self.data = bytes.get(data..data_end)?.to_vec();
        self.after_data = bytes.get(data_end..next)?.to_vec();
        Some(())
    }
}

/// A zip64 end record.
struct Zip64End {
    /// Where it begins.
    offset: usize,
    /// How many entries it declares.
    count: usize,
    /// Where it says that the directory begins.
    directory_offset: usize,
}

impl Zip64End {
    /// Finds it by its locator, in front of the end record at `end`.
    fn find(bytes: &[u8], end: usize) -> Option<Self> {
        let locator = end.checked_sub(20)?;
        bytes.get(locator..)?.starts_with(b"PK\x06\x07").then_some(())?;
        let offset = usize::try_from(u32_at(bytes, locator + 8)?).ok().filter(|offset| *offset < locator)?;
        bytes.get(offset..)?.starts_with(b"PK\x06\x06").then_some(())?;
        let number = |at| usize::try_from(u32_at(bytes, offset + at)?).ok();
        Some(Self { offset, count: number(32)?, directory_offset: number(48)? })
    }
}

/// The compressed size in a zip64 field that also has the uncompressed one.
fn zip64_compressed_size(extra: &[u8]) -> Option<u32> {
    let at = extra.windows(4).position(|field| field == b"\x01\0\x10\0")?;
    u32_at(extra, at + 12)
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn push16(bytes: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
}

fn push32(bytes: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
}

fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn narrow16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// See [`wrapped`].
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "wrong values may wrap")]
fn wrapped16(value: i64) -> u16 {
    value as u16
}

/// A changed value may not fit into its field. It wraps, and is still wrong.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "wrong values may wrap")]
fn wrapped(value: i64) -> u32 {
    value as u32
}

pub(crate) fn checksum(content: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    crc.sum()
}

pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("writes to memory cannot fail");
    encoder.finish().expect("writes to memory cannot fail")
}
