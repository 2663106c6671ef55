//! Archives that must be refused, and archives that are only unusual: for each rule, the bytes that break it.

use std::sync::Arc;

use futures::StreamExt;
use tidegate_core::config::ArchiveLimits;
use tidegate_core::sanitize::sanitize_name;
use tidegate_publish::source::{SourceError, SourceOptions, open as open_source};

use crate::memory_s3::MemoryS3;
use crate::support::*;

fn plain() -> Entry {
    entry("a.txt", b"hello")
}

#[tokio::test]
async fn refuses_names_that_escape_the_site() {
    for name in
        ["../x", "/x", "C:/x", "c:x", "a\\..\\..\\x", "C:\\x", "a/../b", "x\0y", "./../x", ".//x", "a//b", "a\nb", ".."]
    {
        let message = refusal(zip(&[plain(), entry(name, b"x")])).await;
        assert!(message.contains(&sanitize_name(name)), "{name:?}: {message}");
    }
}

#[tokio::test]
async fn reports_all_refused_names_at_once() {
    let entries: Vec<Entry> = (0..25).map(|n| entry(&format!("../{n}"), b"x")).collect();
    let Err(SourceError::Names(names)) = open(zip(&entries)) else { panic!("the names must be refused") };
    assert_eq!((names.total(), names.shown().len()), (25, 20));
    let message = names.to_string();
    assert!(message.contains("`../0`") && message.contains("`../19`") && message.contains("and 5 more"), "{message}");
}

/// Entries that would be refused, each with a name that ends in `~`.
fn refused_entries() -> Vec<Entry> {
    let ends = |name: &[u8]| Entry { name: name.to_vec(), content: b"x".to_vec(), ..Entry::default() };
    vec![
        ends(b"../x~"),
        ends(b"C:\\x~"),
        ends(b"a//b~"),
        Entry { flags: 1 << 11, local_flags: Some(1 << 11), ..ends(b"latin-\xe9~") },
        ends(b"line\nbreak~"),
        Entry { extra: field(0x7075, b"\x01\0"), ..ends(b"cut-off-name~") },
        Entry { attributes: 0o120_777 << 16, ..ends(b"link~") },
        Entry { method: Some(12), local_method: Some(12), ..ends(b"bzip2~") },
        Entry { flags: 1, local_flags: Some(1), ..ends(b"encrypted~") },
        Entry { extra: field(0x000d, b"times and idsetc/passwd"), ..ends(b"pkware-link~") },
        Entry { deflate: true, content: vec![0; 30_000_000], ..ends(b"bomb~") },
        Entry { crc32: Some(1), ..ends(b"wrong-checksum~") },
    ]
}

#[tokio::test]
async fn excluded_entries_are_neither_checked_nor_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.zip");
    let source = path.to_str().unwrap().parse().unwrap();
    let s3 = Arc::new(MemoryS3::new(&[])).client();
    for entry in refused_entries() {
        let name = String::from_utf8_lossy(&entry.name).into_owned();
        std::fs::write(&path, zip(&[plain(), entry])).unwrap();
        assert!(open_source(&source, &s3, &SourceOptions::default()).await.is_err(), "{name}");
        let opened = open_source(&source, &s3, &excluding(&["*~"])).await.unwrap();
        assert_eq!(keys(&opened), ["a.txt"], "{name}");
        assert_eq!(excluded(&opened).len(), 1, "{name}");
    }
    // All bytes are still accounted for.
    let hidden = Entry { after_data: b"hidden".to_vec(), ..entry("x~", b"x") };
    let other = Entry { local_name: Some(b"index.html".to_vec()), ..entry("x~", b"x") };
    for (entry, why) in [(hidden, "belong to no entry"), (other, "another name")] {
        std::fs::write(&path, zip(&[plain(), entry])).unwrap();
        let message = open_source(&source, &s3, &excluding(&["*~"])).await.unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
    }
}

#[tokio::test]
async fn refuses_devices_and_links_in_extra_fields() {
    for attributes in [0o020_644_u32 << 16, 0o060_644 << 16, 0o010_644 << 16, 0o140_644 << 16, 0x400] {
        let message = refusal(zip(&[Entry { attributes, ..plain() }])).await;
        assert!(message.contains("`a.txt`") && message.contains("Windows link or a device"), "{message}");
    }
    let pkware = field(0x000d, b"times and idsetc/passwd");
    let infozip = field(0x756e, b"crc,mode,size,uid,/etc/passwd");
    for extra in [pkware, infozip] {
        let message = refusal(zip(&[Entry { extra, ..plain() }])).await;
        assert!(message.contains("is a link"), "{message}");
    }
    let regular = zip(&[Entry { attributes: 0o100_644 << 16, extra: field(0x000d, &[0; 12]), ..plain() }]);
    assert_eq!(keys(&open(regular).unwrap()), ["a.txt"]);
}

#[tokio::test]
async fn refuses_wrong_declared_sizes_before_the_last_byte() {
    let content = vec![b'x'; 100_000];
    let long = Entry { deflate: true, size: Some(10), ..entry("a.txt", &content) };
    let message = refusal(zip(std::slice::from_ref(&long))).await;
    assert!(message.contains("`a.txt`") && message.contains("more than the 10 bytes"), "{message}");
    let short = Entry { deflate: true, size: Some(200_000), ..entry("a.txt", &content) };
    let message = refusal(zip(&[short])).await;
    assert!(message.contains("less than the 200000 bytes"), "{message}");
    let stored = refusal(zip(&[Entry { size: Some(4), ..plain() }])).await;
    assert!(stored.contains("declares two sizes"), "{stored}");
    // Fewer bytes than declared are sent, then an error.
    let long = Entry { deflate: true, size: Some(600_000), ..entry("a.txt", &noise(700_000)) };
    let opened = open(zip(&[long])).unwrap();
    let mut body = opened.reader.stream(&key("a.txt")).await.unwrap();
    let mut sent = 0;
    let error = loop {
        match body.next().await.expect("an error before the end") {
            Ok(chunk) => sent += chunk.len(),
            Err(error) => break error.to_string(),
        }
    };
    assert!(sent < 600_000 && error.contains("more than the 600000 bytes"), "{sent}: {error}");
}

#[tokio::test]
async fn refuses_wrong_checksums() {
    for deflate in [false, true] {
        let message = refusal(zip(&[Entry { crc32: Some(7), deflate, ..plain() }])).await;
        assert!(message.contains("checksum"), "{message}");
    }
    let empty = refusal(zip(&[Entry { crc32: Some(7), ..entry("a.txt", b"") }])).await;
    assert!(empty.contains("checksum"), "{empty}");
    let opened = open(zip(&[Entry { crc32: Some(7), ..entry("a.txt", b"") }])).unwrap();
    assert!(opened.reader.stream(&key("a.txt")).await.is_err(), "an empty body must fail before it is sent");
}

#[tokio::test]
async fn refuses_damaged_or_trailing_compressed_data() {
    let message = refusal(zip(&[Entry { method: Some(8), ..entry("a.txt", &[0xff; 40]) }])).await;
    assert!(message.contains("cannot be unpacked"), "{message}");
    let message = refusal(zip(&[Entry { deflate: true, padding: b"hidden".to_vec(), ..plain() }])).await;
    assert!(message.contains("bytes after its compressed content"), "{message}");
}

#[tokio::test]
async fn enforces_limits_at_opening() {
    let limits = ArchiveLimits { entries: 2, entry_bytes: 2_000_000, total_bytes: 3_000_000, ratio: 50 };
    let message =
        |entries: &[Entry]| open_limited(zip(entries), limits).expect_err("the limit must be enforced").to_string();
    let megabyte = |name: &str, megabytes: usize| Entry { deflate: true, ..entry(name, &noise(megabytes * 1_000_000)) };
    let entries = message(&[plain(), entry("b", b""), entry("c", b"")]);
    assert!(entries.contains("3 entries, and the limit is 2"), "{entries}");
    assert!(entries.contains("raise `entries` of the site's `archive-limits` (`--archive-limit entries=NUMBER`)"));
    assert!(message(&[megabyte("big", 3)]).contains("`big` of 3000000 bytes, and the limit is 2000000"));
    assert!(message(&[megabyte("one", 2), megabyte("two", 2)]).contains("more than 3000000 bytes"));
    let zeros = Entry { deflate: true, ..entry("zeros", &vec![0; 2_000_000]) };
    assert!(message(&[zeros]).contains("`zeros`, which is compressed more than 50 to 1"));
    assert!(open_limited(zip(&[megabyte("one", 2), megabyte("two", 1)]), limits).is_ok());
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn refuses_too_many_entries() {
    let entries: Vec<Entry> = (0..65_534).map(|n| entry(&format!("{n}"), b"")).collect();
    let bytes = zip(&entries);
    assert_eq!(open(bytes.clone()).unwrap().artifact.len(), 65_534);
    let limits = ArchiveLimits { entries: 65_000, ..ArchiveLimits::default() };
    assert!(open_limited(bytes, limits).expect_err("too many entries").to_string().contains("65534 entries"));
}

#[tokio::test]
async fn refuses_local_headers_that_differ_from_the_directory() {
    let cases: Vec<(Entry, &str)> = vec![
        (Entry { local_name: Some(b"b.txt".to_vec()), ..plain() }, "another name"),
        (Entry { local_name: Some(b"a.txt/x".to_vec()), ..plain() }, "another name"),
        (Entry { local_method: Some(8), ..plain() }, "another method"),
        (Entry { local_size: Some(4), ..plain() }, "another size"),
        (Entry { local_compressed_size: Some(4), ..plain() }, "another size"),
        (Entry { local_crc32: Some(4), ..plain() }, "another checksum"),
        (Entry { local_flags: Some(1), ..plain() }, "another set of flags"),
        (Entry { local_extra: unicode_path(b"a.txt", "b.txt"), ..plain() }, "another name"),
    ];
    for (case, expected) in cases {
        let message = refusal(zip(&[case])).await;
        assert!(message.contains("`a.txt`") && message.contains(expected), "{expected}: {message}");
    }
    let message = refusal(zip(&[Entry { local_flags: Some(1 << 11), ..entry("é", b"") }])).await;
    assert!(message.contains("another set of flags"), "{message}");
    // The compression level says nothing of the content, the flag for UTF-8 nothing of a name in ASCII, and the flag for
    // a data descriptor nothing that the bytes do not show.
    for flag in [1 << 1, 1 << 2, 1 << 11] {
        for (flags, local_flags) in [(flag, 0), (0, flag)] {
            let opened = open(zip(&[Entry { flags, local_flags: Some(local_flags), ..plain() }])).unwrap();
            assert_eq!(read_all(&opened).await["a.txt"], b"hello");
        }
    }
    let descriptor = descriptor(b"hello", 5, true, false);
    for (flags, local_flags, after_data) in [(8, 0, Vec::new()), (0, 8, descriptor.clone())] {
        let streamed = Entry { flags, local_flags: Some(local_flags), after_data, ..plain() };
        assert_eq!(read_all(&open(zip(&[streamed])).unwrap()).await["a.txt"], b"hello");
    }
    for (flags, local_flags, after_data) in [(8, 0, descriptor), (0, 8, Vec::new())] {
        let message = refusal(zip(&[Entry { flags, local_flags: Some(local_flags), after_data, ..plain() }])).await;
        assert!(message.contains("belong to no entry"), "{message}");
    }
}

#[tokio::test]
async fn refuses_overlapping_entries() {
    let twice = refusal(zip(&[plain(), Entry { header_offset: Some(0), name: b"a.txt".to_vec(), ..plain() }])).await;
    assert!(twice.contains("overlaps"), "{twice}");
    // One entry's content holds another entry's header.
    let inner = &zip(&[entry("b.txt", b"inner")])[..30 + 5 + 5];
    let outer = Entry { content: inner.to_vec(), ..entry("a.txt", b"") };
    let nested = Entry { header_offset: Some(30 + 5), ..entry("b.txt", b"inner") };
    let message = refusal(zip(&[outer, nested])).await;
    assert!(message.contains("overlaps") || message.contains("belong to no entry"), "{message}");
    let beyond = refusal(zip(&[Entry { size: Some(5000), compressed_size: Some(5000), ..plain() }])).await;
    assert!(beyond.contains("overlaps the next entry or the directory"), "{beyond}");
}

#[tokio::test]
async fn refuses_bytes_outside_of_records() {
    let with = |end: End| zip_with(&[plain()], &end);
    for (case, expected) in [
        (with(End { before: b"#!/bin/sh\n".to_vec(), ..End::default() }), "bytes before its first entry"),
        (with(End { after: b"more".to_vec(), ..End::default() }), "bytes follow its end record"),
        (with(End { before_end: b"more".to_vec(), ..End::default() }), "a record is cut off"),
        (
            with(End { before_end: b"PK\x05\x05\x02\0ab".to_vec(), ..End::default() }),
            "between its directory and its end",
        ),
        (zip(&[Entry { after_data: b"more".to_vec(), ..plain() }]), "4 bytes after `a.txt` belong to no entry"),
        (zip(&[plain(), Entry { after_data: vec![0; 16], ..entry("b", b"") }]), "16 bytes after `b`"),
    ] {
        let message = refusal(case).await;
        assert!(message.contains(expected), "{expected}: {message}");
    }
    // Some tools correct the offsets of an archive that follows other bytes.
    let mut shifted =
        zip_with(&[Entry { header_offset: Some(4), ..plain() }], &End { before: b"MZ..".to_vec(), ..End::default() });
    let end = shifted.len() - 6;
    let offset = u32::from_le_bytes(shifted[end..end + 4].try_into().unwrap()) + 4;
    shifted[end..end + 4].copy_from_slice(&offset.to_le_bytes());
    let message = refusal(shifted).await;
    assert!(message.contains("bytes before its first entry"), "{message}");
}

#[tokio::test]
async fn refuses_ambiguous_end_records() {
    let other = zip(&[entry("evil.txt", b"evil")]);
    let in_comment = zip_with(&[plain()], &End { comment: other.clone(), ..End::default() });
    let message = refusal(in_comment).await;
    assert!(message.contains("two end records"), "{message}");
    // The comment of the end record contains a second end record, and both end where the file ends.
    let hidden = End { comment: zip_with(&[], &End { comment: Vec::new(), ..End::default() }), ..End::default() };
    let message = refusal(zip_with(&[plain()], &hidden)).await;
    assert!(message.contains("two end records"), "{message}");
    for (end, expected) in [
        (End { count: Some(2), ..End::default() }, "entry count in its end record (2)"),
        (End { count: Some(0), ..End::default() }, "has no entries"),
        (End { directory_size: Some(3), ..End::default() }, "longer or shorter"),
        (End { disk: 1, ..End::default() }, "one part of several"),
        (End { disk: u16::MAX, ..End::default() }, "end record does not match its directory"),
    ] {
        let message = refusal(zip_with(&[plain()], &end)).await;
        assert!(message.contains(expected), "{expected}: {message}");
    }
    // A reader that counts back from the end finds the directory, and a reader that trusts the declared offset does
    // not.
    let mut elsewhere = zip(&[plain()]);
    let at = elsewhere.len() - 6;
    elsewhere[at] += 1;
    assert!(refusal(elsewhere).await.contains("end record does not match its directory"));
    let two = zip_with(&[plain(), entry("b", b"")], &End { count: Some(1), ..End::default() });
    assert!(refusal(two).await.contains("entry count in its end record (1)"));
    // A comment is allowed, and so is a zip in a zip.
    let comment =
        zip_with(&[entry("inner.zip", &other)], &End { comment: b"built by hand".to_vec(), ..End::default() });
    assert_eq!(read_all(&open(comment).unwrap()).await["inner.zip"], other);
    assert_eq!(read_all(&open(zip(&[entry("inner.zip", &other)])).unwrap()).await["inner.zip"], other);
}

#[tokio::test]
async fn refuses_zip64_end_records_that_differ_from_the_directory() {
    let plain = zip(&[plain()]);
    let (records, end) = plain.split_at(plain.len() - 22);
    let start = u64::from(u32::from_le_bytes(end[16..20].try_into().unwrap()));
    let length = records.len() as u64 - start;
    let with_zip64 = |entries: u64, length: u64, start: u64, offset: u64| {
        let mut bytes = [records, b"PK\x06\x06"].concat();
        bytes.extend_from_slice(&44_u64.to_le_bytes());
        bytes.extend_from_slice(&[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        [entries, entries, length, start].iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        bytes.extend_from_slice(b"PK\x06\x07\0\0\0\0");
        bytes.extend_from_slice(&offset.to_le_bytes());
        push32(&mut bytes, &[1]);
        [&bytes, end].concat()
    };
    let offset = records.len() as u64;
    // As Info-ZIP writes it: the end record has all numbers as well.
    assert_eq!(read_all(&open(with_zip64(1, length, start, offset)).unwrap()).await["a.txt"], b"hello");
    for wrong in [
        with_zip64(2, length, start, offset),
        with_zip64(1, length - 1, start, offset),
        with_zip64(1, length, start + 1, offset),
        with_zip64(1, length, start, offset - 1),
    ] {
        let message = refusal(wrong).await;
        assert!(message.contains("can be read in two ways") || message.contains("is damaged"), "{message}");
    }
}

#[tokio::test]
async fn refuses_equal_names_but_not_names_that_differ_in_case() {
    assert!(refusal(zip(&[plain(), plain()])).await.contains("duplicate name `a.txt`"));
    assert!(refusal(zip(&[entry("é", b""), entry("e\u{301}", b"")])).await.contains("look the same"));
    for (one, other) in [("a", "a/b"), ("a", "a/"), ("a/b", "a")] {
        assert!(refusal(zip(&[entry(one, b""), entry(other, b"")])).await.contains("folder"), "{one} {other}");
    }
    assert_eq!(keys(&open(zip(&[entry("a.txt", b"1"), entry("A.txt", b"2")])).unwrap()), ["A.txt", "a.txt"]);
}

#[tokio::test]
async fn refuses_other_methods_and_encryption_by_name() {
    for (method, expected) in
        [(9, "DEFLATE64"), (12, "BZIP2"), (14, "LZMA"), (93, "ZSTD"), (95, "XZ"), (77, "method 77")]
    {
        let message = refusal(zip(&[Entry { method: Some(method), ..plain() }])).await;
        assert!(message.contains("`a.txt`") && message.contains(expected), "{message}");
    }
    for (flags, method) in [(1, None), (1 << 6 | 1, None), (1 << 13, None), (1, Some(99))] {
        let message = refusal(zip(&[Entry { flags, method, ..plain() }])).await;
        assert!(message.contains("the entry `a.txt` in the archive `x.zip` is encrypted"), "{message}");
    }
}

#[tokio::test]
async fn reads_data_descriptors_of_all_forms() {
    let content = b"some content that repeats, repeats, repeats, repeats";
    for (deflated, signature, zip64) in
        [(true, true, false), (true, false, false), (true, true, true), (false, false, true)]
    {
        let compressed_size = if deflated { deflate(content).len() } else { content.len() };
        let streamed = Entry {
            deflate: deflated,
            flags: 8,
            local_size: Some(0),
            local_compressed_size: Some(0),
            local_crc32: Some(0),
            after_data: descriptor(content, compressed_size, signature, zip64),
            ..entry("a.txt", content)
        };
        let opened = open(zip(&[streamed.clone(), entry("b", b"")])).unwrap();
        assert_eq!(read_all(&opened).await["a.txt"], content);
        let wrong = descriptor(b"something else", compressed_size, signature, zip64);
        let wrong = Entry { after_data: wrong, ..streamed.clone() };
        assert!(refusal(zip(&[wrong])).await.contains("another size or checksum"));
        assert!(refusal(zip(&[Entry { after_data: Vec::new(), ..streamed }])).await.contains("0 bytes after"));
    }
}

#[tokio::test]
async fn refuses_contradicting_extra_fields() {
    let sizes =
        [[5_u64.to_le_bytes(), 5_u64.to_le_bytes()].concat(), [9_u64.to_le_bytes(), 9_u64.to_le_bytes()].concat()];
    let with_zip64 = |fields: &[Vec<u8>]| Entry {
        size: Some(u32::MAX),
        compressed_size: Some(u32::MAX),
        extra: fields.concat(),
        local_extra: fields.concat(),
        ..plain()
    };
    let one = field(1, &sizes[0]);
    assert_eq!(read_all(&open(zip(&[with_zip64(std::slice::from_ref(&one))])).unwrap()).await["a.txt"], b"hello");
    assert!(refusal(zip(&[with_zip64(&[one.clone(), field(1, &sizes[1])])])).await.contains("contradict"));
    assert!(refusal(zip(&[with_zip64(&[one.clone(), b"\x07\x00\xff\xffcut".to_vec()])])).await.contains("cut off"));
    assert!(refusal(zip(&[with_zip64(&[field(1, &sizes[1])])])).await.contains("overlaps"));
    assert!(open(zip(&[with_zip64(&[one, vec![0, 0, 0]])])).is_ok(), "padding is allowed");
}

#[tokio::test]
async fn explains_files_that_are_not_zips() {
    assert!(refusal(Vec::new()).await.contains("has 0 bytes"));
    assert!(refusal(b"<!doctype html>".to_vec()).await.contains("is not a zip file"));
    assert!(refusal(vec![0; 100_000]).await.contains("is not a zip file"));
    assert!(refusal(zip(&[])).await.contains("has no entries"));
    let whole = zip(&[plain(), Entry { deflate: true, ..entry("b/c.txt", &noise(5000)) }]);
    for length in 0..whole.len() {
        assert!(open(whole[..length].to_vec()).is_err(), "cut to {length} bytes");
        if length > 0 {
            assert!(open(whole[length..].to_vec()).is_err(), "without its first {length} bytes");
        }
    }
}

#[tokio::test]
async fn refuses_or_survives_every_flipped_byte() {
    let entries = [plain(), Entry { deflate: true, ..entry("b/c.txt", b"text text text text text") }, entry("d/", b"")];
    let whole = zip(&entries);
    let truth = read_all(&open(whole.clone()).unwrap()).await;
    for at in 0..whole.len() {
        for flip in [0x01, 0x20, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            let Ok(opened) = open(bytes) else { continue };
            for item in opened.artifact.items() {
                // Whatever is accepted has the same names and contents.
                if let Ok(body) = opened.reader.whole(&item.key).await {
                    assert_eq!(truth.get(item.key.as_str()), Some(&body.to_vec()), "byte {at} ^ {flip:#x}");
                }
            }
        }
    }
}

#[tokio::test]
async fn accepts_folders_and_unusual_names() {
    let folder = |name: &str| Entry { attributes: 0o040_755 << 16 | 0x10, ..entry(name, b"") };
    let entries = [
        folder("site/"),
        entry("site/.well-known/security.txt", b"1"),
        entry("site/.nojekyll", b""),
        entry("site/c++.html", b"2"),
        folder("__MACOSX/"),
        entry("__MACOSX/._x", b"3"),
        Entry { deflate: true, ..entry("deflated-folder/", b"") },
    ];
    let opened = open(zip(&entries)).unwrap();
    let expected = ["__MACOSX/._x", "site/.nojekyll", "site/.well-known/security.txt", "site/c++.html"];
    assert_eq!(keys(&opened), expected);
    assert!(opened.artifact.items().iter().all(|item| item.identity.is_empty()), "nothing is known without unpacking");
    assert!(refusal(zip(&[entry("folder/", b"content")])).await.contains("a folder with content"));
    assert!(refusal(zip(&[folder("folder")])).await.contains("a file by its name"));
}
