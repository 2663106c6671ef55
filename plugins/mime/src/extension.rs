//! Types by name.
//!
//! Owns what the `mime_guess` table lacks or has against today's registrations, names that have a type without an
//! extension, and compressed siblings. Reads no content.

/// What a name says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KnownType {
    /// A type, perhaps of what is inside an encoding.
    Type {
        content_type: &'static str,
        encoding: Option<&'static str>,
        /// What of the name said it.
        by: &'static str,
    },
    /// The extension is used for this type and for others.
    Ambiguous { likely: &'static str },
    /// Nothing.
    No,
}

/// By whole name, because software asks for exactly these.
const NAMES: [(&str, &str); 5] = [
    ("apple-app-site-association", "application/json"),
    ("apple-developer-merchantid-domain-association", "text/plain"),
    ("oauth-authorization-server", "application/json"),
    ("openid-configuration", "application/json"),
    ("webfinger", "application/jrd+json"),
];

/// Where `mime_guess` knows nothing, something outdated, or something that browsers do not take. Sorted by extension, in
/// lower case. Sources: IANA's media types; RFC 9239 (JavaScript), 8081 (fonts), 9512 (YAML), 7303 (XML), 8216 (HLS).
const TYPES: [(&str, &str); 38] = [
    ("asciidoc", "text/asciidoc"),
    ("cjs", "text/javascript"),
    ("fgb", "application/octet-stream"),
    ("importmap", "application/importmap+json"),
    ("jl", "text/plain"),
    ("jsonl", "application/jsonl"),
    ("kt", "text/plain"),
    ("less", "text/plain"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("m4a", "audio/mp4"),
    ("map", "application/json"),
    ("mdx", "text/mdx"),
    ("mjs", "text/javascript"),
    ("ndjson", "application/x-ndjson"),
    ("otf", "font/otf"),
    ("pcss", "text/plain"),
    ("pmtiles", "application/vnd.pmtiles"),
    ("sass", "text/plain"),
    ("scss", "text/plain"),
    ("sql", "application/sql"),
    ("stl", "model/stl"),
    ("styl", "text/plain"),
    ("svelte", "text/plain"),
    ("swift", "text/plain"),
    ("tgz", "application/gzip"),
    ("toml", "application/toml"),
    ("topojson", "application/json"),
    ("tsx", "text/typescript"),
    ("usdz", "model/vnd.usdz+zip"),
    ("vue", "text/plain"),
    ("wgsl", "text/wgsl"),
    ("woff", "font/woff"),
    ("xml", "application/xml"),
    ("xsl", "application/xslt+xml"),
    ("xslt", "application/xslt+xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zst", "application/zstd"),
];

/// TypeScript, or a film: both are common, and the first bytes tell.
const AMBIGUOUS: [(&str, &str); 3] =
    [("cts", "text/typescript"), ("mts", "text/typescript"), ("ts", "text/typescript")];

/// What pages load, so that a compressed copy is an encoding of it and not a download that is unpacked on disk.
const LOADED_BY_PAGES: [&str; 20] = [
    "atom",
    "cjs",
    "css",
    "eot",
    "htm",
    "html",
    "ico",
    "js",
    "json",
    "map",
    "mjs",
    "otf",
    "rss",
    "svg",
    "ttf",
    "txt",
    "wasm",
    "webmanifest",
    "xhtml",
    "xml",
];

/// What the name of `key` says; `encodings` asks to look into names such as `x.js.gz`.
pub(crate) fn known(key: &str, encodings: bool) -> KnownType {
    let name = key.rsplit('/').next().unwrap_or(key);
    if let Some((_, content_type)) = NAMES.iter().find(|(known, _)| *known == name) {
        return KnownType::Type { content_type, encoding: None, by: "name" };
    }
    let Some((stem, extension)) = split(name) else {
        return KnownType::No;
    };
    let extension = extension.to_ascii_lowercase();
    if encodings && let Some(known) = compressed(stem, &extension) {
        return known;
    }
    match by_extension(&extension) {
        Some(content_type) => KnownType::Type { content_type, encoding: None, by: "extension" },
        None => AMBIGUOUS
            .iter()
            .find(|(known, _)| *known == extension)
            .map_or(KnownType::No, |(_, likely)| KnownType::Ambiguous { likely }),
    }
}

/// The type of an extension in lower case, where it has only one.
pub(crate) fn by_extension(extension: &str) -> Option<&'static str> {
    if AMBIGUOUS.iter().any(|(known, _)| *known == extension) {
        return None;
    }
    let place = TYPES.binary_search_by(|(known, _)| (*known).cmp(extension));
    match place.ok().and_then(|place| TYPES.get(place)) {
        Some((_, content_type)) => Some(content_type),
        None => mime_guess::from_ext(extension).first_raw(),
    }
}

/// A compressed copy of what a page loads.
fn compressed(stem: &str, extension: &str) -> Option<KnownType> {
    let encoding = match extension {
        "gz" => "gzip",
        "br" => "br",
        // Compressed SVG has one extension for both.
        "svgz" => {
            return Some(KnownType::Type {
                content_type: "image/svg+xml",
                encoding: Some("gzip"),
                by: "extension of compressed SVG",
            });
        }
        _ => return None,
    };
    let inner = split(stem).map(|(_, inner)| inner.to_ascii_lowercase());
    // Crawlers fetch `sitemap.xml.gz` as a gzip file.
    let sitemap = stem.starts_with("sitemap") && encoding == "gzip";
    let inner = inner.filter(|inner| !sitemap && LOADED_BY_PAGES.contains(&inner.as_str()));
    match inner.and_then(|inner| by_extension(&inner)) {
        Some(content_type) => {
            Some(KnownType::Type { content_type, encoding: Some(encoding), by: "extension before the encoding" })
        }
        // Brotli has no signature: reading would tell nothing.
        None if encoding == "br" => Some(KnownType::Type {
            content_type: "application/octet-stream",
            encoding: None,
            by: "extension of Brotli",
        }),
        None => None,
    }
}

/// A name and its extension. A dot at the start begins no extension: `.nojekyll` has none.
fn split(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('.').filter(|(stem, extension)| !stem.is_empty() && !extension.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{AMBIGUOUS, LOADED_BY_PAGES, TYPES, by_extension};

    #[test]
    fn the_tables_are_sorted_in_lower_case_and_do_not_repeat_what_mime_guess_knows() {
        let extensions: Vec<_> = TYPES.iter().map(|(extension, _)| *extension).collect();
        assert!(extensions.is_sorted());
        assert!(extensions.iter().all(|extension| extension.to_ascii_lowercase() == *extension));
        for (extension, content_type) in TYPES {
            assert_ne!(
                mime_guess::from_ext(extension).first_raw(),
                Some(content_type),
                "`{extension}` is right without an entry"
            );
        }
    }

    #[test]
    fn what_pages_load_has_a_type() {
        for extension in LOADED_BY_PAGES {
            assert!(by_extension(extension).is_some(), "{extension}");
        }
        for (extension, _) in AMBIGUOUS {
            assert_eq!(by_extension(extension), None);
        }
    }
}
