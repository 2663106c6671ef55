//! Types from the first bytes: signatures of the `infer` crate, then kinds of text.

use crate::extension;

/// How many bytes are read. The last signature, that of tar, ends at 262.
pub(crate) const HEAD_BYTES: u32 = 512;

/// The type of these first bytes, without a charset. `likely` is the type of text with an ambiguous extension.
pub(crate) fn content_type(head: &[u8], likely: Option<&'static str>) -> Option<String> {
    if let Some(likely) = likely {
        return Some(if is_transport_stream(head) { "video/mp2t" } else { likely }.to_owned());
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    if let Some(kind) = infer::get(text) {
        // The extension of a signature has the same type as the extension of a name.
        let content_type = extension::by_extension(kind.extension()).unwrap_or(kind.mime_type());
        return Some(
            if content_type == "application/xml" && is_svg(text) { "image/svg+xml" } else { content_type }.to_owned(),
        );
    }
    if !is_text(text) {
        return None;
    }
    Some(
        if is_svg(text) {
            "image/svg+xml"
        } else if is_json(text) {
            "application/json"
        } else {
            "text/plain"
        }
        .to_owned(),
    )
}

/// MPEG-2 transport streams have packets of 188 bytes, or of 192 in recordings of cameras, each with a sync byte.
fn is_transport_stream(head: &[u8]) -> bool {
    let sync = |at: usize| head.get(at) == Some(&0x47);
    (sync(0) && sync(188)) || (sync(4) && sync(196)) || (sync(0) && head.len() == 188)
}

/// UTF-8 without control characters other than those of text. The last character may be incomplete.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => match head.get(..error.valid_up_to()).map(std::str::from_utf8) {
            Some(Ok(text)) => text,
            _ => return false,
        },
        Err(_) => return false,
    };
    !text.is_empty()
        && !text
            .chars()
            .any(|character| character.is_control() && !matches!(character, '\t' | '\n' | '\r' | '\x0c' | '\x1b'))
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
    use super::content_type;

    #[test]
    fn recognizes_types_by_first_bytes() {
        let mut transport_stream = vec![0_u8; 512];
        for at in [0, 188, 376] {
            transport_stream[at] = 0x47;
        }
        let table: &[(&[u8], Option<&str>)] = &[
            (b"<!DOCTYPE html><p>", Some("text/html")),
            (b"\n  <html lang=en>", Some("text/html")),
            (b"\xef\xbb\xbf<!doctype html>", Some("text/html")),
            (b"<?xml version=\"1.0\"?><feed>", Some("application/xml")),
            (b"<?xml version=\"1.0\"?>\n<svg xmlns=\"\">", Some("image/svg+xml")),
            (b"<svg viewBox=\"\">", Some("image/svg+xml")),
            (b"{\"applinks\":{}}", Some("application/json")),
            (b"[ {\"relation\":[]}]", Some("application/json")),
            (b"[section]\nkey = 1", Some("text/plain")),
            (b"hello", Some("text/plain")),
            ("été".as_bytes(), Some("text/plain")),
            (&"été".as_bytes()[..4], Some("text/plain")),
            (b"\x89PNG\r\n\x1a\n\0\0", Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"GIF89a", Some("image/gif")),
            (b"%PDF-1.7", Some("application/pdf")),
            (b"\0asm\x01\0\0\0", Some("application/wasm")),
            (b"wOF2\0\x01\0\0", Some("font/woff2")),
            (b"PK\x03\x04", Some("application/zip")),
            (b"\x1f\x8b\x08", Some("application/gzip")),
            (b"\x01\x02\x03", None),
            (b"latin \xe9t\xe9", None),
            (b"", None),
        ];
        for (head, expected) in table {
            assert_eq!(content_type(head, None).as_deref(), *expected, "{:?}", String::from_utf8_lossy(head));
        }
        assert_eq!(content_type(&transport_stream, Some("text/typescript")).as_deref(), Some("video/mp2t"));
        assert_eq!(content_type(b"GET = 1;", Some("text/typescript")).as_deref(), Some("text/typescript"));
    }
}
