//! Types from names: additions and corrections to the `mime_guess` table, well-known names, and compressed copies.

/// The type that a name implies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KnownType {
    /// A type, with an encoding for a compressed copy.
    Type {
        content_type: &'static str,
        encoding: Option<&'static str>,
        /// The part of the name that implies it.
        source: &'static str,
    },
    /// The extension has this type and another one.
    Ambiguous { likely: &'static str },
    /// The name implies no type.
    Unknown,
}

/// Types of whole names that software requests.
const NAMES: [(&str, &str); 5] = [
    ("apple-app-site-association", "application/json"),
    ("apple-developer-merchantid-domain-association", "text/plain"),
    ("oauth-authorization-server", "application/json"),
    ("openid-configuration", "application/json"),
    ("webfinger", "application/jrd+json"),
];

/// Types that `mime_guess` does not have, or has in a form that is outdated or that browsers do not accept. Sorted by
/// extension, in lower case. Sources: IANA media types; RFC 9239 (JavaScript), 8081 (fonts), 9512 (YAML), 7303 (XML),
/// 8216 (HLS).
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

/// TypeScript or MPEG transport streams: both are common, and the first bytes distinguish them.
const AMBIGUOUS: [(&str, &str); 3] =
    [("cts", "text/typescript"), ("mts", "text/typescript"), ("ts", "text/typescript")];

/// Extensions of files that pages load. Their compressed copies are encodings, not downloads to unpack.
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

/// The type that the name of `key` implies; with `encodings`, also of compressed copies such as `x.js.gz`.
pub(crate) fn known(key: &str, encodings: bool) -> KnownType {
    let name = key.rsplit('/').next().unwrap_or(key);
    if let Some((_, content_type)) = NAMES.iter().find(|(known, _)| *known == name) {
        return KnownType::Type { content_type, encoding: None, source: "name" };
    }
    let Some((stem, extension)) = split(name) else {
        return KnownType::Unknown;
    };
    let extension = extension.to_ascii_lowercase();
    if encodings && let Some(known) = compressed(stem, &extension) {
        return known;
    }
    match by_extension(&extension) {
        Some(content_type) => KnownType::Type { content_type, encoding: None, source: "extension" },
        None => AMBIGUOUS
            .iter()
            .find(|(known, _)| *known == extension)
            .map_or(KnownType::Unknown, |(_, likely)| KnownType::Ambiguous { likely }),
    }
}

/// The type of an extension in lower case, if it has only one.
pub(crate) fn by_extension(extension: &str) -> Option<&'static str> {
    if AMBIGUOUS.iter().any(|(known, _)| *known == extension) {
        return None;
    }
    let position = TYPES.binary_search_by(|(known, _)| (*known).cmp(extension));
    match position.ok().and_then(|position| TYPES.get(position)) {
        Some((_, content_type)) => Some(content_type),
        None => mime_guess::from_ext(extension).first_raw(),
    }
}

/// The type of a compressed copy of a file that pages load.
fn compressed(stem: &str, extension: &str) -> Option<KnownType> {
    let encoding = match extension {
        "gz" => "gzip",
        "br" => "br",
        // The extension of compressed SVG implies type and encoding.
        "svgz" => {
            return Some(KnownType::Type {
                content_type: "image/svg+xml",
                encoding: Some("gzip"),
                source: "extension of compressed SVG",
            });
        }
        _ => return None,
    };
    let inner = split(stem).map(|(_, inner)| inner.to_ascii_lowercase());
    // Crawlers expect `sitemap.xml.gz` as a gzip file.
    let sitemap = stem.starts_with("sitemap") && encoding == "gzip";
    let inner = inner.filter(|inner| !sitemap && LOADED_BY_PAGES.contains(&inner.as_str()));
    match inner.and_then(|inner| by_extension(&inner)) {
        Some(content_type) => {
            Some(KnownType::Type { content_type, encoding: Some(encoding), source: "extension before the encoding" })
        }
        // Brotli has no signature, so reading does not help.
        None if encoding == "br" => Some(KnownType::Type {
            content_type: "application/octet-stream",
            encoding: None,
            source: "extension of Brotli",
        }),
        None => None,
    }
}

/// A name without its extension, and the extension. A leading dot does not start an extension: `.nojekyll` has none.
fn split(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('.').filter(|(stem, extension)| !stem.is_empty() && !extension.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{AMBIGUOUS, LOADED_BY_PAGES, TYPES, by_extension};

    #[test]
    fn the_table_is_sorted_in_lower_case_and_has_only_corrections() {
        let extensions: Vec<_> = TYPES.iter().map(|(extension, _)| *extension).collect();
        assert!(extensions.is_sorted());
        assert!(extensions.iter().all(|extension| extension.to_ascii_lowercase() == *extension));
        for (extension, content_type) in TYPES {
            assert_ne!(mime_guess::from_ext(extension).first_raw(), Some(content_type), "`{extension}` needs no entry");
        }
    }

    #[test]
    fn files_that_pages_load_have_a_type() {
        for extension in LOADED_BY_PAGES {
            assert!(by_extension(extension).is_some(), "{extension}");
        }
        for (extension, _) in AMBIGUOUS {
            assert_eq!(by_extension(extension), None);
        }
    }
}
