//! Types of text, and the charset that their bytes have. Without one, browsers guess it by the user's locale; with a wrong
//! one, they ignore what the text declares.

/// How far browsers look for a declaration in HTML, in bytes. Source: WHATWG HTML, "prescan a byte stream".
const HTML_PRESCAN_BYTES: usize = 1024;

/// Whether a type without parameters is text.
pub(crate) fn is_text(content_type: &str) -> bool {
    const TEXT: [&str; 10] = [
        "application/json",
        "application/json5",
        "application/jsonl",
        "application/javascript",
        "application/xml",
        "application/toml",
        "application/yaml",
        "application/sql",
        "application/x-sh",
        "application/x-ndjson",
    ];
    content_type.starts_with("text/")
        || content_type.ends_with("+json")
        || content_type.ends_with("+xml")
        || TEXT.contains(&content_type)
}

/// The charset of text with these first bytes: `utf-8` if they are UTF-8, otherwise the one that the text declares.
/// Bytes of ASCII alone are in every charset, so a declaration decides about them.
/// `complete` is whether these are all bytes.
pub(crate) fn of(content_type: &str, head: &[u8], complete: bool) -> Option<String> {
    if head.starts_with(b"\xef\xbb\xbf") {
        return Some("utf-8".to_owned());
    }
    if !is_utf8(head, complete) {
        return declared(content_type, head).filter(|charset| !is_unicode(charset));
    }
    match declared(content_type, head) {
        Some(charset) if head.is_ascii() && !is_unicode(&charset) => Some(charset),
        _ => Some("utf-8".to_owned()),
    }
}

/// Whether bytes are UTF-8. If they are not all bytes, the last character may be incomplete.
pub(crate) fn is_utf8(head: &[u8], complete: bool) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => !complete && error.error_len().is_none(),
    }
}

/// In ASCII bytes, a declaration of UTF-16 means UTF-8, too. Source: WHATWG HTML.
fn is_unicode(charset: &str) -> bool {
    charset.starts_with("utf-8") || charset == "utf8" || charset.starts_with("utf-16")
}

/// The charset that the text declares, in lower case: in an XML declaration, in `@charset` of CSS, or in `meta` of HTML.
fn declared(content_type: &str, head: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(head.get(..HTML_PRESCAN_BYTES).unwrap_or(head)).to_ascii_lowercase();
    let is_html = content_type == "text/html";
    let is_xml = content_type.ends_with("+xml") || content_type.ends_with("/xml");
    let charset = if content_type == "text/css" {
        text.strip_prefix("@charset ").and_then(value)
    } else if (is_xml || is_html) && text.trim_start().starts_with("<?xml") {
        let declaration = text.split("?>").next().unwrap_or_default();
        declaration.split_once("encoding").and_then(|(_, rest)| assigned(rest))
    } else {
        None
    };
    charset.or_else(|| is_html.then(|| meta_charset(&text)).flatten())
}

/// The charset in the first `meta` that has one, outside of comments: `charset="x"`, or `content="text/html; charset=x"`.
fn meta_charset(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = rest.get(at..)?;
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->")?.1;
            continue;
        }
        if let Some(meta) = rest.strip_prefix("<meta") {
            let tag = meta.split('>').next().unwrap_or_default();
            let charset = tag.match_indices("charset").find_map(|(at, found)| assigned(tag.get(at + found.len()..)?));
            if charset.is_some() {
                return charset;
            }
        }
        rest = rest.get(1..)?;
    }
    None
}

/// The value after `=`.
fn assigned(text: &str) -> Option<String> {
    value(text.trim_start().strip_prefix('=')?)
}

/// A charset with or without quotes.
fn value(text: &str) -> Option<String> {
    let text = text.trim_start().trim_start_matches(['"', '\'']);
    let is_name = |character: char| character.is_ascii_alphanumeric() || "-_:.+".contains(character);
    let name = text.split(|character| !is_name(character)).next().unwrap_or_default();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{is_text, of};

    #[test]
    fn recognizes_text_json_and_xml() {
        for text in [
            "text/html",
            "text/javascript",
            "application/json",
            "application/manifest+json",
            "image/svg+xml",
            "application/xml",
        ] {
            assert!(is_text(text), "{text}");
        }
        for other in [
            "image/png",
            "application/wasm",
            "application/octet-stream",
            "font/woff2",
            "application/pdf",
            "model/gltf-binary",
        ] {
            assert!(!is_text(other), "{other}");
        }
    }

    #[test]
    fn bytes_and_declarations_decide_the_charset() {
        let table: &[(&str, &[u8], Option<&str>)] = &[
            ("text/html", b"<p>plain", Some("utf-8")),
            ("text/html", "<p>\u{e9}t\u{e9}".as_bytes(), Some("utf-8")),
            ("text/html", b"<p>\xe9t\xe9", None),
            ("text/html", b"<meta charset=windows-1252><p>\xe9t\xe9", Some("windows-1252")),
            ("text/html", b"<META CHARSET='Windows-1252'><p>plain", Some("windows-1252")),
            (
                "text/html",
                b"<meta http-equiv=\"Content-Type\" content=\"text/html; charset=iso-8859-1\">\xe9",
                Some("iso-8859-1"),
            ),
            (
                "text/html",
                b"<!-- <meta charset=x> --><meta name=a content=b><meta charset = \"koi8-r\">\xc1",
                Some("koi8-r"),
            ),
            ("text/html", b"<meta charset=utf-8><p>\xe9", None),
            ("text/html", b"<meta charset=utf-16><p>a", Some("utf-8")),
            // A wrong declaration over UTF-8.
            ("text/html", "<meta charset=iso-8859-1>\u{e9}".as_bytes(), Some("utf-8")),
            ("text/html", b"<p>charset=x</p><meta name=charset content=a>", Some("utf-8")),
            ("application/rss+xml", b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><rss>\xe9", Some("iso-8859-1")),
            ("application/xml", b"<?xml version='1.0' encoding='ISO-8859-1'?><rss>", Some("iso-8859-1")),
            ("application/xml", b"<?xml version='1.0'?><rss>\xe9", None),
            ("image/svg+xml", b"<svg/>", Some("utf-8")),
            ("application/xhtml+xml", b"<?xml version='1.0' encoding='utf-8'?><html/>", Some("utf-8")),
            ("text/css", b"@charset \"iso-8859-15\"; a{content:'\xa4'}", Some("iso-8859-15")),
            ("text/css", b"a{content:'\xa4'}", None),
            ("text/plain", b"\xe9t\xe9 charset=x", None),
            ("text/plain", b"\xef\xbb\xbfhello", Some("utf-8")),
            ("text/plain", b"\xff\xfeh\0i\0", None),
        ];
        for (content_type, head, expected) in table {
            assert_eq!(of(content_type, head, true).as_deref(), *expected, "{:?}", String::from_utf8_lossy(head));
        }
        // The last character is incomplete, or a letter of Latin-1.
        assert_eq!(of("text/plain", b"caf\xc3", false).as_deref(), Some("utf-8"));
        assert_eq!(of("text/plain", b"caf\xc3", true), None);
    }
}
