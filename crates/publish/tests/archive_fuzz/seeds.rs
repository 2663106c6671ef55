//! Archives to start from: what packers really write, in each of the forms that the format has for it.
//!
//! Owns the seeds. They are made, not kept: nothing binary lies in the repository.

use std::io::{Cursor, Write};
use std::sync::LazyLock;

use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use super::form::{Form, Member};

/// Each with the same few files.
pub(crate) fn seeds() -> &'static [Vec<u8>] {
    static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(make);
    &SEEDS
}

fn make() -> Vec<Vec<u8>> {
    let page = b"<!doctype html><title>t</title><p>text text text text</p>";
    let plain = |deflated| {
        vec![
            Member::honest(b"index.html", page, deflated),
            Member::honest(b"a/style.css", b"a{color:red}", false),
            Member::honest(b".well-known/x", b"", deflated),
        ]
    };
    let mut seeds = vec![
        Form::of(plain(false)).to_bytes(),
        Form::of(plain(true)).to_bytes(),
        packed(page, CompressionMethod::Deflated, false),
        packed(page, CompressionMethod::Stored, true),
        streamed(page),
    ];
    for (signature, wide) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut form = Form::of(plain(true));
        form.members.iter_mut().for_each(|member| member.stream(signature, wide, false));
        seeds.push(form.to_bytes());
    }
    let mut folders = Form::of(plain(true));
    folders.members.insert(0, Member { attributes: 0o040_755 << 16 | 0x10, ..Member::honest(b"a/", b"", false) });
    folders.members.push(Member::honest(b"__MACOSX/._index.html", b"\0\x05\x16\x07", false));
    folders.members.push(Member::honest("é/ü.html".as_bytes(), page, true));
    folders.members.iter_mut().for_each(|member| {
        member.local.flags |= 1 << 11;
        member.central.flags |= 1 << 11;
        member.local.extra = b"UT\x05\0\x01\0\0\0\0".to_vec();
        member.central.extra = b"UT\x05\0\x01\0\0\0\0".to_vec();
    });
    folders.order = (0..folders.members.len()).rev().collect();
    folders.end.comment = b"built by a tool".to_vec();
    seeds.push(folders.to_bytes());
    folders.end.wide = Some(0);
    seeds.push(folders.to_bytes());
    seeds.push(Form::of(vec![Member::honest(b"inner.zip", &seeds[0], false)]).to_bytes());
    // More than one read of packed bytes, and more than one block of unpacked ones.
    let long: Vec<u8> = (0..150_000_u32).map(|n| (n.wrapping_mul(n) >> 8).to_le_bytes()[0]).collect();
    seeds.push(Form::of(vec![Member::honest(b"long.bin", &long, true), Member::honest(b"z", b"z", false)]).to_bytes());
    seeds
}

fn options(method: CompressionMethod, wide: bool) -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(method).large_file(wide)
}

fn packed(page: &[u8], method: CompressionMethod, wide: bool) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["index.html", "b/page.html"] {
        writer.start_file(name, options(method, wide)).expect("a name that can be packed");
        writer.write_all(page).expect("memory takes everything");
    }
    writer.add_directory("empty", options(method, false)).expect("a name that can be packed");
    writer.finish().expect("memory takes everything").into_inner()
}

fn streamed(page: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer: ZipWriter<StreamWriter<&mut Vec<u8>>> = ZipWriter::new_stream(&mut bytes);
    for name in ["index.html", "b/page.html"] {
        writer.start_file(name, options(CompressionMethod::Deflated, false)).expect("a name that can be packed");
        writer.write_all(page).expect("memory takes everything");
    }
    writer.finish().expect("memory takes everything");
    bytes
}
