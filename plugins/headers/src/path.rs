//! Paths of the `_headers` file, with Netlify's semantics.
//!
//! Source: `for_regexp.js` of `@netlify/headers-parser`, without its mistakes: there, `/a/*` also matches `/ab`, and the
//! `.` of `/*.js` matches any character.

use percent_encoding::percent_decode_str;
use tidegate_plugin::key::compose;

/// A path in which `*` matches any text, also across folders, and `:name` matches one segment. Case, a trailing `/`,
/// percent-encoding and the Unicode form make no difference.
#[derive(Debug)]
pub(crate) struct PathPattern(Vec<PathToken>);

#[derive(Debug)]
enum PathToken {
    /// Composed, in lower case.
    Text(String),
    /// A segment that is not empty.
    Placeholder,
    /// Any text. As a whole segment, nothing or a `/` with any text: `/a/*` matches `/a`, and not `/ab`.
    Star { segment: bool },
}

impl PathPattern {
    pub(crate) fn parse(path: &str) -> Self {
        let mut tokens = Vec::new();
        for segment in path.split('/').map(str::trim_end).filter(|segment| !segment.is_empty()) {
            if segment == "*" {
                tokens.push(PathToken::Star { segment: true });
                continue;
            }
            push_text(&mut tokens, "/");
            if segment.starts_with(':') {
                tokens.push(PathToken::Placeholder);
                continue;
            }
            for (position, text) in segment.split('*').enumerate() {
                if position > 0 {
                    tokens.push(PathToken::Star { segment: false });
                }
                push_text(&mut tokens, &compose(&percent_decode_str(text).decode_utf8_lossy()).to_lowercase());
            }
        }
        Self(tokens)
    }

    /// Whether the path matches an object.
    pub(crate) fn matches(&self, object: &ObjectPaths) -> bool {
        let names_index = object.is_index && matches!(self.0.last(), Some(PathToken::Placeholder));
        // `/blog/:slug` is not the index of `/blog/`.
        (!names_index && self.matches_path(&object.file))
            || object.page.as_ref().is_some_and(|page| self.matches_path(page))
    }

    fn matches_path(&self, path: &str) -> bool {
        let (mut tokens, mut text) = (self.0.as_slice(), path);
        // The tokens after the last `*`, and the text that they are tried on. An earlier `*` need not be tried again,
        // because the last one matches whatever a longer earlier match leaves.
        let mut star: Option<(&[PathToken], &str)> = None;
        loop {
            let next = match tokens.split_first() {
                None if matches!(text, "" | "/") => return true,
                None => None,
                Some((PathToken::Text(part), rest)) => text.strip_prefix(part.as_str()).map(|text| (rest, text)),
                Some((PathToken::Placeholder, rest)) => {
                    let end = text.find('/').unwrap_or(text.len());
                    text.split_at_checked(end).filter(|_| end > 0).map(|(_, text)| (rest, text))
                }
                Some((PathToken::Star { segment: true }, _)) if !text.is_empty() && !text.starts_with('/') => None,
                Some((PathToken::Star { .. }, [])) => return true,
                Some((PathToken::Star { .. }, rest)) => {
                    star = Some((rest, text));
                    star
                }
            };
            (tokens, text) = match (next, star) {
                (Some(next), _) => next,
                (None, Some((rest, at))) => {
                    let mut characters = at.chars();
                    if characters.next().is_none() {
                        return false;
                    }
                    star = Some((rest, characters.as_str()));
                    (rest, characters.as_str())
                }
                (None, None) => return false,
            };
        }
    }
}

fn push_text(tokens: &mut Vec<PathToken>, text: &str) {
    match tokens.last_mut() {
        _ if text.is_empty() => {}
        Some(PathToken::Text(last)) => last.push_str(text),
        _ => tokens.push(PathToken::Text(text.to_owned())),
    }
}

/// The paths at which visitors reach an object, composed and in lower case.
#[derive(Debug)]
pub(crate) struct ObjectPaths {
    file: String,
    /// The address of a page: `/blog/` for `blog/index.html`, `/blog` for `blog.html`.
    page: Option<String>,
    is_index: bool,
}

impl ObjectPaths {
    pub(crate) fn new(key: &str) -> Self {
        let file = format!("/{}", compose(key).to_lowercase());
        let index = file.strip_suffix("index.html").filter(|folder| folder.ends_with('/'));
        let page = index.or_else(|| file.strip_suffix(".html")).map(str::to_owned);
        Self { is_index: index.is_some(), page, file }
    }
}

#[cfg(test)]
mod tests {
    use super::{ObjectPaths, PathPattern};

    #[test]
    fn paths_match_objects() {
        let table = [
            ("/*", "a/b", true),
            ("/*", "index.html", true),
            ("*", "a/b", true),
            ("/a/*", "a/b/c", true),
            ("/a/*", "a/index.html", true),
            ("/a/*", "ab/c", false),
            ("/a/*", "a", true),
            ("/a.html", "a.html", true),
            ("/a.html", "x/a.html", false),
            ("/", "index.html", true),
            ("/", "a.html", false),
            ("/a/", "a/index.html", true),
            ("/a", "a/index.html", true),
            ("/a", "a", true),
            ("/a", "a.html", true),
            ("/A.HTML", "a.html", true),
            ("/:lang/about", "en/about", true),
            ("/:lang/about", "about", false),
            ("/:lang/*", "en/x/y", true),
            ("/blog/:slug", "blog/index.html", false),
            ("/blog/:slug", "blog/a.html", true),
            ("/blog/:slug", "blog/a/index.html", true),
            ("/blog/:slug", "blog/a/b.html", false),
            ("/:folder/:slug", "blog/index.html", false),
            ("/:folder/index.html", "blog/index.html", true),
            ("/*.js", "a.js", true),
            ("/*.js", "a/b/c.js", true),
            ("/*.js", "a.json", false),
            ("/*.js", "a-js", false),
            ("/js/*.js", "js/x/a.js", true),
            ("/js/*.js", "a.js", false),
            ("/favicon*", "favicon.ico", true),
            ("/favicon*", "favicons/a.png", true),
            ("/favicon*", "a/favicon.ico", false),
            ("/*/index.html", "index.html", true),
            ("/*/index.html", "a/b/index.html", true),
            ("/*/index.html", "a/b.html", false),
            ("/*.html", "blog/index.html", true),
            ("/a/*/c/*/e.js", "a/b/c/d/e.js", true),
            ("/a/*/c/*/e.js", "a/c/e.js", true),
            ("/a/*/c/*/e.js", "a/c/b/e.js.map", false),
            ("/*a/*", "ba-a/x", true),
            ("/*-*-*.js", "a-b-c-d.js", true),
            ("/a%20b", "a b", true),
            ("/a b", "a b", true),
            ("/caf%C3%A9/*", "café/x.png", true),
            ("/café/*", "café/x.png", true),
            ("/a%2520b", "a%20b", true),
            ("/caf\u{e9}/*", "cafe\u{301}/x.png", true),
            ("/cafe\u{301}/*", "caf\u{e9}/x.png", true),
            ("/cafe%CC%81/*", "caf\u{e9}/x.png", true),
            ("/CAF\u{c9}.html", "cafe\u{301}.html", true),
            ("/\u{d55c}*", "\u{1112}\u{1161}\u{11ab}.html", true),
            ("/s\u{307}\u{323}", "\u{1e69}.html", true),
            ("/cafe/*", "cafe\u{301}/x.png", false),
            ("/*.{js,css}", "a.js", false),
        ];
        for (path, key, expected) in table {
            assert_eq!(PathPattern::parse(path).matches(&ObjectPaths::new(key)), expected, "`{path}` and `{key}`");
        }
    }

    #[test]
    fn many_stars_take_no_more_time_than_few() {
        let pattern = PathPattern::parse(&format!("/{}b", "a*".repeat(400)));
        assert!(!pattern.matches(&ObjectPaths::new(&"a".repeat(1_000))));
    }
}
