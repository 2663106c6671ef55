//! Archives that must be refused, and those that only look odd: each rule of the archive's sources by the bytes that break it.

use futures::StreamExt;
use tidegate_publish::source::SourceError;
use tidegate_publish::source::archive::ArchiveLimits;

use crate::support::*;

fn plain() -> Entry {
    entry("a.txt", b"hello")
}

#[tokio::test]
async fn names_that_leave_the_site_are_refused() {
    for name in ["../x", "/x", "C:/x", "c:x", "a\\..\\..\\x", "C:\\x", "a/../b", "x\0y", "./x", "a//b", "a\nb", ".."] {
        let said = refusal(zip(&[plain(), entry(name, b"x")])).await;
        assert!(said.contains(&name.escape_default().to_string()), "{name:?}: {said}");
    }
}

#[tokio::test]
async fn all_refused_names_are_told_at_once() {
    let entries: Vec<Entry> = (0..25).map(|n| entry(&format!("../{n}"), b"x")).collect();
    let Err(SourceError::Names(names)) = open(zip(&entries)) else { panic!("names that were not refused") };
    assert_eq!((names.total(), names.shown().len()), (25, 20));
    let said = names.to_string();
    assert!(said.contains("`../0`") && said.contains("`../19`") && said.contains("and 5 more"), "{said}");
}

#[tokio::test]
async fn links_and_devices_are_refused() {
    for kind in [0o120_777_u32, 0o020_644, 0o060_644, 0o010_644, 0o140_644] {
        let said = refusal(zip(&[Entry { attributes: kind << 16, ..plain() }])).await;
        assert!(said.contains("`a.txt`") && said.contains("link or a device"), "{said}");
    }
    let windows = refusal(zip(&[Entry { attributes: 0x400, ..plain() }])).await;
    assert!(windows.contains("link or a device"), "{windows}");
    let pkware = field(0x000d, b"times and idsetc/passwd");
    let infozip = field(0x756e, b"crc,mode,size,uid,/etc/passwd");
    for extra in [pkware, infozip] {
        let said = refusal(zip(&[Entry { extra, ..plain() }])).await;
        assert!(said.contains("is a link"), "{said}");
    }
    let regular = zip(&[Entry { attributes: 0o100_644 << 16, extra: field(0x000d, &[0; 12]), ..plain() }]);
    assert_eq!(keys(&open(regular).unwrap()), ["a.txt"]);
}

#[tokio::test]
async fn declared_sizes_that_lie_are_refused_before_the_last_byte() {
    let content = vec![b'x'; 100_000];
    let long = Entry { deflate: true, size: Some(10), ..entry("a.txt", &content) };
    let said = refusal(zip(std::slice::from_ref(&long))).await;
    assert!(said.contains("`a.txt`") && said.contains("more than the 10 bytes"), "{said}");
    let short = Entry { deflate: true, size: Some(200_000), ..entry("a.txt", &content) };
    let said = refusal(zip(&[short])).await;
    assert!(said.contains("less than the 200000 bytes"), "{said}");
    let stored = refusal(zip(&[Entry { size: Some(4), ..plain() }])).await;
    assert!(stored.contains("declares two sizes"), "{stored}");
    // Never as many bytes as were declared, and an error instead of the last of them.
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
async fn content_without_its_checksum_is_refused() {
    for deflate in [false, true] {
        let said = refusal(zip(&[Entry { crc32: Some(7), deflate, ..plain() }])).await;
        assert!(said.contains("checksum"), "{said}");
    }
    let empty = refusal(zip(&[Entry { crc32: Some(7), ..entry("a.txt", b"") }])).await;
    assert!(empty.contains("checksum"), "{empty}");
    let opened = open(zip(&[Entry { crc32: Some(7), ..entry("a.txt", b"") }])).unwrap();
    assert!(opened.reader.stream(&key("a.txt")).await.is_err(), "an empty body must fail before it is sent");
}

#[tokio::test]
async fn packed_content_that_is_damaged_or_followed_by_more_is_refused() {
    let said = refusal(zip(&[Entry { method: Some(8), ..entry("a.txt", &[0xff; 40]) }])).await;
    assert!(said.contains("cannot be unpacked"), "{said}");
    let said = refusal(zip(&[Entry { deflate: true, padding: b"hidden".to_vec(), ..plain() }])).await;
    assert!(said.contains("bytes behind its packed content"), "{said}");
}

#[tokio::test]
async fn limits_hold_at_opening() {
    let limits = ArchiveLimits { entries: 2, entry_bytes: 2_000_000, total_bytes: 3_000_000, ratio: 50 };
    let said =
        |entries: &[Entry]| open_limited(zip(entries), limits).expect_err("limits that were not kept").to_string();
    let megabyte = |name: &str, megabytes: usize| Entry { deflate: true, ..entry(name, &noise(megabytes * 1_000_000)) };
    assert!(said(&[plain(), entry("b", b""), entry("c", b"")]).contains("3 entries, 2 are allowed"));
    assert!(said(&[megabyte("big", 3)]).contains("`big` of 3000000 bytes, 2000000 are allowed"));
    assert!(said(&[megabyte("one", 2), megabyte("two", 2)]).contains("more than 3000000 bytes"));
    let zeros = Entry { deflate: true, ..entry("zeros", &vec![0; 2_000_000]) };
    assert!(said(&[zeros]).contains("`zeros`, packed tighter than 1 to 50"));
    assert!(open_limited(zip(&[megabyte("one", 2), megabyte("two", 1)]), limits).is_ok());
}

/// Bytes that do not pack.
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
fn a_flood_of_empty_entries_is_refused_by_its_count() {
    let entries: Vec<Entry> = (0..65_534).map(|n| entry(&format!("{n}"), b"")).collect();
    let bytes = zip(&entries);
    assert_eq!(open(bytes.clone()).unwrap().artifact.len(), 65_534);
    let limits = ArchiveLimits { entries: 65_000, ..ArchiveLimits::default() };
    assert!(open_limited(bytes, limits).expect_err("too many").to_string().contains("65534 entries"));
}

#[tokio::test]
async fn a_local_header_that_says_something_else_is_refused() {
    let cases: Vec<(Entry, &str)> = vec![
        (Entry { local_name: Some(b"b.txt".to_vec()), ..plain() }, "another name"),
        (Entry { local_name: Some(b"a.txt/x".to_vec()), ..plain() }, "another name"),
        (Entry { local_method: Some(8), ..plain() }, "another method"),
        (Entry { local_size: Some(4), ..plain() }, "another size"),
        (Entry { local_packed: Some(4), ..plain() }, "another size"),
        (Entry { local_crc32: Some(4), ..plain() }, "another checksum"),
        (Entry { local_flags: Some(1), ..plain() }, "another set of flags"),
        (Entry { local_flags: Some(8), ..plain() }, "another set of flags"),
        (Entry { local_extra: field(0x7075, b"\x01\0\0\0\0b.txt"), ..plain() }, "another name"),
    ];
    for (case, words) in cases {
        let said = refusal(zip(&[case])).await;
        assert!(said.contains("`a.txt`") && said.contains(words), "{words}: {said}");
    }
    // How hard the packer tried is no difference.
    assert!(open(zip(&[Entry { local_flags: Some(2), ..plain() }])).is_ok());
}

#[tokio::test]
async fn entries_that_overlap_are_refused() {
    let twice = refusal(zip(&[plain(), Entry { header: Some(0), name: b"a.txt".to_vec(), ..plain() }])).await;
    assert!(twice.contains("overlaps"), "{twice}");
    // One entry's content holds another entry's header.
    let inner = &zip(&[entry("b.txt", b"inner")])[..30 + 5 + 5];
    let outer = Entry { content: inner.to_vec(), ..entry("a.txt", b"") };
    let nested = Entry { header: Some(30 + 5), ..entry("b.txt", b"inner") };
    let said = refusal(zip(&[outer, nested])).await;
    assert!(said.contains("overlaps") || said.contains("belong to no entry"), "{said}");
    let beyond = refusal(zip(&[Entry { size: Some(5000), packed: Some(5000), ..plain() }])).await;
    assert!(beyond.contains("overlaps the next entry or the directory"), "{beyond}");
}

#[tokio::test]
async fn bytes_that_belong_to_no_record_are_refused() {
    let with = |end: End| zip_with(&[plain()], &end);
    for (case, words) in [
        (with(End { before: b"#!/bin/sh\n".to_vec(), ..End::default() }), "bytes stand before"),
        (with(End { after: b"more".to_vec(), ..End::default() }), "bytes follow its end record"),
        (with(End { before_end: b"more".to_vec(), ..End::default() }), "a record is cut off"),
        (
            with(End { before_end: b"PK\x05\x05\x02\0ab".to_vec(), ..End::default() }),
            "between its directory and its end",
        ),
        (zip(&[Entry { behind: b"more".to_vec(), ..plain() }]), "4 bytes behind `a.txt` belong to no entry"),
        (zip(&[plain(), Entry { behind: vec![0; 16], ..entry("b", b"") }]), "16 bytes behind `b`"),
    ] {
        let said = refusal(case).await;
        assert!(said.contains(words), "{words}: {said}");
    }
    // The offsets of an archive behind a prefix may also have been corrected.
    let mut shifted =
        zip_with(&[Entry { header: Some(4), ..plain() }], &End { before: b"MZ..".to_vec(), ..End::default() });
    let end = shifted.len() - 6;
    let offset = u32::from_le_bytes(shifted[end..end + 4].try_into().unwrap()) + 4;
    shifted[end..end + 4].copy_from_slice(&offset.to_le_bytes());
    let said = refusal(shifted).await;
    assert!(said.contains("bytes stand before its first entry"), "{said}");
}

#[tokio::test]
async fn an_end_that_can_be_read_in_two_ways_is_refused() {
    let other = zip(&[entry("evil.txt", b"evil")]);
    let in_comment = zip_with(&[plain()], &End { comment: other.clone(), ..End::default() });
    let said = refusal(in_comment).await;
    assert!(said.contains("two end records"), "{said}");
    // The end record's comment covers a second end record, and both end where the file does.
    let hidden = End { comment: zip_with(&[], &End { comment: Vec::new(), ..End::default() }), ..End::default() };
    let said = refusal(zip_with(&[plain()], &hidden)).await;
    assert!(said.contains("two end records"), "{said}");
    for (end, words) in [
        (End { count: Some(2), ..End::default() }, "counts 2 entries"),
        (End { count: Some(0), ..End::default() }, "holds no entry"),
        (End { directory_size: Some(3), ..End::default() }, "longer or shorter"),
        (End { disk: 1, ..End::default() }, "one part of several"),
        (End { disk: u16::MAX, ..End::default() }, "does not say where its directory is"),
    ] {
        let said = refusal(zip_with(&[plain()], &end)).await;
        assert!(said.contains(words), "{words}: {said}");
    }
    // A reader that counts back from the end finds the directory; one that goes to where it is said to be does not.
    let mut elsewhere = zip(&[plain()]);
    let at = elsewhere.len() - 6;
    elsewhere[at] += 1;
    assert!(refusal(elsewhere).await.contains("does not say where its directory is"));
    let two = zip_with(&[plain(), entry("b", b"")], &End { count: Some(1), ..End::default() });
    assert!(refusal(two).await.contains("counts 1 entries"));
    // A comment is no offence, nor is a zip that is stored in a zip.
    let comment =
        zip_with(&[entry("inner.zip", &other)], &End { comment: b"built by hand".to_vec(), ..End::default() });
    assert_eq!(read_all(&open(comment).unwrap()).await["inner.zip"], other);
    assert_eq!(read_all(&open(zip(&[entry("inner.zip", &other)])).unwrap()).await["inner.zip"], other);
}

#[tokio::test]
async fn a_wide_end_record_says_what_the_directory_is_or_is_refused() {
    let plain = zip(&[plain()]);
    let (records, end) = plain.split_at(plain.len() - 22);
    let start = u64::from(u32::from_le_bytes(end[16..20].try_into().unwrap()));
    let length = records.len() as u64 - start;
    let wide = |entries: u64, length: u64, start: u64, place: u64| {
        let mut bytes = [records, b"PK\x06\x06"].concat();
        bytes.extend_from_slice(&44_u64.to_le_bytes());
        bytes.extend_from_slice(&[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        [entries, entries, length, start].iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        bytes.extend_from_slice(b"PK\x06\x07\0\0\0\0");
        bytes.extend_from_slice(&place.to_le_bytes());
        push32(&mut bytes, &[1]);
        [&bytes, end].concat()
    };
    let place = records.len() as u64;
    // As Info-ZIP writes it: the end record says all numbers as well.
    assert_eq!(read_all(&open(wide(1, length, start, place)).unwrap()).await["a.txt"], b"hello");
    for lie in [
        wide(2, length, start, place),
        wide(1, length - 1, start, place),
        wide(1, length, start + 1, place),
        wide(1, length, start, place - 1),
    ] {
        let said = refusal(lie).await;
        assert!(said.contains("can be read in two ways") || said.contains("is damaged"), "{said}");
    }
}

#[tokio::test]
async fn names_that_are_equal_are_refused_and_names_that_differ_in_case_are_not() {
    assert!(refusal(zip(&[plain(), plain()])).await.contains("`a.txt` twice"));
    assert!(refusal(zip(&[entry("é", b""), entry("e\u{301}", b"")])).await.contains("look the same"));
    assert!(refusal(zip(&[entry("a", b""), entry("a/b", b"")])).await.contains("folder"));
    assert_eq!(keys(&open(zip(&[entry("a.txt", b"1"), entry("A.txt", b"2")])).unwrap()), ["A.txt", "a.txt"]);
}

#[tokio::test]
async fn names_without_the_utf8_flag_are_utf8_or_refused() {
    let flagged = Entry { flags: 1 << 11, ..entry("é.html", b"") };
    assert_eq!(keys(&open(zip(&[flagged, entry("ü.html", b"")])).unwrap()), ["é.html", "ü.html"]);
    let code_page = Entry { name: b"caf\x82.html".to_vec(), ..plain() };
    let said = refusal(zip(&[code_page])).await;
    assert!(said.contains("caf") && said.contains("not UTF-8"), "{said}");
    let two_names = Entry { extra: field(0x7075, b"\x01\0\0\0\0b.txt"), ..plain() };
    assert!(refusal(zip(&[two_names])).await.contains("second name"));
    let same = field(0x7075, b"\x01\0\0\0\0a.txt");
    assert!(open(zip(&[Entry { extra: same.clone(), local_extra: same, ..plain() }])).is_ok());
}

#[tokio::test]
async fn other_methods_and_encryption_are_refused_by_name() {
    for (method, words) in [(9, "DEFLATE64"), (12, "BZIP2"), (14, "LZMA"), (93, "ZSTD"), (95, "XZ"), (77, "method 77")]
    {
        let said = refusal(zip(&[Entry { method: Some(method), ..plain() }])).await;
        assert!(said.contains("`a.txt`") && said.contains(words), "{said}");
    }
    for (flags, method) in [(1, None), (1 << 6 | 1, None), (1 << 13, None), (1, Some(99))] {
        let said = refusal(zip(&[Entry { flags, method, ..plain() }])).await;
        assert!(said.contains("`a.txt` in the archive `x.zip` is encrypted"), "{said}");
    }
}

#[tokio::test]
async fn data_descriptors_of_all_forms_are_read() {
    let content = b"some content that packs, packs, packs, packs";
    for (deflated, signature, wide) in
        [(true, true, false), (true, false, false), (true, true, true), (false, false, true)]
    {
        let packed = if deflated { deflate(content).len() } else { content.len() };
        let streamed = Entry {
            deflate: deflated,
            flags: 8,
            local_size: Some(0),
            local_packed: Some(0),
            local_crc32: Some(0),
            behind: descriptor(content, packed, signature, wide),
            ..entry("a.txt", content)
        };
        let opened = open(zip(&[streamed.clone(), entry("b", b"")])).unwrap();
        assert_eq!(read_all(&opened).await["a.txt"], content);
        let lie = Entry { behind: descriptor(b"something else", packed, signature, wide), ..streamed.clone() };
        assert!(refusal(zip(&[lie])).await.contains("another size or checksum"));
        assert!(refusal(zip(&[Entry { behind: Vec::new(), ..streamed }])).await.contains("0 bytes behind"));
    }
}

#[tokio::test]
async fn extra_fields_that_contradict_each_other_are_refused() {
    let sizes =
        [[5_u64.to_le_bytes(), 5_u64.to_le_bytes()].concat(), [9_u64.to_le_bytes(), 9_u64.to_le_bytes()].concat()];
    let wide = |fields: &[Vec<u8>]| Entry {
        size: Some(u32::MAX),
        packed: Some(u32::MAX),
        extra: fields.concat(),
        local_extra: fields.concat(),
        ..plain()
    };
    let one = field(1, &sizes[0]);
    assert_eq!(read_all(&open(zip(&[wide(std::slice::from_ref(&one))])).unwrap()).await["a.txt"], b"hello");
    assert!(refusal(zip(&[wide(&[one.clone(), field(1, &sizes[1])])])).await.contains("contradict"));
    assert!(refusal(zip(&[wide(&[one.clone(), b"\x07\x00\xff\xffcut".to_vec()])])).await.contains("cut off"));
    assert!(refusal(zip(&[wide(&[field(1, &sizes[1])])])).await.contains("overlaps"));
    assert!(open(zip(&[wide(&[one, vec![0, 0, 0]])])).is_ok(), "padding is no offence");
}

#[tokio::test]
async fn what_is_no_zip_is_told_clearly() {
    assert!(refusal(Vec::new()).await.contains("has 0 bytes"));
    assert!(refusal(b"<!doctype html>".to_vec()).await.contains("is not a zip"));
    assert!(refusal(vec![0; 100_000]).await.contains("is not a zip"));
    assert!(refusal(zip(&[])).await.contains("holds no entry"));
    let whole = zip(&[plain(), Entry { deflate: true, ..entry("b/c.txt", &noise(5000)) }]);
    for length in 0..whole.len() {
        assert!(open(whole[..length].to_vec()).is_err(), "cut to {length} bytes");
        if length > 0 {
            assert!(open(whole[length..].to_vec()).is_err(), "without its first {length} bytes");
        }
    }
}

#[tokio::test]
async fn any_flipped_byte_is_refused_or_harmless() {
    let entries = [plain(), Entry { deflate: true, ..entry("b/c.txt", b"text text text text text") }, entry("d/", b"")];
    let whole = zip(&entries);
    let truth = read_all(&open(whole.clone()).unwrap()).await;
    for at in 0..whole.len() {
        for flip in [0x01, 0x20, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            let Ok(opened) = open(bytes) else { continue };
            for item in opened.artifact.items() {
                // A flip that both headers cannot share leaves names and contents alone.
                if let Ok(body) = opened.reader.whole(&item.key).await {
                    assert_eq!(truth.get(item.key.as_str()), Some(&body.to_vec()), "byte {at} ^ {flip:#x}");
                }
            }
        }
    }
}

#[tokio::test]
async fn folders_and_odd_but_honest_names_are_taken() {
    let folder = |name: &str| Entry { attributes: 0o040_755 << 16 | 0x10, ..entry(name, b"") };
    let entries = [
        folder("site/"),
        entry("site/.well-known/security.txt", b"1"),
        entry("site/.nojekyll", b""),
        entry("site/c++.html", b"2"),
        folder("__MACOSX/"),
        entry("__MACOSX/._x", b"3"),
        Entry { deflate: true, ..entry("packed-nothing/", b"") },
    ];
    let opened = open(zip(&entries)).unwrap();
    let expected = ["__MACOSX/._x", "site/.nojekyll", "site/.well-known/security.txt", "site/c++.html"];
    assert_eq!(keys(&opened), expected);
    assert!(opened.artifact.items().iter().all(|item| item.identity.is_empty()), "nothing is known without reading");
    assert!(refusal(zip(&[entry("folder/", b"content")])).await.contains("a folder with content"));
    assert!(refusal(zip(&[folder("folder")])).await.contains("a file by its name"));
}
