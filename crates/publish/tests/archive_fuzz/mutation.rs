//! Random changes to an archive that could make two readers disagree: wrong values in one header or in both, moved,
//! repeated and nested entries, and extra fields that some readers use. The result depends only on the input and the
//! random numbers.

use fastrand::Rng;

use super::seeds::seeds;
use super::zip_parts::{Header, Member, ZipParts, checksum, deflate};

/// Archives above this size, in bytes, are not made larger.
const LARGE: usize = 200_000;

/// Changes an archive in one to four ways. Bytes that are not an archive are changed at random, or replaced by a seed.
pub(crate) fn mutate(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let Some(mut parts) = ZipParts::parse(bytes) else {
        if bytes.len() < 22 || rng.u8(..8) == 0 {
            return pick(seeds(), rng).clone();
        }
        let mut bytes = bytes.to_vec();
        corrupt_record(&mut bytes, rng);
        return bytes;
    };
    for _ in 0..rng.u8(1..=4) {
        change(&mut parts, rng);
    }
    let mut bytes = parts.to_bytes();
    if rng.u8(..6) == 0 {
        corrupt_record(&mut bytes, rng);
    }
    bytes
}

/// Inserts entries of another archive.
pub(crate) fn cross(one: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let (Some(mut parts), Some(donor)) = (ZipParts::parse(one), ZipParts::parse(other)) else { return one.to_vec() };
    for member in donor.members {
        if rng.bool() && parts.to_bytes().len() < LARGE {
            insert(&mut parts, member, rng);
        }
    }
    parts.to_bytes()
}

fn pick<'a, T>(from: &'a [T], rng: &mut Rng) -> &'a T {
    &from[rng.usize(..from.len())]
}

/// A number that is likely to break a reader.
fn edge_value(near: u32, rng: &mut Rng) -> u32 {
    match rng.u8(..8) {
        0 => 0,
        1 => u32::MAX,
        2 => u32::MAX - 1,
        3 => near.wrapping_add(1),
        4 => near.wrapping_sub(1),
        5 => 1 << rng.u32(..32),
        6 => near.wrapping_add(rng.u32(..64)),
        _ => rng.u32(..),
    }
}

fn small_shift(rng: &mut Rng) -> i64 {
    match rng.u8(..4) {
        0 => 1,
        1 => -1,
        2 => rng.i64(-100..100),
        _ => rng.i64(-70_000..70_000),
    }
}

/// Edits one of the two headers, or both.
fn edit_headers(member: &mut Member, rng: &mut Rng, edit: impl Fn(&mut Header)) {
    match rng.u8(..4) {
        0 => edit(&mut member.local),
        1 => edit(&mut member.central),
        _ => {
            edit(&mut member.local);
            edit(&mut member.central);
        }
    }
}

fn change(parts: &mut ZipParts, rng: &mut Rng) {
    if parts.members.is_empty() {
        insert(parts, Member::valid(b"new", b"new", rng.bool()), rng);
        return;
    }
    match rng.u8(..20) {
        0..=4 => change_layout(parts, rng),
        5..=6 => change_end(parts, rng),
        7 => {
            let whole = parts.to_bytes();
            if whole.len() < LARGE / 2 {
                let at = rng.usize(..parts.members.len());
                parts.members[at].fill(&whole, rng.bool());
            }
        }
        _ => {
            let names: Vec<Vec<u8>> = parts.members.iter().map(|member| member.central.name.clone()).collect();
            let at = rng.usize(..parts.members.len());
            change_member(&mut parts.members[at], &names, rng);
        }
    }
}

fn insert(parts: &mut ZipParts, member: Member, rng: &mut Rng) {
    let at = rng.usize(..=parts.members.len());
    parts.order.iter_mut().filter(|index| **index >= at).for_each(|index| *index += 1);
    parts.members.insert(at, member);
    parts.order.insert(rng.usize(..=parts.order.len()), at);
}

fn change_layout(parts: &mut ZipParts, rng: &mut Rng) {
    let at = rng.usize(..parts.members.len());
    match rng.u8(..9) {
        0 => {
            parts.members.remove(at);
            parts.order.retain(|index| *index != at);
            parts.order.iter_mut().filter(|index| **index > at).for_each(|index| *index -= 1);
        }
        1 if parts.to_bytes().len() < LARGE => {
            let twin = parts.members[at].clone();
            insert(parts, twin, rng);
        }
        2 => {
            let other = rng.usize(..parts.members.len());
            parts.members.swap(at, other);
        }
        3 => rng.shuffle(&mut parts.order),
        // A central header without an entry, or an entry without a central header.
        4 => parts.order.push(at),
        5 => {
            parts.order.pop();
        }
        6 => parts.members[at].shift = small_shift(rng),
        7 => {
            // An entry within the content of another.
            let inner = ZipParts::of(vec![parts.members[at].clone()]).to_bytes();
            let outer = rng.usize(..parts.members.len());
            if inner.len() < LARGE / 2 {
                parts.members[outer].fill(&inner, false);
            }
        }
        _ => {
            let position = pick(&[0, 1, 2], rng);
            let bytes = stray(rng);
            match position {
                0 => parts.before = bytes,
                1 => parts.before_directory = bytes,
                _ => parts.members[at].after_data = bytes,
            }
        }
    }
}

fn change_end(parts: &mut ZipParts, rng: &mut Rng) {
    match rng.u8(..11) {
        9 => (parts.end.zip64, parts.end.repeats) = (Some(0), rng.bool()),
        10 => {
            parts.end.zip64 = parts.end.zip64.or(Some(0));
            parts.end.zip64_shifts[rng.usize(..3)] = small_shift(rng);
        }
        0 => parts.end.count = small_shift(rng),
        1 => parts.end.directory_size = small_shift(rng),
        2 => parts.end.directory_offset = small_shift(rng),
        3 => parts.end.zip64 = Some(if rng.bool() { 0 } else { small_shift(rng) }),
        4 => parts.end.disk = pick(&[0, 1, u16::MAX], rng).to_owned(),
        5 => parts.end.comment = stray(rng),
        6 => parts.before_end = stray(rng),
        7 => parts.after = stray(rng),
        _ => {
            // A second archive in the comment of the first.
            let other = pick(seeds(), rng).clone();
            parts.end.comment = if other.len() < 60_000 { other } else { Vec::new() };
        }
    }
}

/// Bytes to insert where none belong.
fn stray(rng: &mut Rng) -> Vec<u8> {
    match rng.u8(..5) {
        0 => Vec::new(),
        1 => b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
        2 => vec![0; pick(&[1, 3, 4, 12, 16, 20, 24, 76], rng).to_owned()],
        3 => ZipParts::of(vec![Member::valid(b"stray", b"stray", false)]).to_bytes(),
        _ => (0..rng.usize(..40)).map(|_| rng.u8(..)).collect(),
    }
}

fn change_member(member: &mut Member, names: &[Vec<u8>], rng: &mut Rng) {
    match rng.u8(..12) {
        0 | 1 => {
            let name = name(names, rng);
            edit_headers(member, rng, |header| header.name.clone_from(&name));
        }
        2 => {
            let content = content(rng);
            let deflated = content.len() > LARGE || rng.bool();
            member.fill(&content, deflated);
        }
        3 => {
            let method = pick(&[0, 8, 8, 9, 12, 14, 93, 99], rng).to_owned();
            edit_headers(member, rng, |header| header.method = method);
        }
        4 => {
            let flag = 1 << pick(&[0, 1, 2, 3, 5, 6, 11, 11, 13], rng);
            edit_headers(member, rng, |header| header.flags ^= flag);
        }
        5 => {
            member.stream(rng.bool(), rng.bool(), rng.bool());
            if rng.u8(..4) == 0
                && let Some(byte) = member.after_data.len().checked_sub(1).map(|last| rng.usize(..=last))
            {
                member.after_data[byte] ^= 1 << rng.u8(..8);
            }
        }
        6 => {
            let (compressed_size, size) =
                (edge_value(member.central.compressed_size, rng), edge_value(member.central.size, rng));
            let which = rng.u8(..3);
            edit_headers(member, rng, |header| match which {
                0 => header.compressed_size = compressed_size,
                1 => header.size = size,
                _ => (header.compressed_size, header.size) = (compressed_size, size),
            });
        }
        7 => {
            let crc32 = pick(&[0, u32::MAX, member.central.crc32 ^ 1, checksum(b"new")], rng).to_owned();
            edit_headers(member, rng, |header| header.crc32 = crc32);
        }
        8 | 9 => {
            let field = field(member, rng);
            let replace = rng.u8(..4) == 0;
            edit_headers(member, rng, |header| {
                if replace {
                    header.extra.clear();
                }
                header.extra.extend_from_slice(&field);
            });
        }
        10 => {
            member.attributes = pick(
                &[0, 0o100_644 << 16, 0o120_777 << 16, 0o040_755 << 16, 0o040_755 << 16 | 0x10, 0x10, 0x400, u32::MAX],
                rng,
            )
            .to_owned();
            member.made_by = pick(&[0, 20, 0x031e, 0x0a14, 0x131e], rng).to_owned();
        }
        _ => corrupt_data(member, rng),
    }
}

/// Makes the compressed bytes disagree with the headers.
fn corrupt_data(member: &mut Member, rng: &mut Rng) {
    match rng.u8(..4) {
        0 => {
            // Counted as compressed bytes, but not part of the content.
            let padding = stray(rng);
            let more = u32::try_from(padding.len()).unwrap_or(0);
            member.data.extend_from_slice(&padding);
            member.local.compressed_size = member.local.compressed_size.wrapping_add(more);
            member.central.compressed_size = member.central.compressed_size.wrapping_add(more);
        }
        1 => {
            let fewer = rng.usize(..=member.data.len());
            member.data.truncate(fewer);
        }
        2 => member.data = deflate(&content(rng)),
        _ => {
            if let Some(last) = member.data.len().checked_sub(1) {
                let at = rng.usize(..=last);
                member.data[at] ^= 1 << rng.u8(..8);
            }
        }
    }
}

fn name(names: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    const NAMES: [&[u8]; 27] = [
        b"",
        b"a",
        b"A",
        b"a/b",
        b"a/",
        b"../x",
        b"/x",
        b"C:x",
        b"a\\b",
        b"x\0y",
        b"x\ny",
        b"a//b",
        b"./a",
        b"./",
        b"a/./b",
        b"b\\c",
        b"b\\",
        b"\x83\x5c",
        b".",
        b"..",
        b"\xc3\xa9",
        b"e\xcc\x81",
        b"caf\x82",
        b".well-known/x",
        b"__MACOSX/._x",
        b"con",
        b"a ",
    ];
    match rng.u8(..6) {
        0 => pick(names, rng).clone(),
        1 => pick(names, rng).to_ascii_uppercase(),
        2 => [pick(names, rng).as_slice(), b"/"].concat(),
        3 => [pick(names, rng).as_slice(), b"/x"].concat(),
        _ => pick(&NAMES, rng).to_vec(),
    }
}

fn content(rng: &mut Rng) -> Vec<u8> {
    match rng.u8(..6) {
        0 => Vec::new(),
        1 => b"new".to_vec(),
        // The target of a link.
        5 => pick(&[&b"index.html"[..], b"a", b"../a", b"a/../b", b".", b"/x", b"../.."], rng).to_vec(),
        2 => vec![b'x'; rng.usize(..70_000)],
        3 => (0..rng.usize(..3_000)).map(|_| rng.u8(..)).collect(),
        _ => vec![0; 1 << 20],
    }
}

/// An extra field: valid, invalid or cut off.
fn field(member: &Member, rng: &mut Rng) -> Vec<u8> {
    let zip64 = |sizes: &[u32]| sizes.iter().flat_map(|size| u64::from(*size).to_le_bytes()).collect::<Vec<u8>>();
    let header = &member.central;
    let unicode = |name: &[u8], crc32: u32| [&[1][..], &crc32.to_le_bytes(), name].concat();
    let (id, data): (u16, Vec<u8>) = match rng.u8(..10) {
        0 => (1, zip64(&[header.size, header.compressed_size])),
        1 => (1, zip64(&[edge_value(header.size, rng), edge_value(header.compressed_size, rng)])),
        2 => (1, zip64(&[header.size])),
        3 => (1, zip64(&[header.size, header.compressed_size, 0])),
        4 => (0x7075, unicode(&header.name, checksum(&header.name))),
        5 => (0x7075, unicode(b"other.html", checksum(&header.name))),
        6 => (0x000d, vec![b'x'; rng.usize(..30)]),
        7 => (0x756e, vec![b'x'; rng.usize(..30)]),
        8 => (0x9901, b"\x02\0AE\x03\x08\0".to_vec()),
        _ => (rng.u16(..), vec![0; rng.usize(..20)]),
    };
    let length = if rng.u8(..8) == 0 { rng.u16(..) } else { u16::try_from(data.len()).unwrap_or(u16::MAX) };
    [&id.to_le_bytes()[..], &length.to_le_bytes(), &data].concat()
}

/// Changes a byte or a number in a record that is found by its signature, or anywhere.
fn corrupt_record(bytes: &mut [u8], rng: &mut Rng) {
    let signatures: Vec<usize> =
        bytes.windows(2).enumerate().filter(|(_, bytes)| *bytes == b"PK").map(|(at, _)| at).take(200).collect();
    let within = signatures.get(rng.usize(..=signatures.len())).map_or(0, |at| at + rng.usize(..46));
    let at = if within < bytes.len() && rng.u8(..4) > 0 { within } else { rng.usize(..=bytes.len()) };
    if rng.bool() {
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << rng.u8(..8);
        }
    } else if let Some(number) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>) {
        *number = edge_value(u32::from_le_bytes(*number), rng).to_le_bytes();
    }
}
