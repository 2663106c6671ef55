//! The addresses under which a key can be cached.

use super::path::MAX_PATH_CHARACTERS;
use super::spelling::{PathSpelling, SPELLINGS};
use crate::location::Prefix;

/// The page that is served for its folder.
const INDEX: &str = "index.html";

/// The extension that clean URLs leave out.
const PAGE_EXTENSION: &str = ".html";

/// An address to invalidate, as visitors request it, without the leading slash.
///
/// A truncated address is the beginning of an address that no path can name; it stands for every address that starts like
/// this. Three kinds of addresses are truncated:
/// - with a `*`: at the end of a path it is the wildcard, before the end CloudFront rejects it, and `%2A` names another
///   file;
/// - with a `~`: CloudFront rejects it unencoded, and reportedly accepts `%7E` without clearing anything;
/// - with a path longer than CloudFront accepts.
///
/// Ordered by bytes, a truncated address before the full address with the same text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Encoded, in one of the [`SPELLINGS`]. No escape is cut.
    pub(super) text: String,
    pub(super) truncated: bool,
}

/// How visitors of a distribution address the keys of a site.
#[derive(Debug, Clone)]
pub(crate) struct AddressRules {
    /// The prefix that visitors see before keys.
    pub(crate) prefix: Prefix,
    /// Whether `about` shows `about.html`.
    pub(crate) clean_urls: bool,
}

impl Address {
    fn new(text: &str, spelling: PathSpelling) -> Self {
        let mut path = String::with_capacity(text.len());
        // The end of the longest text that leaves a character for the wildcard.
        let mut end = 0;
        for c in text.chars() {
            let start = path.len();
            spelling.write(c, &mut path);
            // An encoded path is ASCII, and starts with a slash.
            let characters = 1 + path.len();
            if matches!(c, '*' | '~') || characters > MAX_PATH_CHARACTERS {
                path.truncate(start.min(end));
                return Self { text: path, truncated: true };
            }
            if characters < MAX_PATH_CHARACTERS {
                end = path.len();
            }
        }
        Self { text: path, truncated: false }
    }

    /// Whether a wildcard after `stem` is sure to clear it.
    ///
    /// According to the guide `/dev/*` clears `/dev/` too, but there is a report that it did not. So an address that equals
    /// the stem gets its own path, except for `/`, which `/*` clears.
    pub(super) fn is_below(&self, stem: &str) -> bool {
        self.text.starts_with(stem) && (self.truncated || self.text.len() > stem.len() || stem.is_empty())
    }
}

impl AddressRules {
    /// The addresses of keys: sorted, distinct, and without those that a truncated one covers.
    pub(super) fn addresses<'a>(&self, keys: impl Iterator<Item = &'a str>) -> Vec<Address> {
        normalize(keys.flat_map(|key| self.addresses_of(key)).collect())
    }

    /// The addresses of one key.
    pub(super) fn addresses_of(&self, key: &str) -> Vec<Address> {
        let address = self.prefix.join(key);
        let mut all = Vec::with_capacity(1);
        // `d/index.html` is also served for `d/`, and for `d` if the origin redirects from there.
        if let Some(folder) = folder(&address) {
            spell(folder, &mut all);
            folder.strip_suffix('/').into_iter().for_each(|name| spell(name, &mut all));
        } else if let Some(page) = address.strip_suffix(PAGE_EXTENSION).filter(|_| self.clean_urls) {
            spell(page, &mut all);
        }
        spell(&address, &mut all);
        all
    }

    /// The addresses that only redirect to the key: `d` for `d/index.html`.
    pub(super) fn redirecting_addresses(&self, key: &str) -> Vec<Address> {
        let (address, mut all) = (self.prefix.join(key), Vec::new());
        folder(&address).and_then(|folder| folder.strip_suffix('/')).into_iter().for_each(|name| spell(name, &mut all));
        all
    }
}

/// Adds the addresses of a text in every spelling.
fn spell(text: &str, all: &mut Vec<Address>) {
    let first = all.len();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/');
    let count = if text.bytes().all(is_plain) { 1 } else { SPELLINGS.len() };
    for spelling in SPELLINGS.into_iter().take(count) {
        let address = Address::new(text, spelling);
        if !all.iter().skip(first).any(|other| *other == address) {
            all.push(address);
        }
    }
}

fn folder(address: &str) -> Option<&str> {
    address.strip_suffix(INDEX).filter(|folder| folder.is_empty() || folder.ends_with('/'))
}

/// Sorts addresses, and removes duplicates and those that a truncated one covers.
pub(super) fn normalize(mut all: Vec<Address>) -> Vec<Address> {
    all.sort_unstable_by(|a, b| (&a.text, !a.truncated).cmp(&(&b.text, !b.truncated)));
    all.dedup();
    let mut stem: Option<String> = None;
    all.retain(|address| {
        if stem.as_ref().is_some_and(|stem| address.is_below(stem)) {
            return false;
        }
        if address.truncated {
            stem = Some(address.text.clone());
        }
        true
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(prefix: &str) -> AddressRules {
        AddressRules { prefix: Prefix::new(prefix).unwrap(), clean_urls: false }
    }

    fn texts(keys: &[&str], prefix: &str) -> Vec<String> {
        texts_with(&rules(prefix), keys)
    }

    fn texts_with(rules: &AddressRules, keys: &[&str]) -> Vec<String> {
        rules
            .addresses(keys.iter().copied())
            .into_iter()
            .map(|address| address.text + if address.truncated { "*" } else { "" })
            .collect()
    }

    #[test]
    fn an_index_page_has_three_addresses() {
        assert_eq!(texts(&["d/index.html"], ""), ["d", "d/", "d/index.html"]);
        assert_eq!(texts(&["index.html"], ""), ["", "index.html"]);
        assert_eq!(texts(&["index.html"], "docs"), ["docs", "docs/", "docs/index.html"]);
        assert_eq!(texts(&["myindex.html", "index.html/x"], ""), ["index.html/x", "myindex.html"]);
    }

    #[test]
    fn a_page_with_a_clean_url_has_two_addresses() {
        let rules = AddressRules { clean_urls: true, ..rules("docs") };
        assert_eq!(texts_with(&rules, &["about.html"]), ["docs/about", "docs/about.html"]);
        assert_eq!(texts_with(&rules, &["d/index.html"]), ["docs/d", "docs/d/", "docs/d/index.html"]);
        assert_eq!(texts_with(&rules, &["a.css", "html", "x.html/y"]), ["docs/a.css", "docs/html", "docs/x.html/y"]);
        assert_eq!(texts_with(&rules, &["a+b.html"]), ["docs/a%2Bb", "docs/a%2Bb.html", "docs/a+b", "docs/a+b.html"]);
        assert_eq!(texts(&["about.html"], ""), ["about.html"]);
    }

    #[test]
    fn every_address_is_spelled_in_every_way() {
        assert_eq!(
            texts(&["c++/index.html"], ""),
            ["c%2B%2B", "c%2B%2B/", "c%2B%2B/index.html", "c++", "c++/", "c++/index.html"]
        );
        assert_eq!(texts(&["a b/x*"], ""), ["a%20b/x*", "a+b/x*"]);
        // Two keys can have an address in common.
        assert_eq!(texts(&["a b", "a+b"], ""), ["a%20b", "a%2Bb", "a+b"]);
    }

    #[test]
    fn truncates_addresses_that_no_path_can_name() {
        assert_eq!(texts(&["a/x*"], ""), ["a/x*"]);
        assert_eq!(texts(&["a/*/b", "a/b"], ""), ["a/*"]);
        assert_eq!(texts(&["js/runtime~main.js", "js/runtime", "js/runtime-2.js"], ""), ["js/runtime*", "js/runtime"]);
        assert_eq!(texts(&["~joe/index.html", "index.html"], ""), ["*"]);
    }

    #[test]
    fn truncates_long_addresses_to_the_longest_path() {
        let fits = "a".repeat(MAX_PATH_CHARACTERS - 1);
        assert_eq!(texts(&[&fits], ""), [fits.as_str()]);
        let long = format!("{fits}a");
        assert_eq!(texts(&[&long], ""), [format!("{}*", "a".repeat(MAX_PATH_CHARACTERS - 2))]);
        // Each takes six characters in a path, and no escape is split.
        let long = "\u{e9}".repeat(700);
        let [truncated] = &texts(&[&long], "")[..] else { panic!("one address") };
        assert_eq!(truncated.len(), 666 * 6 + 1);
        let star = format!("{fits}*");
        assert_eq!(texts(&[&star], ""), [format!("{}*", "a".repeat(MAX_PATH_CHARACTERS - 2))]);
    }
}
