//! Types from names: the table of `mime-db` with corrections, well-known names, and compressed copies.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use rustc_hash::FxBuildHasher;

/// The types by extension. The lookup of `mime-db` compares with every extension, for every object.
static EXTENSIONS: LazyLock<HashMap<&str, ExtensionType, FxBuildHasher>> = LazyLock::new(|| {
    let mut types = HashMap::with_capacity_and_hasher(mime_db::EXTENSIONS.len() + TYPES.len(), FxBuildHasher);
    types.extend(TYPES.map(|(extension, content_type)| (extension, ExtensionType::One(content_type))));
    types.extend(AMBIGUOUS.map(|(extension, of_two)| (extension, ExtensionType::OneOf(of_two))));
    for (extension, position) in mime_db::EXTENSIONS {
        if let Some((content_type, ..)) = mime_db::TYPES.get(position).filter(|_| !PAGE_PROGRAMS.contains(&extension)) {
            // The first type of an extension counts.
            types.entry(extension).or_insert(ExtensionType::One(content_type));
        }
    }
    types
});

/// What an extension implies.
#[derive(Clone, Copy)]
enum ExtensionType {
    One(&'static str),
    OneOf(AmbiguousType),
}

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
    /// The extension has one type for text and another one for other bytes.
    Ambiguous(AmbiguousType),
    /// The name implies no type.
    Unknown {
        /// It has an extension, and not one of pages that a server makes.
        extension: bool,
    },
}

/// The types of an extension that two formats share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AmbiguousType {
    pub(crate) text: &'static str,
    pub(crate) binary: &'static str,
}

/// Types of whole names that software requests.
const NAMES: [(&str, &str); 5] = [
    ("apple-app-site-association", "application/json"),
    ("apple-developer-merchantid-domain-association", "text/plain"),
    ("oauth-authorization-server", "application/json"),
    ("openid-configuration", "application/json"),
    ("webfinger", "application/jrd+json"),
];

/// Types that the `mime-db` crate does not have, or has in a form that is outdated or that browsers do not accept.
/// In lower case. A test compares the result with npm's `mime-types`, which has IANA's
/// registrations, and lists the exceptions with their reasons.
const TYPES: [(&str, &str); 70] = [
    ("210", "model/step"),
    ("3gpp", "video/3gpp"),
    ("ac3", "audio/ac3"),
    ("asciidoc", "text/asciidoc"),
    ("blend", "application/x-blender"),
    ("brush", "application/vnd.procreate.brush"),
    ("brushset", "application/vnd.procreate.brushset"),
    ("cbr", "application/vnd.comicbook-rar"),
    ("cbz", "application/vnd.comicbook+zip"),
    ("cjs", "text/javascript"),
    ("cur", "image/vnd.microsoft.icon"),
    ("data", "application/octet-stream"),
    ("dcm", "application/dicom"),
    ("deb", "application/vnd.debian.binary-package"),
    ("dng", "image/x-adobe-dng"),
    ("drm", "application/vnd.procreate.dream"),
    ("emf", "image/emf"),
    ("fbx", "application/vnd.autodesk.fbx"),
    ("fgb", "application/octet-stream"),
    ("flac", "audio/flac"),
    ("gemini", "text/gemini"),
    ("gmi", "text/gemini"),
    ("importmap", "application/importmap+json"),
    ("ipynb", "application/x-ipynb+json"),
    ("jfif", "image/jpeg"),
    ("jl", "text/plain"),
    ("js", "text/javascript"),
    ("jsm", "text/javascript"),
    ("jsonl", "application/jsonl"),
    ("kt", "text/plain"),
    ("lottie", "application/zip+dotlottie"),
    ("m4b", "audio/mp4"),
    ("mht", "message/rfc822"),
    ("mhtml", "message/rfc822"),
    ("mobileconfig", "application/x-apple-aspen-config"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpg4", "video/mp4"),
    ("ndjson", "application/x-ndjson"),
    ("obj", "model/obj"),
    ("one", "application/onenote"),
    ("p21", "model/step"),
    ("parquet", "application/vnd.apache.parquet"),
    ("pcss", "text/plain"),
    ("pls", "audio/x-scpls"),
    ("pmtiles", "application/vnd.pmtiles"),
    ("rs", "text/x-rust"),
    ("step", "model/step"),
    ("stl", "model/stl"),
    ("stp", "model/step"),
    ("stpnc", "model/step"),
    ("styl", "text/plain"),
    ("svelte", "text/plain"),
    ("swift", "text/plain"),
    ("tgz", "application/gzip"),
    ("topojson", "application/json"),
    ("tsx", "text/typescript"),
    ("vcf", "text/vcard"),
    ("vdx", "application/vnd.ms-visio.viewer"),
    ("vsdx", "application/vnd.visio"),
    ("vsix", "application/vsix"),
    ("vtx", "application/vnd.visio"),
    ("vue", "text/plain"),
    ("webarchive", "application/x-safari-webarchive"),
    ("wmf", "image/wmf"),
    ("xfdf", "application/xfdf"),
    ("xlf", "application/xliff+xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zst", "application/zstd"),
];

/// Extensions that two formats share, one of them text.
const AMBIGUOUS: [(&str, AmbiguousType); 10] = [
    ambiguous("cts", "text/typescript", "application/octet-stream"),
    // Graphviz or Word.
    ambiguous("dot", "text/vnd.graphviz", "application/msword"),
    // Keys in PEM or Keynote.
    ambiguous("key", "text/plain", "application/vnd.apple.keynote"),
    // DASH or Microsoft Project.
    ambiguous("mpp", "application/dash-patch+xml", "application/vnd.ms-project"),
    ambiguous("mts", "text/typescript", "video/mp2t"),
    // Emacs or Lotus Organizer; also pages named after their host, such as `example.org`.
    ambiguous("org", "text/plain", "application/vnd.lotus-organizer"),
    // gettext or PowerPoint.
    ambiguous("pot", "text/plain", "application/vnd.ms-powerpoint"),
    // Public keys or Microsoft Publisher.
    ambiguous("pub", "text/plain", "application/x-mspublisher"),
    ambiguous("sub", "text/vnd.dvb.subtitle", "image/vnd.dvb.subtitle"),
    // TypeScript or MPEG transport streams, which may be encrypted.
    ambiguous("ts", "text/typescript", "video/mp2t"),
];

const fn ambiguous(extension: &'static str, text: &'static str, binary: &'static str) -> (&'static str, AmbiguousType) {
    (extension, AmbiguousType { text, binary })
}

/// Extensions of programs that make pages on a server. In a static site, such a name has the page, and the bytes decide.
/// `com` is also a host's name.
const PAGE_PROGRAMS: [&str; 19] = [
    "action", "ashx", "asmx", "asp", "aspx", "axd", "cfm", "cgi", "com", "do", "jsp", "jspx", "php", "php3", "php4",
    "php5", "php7", "phtml", "pl",
];

/// Extensions whose gzip copies are encodings by default: files that pages load. `data` and `symbols.json` are parts of
/// Unity's builds. Gzip copies of other files, such as `feed.xml.gz`, are downloads.
pub(crate) const ENCODED: [&str; 17] = [
    "cjs",
    "css",
    "data",
    "eot",
    "htm",
    "html",
    "ico",
    "js",
    "map",
    "mjs",
    "otf",
    "svg",
    "symbols.json",
    "ttf",
    "wasm",
    "webmanifest",
    "xhtml",
];

/// The type that the name of `key` implies. Copies of `encoded` extensions, such as `x.js.gz`, are encodings.
pub(crate) fn known(key: &str, encoded: &[String]) -> KnownType {
    let name = key.rsplit('/').next().unwrap_or(key);
    if let Some((_, content_type)) = NAMES.iter().find(|(known, _)| *known == name) {
        return KnownType::Type { content_type, encoding: None, source: "name" };
    }
    let whole = known_name(name, encoded);
    // A mirror keeps the query: `style.css?ver=6.1`, or `style.css@ver=6.1` on Windows, where `?` cannot be in a name.
    let query = if name.contains(['?', '%']) { name.find('?').or_else(|| name.find("%3F")) } else { None };
    let path = match query {
        Some(at) => name.get(..at),
        None if matches!(whole, KnownType::Unknown { .. }) => name.split_once('@').map(|(path, _)| path),
        None => None,
    };
    match path.filter(|path| split(path).is_some()).map(|path| known_name(path, encoded)) {
        Some(KnownType::Unknown { extension: true }) | None => whole,
        Some(known) => known,
    }
}

fn known_name(name: &str, encoded: &[String]) -> KnownType {
    let Some((stem, extension)) = split(name) else {
        return KnownType::Unknown { extension: false };
    };
    let extension = lowercase(extension);
    if !encoded.is_empty()
        && let Some(known) = compressed(stem, &extension, encoded)
    {
        return known;
    }
    match EXTENSIONS.get(&*extension) {
        Some(ExtensionType::One(content_type)) => KnownType::Type { content_type, encoding: None, source: "extension" },
        Some(ExtensionType::OneOf(types)) => KnownType::Ambiguous(*types),
        None => KnownType::Unknown { extension: !PAGE_PROGRAMS.contains(&&*extension) },
    }
}

/// The type of an extension in lower case, if it has only one.
pub(crate) fn by_extension(extension: &str) -> Option<&'static str> {
    match EXTENSIONS.get(extension) {
        Some(ExtensionType::One(content_type)) => Some(content_type),
        Some(ExtensionType::OneOf(_)) | None => None,
    }
}

/// Most extensions are in lower case.
fn lowercase(extension: &str) -> Cow<'_, str> {
    if extension.bytes().any(|byte| byte.is_ascii_uppercase()) {
        extension.to_ascii_lowercase().into()
    } else {
        extension.into()
    }
}

/// The type of a compressed copy.
fn compressed(stem: &str, extension: &str, encoded: &[String]) -> Option<KnownType> {
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
    let stem = stem.to_ascii_lowercase();
    let inner = split(&stem).map(|(_, inner)| inner).and_then(by_extension);
    let listed = encoded.iter().any(|suffix| {
        stem.strip_suffix(suffix.as_str()).and_then(|rest| rest.strip_suffix('.')).is_some_and(|rest| !rest.is_empty())
    });
    // Nothing but browsers unpacks Brotli, so text in it is never a download.
    let text = encoding == "br" && inner.is_some_and(crate::charset::is_text);
    if listed || text {
        let content_type = inner.unwrap_or("application/octet-stream");
        return Some(KnownType::Type {
            content_type,
            encoding: Some(encoding),
            source: "extension before the encoding",
        });
    }
    // Brotli has no signature, so reading does not help.
    (encoding == "br").then_some(KnownType::Type {
        content_type: "application/octet-stream",
        encoding: None,
        source: "extension of Brotli",
    })
}

/// A name without its extension, and the extension. A leading dot does not start an extension: `.nojekyll` has none.
fn split(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('.').filter(|(stem, extension)| !stem.is_empty() && !extension.is_empty())
}

#[cfg(test)]
mod tests;
