//! Recognizes types of text, which get a charset. Without one, browsers guess it by the user's locale.

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

#[cfg(test)]
mod tests {
    use super::is_text;

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
}
