//! The addresses under which visitors may have a key cached.
//!
//! Owns which addresses a key has, and where an address cannot be written as a path. Never chooses between paths.

use super::path::{MAX_PATH_CHARACTERS, written};
use crate::location::Prefix;

/// The page that answers for its folder.
const INDEX: &str = "index.html";

/// Something that has to be forgotten, as visitors see it, without the leading slash and not encoded.
///
/// Where `cut`, it is the beginning of an address that cannot be written as a path of its own, and everything that
/// begins so is forgotten with it. That is so for three kinds of addresses:
/// - those that hold a `*`: at a path's end it would be the wildcard, before the end CloudFront refuses it, and `%2A`
///   names another file;
/// - those that hold a `~`: CloudFront refuses it bare, and there are reports that `%7E` is taken and clears nothing;
/// - those whose path would be longer than CloudFront takes.
///
/// Ordered by bytes, a cut before the whole address of the same text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathText {
    pub(super) text: String,
    pub(super) cut: bool,
}

impl PathText {
    fn of(text: &str) -> Self {
        let mut characters = 1;
        // How far a path with an asterisk behind it may reach.
        let mut reach = 0;
        for (at, c) in text.char_indices() {
            characters += written(c);
            if matches!(c, '*' | '~') || characters > MAX_PATH_CHARACTERS {
                let text = text.get(..at.min(reach)).unwrap_or_default().to_owned();
                return Self { text, cut: true };
            }
            if characters < MAX_PATH_CHARACTERS {
                reach = at + c.len_utf8();
            }
        }
        Self { text: text.to_owned(), cut: false }
    }

    /// Whether a wildcard behind `stem` is sure to clear it.
    ///
    /// By the guide `/dev/*` clears `/dev/` too; there is a report that it did not. So what equals the stem gets a path of
    /// its own, but for `/`, which everybody clears by `/*`.
    pub(super) fn is_below(&self, stem: &str) -> bool {
        self.text.starts_with(stem) && (self.cut || self.text.len() > stem.len() || stem.is_empty())
    }
}

/// All addresses of keys, `below` being what visitors see before a key of the site: sorted, each once, and without those
/// that a cut one clears.
pub(super) fn addresses<'a>(keys: impl Iterator<Item = &'a str>, below: &Prefix) -> Vec<PathText> {
    tidy(keys.flat_map(|key| of_key(key, below)).collect())
}

/// The addresses of one key.
pub(super) fn of_key(key: &str, below: &Prefix) -> Vec<PathText> {
    let whole = below.join(key);
    let mut all = Vec::with_capacity(1);
    // `d/index.html` also answers for `d/`, and for `d` where the origin leads from there.
    if let Some(folder) = folder(&whole) {
        all.push(PathText::of(folder));
        all.extend(folder.strip_suffix('/').map(PathText::of));
    }
    all.push(PathText::of(&whole));
    all
}

/// The address of a key at which the origin only leads on to it: `d` of `d/index.html`.
pub(super) fn bare(key: &str, below: &Prefix) -> Option<PathText> {
    let whole = below.join(key);
    folder(&whole).and_then(|folder| folder.strip_suffix('/')).map(PathText::of)
}

fn folder(whole: &str) -> Option<&str> {
    whole.strip_suffix(INDEX).filter(|folder| folder.is_empty() || folder.ends_with('/'))
}

/// Addresses sorted, each once, and without those that a cut one clears.
pub(super) fn tidy(mut all: Vec<PathText>) -> Vec<PathText> {
    all.sort_unstable_by(|a, b| (&a.text, !a.cut).cmp(&(&b.text, !b.cut)));
    all.dedup();
    let mut stem: Option<String> = None;
    all.retain(|address| {
        if stem.as_ref().is_some_and(|stem| address.is_below(stem)) {
            return false;
        }
        if address.cut {
            stem = Some(address.text.clone());
        }
        true
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(keys: &[&str], below: &str) -> Vec<String> {
        addresses(keys.iter().copied(), &Prefix::new(below).unwrap())
            .into_iter()
            .map(|address| address.text + if address.cut { "*" } else { "" })
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
    fn what_cannot_be_written_is_cut_and_clears_what_begins_so() {
        assert_eq!(texts(&["a/x*"], ""), ["a/x*"]);
        assert_eq!(texts(&["a/*/b", "a/b"], ""), ["a/*"]);
        assert_eq!(texts(&["js/runtime~main.js", "js/runtime", "js/runtime-2.js"], ""), ["js/runtime*", "js/runtime"]);
        assert_eq!(texts(&["~joe/index.html", "index.html"], ""), ["*"]);
    }

    #[test]
    fn what_is_too_long_is_cut_where_it_still_fits() {
        let fits = "a".repeat(MAX_PATH_CHARACTERS - 1);
        assert_eq!(texts(&[&fits], ""), [fits.as_str()]);
        let long = format!("{fits}a");
        assert_eq!(texts(&[&long], ""), [format!("{}*", "a".repeat(MAX_PATH_CHARACTERS - 2))]);
        // Six characters of the path each, and no escape is cut in half.
        let long = "\u{e9}".repeat(700);
        let [cut] = &texts(&[&long], "")[..] else { panic!("one address") };
        assert_eq!(cut.chars().count(), 666 + 1);
        let star = format!("{fits}*");
        assert_eq!(texts(&[&star], ""), [format!("{}*", "a".repeat(MAX_PATH_CHARACTERS - 2))]);
    }
}
