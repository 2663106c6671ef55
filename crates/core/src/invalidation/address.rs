//! The addresses under which a key can be cached.

use super::path::{MAX_PATH_CHARACTERS, encoded_length};
use crate::location::Prefix;

/// The page that is served for its folder.
const INDEX: &str = "index.html";

/// An address to invalidate, as visitors see it, without the leading slash and not encoded.
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
    pub(super) text: String,
    pub(super) truncated: bool,
}

impl Address {
    fn new(text: &str) -> Self {
        let mut characters = 1;
        // The end of the longest text that leaves a character for the wildcard.
        let mut end = 0;
        for (at, c) in text.char_indices() {
            characters += encoded_length(c);
            if matches!(c, '*' | '~') || characters > MAX_PATH_CHARACTERS {
                let text = text.get(..at.min(end)).unwrap_or_default().to_owned();
                return Self { text, truncated: true };
            }
            if characters < MAX_PATH_CHARACTERS {
                end = at + c.len_utf8();
            }
        }
        Self { text: text.to_owned(), truncated: false }
    }

    /// Whether a wildcard after `stem` is sure to clear it.
    ///
    /// According to the guide `/dev/*` clears `/dev/` too, but there is a report that it did not. So an address that equals
    /// the stem gets its own path, except for `/`, which `/*` clears.
    pub(super) fn is_below(&self, stem: &str) -> bool {
        self.text.starts_with(stem) && (self.truncated || self.text.len() > stem.len() || stem.is_empty())
    }
}

/// The addresses of keys: sorted, distinct, and without those that a truncated one covers. `prefix` is the prefix that
/// visitors see before keys of the site.
pub(super) fn addresses<'a>(keys: impl Iterator<Item = &'a str>, prefix: &Prefix) -> Vec<Address> {
    normalize(keys.flat_map(|key| addresses_of(key, prefix)).collect())
}

/// The addresses of one key.
pub(super) fn addresses_of(key: &str, prefix: &Prefix) -> Vec<Address> {
    let address = prefix.join(key);
    let mut all = Vec::with_capacity(1);
    // `d/index.html` is also served for `d/`, and for `d` if the origin redirects from there.
    if let Some(folder) = folder(&address) {
        all.push(Address::new(folder));
        all.extend(folder.strip_suffix('/').map(Address::new));
    }
    all.push(Address::new(&address));
    all
}

/// The address that only redirects to the key: `d` for `d/index.html`.
pub(super) fn redirecting_address(key: &str, prefix: &Prefix) -> Option<Address> {
    let address = prefix.join(key);
    folder(&address).and_then(|folder| folder.strip_suffix('/')).map(Address::new)
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

    fn texts(keys: &[&str], prefix: &str) -> Vec<String> {
        addresses(keys.iter().copied(), &Prefix::new(prefix).unwrap())
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
        assert_eq!(truncated.chars().count(), 666 + 1);
        let star = format!("{fits}*");
        assert_eq!(texts(&[&star], ""), [format!("{}*", "a".repeat(MAX_PATH_CHARACTERS - 2))]);
    }
}
