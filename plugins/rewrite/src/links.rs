//! Finds pages that link to the old `.html` address of a page with a clean URL. Such a link costs visitors a redirect.

use std::collections::BTreeMap;

use memchr::{memchr, memmem};
use percent_encoding::percent_decode_str;
use tidegate_plugin::{Finding, Pointer, content};

use crate::pages::CleanPages;

/// Bytes of a page that are searched. Source: `wit/plugin.wit`, limit of `read-heads`.
const HEAD_BYTES: u32 = 64 * 1024;

/// Limit of the linked keys that are kept.
const MAX_TARGETS: usize = 10_000;

/// Limit of the links that findings name.
const MAX_NAMED: usize = 20;

/// Links to keys that end in `.html`.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Linked keys, each with the first page that links to it.
    targets: BTreeMap<String, String>,
    /// The number of pages that could not be read.
    unread: u64,
}

/// A page to search.
#[derive(Debug)]
pub(crate) struct LinkingPage {
    /// Its key in the artifact.
    pub(crate) source: String,
    /// Its key without a clean URL, from which its relative links start.
    pub(crate) key: String,
}

impl Links {
    /// Reads pages.
    pub(crate) fn read(&mut self, pages: Vec<LinkingPage>) {
        // Without a budget, further calls would only be refused.
        let heads = if self.unread > 0 {
            Vec::new()
        } else {
            content::heads(&pages.iter().map(|page| page.source.clone()).collect::<Vec<_>>(), HEAD_BYTES)
        };
        let mut heads = heads.into_iter();
        for LinkingPage { key, .. } in pages {
            let Some(Ok(head)) = heads.next() else {
                self.unread += 1;
                continue;
            };
            for target in links(&key, &head) {
                if self.targets.len() < MAX_TARGETS {
                    self.targets.entry(target).or_insert_with(|| key.clone());
                }
            }
        }
    }

    /// Findings about links to old addresses.
    pub(crate) fn finish(&self, pages: &CleanPages) -> Vec<Finding> {
        let at = Pointer::root().member("clean-urls-links");
        let found: Vec<_> =
            self.targets.iter().filter_map(|(key, page)| Some((key, page, pages.moved_to(key)?))).collect();
        let named = found.iter().take(MAX_NAMED).map(|(key, page, to)| {
            let message = format!("`{page}` links to `/{key}`, which redirects to `{to}`; link to `{to}`");
            Finding::warning("link-to-old-address", message).with_key(page.as_str()).with_rule(&at)
        });
        let more = found.len().saturating_sub(MAX_NAMED);
        let more = (more > 0).then(|| {
            let message = format!("pages link to {more} more old addresses");
            Finding::warning("link-to-old-address", message).with_rule(&at)
        });
        let unread = (self.unread > 0).then(|| {
            let message =
                format!("links of {} pages were not checked: the read budget of the run is spent", self.unread);
            Finding::info("links-not-checked", message).with_rule(&at)
        });
        named.chain(more).chain(unread).collect()
    }
}

/// The keys that end in `.html` to which a page links.
fn links<'a>(page: &'a str, html: &'a [u8]) -> impl Iterator<Item = String> + 'a {
    memmem::find_iter(html, "href=").filter_map(move |at| {
        let text = html.get(at + "href=".len()..)?;
        let value = match text.split_first()? {
            (quote @ (b'"' | b'\''), rest) => rest.get(..memchr(*quote, rest)?)?,
            _ => text.split(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'>')).next()?,
        };
        // Most links are decided by their last bytes.
        let path = value.split(|byte| matches!(byte, b'?' | b'#')).next()?.trim_ascii();
        if path.ends_with(b".html") { resolve(page, std::str::from_utf8(path).ok()?) } else { None }
    })
}

/// The key of a path, if it is on this site.
fn resolve(page: &str, path: &str) -> Option<String> {
    if path.starts_with("//") || path.split('/').next().is_some_and(|first| first.contains(':')) {
        return None;
    }
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut segments: Vec<&str> = if path.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for segment in path.split('/') {
        match segment {
            ".." => drop(segments.pop()),
            "" | "." => {}
            _ => segments.push(segment),
        }
    }
    segments.retain(|segment| !segment.is_empty());
    Some(percent_decode_str(&segments.join("/")).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::links;

    #[test]
    fn finds_links_to_html_files_of_this_site() {
        let html = r#"<a href="b.html"><a href='../c.html#x'><a href=/d.html?y=1 class=z><a href="./é%20f.html">
            <a href="https://x.example/g.html"><a href="//x.example/h.html"><a href="mailto:i.html"><a href="/j">
            <link href="k.css"><a href="../../../l.html"><a href="?m.html">"#;
        let expected = ["a/b.html", "c.html", "d.html", "a/é f.html", "l.html"];
        assert_eq!(links("a/index.html", html.as_bytes()).collect::<Vec<_>>(), expected);
        assert_eq!(links("index.html", br#"<a href="b.html">"#).collect::<Vec<_>>(), ["b.html"]);
        assert_eq!(
            links("index.html", b"\xff<a href='\xff.html'><a href='c.html'><a href=\"d.html").collect::<Vec<_>>(),
            ["c.html"]
        );
    }
}
