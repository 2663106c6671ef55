//! Files that have no text, so that they need not be read.

/// Extensions of formats without text.
const EXTENSIONS: [&str; 58] = [
    "7z", "aac", "apng", "avi", "avif", "bmp", "br", "bz2", "class", "deb", "dll", "dmg", "docx", "eot", "exe", "flac",
    "gif", "gz", "heic", "ico", "iso", "jar", "jpeg", "jpg", "jxl", "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "mpeg",
    "msi", "odt", "ogg", "ogv", "opus", "otf", "pack", "pdf", "png", "pptx", "psd", "rar", "so", "tar", "tgz", "tif",
    "tiff", "ttf", "wasm", "wav", "webm", "webp", "woff", "woff2", "xlsx", "xz",
];

/// Whether an object has no text, by its headers and its name.
pub(crate) fn is_binary(key: &str, content_type: Option<&str>, content_encoding: Option<&str>) -> bool {
    let is_encoded = content_encoding.is_some_and(|encoding| !encoding.is_empty() && encoding != "identity");
    let kind = content_type.unwrap_or_default();
    let is_media = [
        "image/",
        "audio/",
        "video/",
        "font/",
        "application/wasm",
        "application/zip",
        "application/gzip",
        "application/pdf",
    ]
    .iter()
    .any(|prefix| kind.starts_with(prefix) && !kind.starts_with("image/svg"));
    let is_named = key
        .rsplit_once('.')
        .is_some_and(|(_, extension)| EXTENSIONS.binary_search(&extension.to_ascii_lowercase().as_str()).is_ok());
    is_encoded || is_media || is_named
}

#[cfg(test)]
mod tests {
    use super::{EXTENSIONS, is_binary};

    #[test]
    fn media_and_archives_have_no_text() {
        assert!(EXTENSIONS.is_sorted());
        assert!(is_binary("a/b.PNG", None, None) && is_binary("a", Some("video/mp4"), None));
        assert!(is_binary("app.js", Some("text/javascript"), Some("br")));
        for (key, kind) in [("a.svg", Some("image/svg+xml")), ("app.js", None), ("CNAME", None), ("x.bin", None)] {
            assert!(!is_binary(key, kind, None), "{key}");
        }
    }
}
