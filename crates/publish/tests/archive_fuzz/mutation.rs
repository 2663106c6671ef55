//! Changes to an archive of the kinds that tell two readers of it apart: lies in one header or in both, moved, repeated and
//! nested entries, and extra fields that other readers listen to.
//!
//! Owns the choice. What comes out is a function of what goes in and the dice.

use fastrand::Rng;

use super::form::{Form, Header, Member, checksum, deflate};
use super::seeds::seeds;

/// Bytes of an archive above which it is not made larger.
const LARGE: usize = 200_000;

/// Changes an archive in one to four ways. What is none is changed as bytes, or replaced by a seed.
pub(crate) fn mutate(bytes: &[u8], dice: &mut Rng) -> Vec<u8> {
    let Some(mut form) = Form::parse(bytes) else {
        if bytes.len() < 22 || dice.u8(..8) == 0 {
            return pick(seeds(), dice).clone();
        }
        let mut bytes = bytes.to_vec();
        spoil_record(&mut bytes, dice);
        return bytes;
    };
    for _ in 0..dice.u8(1..=4) {
        change(&mut form, dice);
    }
    let mut bytes = form.to_bytes();
    if dice.u8(..6) == 0 {
        spoil_record(&mut bytes, dice);
    }
    bytes
}

/// Brings entries of another archive into this one.
pub(crate) fn cross(one: &[u8], other: &[u8], dice: &mut Rng) -> Vec<u8> {
    let (Some(mut form), Some(guest)) = (Form::parse(one), Form::parse(other)) else { return one.to_vec() };
    for member in guest.members {
        if dice.bool() && form.to_bytes().len() < LARGE {
            insert(&mut form, member, dice);
        }
    }
    form.to_bytes()
}

fn pick<'a, T>(from: &'a [T], dice: &mut Rng) -> &'a T {
    &from[dice.usize(..from.len())]
}

/// A number that a careless reader trips over.
fn odd(near: u32, dice: &mut Rng) -> u32 {
    match dice.u8(..8) {
        0 => 0,
        1 => u32::MAX,
        2 => u32::MAX - 1,
        3 => near.wrapping_add(1),
        4 => near.wrapping_sub(1),
        5 => 1 << dice.u32(..32),
        6 => near.wrapping_add(dice.u32(..64)),
        _ => dice.u32(..),
    }
}

fn small_shift(dice: &mut Rng) -> i64 {
    match dice.u8(..4) {
        0 => 1,
        1 => -1,
        2 => dice.i64(-100..100),
        _ => dice.i64(-70_000..70_000),
    }
}

/// Which of the two headers a change reaches.
fn reach(member: &mut Member, dice: &mut Rng, edit: impl Fn(&mut Header)) {
    match dice.u8(..4) {
        0 => edit(&mut member.local),
        1 => edit(&mut member.central),
        _ => {
            edit(&mut member.local);
            edit(&mut member.central);
        }
    }
}

fn change(form: &mut Form, dice: &mut Rng) {
    if form.members.is_empty() {
        insert(form, Member::honest(b"new", b"new", dice.bool()), dice);
        return;
    }
    match dice.u8(..20) {
        0..=4 => change_layout(form, dice),
        5..=6 => change_end(form, dice),
        7 => {
            let whole = form.to_bytes();
            if whole.len() < LARGE / 2 {
                let at = dice.usize(..form.members.len());
                form.members[at].fill(&whole, dice.bool());
            }
        }
        _ => {
            let names: Vec<Vec<u8>> = form.members.iter().map(|member| member.central.name.clone()).collect();
            let at = dice.usize(..form.members.len());
            change_member(&mut form.members[at], &names, dice);
        }
    }
}

fn insert(form: &mut Form, member: Member, dice: &mut Rng) {
    let at = dice.usize(..=form.members.len());
    form.order.iter_mut().filter(|place| **place >= at).for_each(|place| *place += 1);
    form.members.insert(at, member);
    form.order.insert(dice.usize(..=form.order.len()), at);
}

fn change_layout(form: &mut Form, dice: &mut Rng) {
    let at = dice.usize(..form.members.len());
    match dice.u8(..9) {
        0 => {
            form.members.remove(at);
            form.order.retain(|place| *place != at);
            form.order.iter_mut().filter(|place| **place > at).for_each(|place| *place -= 1);
        }
        1 if form.to_bytes().len() < LARGE => {
            let twin = form.members[at].clone();
            insert(form, twin, dice);
        }
        2 => {
            let other = dice.usize(..form.members.len());
            form.members.swap(at, other);
        }
        3 => dice.shuffle(&mut form.order),
        // A header in the directory without an entry, or an entry without a header.
        4 => form.order.push(at),
        5 => {
            form.order.pop();
        }
        6 => form.members[at].shift = small_shift(dice),
        7 => {
            // An entry within the content of another.
            let inner = Form::of(vec![form.members[at].clone()]).to_bytes();
            let outer = dice.usize(..form.members.len());
            if inner.len() < LARGE / 2 {
                form.members[outer].fill(&inner, false);
            }
        }
        _ => {
            let place = pick(&[0, 1, 2], dice);
            let bytes = stray(dice);
            match place {
                0 => form.before = bytes,
                1 => form.before_directory = bytes,
                _ => form.members[at].behind = bytes,
            }
        }
    }
}

fn change_end(form: &mut Form, dice: &mut Rng) {
    match dice.u8(..11) {
        9 => (form.end.wide, form.end.repeats) = (Some(0), dice.bool()),
        10 => {
            form.end.wide = form.end.wide.or(Some(0));
            form.end.wide_lie[dice.usize(..3)] = small_shift(dice);
        }
        0 => form.end.count = small_shift(dice),
        1 => form.end.directory_size = small_shift(dice),
        2 => form.end.directory_offset = small_shift(dice),
        3 => form.end.wide = Some(if dice.bool() { 0 } else { small_shift(dice) }),
        4 => form.end.disk = pick(&[0, 1, u16::MAX], dice).to_owned(),
        5 => form.end.comment = stray(dice),
        6 => form.before_end = stray(dice),
        7 => form.after = stray(dice),
        _ => {
            // A second archive in the comment of the first.
            let other = pick(seeds(), dice).clone();
            form.end.comment = if other.len() < 60_000 { other } else { Vec::new() };
        }
    }
}

/// Bytes where none should be.
fn stray(dice: &mut Rng) -> Vec<u8> {
    match dice.u8(..5) {
        0 => Vec::new(),
        1 => b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
        2 => vec![0; pick(&[1, 3, 4, 12, 16, 20, 24, 76], dice).to_owned()],
        3 => Form::of(vec![Member::honest(b"stray", b"stray", false)]).to_bytes(),
        _ => (0..dice.usize(..40)).map(|_| dice.u8(..)).collect(),
    }
}

fn change_member(member: &mut Member, names: &[Vec<u8>], dice: &mut Rng) {
    match dice.u8(..12) {
        0 | 1 => {
            let name = name(names, dice);
            reach(member, dice, |header| header.name.clone_from(&name));
        }
        2 => {
            let content = content(dice);
            let deflated = content.len() > LARGE || dice.bool();
            member.fill(&content, deflated);
        }
        3 => {
            let method = pick(&[0, 8, 8, 9, 12, 14, 93, 99], dice).to_owned();
            reach(member, dice, |header| header.method = method);
        }
        4 => {
            let flag = 1 << pick(&[0, 1, 2, 3, 5, 6, 11, 11, 13], dice);
            reach(member, dice, |header| header.flags ^= flag);
        }
        5 => {
            member.stream(dice.bool(), dice.bool(), dice.bool());
            if dice.u8(..4) == 0
                && let Some(byte) = member.behind.len().checked_sub(1).map(|last| dice.usize(..=last))
            {
                member.behind[byte] ^= 1 << dice.u8(..8);
            }
        }
        6 => {
            let (packed, size) = (odd(member.central.packed, dice), odd(member.central.size, dice));
            let which = dice.u8(..3);
            reach(member, dice, |header| match which {
                0 => header.packed = packed,
                1 => header.size = size,
                _ => (header.packed, header.size) = (packed, size),
            });
        }
        7 => {
            let crc32 = pick(&[0, u32::MAX, member.central.crc32 ^ 1, checksum(b"new")], dice).to_owned();
            reach(member, dice, |header| header.crc32 = crc32);
        }
        8 | 9 => {
            let field = field(member, dice);
            let instead = dice.u8(..4) == 0;
            reach(member, dice, |header| {
                if instead {
                    header.extra.clear();
                }
                header.extra.extend_from_slice(&field);
            });
        }
        10 => {
            member.attributes = pick(
                &[0, 0o100_644 << 16, 0o120_777 << 16, 0o040_755 << 16, 0o040_755 << 16 | 0x10, 0x10, 0x400, u32::MAX],
                dice,
            )
            .to_owned();
            member.made_by = pick(&[0, 20, 0x031e, 0x0a14, 0x131e], dice).to_owned();
        }
        _ => spoil_data(member, dice),
    }
}

/// Packed bytes that do not give what the headers say.
fn spoil_data(member: &mut Member, dice: &mut Rng) {
    match dice.u8(..4) {
        0 => {
            // Counted as packed bytes, but no part of the content.
            let padding = stray(dice);
            let more = u32::try_from(padding.len()).unwrap_or(0);
            member.data.extend_from_slice(&padding);
            member.local.packed = member.local.packed.wrapping_add(more);
            member.central.packed = member.central.packed.wrapping_add(more);
        }
        1 => {
            let fewer = dice.usize(..=member.data.len());
            member.data.truncate(fewer);
        }
        2 => member.data = deflate(&content(dice)),
        _ => {
            if let Some(last) = member.data.len().checked_sub(1) {
                let at = dice.usize(..=last);
                member.data[at] ^= 1 << dice.u8(..8);
            }
        }
    }
}

fn name(names: &[Vec<u8>], dice: &mut Rng) -> Vec<u8> {
    const NAMES: [&[u8]; 22] = [
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
    match dice.u8(..6) {
        0 => pick(names, dice).clone(),
        1 => pick(names, dice).to_ascii_uppercase(),
        2 => [pick(names, dice).as_slice(), b"/"].concat(),
        3 => [pick(names, dice).as_slice(), b"/x"].concat(),
        _ => pick(&NAMES, dice).to_vec(),
    }
}

fn content(dice: &mut Rng) -> Vec<u8> {
    match dice.u8(..5) {
        0 => Vec::new(),
        1 => b"new".to_vec(),
        2 => vec![b'x'; dice.usize(..70_000)],
        3 => (0..dice.usize(..3_000)).map(|_| dice.u8(..)).collect(),
        _ => vec![0; 1 << 20],
    }
}

/// An extra field, right, wrong or cut off.
fn field(member: &Member, dice: &mut Rng) -> Vec<u8> {
    let wide = |sizes: &[u32]| sizes.iter().flat_map(|size| u64::from(*size).to_le_bytes()).collect::<Vec<u8>>();
    let header = &member.central;
    let unicode = |name: &[u8], crc32: u32| [&[1][..], &crc32.to_le_bytes(), name].concat();
    let (id, data): (u16, Vec<u8>) = match dice.u8(..10) {
        0 => (1, wide(&[header.size, header.packed])),
        1 => (1, wide(&[odd(header.size, dice), odd(header.packed, dice)])),
        2 => (1, wide(&[header.size])),
        3 => (1, wide(&[header.size, header.packed, 0])),
        4 => (0x7075, unicode(&header.name, checksum(&header.name))),
        5 => (0x7075, unicode(b"other.html", checksum(&header.name))),
        6 => (0x000d, vec![b'x'; dice.usize(..30)]),
        7 => (0x756e, vec![b'x'; dice.usize(..30)]),
        8 => (0x9901, b"\x02\0AE\x03\x08\0".to_vec()),
        _ => (dice.u16(..), vec![0; dice.usize(..20)]),
    };
    let length = if dice.u8(..8) == 0 { dice.u16(..) } else { u16::try_from(data.len()).unwrap_or(u16::MAX) };
    [&id.to_le_bytes()[..], &length.to_le_bytes(), &data].concat()
}

/// Changes a byte or a number within a record that can be found by its signature.
fn spoil_record(bytes: &mut [u8], dice: &mut Rng) {
    let places: Vec<usize> =
        bytes.windows(2).enumerate().filter(|(_, two)| *two == b"PK").map(|(at, _)| at).take(200).collect();
    let within = places.get(dice.usize(..=places.len())).map_or(0, |at| at + dice.usize(..46));
    let at = if within < bytes.len() && dice.u8(..4) > 0 { within } else { dice.usize(..=bytes.len()) };
    if dice.bool() {
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << dice.u8(..8);
        }
    } else if let Some(number) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>) {
        *number = odd(u32::from_le_bytes(*number), dice).to_le_bytes();
    }
}
