//! The plugin in the SDK's harness, with every size of batches.

use tidegate_plugin::testing::{SyncAnswer, TestArtifact, canonical, sync};

use super::{Mime, MimeSettings};

fn types(settings: &str, artifact: &TestArtifact) -> SyncAnswer {
    sync::<Mime>(settings, artifact).unwrap()
}

fn header(answer: &SyncAnswer, key: &str) -> String {
    answer.header(key, "content-type").unwrap_or_default()
}

#[test]
fn names_have_the_types_that_browsers_accept() {
    let table = [
        ("index.html", "text/html; charset=utf-8"),
        ("old.htm", "text/html; charset=utf-8"),
        ("a/c++.html", "text/html; charset=utf-8"),
        ("page.xhtml", "application/xhtml+xml; charset=utf-8"),
        ("app.css", "text/css; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("app.mjs", "text/javascript; charset=utf-8"),
        ("APP.JS", "text/javascript; charset=utf-8"),
        ("app.js.map", "application/json; charset=utf-8"),
        ("data.json", "application/json; charset=utf-8"),
        ("thing.jsonld", "application/ld+json; charset=utf-8"),
        ("land.geojson", "application/geo+json; charset=utf-8"),
        ("site.webmanifest", "application/manifest+json; charset=utf-8"),
        ("app.wasm", "application/wasm"),
        ("a.webp", "image/webp"),
        ("a.avif", "image/avif"),
        ("a.jxl", "image/jxl"),
        ("a.png", "image/png"),
        ("a.jpg", "image/jpeg"),
        ("favicon.ico", "image/vnd.microsoft.icon"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.woff", "font/woff"),
        ("a.woff2", "font/woff2"),
        ("a.ttf", "font/ttf"),
        ("a.otf", "font/otf"),
        ("robots.txt", "text/plain; charset=utf-8"),
        ("readme.md", "text/markdown; charset=utf-8"),
        ("feed.xml", "application/xml; charset=utf-8"),
        ("feed.rss", "application/rss+xml; charset=utf-8"),
        ("feed.atom", "application/atom+xml; charset=utf-8"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.vtt", "text/vtt; charset=utf-8"),
        ("a.ics", "text/calendar; charset=utf-8"),
        ("a.yml", "application/yaml; charset=utf-8"),
        ("a.toml", "application/toml; charset=utf-8"),
        ("a.pdf", "application/pdf"),
        ("a.mp4", "video/mp4"),
        ("a.mp3", "audio/mpeg"),
        ("a.m4a", "audio/mp4"),
        ("a.m3u8", "application/vnd.apple.mpegurl"),
        ("a.zip", "application/zip"),
        ("a.gz", "application/gzip"),
        ("a.tar.gz", "application/gzip"),
        ("a.tgz", "application/gzip"),
        (".well-known/apple-app-site-association", "application/json; charset=utf-8"),
        (".nojekyll", "application/octet-stream"),
        ("empty", "application/octet-stream"),
        ("a.unknown-extension", "application/octet-stream"),
    ];
    let artifact = TestArtifact::new().objects(table.iter().map(|(key, _)| *key));
    let answer = types("{}", &artifact);
    for (key, content_type) in table {
        assert_eq!(header(&answer, key), content_type, "{key}");
        assert_eq!(answer.header(key, "content-encoding"), None, "{key}");
    }
}

#[test]
fn compressed_copies_are_encodings_and_archives_are_not() {
    let table = [
        ("app.js.gz", "text/javascript; charset=utf-8", Some("gzip")),
        ("APP.JS.GZ", "text/javascript; charset=utf-8", Some("gzip")),
        ("app.css.br", "text/css; charset=utf-8", Some("br")),
        ("page.html.br", "text/html; charset=utf-8", Some("br")),
        ("app.wasm.br", "application/wasm", Some("br")),
        ("a.svgz", "image/svg+xml; charset=utf-8", Some("gzip")),
        ("src.tar.gz", "application/gzip", None),
        ("dump.sql.gz", "application/gzip", None),
        ("sitemap.xml.gz", "application/gzip", None),
        ("feed.xml.gz", "application/gzip", None),
        ("words.txt.gz", "application/gzip", None),
        ("export.json.gz", "application/gzip", None),
        ("export.json.br", "application/json; charset=utf-8", Some("br")),
        ("feed.xml.br", "application/xml; charset=utf-8", Some("br")),
        ("Build/game.data.br", "application/octet-stream", Some("br")),
        ("Build/game.data.gz", "application/octet-stream", Some("gzip")),
        ("Build/game.symbols.json.gz", "application/json; charset=utf-8", Some("gzip")),
        ("Build/game.framework.js.br", "text/javascript; charset=utf-8", Some("br")),
        ("Build/game.wasm.gz", "application/wasm", Some("gzip")),
        ("data.gz", "application/gzip", None),
        ("archive.tar.br", "application/octet-stream", None),
    ];
    let artifact = TestArtifact::new().objects(table.iter().map(|(key, ..)| *key));
    let answer = types("{}", &artifact);
    for (key, content_type, encoding) in table {
        assert_eq!(header(&answer, key), content_type, "{key}");
        assert_eq!(answer.header(key, "content-encoding").as_deref(), encoding, "{key}");
    }
    let answer = types(r#"{"encodings":[]}"#, &artifact);
    for key in ["app.js.gz", "app.css.br"] {
        assert_eq!(answer.header(key, "content-encoding"), None);
    }
    assert_eq!(header(&answer, "app.js.gz"), "application/gzip");
    let answer = types(r#"{"encodings":["json"]}"#, &artifact);
    assert_eq!(answer.header("export.json.gz", "content-encoding").as_deref(), Some("gzip"));
    assert_eq!(answer.header("app.js.gz", "content-encoding"), None);
}

#[test]
fn reads_objects_whose_name_implies_no_type() {
    let mut video = vec![0_u8; 400];
    video[0] = 0x47;
    video[188] = 0x47;
    let artifact = TestArtifact::new()
        .object("about", "<!doctype html><title>About</title>")
        .object("LICENSE", "Apache License")
        .object("logo", b"\x89PNG\r\n\x1a\n\0".as_slice())
        .object("blob", b"\0\x01\x02".as_slice())
        .object("segment.ts", video)
        .object("source.ts", "export const a: number = 1;");
    let answer = types("{}", &artifact);
    assert_eq!(header(&answer, "about"), "text/html; charset=utf-8");
    assert_eq!(header(&answer, "LICENSE"), "text/plain; charset=utf-8");
    assert_eq!(header(&answer, "logo"), "image/png");
    assert_eq!(header(&answer, "blob"), "application/octet-stream");
    assert_eq!(header(&answer, "segment.ts"), "video/mp2t");
    assert_eq!(header(&answer, "source.ts"), "text/typescript; charset=utf-8");
    assert_eq!(answer.decided["about"].rule, "/sniff");
    assert_eq!(answer.decided["blob"].rule, "/default");

    let answer = types(r#"{"sniff":false,"default":"text/html"}"#, &artifact);
    assert_eq!(header(&answer, "about"), "text/html");
    assert_eq!(header(&answer, "segment.ts"), "text/typescript; charset=utf-8");
}

#[test]
fn bytes_decide_about_names_that_imply_several_types() {
    let encrypted: Vec<u8> = (0..2_000_u32).map(|at| (at * 167 + at / 251).to_le_bytes()[0]).collect();
    let table: &[(&str, &[u8], &str)] = &[
        ("index.php", b"<!doctype html><p>", "text/html; charset=utf-8"),
        ("index.php?page=2", b"<!doctype html><p>", "text/html; charset=utf-8"),
        ("source.php", b"<?php echo 1;", "text/plain; charset=utf-8"),
        ("logo.php", b"\x89PNG\r\n\x1a\n\0", "image/png"),
        ("api.aspx", b"{\"a\": 1}", "application/json; charset=utf-8"),
        ("example.com", b"<html><p>\xe9", "text/html"),
        ("example.org", b"<html><p>", "text/html; charset=utf-8"),
        ("notes.org", b"* Heading", "text/plain; charset=utf-8"),
        ("encrypted.ts", &encrypted, "video/mp2t"),
        ("talk.key", b"PK\x03\x04\0\0", "application/vnd.apple.keynote"),
        ("server.key", b"-----BEGIN PRIVATE KEY-----", "text/plain; charset=utf-8"),
        ("id.pub", b"ssh-ed25519 AAAA", "text/plain; charset=utf-8"),
        ("flyer.pub", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-mspublisher"),
        ("part.3mf", b"PK\x03\x04\0\0", "model/3mf"),
        ("app.msix", b"PK\x03\x04\0\0", "application/msix"),
        ("wave.lottie", b"PK\x03\x04\0\0", "application/zip+dotlottie"),
        ("project.sketch", b"PK\x03\x04\0\0", "application/octet-stream"),
        ("archive", b"PK\x03\x04\0\0", "application/zip"),
        ("run", b"#!/usr/bin/env python3\n", "text/plain; charset=utf-8"),
        ("install", b"#!/bin/sh\n", "application/x-sh; charset=utf-8"),
        ("voice", b"#!AMR\n\x0c\0\0\0\0\0", "audio/amr"),
        ("brands", b"BMW, BMX", "text/plain; charset=utf-8"),
    ];
    let artifact = table.iter().fold(TestArtifact::new(), |artifact, (key, bytes, _)| artifact.object(key, *bytes));
    let answer = types("{}", &artifact);
    for (key, _, content_type) in table {
        assert_eq!(header(&answer, key), *content_type, "{key}");
    }
}

#[test]
fn types_of_the_table_follow_registrations() {
    let table = [
        ("a.rpm", "application/x-redhat-package-manager"),
        ("a.mobileconfig", "application/x-apple-aspen-config"),
        ("a.msix", "application/msix"),
        ("a.appinstaller", "application/appinstaller"),
        ("a.m4s", "video/iso.segment"),
        ("a.m2ts", "video/mp2t"),
        ("a.m4b", "audio/mp4"),
        ("a.obj", "model/obj"),
        ("a.mtl", "model/mtl"),
        ("a.step", "model/step"),
        ("a.stp", "model/step"),
        ("a.usda", "model/vnd.usda"),
        ("a.ttml", "application/ttml+xml; charset=utf-8"),
        ("a.manifest", "text/cache-manifest; charset=utf-8"),
        ("a.vcf", "text/vcard; charset=utf-8"),
        ("a.cbz", "application/vnd.comicbook+zip"),
        ("style.css?ver=6.1", "text/css; charset=utf-8"),
    ];
    let answer = types("{}", &TestArtifact::new().objects(table.iter().map(|(key, _)| *key)));
    for (key, content_type) in table {
        assert_eq!(header(&answer, key), content_type, "{key}");
    }
}

#[test]
fn only_utf_8_gets_the_charset() {
    let long = [b"a".repeat(40_000), b"\xe9".to_vec()].concat();
    let table: &[(&str, &[u8], &str)] = &[
        ("new.html", "<p>\u{e9}t\u{e9}".as_bytes(), "text/html; charset=utf-8"),
        ("old.html", b"<meta charset=windows-1252><p>\xe9t\xe9", "text/html; charset=windows-1252"),
        ("undeclared.html", b"<p>\xe9t\xe9", "text/html"),
        (
            "feed.xml",
            b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><rss>\xe9",
            "application/xml; charset=iso-8859-1",
        ),
        ("old.txt", b"\xe9t\xe9", "text/plain"),
        // Only the first bytes are read.
        ("long.txt", &long, "text/plain; charset=utf-8"),
        ("data.json", b"{}", "application/json; charset=utf-8"),
    ];
    let artifact = table.iter().fold(TestArtifact::new(), |artifact, (key, bytes, _)| artifact.object(key, *bytes));
    let answer = types("{}", &artifact);
    for (key, _, content_type) in table {
        assert_eq!(header(&answer, key), *content_type, "{key}");
    }
    // A configured charset, and one without reading.
    assert_eq!(header(&types(r#"{"charset":"iso-8859-1"}"#, &artifact), "old.txt"), "text/plain; charset=iso-8859-1");
    assert_eq!(header(&types(r#"{"sniff":false}"#, &artifact), "old.txt"), "text/plain; charset=utf-8");
    // The bytes of an encoded body are not text.
    let encoded = TestArtifact::new().object_with("a.html", b"\x1f\x8b".as_slice(), &[("content-encoding", "gzip")]);
    assert_eq!(header(&types("{}", &encoded), "a.html"), "text/html; charset=utf-8");
}

#[test]
fn the_last_matching_glob_decides() {
    let settings = r#"{"types":[{"glob":"*.foo","type":"text/x-foo"},{"glob":"/api/","type":"application/json"},{"glob":"packed/*.js","type":"text/javascript","encoding":"gzip"}]}"#;
    let artifact = TestArtifact::new().objects(["a.foo", "api/users", "api/b.foo", "packed/a.js", "other/a.js"]);
    let answer = types(settings, &artifact);
    assert_eq!(header(&answer, "a.foo"), "text/x-foo");
    assert_eq!(header(&answer, "api/users"), "application/json");
    assert_eq!(header(&answer, "api/b.foo"), "application/json");
    assert_eq!(header(&answer, "packed/a.js"), "text/javascript");
    assert_eq!(answer.header("packed/a.js", "content-encoding").as_deref(), Some("gzip"));
    assert_eq!(answer.decided["api/b.foo"].rule, "/types/1");
}

#[test]
fn keeps_the_type_of_an_earlier_plugin_by_default() {
    let artifact = TestArtifact::new().object_with("a.html", "x", &[("content-type", "text/plain")]).object_with(
        "b.html",
        "x",
        &[("content-type", "text/html; charset=utf-8")],
    );
    assert!(types("{}", &artifact).decided.is_empty());
    let answer = types(r#"{"overwrite":true}"#, &artifact);
    assert_eq!(header(&answer, "a.html"), "text/html; charset=utf-8");
    assert!(!answer.decided.contains_key("b.html"), "no decision without a change");
}

#[test]
fn redirects_get_no_type() {
    let answer = types("{}", &TestArtifact::new().redirect("old", "/new"));
    assert!(answer.decided.is_empty());
}

#[test]
fn the_charset_is_configurable() {
    let artifact = TestArtifact::new().objects(["a.html"]);
    assert_eq!(header(&types(r#"{"charset":null}"#, &artifact), "a.html"), "text/html");
    assert_eq!(header(&types(r#"{"charset":"iso-8859-1"}"#, &artifact), "a.html"), "text/html; charset=iso-8859-1");
}

#[test]
fn settings_have_a_canonical_form() {
    let defaults = r#"{"types":[],"charset":"utf-8","default":"application/octet-stream","sniff":true,"encodings":["cjs","css","data","eot","htm","html","ico","js","map","mjs","otf","svg","symbols.json","ttf","wasm","webmanifest","xhtml"],"overwrite":false}"#;
    assert_eq!(canonical::<MimeSettings>("{}").unwrap(), defaults);
    let written = canonical::<MimeSettings>(r#"{"charset":null,"types":[{"type":"a/b","glob":"*.x"}]}"#).unwrap();
    assert!(
        written.starts_with(r#"{"types":[{"glob":"*.x","type":"a/b","encoding":null}],"charset":null,"#),
        "{written}"
    );
}

#[test]
fn issues_point_at_wrong_settings() {
    let table = [
        (r#"{"types":[{"glob":"[","type":"a/b"}]}"#, "/types/0/glob"),
        (r#"{"types":[{"glob":"a","type":"html"}]}"#, "/types/0/type"),
        (r#"{"types":[{"glob":"a","type":"a/b\r\nx: y"}]}"#, "/types/0/type"),
        (r#"{"types":[{"glob":"a","type":"a/b","encoding":"g zip"}]}"#, "/types/0/encoding"),
        (r#"{"types":[{"glob":"a"}]}"#, "/types/0"),
        (r#"{"default":"x"}"#, "/default"),
        (r#"{"encodings":["js",".css"]}"#, "/encodings/1"),
        (r#"{"charset":"utf 8"}"#, "/charset"),
        (r#"{"sniffing":true}"#, "/sniffing"),
    ];
    for (settings, pointer) in table {
        assert_eq!(canonical::<MimeSettings>(settings).unwrap_err()[0].0, pointer, "{settings}");
    }
}

#[test]
fn large_sites_do_not_depend_on_batches() {
    let artifact = (0..2_100).fold(TestArtifact::new(), |artifact, at| match at % 3 {
        0 => artifact.object(&format!("{at}.html"), ""),
        1 => artifact.object(&format!("{at}"), format!("<html> {at}")),
        _ => artifact.object(&format!("{at}"), [0, 1, 2]),
    });
    let answer = types("{}", &artifact);
    assert_eq!(header(&answer, "3.html"), "text/html; charset=utf-8");
    assert_eq!(header(&answer, "4"), "text/html; charset=utf-8");
    assert_eq!(header(&answer, "5"), "application/octet-stream");
}

#[test]
fn compressed_text_without_an_encoding_is_reported() {
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice();
    let zstd = b"\x28\xb5\x2f\xfd\0".as_slice();
    let artifact = TestArtifact::new()
        .object("style.css", gzip)
        .object("data.json", zstd)
        .object("plain.css", "a{}")
        .object("app.js.gz", gzip)
        .object("words.txt.gz", gzip)
        .object("logo.png", gzip);
    let answer = types("{}", &artifact);
    let expected = [("undeclared-encoding", Some("data.json")), ("undeclared-encoding", Some("style.css"))];
    assert_eq!(answer.findings(), expected);
    assert!(answer.summary.findings[0].message.contains("the body is zstd"));
    assert_eq!(types(r#"{"sniff":false}"#, &artifact).findings(), []);
    let declared = r#"{"types":[{"glob":"*.css","type":"text/css","encoding":"gzip"},{"glob":"*.json","type":"application/json","encoding":"zstd"}]}"#;
    assert_eq!(types(declared, &artifact).findings(), []);

    let many: Vec<String> = (0..30).map(|number| format!("{number}.css")).collect();
    let artifact = many.iter().fold(TestArtifact::new(), |artifact, key| artifact.object(key.as_str(), gzip));
    let findings = types("{}", &artifact).summary.findings;
    assert_eq!(findings.len(), 20);
    assert!(findings[19].message.contains("like 10 more objects"), "{}", findings[19].message);
    assert!(!findings[18].message.contains("more objects"));
}
