//! The table beside npm's `mime-types`, and names.

use std::collections::BTreeMap;

use super::{AMBIGUOUS, ENCODED, KnownType, PAGE_PROGRAMS, TYPES, by_extension, known};

/// The table of npm's `mime-types`.
const MIME_TYPES: &str = include_str!("../../tests/mime-types.txt");

/// Extensions with another type than in `mime-types`, and why. Extensions that two formats share, and those of pages,
/// have none.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("brushset", "`mime-db` misspells the type"),
    ("cbr", "IANA: application/vnd.comicbook-rar"),
    ("cbz", "IANA: application/vnd.comicbook+zip"),
    ("cjs", "a script; `application/node` is of no use to browsers"),
    ("deb", "IANA: application/vnd.debian.binary-package"),
    ("dll", "IANA's application/octet-stream, a download like its own type"),
    ("dmg", "IANA's application/octet-stream, a download like its own type"),
    ("exe", "IANA's application/octet-stream, a download like its own type"),
    ("flac", "IANA: audio/flac (RFC 9639)"),
    ("iso", "IANA's application/octet-stream, a download like its own type"),
    ("jfif", "browsers know JPEG as image/jpeg only"),
    ("msi", "IANA's application/octet-stream, a download like its own type"),
    ("pls", "playlists, as players know them; the registered type is another format"),
    ("prc", "e-books are more common than the 3D format"),
    ("rs", "Rust, not an XML format of 2009"),
    ("styl", "no browser loads it; shown as text"),
    ("vcf", "IANA: text/vcard (RFC 6350)"),
    ("x3db", "the 3D format's older, unregistered name is as good for a download"),
    ("x3dv", "the 3D format's older, unregistered name is as good for a download"),
    ("yaml", "IANA: application/yaml (RFC 9512)"),
    ("yml", "IANA: application/yaml (RFC 9512)"),
];

/// Extensions that the crate does not have yet. The first bytes decide.
const MISSING: [&str; 10] = ["dcmp", "gdraw", "gform", "gjam", "gmap", "gscript", "gsite", "jaii", "jais", "onea"];

#[test]
fn types_are_those_of_mime_types_with_reasoned_exceptions() {
    let exceptions: BTreeMap<_, _> = EXCEPTIONS.iter().copied().collect();
    let (mut same, mut unregistered) = (0, Vec::new());
    for line in MIME_TYPES.lines().filter(|line| !line.starts_with('#')) {
        let [extension, content_type, source] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if PAGE_PROGRAMS.contains(&extension) || AMBIGUOUS.iter().any(|(known, _)| *known == extension) {
            continue;
        }
        let ours = by_extension(extension);
        if MISSING.contains(&extension) {
            assert_eq!(ours, None, "`{extension}` is in the crate now");
        } else if exceptions.contains_key(extension) {
            assert_ne!(ours, Some(content_type), "`{extension}` is no exception");
            // A registered type gives way to another registered one, or to what the format really is.
            if source == "iana" {
                unregistered.push(extension);
            }
        } else {
            assert_eq!(ours, Some(content_type), "`{extension}`");
            same += 1;
        }
    }
    assert!(same > 1_150, "{same}");
    assert_eq!(unregistered, ["cjs", "pls", "prc", "rs", "x3db", "x3dv"]);
}

#[test]
fn the_table_is_sorted_in_lower_case_and_has_only_corrections() {
    let extensions: Vec<_> = TYPES.iter().map(|(extension, _)| *extension).collect();
    assert!(extensions.is_sorted());
    assert!(AMBIGUOUS.iter().map(|(extension, _)| extension).is_sorted());
    assert!(extensions.iter().all(|extension| extension.to_ascii_lowercase() == *extension));
    for (extension, content_type) in TYPES {
        assert_ne!(mime_db::lookup(extension), Some(content_type), "`{extension}` needs no entry");
        assert!(!PAGE_PROGRAMS.contains(&extension));
    }
}

#[test]
fn files_that_pages_load_have_a_type() {
    for extension in ENCODED.into_iter().filter(|extension| *extension != "symbols.json") {
        assert!(by_extension(extension).is_some(), "{extension}");
    }
    for (extension, _) in AMBIGUOUS {
        assert_eq!(by_extension(extension), None);
    }
}

#[test]
fn a_query_in_a_name_is_not_its_extension() {
    let of = |name: &str| known(name, &[]);
    let content_type = |name: &str| match of(name) {
        KnownType::Type { content_type, .. } => content_type,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(content_type("style.css?ver=6.1"), "text/css");
    assert_eq!(content_type("style.css%3Fver=6.1"), "text/css");
    assert_eq!(content_type("style.css@ver=6.1"), "text/css");
    assert_eq!(content_type("script.js?url=a.html"), "text/javascript");
    assert_eq!(content_type("a?b/photo@2x.png"), "image/png");
    assert_eq!(content_type("what?.html"), "text/html");
    assert_eq!(content_type("lib.js@1.2.0.tgz"), "application/gzip");
    assert_eq!(of("index.php?page=2.0"), KnownType::Unknown { extension: false });
    assert_eq!(of("example.com"), KnownType::Unknown { extension: false });
    assert_eq!(of("model.abcdef"), KnownType::Unknown { extension: true });
    assert_eq!(of("LICENSE"), KnownType::Unknown { extension: false });
}
