//! Recognizes objects that caches must revalidate: pages and entry points, which lead to everything else.
//!
//! A stale page refers to assets that may be gone. A stale service worker can keep visitors on an old release
//! permanently.

/// Entry points other than pages: they have fixed names, and their content changes with a release.
const ENTRY_POINTS: [&str; 22] = [
    "sw.js",
    "service-worker.js",
    "serviceworker.js",
    "service_worker.js",
    "registersw.js",
    "ngsw-worker.js",
    "ngsw.json",
    "safety-worker.js",
    "firebase-messaging-sw.js",
    "onesignalsdkworker.js",
    "workbox-sw.js",
    "manifest.json",
    "asset-manifest.json",
    "version.json",
    "robots.txt",
    "sitemap.xml",
    "search-index.json",
    "remoteentry.js",
    "env.js",
    "config.js",
    "config.json",
    "latest.json",
];

/// Extensions of files whose readers expect the latest version.
const EXTENSIONS: [&str; 10] = ["html", "htm", "xhtml", "xml", "rss", "atom", "webmanifest", "appcache", "ics", "txt"];

/// Whether caches must revalidate their copy of this key.
pub(crate) fn must_be_fresh(key: &str, content_type: Option<&str>) -> bool {
    let kind = content_type.and_then(|text| text.split(';').next()).map(str::trim_end);
    if matches!(kind, Some("text/html" | "application/xhtml+xml")) {
        return true;
    }
    let name = key.rsplit('/').next().unwrap_or(key).to_ascii_lowercase();
    // The same for a compressed copy.
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".br")).unwrap_or(&name);
    if name.is_empty() || ENTRY_POINTS.contains(&name) || name.ends_with("-sw.js") {
        return true;
    }
    if key.starts_with(".well-known/") {
        return true;
    }
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => EXTENSIONS.contains(&extension),
        // A name without an extension is a page with a clean URL, unless it has another type.
        _ => kind.is_none_or(|kind| kind.starts_with("text/")),
    }
}

#[cfg(test)]
mod tests {
    use super::must_be_fresh;

    #[test]
    fn pages_feeds_and_workers_must_be_fresh() {
        for key in [
            "index.html",
            "a/INDEX.HTML",
            "about",
            "feed.xml",
            "sw.js",
            "js/service-worker.js",
            "site.webmanifest",
            "page.html.br",
            ".well-known/security.txt",
            "x-sw.js",
            "robots.txt",
        ] {
            assert!(must_be_fresh(key, None), "{key}");
        }
        for key in ["app.js", "a/app.css", "photo.png", "font.woff2", "data.json", "screen.js"] {
            assert!(!must_be_fresh(key, None), "{key}");
        }
        assert!(must_be_fresh("page.php", Some("text/html; charset=utf-8")));
        assert!(!must_be_fresh("logo", Some("image/png")));
        assert!(must_be_fresh("LICENSE", Some("text/plain; charset=utf-8")));
    }
}
