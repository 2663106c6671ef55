//! Matches paths, spelled as the function does, with the path of a rule, and writes targets as the function fills them.

use percent_encoding::percent_decode_str;

use super::matcher::PathMatcher;
use super::query::QueryCondition;
use super::rules::{RulePath, RuleTarget, SlashMatch};
use super::spelling::encode_path;

/// The path of a rule, ready to match paths as the function spells them.
#[derive(Debug)]
pub(crate) struct RequestPattern(PathMatcher);

impl RequestPattern {
    /// The pattern of a rule.
    pub(crate) fn new(path: &RulePath, slash: SlashMatch) -> Self {
        Self(PathMatcher::new(&encode_path(path.as_str()), slash))
    }

    /// The path of the rule, as the function spells it.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Which spellings it matches.
    pub(crate) fn slash(&self) -> SlashMatch {
        self.0.slash()
    }

    /// What its placeholders stand for in a path, in order, or `None` if it does not match.
    pub(crate) fn values(&self, path: &str) -> Option<Vec<String>> {
        Some(self.0.values(path)?.into_iter().map(|(_, value)| value).collect())
    }

    /// A target as the function has it: `{1}` for the first placeholder of path and query, and the path spelled as the
    /// function does. At each `:`, the longest name counts.
    pub(crate) fn target(&self, target: &RuleTarget, query: &[QueryCondition]) -> String {
        let names = self.0.names().iter().map(String::as_str);
        let names: Vec<&str> = names.chain(query.iter().filter_map(QueryCondition::placeholder)).collect();
        let (mut written, mut rest) = (String::new(), target.as_str());
        while let Some((before, after)) = rest.split_once(':') {
            written.push_str(&braced(before));
            let known = names.iter().enumerate().filter(|(_, name)| after.starts_with(**name));
            let longest = known.reduce(|best, next| if next.1.len() > best.1.len() { next } else { best });
            match longest {
                Some((at, name)) => {
                    written.push_str(&format!("{{{}}}", at + 1));
                    rest = after.get(name.len()..).unwrap_or_default();
                }
                None => {
                    written.push(':');
                    rest = after;
                }
            }
        }
        written.push_str(&braced(rest));
        if target.is_path() { spelled(&written) } else { written }
    }

    /// The part of a target below which paths match the rule again, and are left alone: `/* /en/:splat` leaves `/en/a` alone.
    pub(crate) fn area(&self, target: &RuleTarget) -> Option<String> {
        let (area, _) = target.as_str().split_once("/:splat").unwrap_or((target.as_str(), ""));
        let area = spelled(&braced(area));
        let is_open =
            target.is_path() && self.as_str().ends_with('*') && !area.is_empty() && !area.contains(['?', '#']);
        (is_open && self.values(&area).is_some()).then_some(area)
    }
}

/// A target of [`RequestPattern::target`] with values.
pub(crate) fn filled(target: &str, values: &[impl AsRef<str>]) -> String {
    let mut text = target.to_owned();
    for (at, value) in values.iter().enumerate() {
        text = text.replace(&format!("{{{}}}", at + 1), value.as_ref());
    }
    text
}

/// Whether a target of [`RequestPattern::target`] has placeholders.
pub(crate) fn has_values(target: &str) -> bool {
    target.contains('{')
}

/// Braces stand for placeholders, so those of the target are encoded.
fn braced(text: &str) -> String {
    text.replace('{', "%7B").replace('}', "%7D")
}

/// The path of a target as the function spells it. An encoded `/` stays, because it does not divide segments.
fn spelled(target: &str) -> String {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let (path, rest) = target.split_at(end);
    if path.to_ascii_lowercase().contains("%2f") {
        return target.to_owned();
    }
    let Ok(text) = percent_decode_str(path).decode_utf8() else { return target.to_owned() };
    // Placeholders are the only braces that were not encoded.
    let text = encode_path(&text.replace('{', "\u{1}").replace('}', "\u{2}"));
    let literal = path.contains("%7B") || path.contains("%7D");
    let text = if literal { return target.to_owned() } else { text.replace("%01", "{").replace("%02", "}") };
    format!("{text}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_the_hosts_do() {
        let check = |pattern: &str, slash, path: &str| {
            let pattern = RequestPattern::new(&RulePath::new(pattern).unwrap(), slash);
            pattern.values(path).map(|values| values.join("|"))
        };
        use SlashMatch::{AsWritten, Either};
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(check("/old", Either, "/old/"), some(""));
        assert_eq!(check("/old", AsWritten, "/old/"), None);
        assert_eq!(check("/d/*", Either, "/d"), some(""));
        assert_eq!(check("/d/*", Either, "/d/x/"), some("x/"));
        assert_eq!(check("/d/*", AsWritten, "/d"), None);
        assert_eq!(check("/d*", AsWritten, "/dx/y"), some("x/y"));
        assert_eq!(check("/:a/x/:b", Either, "/1/x/2/"), some("1|2"));
        assert_eq!(check("/:a/x", Either, "/1/2/x"), None);
        assert_eq!(check("/m/:title.json", AsWritten, "/m/a.b.json"), some("a.b"));
        assert_eq!(check("/p/:a-:b", AsWritten, "/p/1-2-3"), some("1-2|3"));
        assert_eq!(check("/a/*/z", AsWritten, "/a/b/c/z"), some("b/c"));
        assert_eq!(check("/*", Either, "/"), some(""));
        assert_eq!(check("/é/:a", Either, "/%C3%A9/%20"), some("%20"));
    }

    #[test]
    fn targets_have_numbered_placeholders() {
        let pattern = RequestPattern::new(&RulePath::new("/:id/:ident/*").unwrap(), SlashMatch::Either);
        for (target, written) in [
            ("/x/:ident/:id?q=:splat", "/x/{2}/{1}?q={3}"),
            ("/:identity/:other/:id9", "/{2}ity/:other/{1}9"),
            ("https://example.com:8080/:splat", "https://example.com:8080/{3}"),
            ("/a%20b/%61/+/{1}", "/a%20b/%61/+/%7B1%7D"),
            ("/%61+", "/a%2B"),
            ("/a%2Fb/:id", "/a%2Fb/{1}"),
        ] {
            let target = RuleTarget::new(target).unwrap();
            assert_eq!(pattern.target(&target, &[]), written);
        }
        assert_eq!(filled("/x/{2}/{1}", &["a", "b"]), "/x/b/a");
        let query =
            [("x", "1"), ("y", ":idx"), ("z", ":z")].map(|(name, value)| QueryCondition::new(name, value).unwrap());
        assert_eq!(pattern.target(&RuleTarget::new("/:idx/:id/:z").unwrap(), &query), "/{4}/{1}/{5}");
    }
}
