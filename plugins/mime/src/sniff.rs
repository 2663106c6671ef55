//! Types from the first bytes: kinds of text, then signatures of the `infer` crate.
//!
//! Text never has a binary signature: `BMW`, `ID3` and `BZh` are words, too.

use infer::MatcherType;

use crate::charset::is_utf8;
use crate::extension;

/// How many bytes are read. They also decide the charset of text, so they are more than signatures need.
pub(crate) const HEAD_BYTES: u32 = 32 << 10;

/// What the first bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Text of this type, without a charset.
    Text(&'static str),
    /// Other bytes.
    Binary,
}

/// Whether these bytes are text, and of which type.
pub(crate) fn content(head: &[u8], complete: bool) -> Content {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    if text.is_empty() || !text.iter().all(|byte| is_text_byte(*byte)) {
        return Content::Binary;
    }
    let kind = if infer::text::is_html(text) {
        "text/html"
    } else if is_svg(text) {
        "image/svg+xml"
    } else if infer::text::is_xml(text) {
        "application/xml"
    } else if text.starts_with(b"%PDF-") {
        "application/pdf"
    } else if text.starts_with(b"%!PS") {
        "application/postscript"
    } else if text.starts_with(br"{\rtf") {
        "application/rtf"
    } else if !is_utf8(text, complete) && !is_mostly_ascii(text) {
        return Content::Binary;
    } else if is_json(text) {
        "application/json"
    } else if is_shell_script(text) {
        "application/x-sh"
    } else {
        "text/plain"
    };
    Content::Text(kind)
}

/// The encoding whose signature these bytes have. Brotli has none.
pub(crate) fn compression(head: &[u8]) -> Option<&'static str> {
    const SIGNATURES: [(&[u8], &str); 2] = [(b"\x1f\x8b\x08", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")];
    SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature)).map(|(_, encoding)| *encoding)
}

/// The type of bytes that are not text. Under an extension that has no type of its own, an archive is the container of
/// another format, which a browser would unpack as `application/zip`.
pub(crate) fn binary_type(head: &[u8], extension: bool) -> Option<&'static str> {
    if head.starts_with(b"#!AMR") {
        return Some("audio/amr");
    }
    let kind = infer::get(head).filter(|kind| is_certain(kind.mime_type(), head))?;
    let container = kind.matcher_type() == MatcherType::Archive && kind.mime_type() != "application/pdf";
    if extension && container {
        return None;
    }
    // The extension of a signature has the same type as the extension of a name.
    Some(extension::by_extension(kind.extension()).unwrap_or(kind.mime_type()))
}

/// Whether more than a signature of two or three bytes is right.
fn is_certain(content_type: &str, head: &[u8]) -> bool {
    let byte = |at: usize| head.get(at).copied().unwrap_or_default();
    match content_type {
        // The size of the second header.
        "image/bmp" => matches!(byte(14), 12 | 16 | 40 | 52 | 56 | 64 | 108 | 124) && head.get(15..18) == Some(&[0; 3]),
        // The version of a tag, or the bit rate and the sample rate of a frame.
        "audio/mpeg" if head.starts_with(b"ID3") => (2..=4).contains(&byte(3)),
        "audio/mpeg" => !matches!(byte(2) >> 4, 0 | 15) && (byte(2) >> 2) & 3 != 3,
        "audio/aac" => (byte(2) >> 2) & 15 < 13,
        // A block, or the end of an empty file.
        "application/x-bzip2" => matches!(head.get(4..8), Some(b"1AY&" | [0x17, 0x72, 0x45, 0x38])),
        "application/x-shockwave-flash" => (1..=64).contains(&byte(3)),
        // Any of the formats that Microsoft keeps in a compound file.
        "application/msword" => false,
        _ => true,
    }
}

/// Whether a byte is not binary. Source: WHATWG MIME Sniffing, "binary data byte".
fn is_text_byte(byte: u8) -> bool {
    !matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f)
}

/// Whether bytes that are not UTF-8 are likely text of an older charset.
fn is_mostly_ascii(text: &[u8]) -> bool {
    text.iter().filter(|byte| byte.is_ascii()).count() >= text.len() / 4 * 3
}

/// Whether the first line names a shell.
fn is_shell_script(text: &[u8]) -> bool {
    const SHELLS: [&[u8]; 5] = [b"sh", b"bash", b"dash", b"ksh", b"zsh"];
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.strip_prefix(b"#!").is_some_and(|interpreter| {
        let mut words = interpreter.split(|byte| matches!(byte, b' ' | b'/' | b'\t' | b'\r'));
        words.any(|word| SHELLS.contains(&word))
    })
}

/// Whether the first element is `svg`, possibly after an XML declaration.
fn is_svg(head: &[u8]) -> bool {
    let mut rest = head.trim_ascii_start();
    for end in [b"?>".as_slice(), b">".as_slice()] {
        let start: &[u8] = if end == b"?>" { b"<?xml" } else { b"<!DOCTYPE svg" };
        if rest.starts_with(start) {
            rest = rest
                .windows(end.len())
                .position(|window| window == end)
                .and_then(|at| rest.get(at + end.len()..))
                .unwrap_or_default();
            rest = rest.trim_ascii_start();
        }
    }
    rest.strip_prefix(b"<svg").is_some_and(|rest| matches!(rest.first(), Some(b' ' | b'>' | b'\n' | b'\r' | b'\t')))
}

/// Whether it starts like a JSON object, or an array of objects or strings.
fn is_json(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    let object = |text: &[u8]| {
        text.strip_prefix(b"{").is_some_and(|rest| matches!(rest.trim_ascii_start().first(), Some(b'"' | b'}')))
    };
    let array = || {
        head.strip_prefix(b"[")
            .map(<[u8]>::trim_ascii_start)
            .is_some_and(|rest| object(rest) || rest.starts_with(b"\""))
    };
    object(head) || array()
}

#[cfg(test)]
mod tests {
    use super::{Content, binary_type, content};

    #[test]
    fn recognizes_kinds_of_text() {
        let table: &[(&[u8], &str)] = &[
            (b"<!DOCTYPE html><p>", "text/html"),
            (b"\n  <html lang=en>", "text/html"),
            (b"\xef\xbb\xbf<!doctype html>", "text/html"),
            (b"<html><p>\xe9t\xe9", "text/html"),
            (b"<?xml version=\"1.0\"?><feed>", "application/xml"),
            (b"<?xml version=\"1.0\"?>\n<svg xmlns=\"\">", "image/svg+xml"),
            (b"<svg viewBox=\"\">", "image/svg+xml"),
            (b"{\"applinks\":{}}", "application/json"),
            (b"[ {\"relation\":[]}]", "application/json"),
            (b"[section]\nkey = 1", "text/plain"),
            (b"hello", "text/plain"),
            ("\u{e9}t\u{e9}".as_bytes(), "text/plain"),
            (b"latin is mostly ASCII \xe9t\xe9", "text/plain"),
            (b"%PDF-1.7\n1 0 obj", "application/pdf"),
            (b"%!PS-Adobe-3.0", "application/postscript"),
            (b"{\\rtf1 hello}", "application/rtf"),
            (b"#!/bin/sh\nset -e", "application/x-sh"),
            (b"#!/usr/bin/env bash\n", "application/x-sh"),
            (b"#!/usr/bin/env python3\nprint()", "text/plain"),
            (b"#!/usr/bin/env node\n", "text/plain"),
            (b"BMW is a maker of cars", "text/plain"),
            (b"BM", "text/plain"),
            (b"ID3 tags are metadata", "text/plain"),
            (b"BZh is a signature", "text/plain"),
            (b"CWS and FWS", "text/plain"),
            (b"GIF is a format", "text/plain"),
            (b"MZ", "text/plain"),
        ];
        for (head, expected) in table {
            assert_eq!(content(head, true), Content::Text(expected), "{:?}", String::from_utf8_lossy(head));
        }
        assert_eq!(content(&"\u{e9}t\u{e9}".as_bytes()[..4], false), Content::Text("text/plain"));
    }

    #[test]
    fn recognizes_signatures() {
        let mut bitmap = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
        bitmap.resize(100, 0);
        let table: &[(&[u8], Option<&str>)] = &[
            (b"\x89PNG\r\n\x1a\n\0\0", Some("image/png")),
            (b"\xff\xd8\xff\xe0\0", Some("image/jpeg")),
            (b"GIF89a\0", Some("image/gif")),
            (b"%PDF-1.7\n\0", Some("application/pdf")),
            (b"\0asm\x01\0\0\0", Some("application/wasm")),
            (b"wOF2\0\x01\0\0", Some("font/woff2")),
            (b"PK\x03\x04\0", Some("application/zip")),
            (b"\x1f\x8b\x08\0", Some("application/gzip")),
            (b"#!AMR\n\x0c\0\0\0\0\0\0", Some("audio/amr")),
            (b"ID3\x04\0\0\0\0\0\0", Some("audio/mpeg")),
            (&bitmap, Some("image/bmp")),
            (b"BM\x01\x02\x03", None),
            (b"ID3\x20\0\0", None),
            (b"\xff\xfb\xff\0", None),
            (b"BZh9\0\0\0\0", None),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", None),
            (b"\x01\x02\x03", None),
        ];
        for (head, expected) in table {
            assert_eq!(content(head, true), Content::Binary, "{head:?}");
            assert_eq!(binary_type(head, false), *expected, "{:?}", String::from_utf8_lossy(head));
        }
        assert_eq!(binary_type(b"PK\x03\x04\0", true), None);
        assert_eq!(binary_type(b"\x89PNG\r\n\x1a\n\0\0", true), Some("image/png"));
        for head in [b"latin \xe9t\xe9".as_slice(), b"\xc1\xc2\xc3\xc4", b""] {
            assert_eq!(
                content(head, true),
                if head.starts_with(b"latin") { Content::Text("text/plain") } else { Content::Binary }
            );
        }
    }
}
