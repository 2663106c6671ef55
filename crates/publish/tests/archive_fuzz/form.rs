//! A zip taken apart into its records, each of which can lie, and put together again.
//!
//! Owns the layout of the records. Never decides what is a lie; [`super::mutation`] does. Source of the layout: PKWARE,
//! APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16.

use std::io::Write;

/// Bytes of a local header without its name and extra fields.
const LOCAL: usize = 30;
/// Bytes of a central header without its name, extra fields and comment.
const CENTRAL: usize = 46;
/// Bytes of the end record without its comment.
const END: usize = 22;

/// What a local header and a central one both say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc32: u32,
    pub(crate) packed: u32,
    pub(crate) size: u32,
    pub(crate) name: Vec<u8>,
    pub(crate) extra: Vec<u8>,
}

/// One entry: its local header, its bytes and its central header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) local: Header,
    /// The packed bytes.
    pub(crate) data: Vec<u8>,
    /// What stands between the packed bytes and the next record: a data descriptor, or nothing.
    pub(crate) behind: Vec<u8>,
    pub(crate) central: Header,
    pub(crate) made_by: u16,
    pub(crate) attributes: u32,
    pub(crate) comment: Vec<u8>,
    /// Added to the place of the local header that the central one tells.
    pub(crate) shift: i64,
}

/// The end of the archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) disk: u16,
    /// Added to what is true.
    pub(crate) count: i64,
    pub(crate) directory_size: i64,
    pub(crate) directory_offset: i64,
    pub(crate) comment: Vec<u8>,
    /// A zip64 end record with its locator; the shift is added to the place that the locator tells.
    pub(crate) wide: Option<i64>,
    /// Whether the end record says the numbers that the zip64 one is there for.
    pub(crate) repeats: bool,
    /// Added to the numbers of the zip64 record only.
    pub(crate) wide_lie: [i64; 3],
}

/// An archive in parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) before: Vec<u8>,
    pub(crate) members: Vec<Member>,
    /// The order of the central headers, as places in `members`.
    pub(crate) order: Vec<usize>,
    pub(crate) before_directory: Vec<u8>,
    pub(crate) before_end: Vec<u8>,
    pub(crate) end: End,
    pub(crate) after: Vec<u8>,
}

impl Member {
    /// An entry that tells the truth.
    pub(crate) fn honest(name: &[u8], content: &[u8], deflated: bool) -> Self {
        let mut member = Self { made_by: 0x031e, ..Self::default() };
        member.local.name = name.to_vec();
        member.fill(content, deflated);
        member
    }

    /// Gives it other content, truthfully.
    pub(crate) fn fill(&mut self, content: &[u8], deflated: bool) {
        self.data = if deflated { deflate(content) } else { content.to_vec() };
        self.local.method = if deflated { 8 } else { 0 };
        self.local.flags &= !(1 << 3);
        self.local.crc32 = checksum(content);
        self.local.packed = narrow(self.data.len());
        self.local.size = narrow(content.len());
        self.behind.clear();
        let extra = std::mem::take(&mut self.central.extra);
        self.central = Header { extra, ..self.local.clone() };
    }

    /// As a packer writes it that cannot seek: sizes and checksum come behind the content.
    pub(crate) fn stream(&mut self, signature: bool, wide: bool, keeps: bool) {
        let mut bytes = if signature { b"PK\x07\x08".to_vec() } else { Vec::new() };
        bytes.extend_from_slice(&self.central.crc32.to_le_bytes());
        for value in [self.central.packed, self.central.size] {
            let value = u64::from(value).to_le_bytes();
            bytes.extend_from_slice(&value[..if wide { 8 } else { 4 }]);
        }
        self.behind = bytes;
        self.local.flags |= 1 << 3;
        self.central.flags |= 1 << 3;
        if !keeps {
            (self.local.crc32, self.local.packed, self.local.size) = (0, 0, 0);
        }
    }
}

impl Form {
    /// Takes an archive apart, if its records can be found.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = (0..=bytes.len().checked_sub(END)?).rev().find(|at| bytes[*at..].starts_with(b"PK\x05\x06"))?;
        let comment = usize::from(two(bytes, end + 20)?);
        let after = end + END + comment;
        let wide = wide_end(bytes, end).filter(|_| four(bytes, end + 16) == Some(u32::MAX));
        let (count, start) = match wide {
            Some((_, count, start)) => (count, start),
            None => (usize::from(two(bytes, end + 10)?), usize::try_from(four(bytes, end + 16)?).ok()?),
        };
        let mut form = Self {
            after: bytes.get(after..)?.to_vec(),
            end: End {
                disk: two(bytes, end + 4)?,
                comment: bytes.get(end + END..after)?.to_vec(),
                wide: wide.map(|_| 0),
                ..End::default()
            },
            ..Self::default()
        };
        let end = wide.map_or(end, |(at, ..)| at);
        let (mut at, mut places) = (start, Vec::new());
        while bytes.get(at..)?.starts_with(b"PK\x01\x02") && form.members.len() < count {
            let length = |place| two(bytes, at + place).map(usize::from);
            let (name, extra, note) = (length(28)?, length(30)?, length(32)?);
            let text = at + CENTRAL;
            let header = Header {
                flags: two(bytes, at + 8)?,
                method: two(bytes, at + 10)?,
                crc32: four(bytes, at + 16)?,
                packed: four(bytes, at + 20)?,
                size: four(bytes, at + 24)?,
                name: bytes.get(text..text + name)?.to_vec(),
                extra: bytes.get(text + name..text + name + extra)?.to_vec(),
            };
            places.push(usize::try_from(four(bytes, at + 42)?).ok()?);
            form.members.push(Member {
                central: header,
                made_by: two(bytes, at + 4)?,
                attributes: four(bytes, at + 38)?,
                comment: bytes.get(text + name + extra..text + name + extra + note)?.to_vec(),
                ..Member::default()
            });
            at = text + name + extra + note;
        }
        form.before_end = bytes.get(at..end)?.to_vec();
        let mut by_place: Vec<usize> = (0..places.len()).collect();
        by_place.sort_by_key(|member| places[*member]);
        let (mut members, mut order) = (Vec::new(), vec![0; places.len()]);
        for (rank, member) in by_place.iter().enumerate() {
            let next = by_place.get(rank + 1).map_or(start, |next| places[*next]);
            let mut parts = form.members[*member].clone();
            parts.read_local(bytes, places[*member], next)?;
            members.push(parts);
            order[*member] = rank;
        }
        form.before = bytes.get(..by_place.first().map_or(start, |first| places[*first]))?.to_vec();
        (form.members, form.order) = (members, order);
        Some(form)
    }

    /// Puts it together, with the lies that were put in and no others.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.before.clone();
        let mut places = Vec::new();
        for member in &self.members {
            places.push(bytes.len() as i64);
            bytes.extend_from_slice(b"PK\x03\x04\x14\0");
            member.local.write(&mut bytes);
            push16(&mut bytes, &[narrow16(member.local.name.len()), narrow16(member.local.extra.len())]);
            for part in [&member.local.name, &member.local.extra, &member.data, &member.behind] {
                bytes.extend_from_slice(part);
            }
        }
        bytes.extend_from_slice(&self.before_directory);
        let start = bytes.len() as i64;
        for (place, member) in self.order.iter().filter_map(|at| Some((places.get(*at)?, self.members.get(*at)?))) {
            bytes.extend_from_slice(b"PK\x01\x02");
            push16(&mut bytes, &[member.made_by, 20]);
            member.central.write(&mut bytes);
            let lengths =
                [&member.central.name, &member.central.extra, &member.comment].map(|part| narrow16(part.len()));
            push16(&mut bytes, &lengths);
            push16(&mut bytes, &[0, 0]);
            push32(&mut bytes, &[member.attributes, wrapped(place + member.shift)]);
            for part in [&member.central.name, &member.central.extra, &member.comment] {
                bytes.extend_from_slice(part);
            }
        }
        let size = bytes.len() as i64 - start + self.end.directory_size;
        let offset = start + self.end.directory_offset;
        let count = self.order.len() as i64 + self.end.count;
        bytes.extend_from_slice(&self.before_end);
        if let Some(shift) = self.end.wide {
            let place = bytes.len() as i64;
            bytes.extend_from_slice(b"PK\x06\x06");
            bytes.extend_from_slice(&44_u64.to_le_bytes());
            push16(&mut bytes, &[45, 45]);
            push32(&mut bytes, &[0, 0]);
            let [lie, longer, elsewhere] = self.end.wide_lie;
            for value in [count + lie, count + lie, size + longer, offset + elsewhere] {
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            bytes.extend_from_slice(b"PK\x06\x07\0\0\0\0");
            bytes.extend_from_slice(&(place + shift).to_le_bytes());
            push32(&mut bytes, &[1]);
        }
        bytes.extend_from_slice(b"PK\x05\x06");
        let (count, size, offset) = match self.end.wide {
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
        push32(bytes, &[self.crc32, self.packed, self.size]);
    }
}

impl Member {
    /// The local half, up to where the next record begins.
    fn read_local(&mut self, bytes: &[u8], at: usize, next: usize) -> Option<()> {
        if !bytes.get(at..)?.starts_with(b"PK\x03\x04") {
            return None;
        }
        let text = at + LOCAL;
        let (name, extra) = (usize::from(two(bytes, at + 26)?), usize::from(two(bytes, at + 28)?));
        self.local = Header {
            flags: two(bytes, at + 6)?,
            method: two(bytes, at + 8)?,
            crc32: four(bytes, at + 14)?,
            packed: four(bytes, at + 18)?,
            size: four(bytes, at + 22)?,
            name: bytes.get(text..text + name)?.to_vec(),
            extra: bytes.get(text + name..text + name + extra)?.to_vec(),
        };
        let data = text + name + extra;
        let packed =
            if self.central.packed == u32::MAX { wide_packed(&self.central.extra)? } else { self.central.packed };
        let data_end = data.checked_add(usize::try_from(packed).ok()?)?.min(next);
        self.data = bytes.get(data..data_end)?.to_vec();
        self.behind = bytes.get(data_end..next)?.to_vec();
        Some(())
    }
}

/// Where the zip64 end record is, and the entries and the place of the directory that it tells.
fn wide_end(bytes: &[u8], end: usize) -> Option<(usize, usize, usize)> {
    let locator = end.checked_sub(20)?;
    bytes.get(locator..)?.starts_with(b"PK\x06\x07").then_some(())?;
    let at = usize::try_from(four(bytes, locator + 8)?).ok().filter(|at| *at < locator)?;
    bytes.get(at..)?.starts_with(b"PK\x06\x06").then_some(())?;
    Some((at, usize::try_from(four(bytes, at + 32)?).ok()?, usize::try_from(four(bytes, at + 48)?).ok()?))
}

/// The packed size in a zip64 field that also has the unpacked one.
fn wide_packed(extra: &[u8]) -> Option<u32> {
    let at = extra.windows(4).position(|field| field == b"\x01\0\x10\0")?;
    four(extra, at + 12)
}

pub(crate) fn two(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|two| u16::from_le_bytes(*two))
}

pub(crate) fn four(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four))
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
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is to wrap")]
fn wrapped16(value: i64) -> u16 {
    value as u16
}

/// A lie may leave the field; what is cut off is no less a lie.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is to wrap")]
fn wrapped(value: i64) -> u32 {
    value as u32
}

pub(crate) fn checksum(content: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    crc.sum()
}

pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(content).expect("memory takes everything");
    packer.finish().expect("memory takes everything")
}
