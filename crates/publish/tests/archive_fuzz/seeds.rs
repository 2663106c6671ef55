//! Archives to start from, in each form that real tools write. They are generated, so the repository has no binary
//! files.

use std::io::{Cursor, Write};
use std::sync::LazyLock;

use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use super::zip_parts::{Member, ZipParts};

/// The seeds. Most of them have the same few files.
pub(crate) fn seeds() -> &'static [Vec<u8>] {
    static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(make);
    &SEEDS
}

fn make() -> Vec<Vec<u8>> {
    let page = b"<!doctype html><title>t</title><p>text text text text</p>";
    let plain = |deflated| {
        vec![
            Member::valid(b"index.html", page, deflated),
            Member::valid(b"a/style.css", b"a{color:red}", false),
            Member::valid(b".well-known/x", b"", deflated),
        ]
    };
    let mut seeds = vec![
        ZipParts::of(plain(false)).to_bytes(),
        ZipParts::of(plain(true)).to_bytes(),
        packed(page, CompressionMethod::Deflated, false),
        packed(page, CompressionMethod::Stored, true),
        streamed(page),
    ];
    for (signature, zip64) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut parts = ZipParts::of(plain(true));
        parts.members.iter_mut().for_each(|member| member.stream(signature, zip64, false));
        seeds.push(parts.to_bytes());
    }
    let mut folders = ZipParts::of(plain(true));
    folders.members.insert(0, Member { attributes: 0o040_755 << 16 | 0x10, ..Member::valid(b"a/", b"", false) });
    folders.members.push(Member::valid(b"__MACOSX/._index.html", b"\0\x05\x16\x07", false));
    folders.members.push(Member::valid("é/ü.html".as_bytes(), page, true));
    folders.members.iter_mut().for_each(|member| {
        member.local.flags |= 1 << 11;
        member.central.flags |= 1 << 11;
        member.local.extra = b"UT\x05\0\x01\0\0\0\0".to_vec();
        member.central.extra = b"UT\x05\0\x01\0\0\0\0".to_vec();
    });
    folders.order = (0..folders.members.len()).rev().collect();
    folders.end.comment = b"built by a tool".to_vec();
    seeds.push(folders.to_bytes());
    folders.members.push(linked(b"latest", b"a"));
    folders.members.push(linked(b"a/home.html", b"../index.html"));
    folders.order.extend([folders.members.len() - 2, folders.members.len() - 1]);
    seeds.push(folders.to_bytes());
    // As old tools of Windows write it.
    let mut windows = ZipParts::of(vec![
        Member::valid(b"index.html", page, true),
        Member::valid(b"css\\style.css", b"a{}", false),
        Member::valid(b"empty\\", b"", false),
        Member::valid(b"caf\x82.html", page, true),
    ]);
    windows.members.iter_mut().for_each(|member| member.made_by = 20);
    seeds.push(windows.to_bytes());
    seeds.push(
        ZipParts::of(vec![
            Member::valid(b"./", b"", false),
            Member::valid(b"./index.html", page, true),
            Member::valid(b"./a/style.css", b"a{}", false),
        ])
        .to_bytes(),
    );
    folders.end.zip64 = Some(0);
    seeds.push(folders.to_bytes());
    seeds.push(ZipParts::of(vec![Member::valid(b"inner.zip", &seeds[0], false)]).to_bytes());
    // More than one read of compressed bytes, and more than one chunk of uncompressed bytes.
    let long: Vec<u8> = (0..150_000_u32).map(|n| (n.wrapping_mul(n) >> 8).to_le_bytes()[0]).collect();
    seeds
        .push(ZipParts::of(vec![Member::valid(b"long.bin", &long, true), Member::valid(b"z", b"z", false)]).to_bytes());
    seeds
}

fn linked(name: &[u8], target: &[u8]) -> Member {
    Member { attributes: 0o120_777 << 16, made_by: 0x031e, ..Member::valid(name, target, false) }
}

fn options(method: CompressionMethod, zip64: bool) -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(method).large_file(zip64)
}

fn packed(page: &[u8], method: CompressionMethod, zip64: bool) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["index.html", "b/page.html"] {
        writer.start_file(name, options(method, zip64)).expect("a valid name");
        writer.write_all(page).expect("writes to memory cannot fail");
    }
    writer.add_directory("empty", options(method, false)).expect("a valid name");
    writer.finish().expect("writes to memory cannot fail").into_inner()
}

fn streamed(page: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer: ZipWriter<StreamWriter<&mut Vec<u8>>> = ZipWriter::new_stream(&mut bytes);
    for name in ["index.html", "b/page.html"] {
        writer.start_file(name, options(CompressionMethod::Deflated, false)).expect("a valid name");
        writer.write_all(page).expect("writes to memory cannot fail");
    }
    writer.finish().expect("writes to memory cannot fail");
    bytes
}
