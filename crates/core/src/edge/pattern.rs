//! Matches paths, spelled as the function does, with the path of a rule.

use super::rules::{RulePath, SlashMatch};
use super::spelling::encoded;

/// The path of a rule, ready to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPattern {
    text: String,
    tokens: Vec<Token>,
    slash: SlashMatch,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    /// `:name`, with the colon.
    Name(String),
    /// `*`.
    Splat,
    /// `/*` at the end, which also stands for nothing.
    SplatFolder,
}

impl RequestPattern {
    /// The pattern of a rule.
    #[must_use]
    pub fn new(path: &RulePath, slash: SlashMatch) -> Self {
        let text = encoded(path.as_str());
        let mut rest = match slash {
            SlashMatch::Either => text.strip_suffix('/').unwrap_or(&text),
            SlashMatch::AsWritten => &text,
        };
        let last = match slash {
            SlashMatch::Either => rest.strip_suffix("/*"),
            SlashMatch::AsWritten => None,
        };
        rest = last.unwrap_or(rest);
        let mut tokens = Vec::new();
        let mut literal = String::new();
        while let Some(character) = rest.chars().next() {
            let after = rest.get(character.len_utf8()..).unwrap_or_default();
            let is_name = character == ':' && after.starts_with(|next: char| next.is_ascii_alphabetic());
            if !is_name && character != '*' {
                literal.push(character);
                rest = after;
                continue;
            }
            if !literal.is_empty() {
                tokens.push(Token::Text(std::mem::take(&mut literal)));
            }
            if is_name {
                let end = after.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(after.len());
                let (name, remaining) = after.split_at(end);
                tokens.push(Token::Name(format!(":{name}")));
                rest = remaining;
            } else {
                tokens.push(Token::Splat);
                rest = after;
            }
        }
        if !literal.is_empty() {
            tokens.push(Token::Text(literal));
        }
        if last.is_some() {
            tokens.push(Token::SplatFolder);
        }
        Self { text, tokens, slash }
    }

    /// The path of the rule, as the function spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Which spellings it matches.
    #[must_use]
    pub fn slash(&self) -> SlashMatch {
        self.slash
    }

    /// What its placeholders stand for in a path, or `None` if it does not match.
    #[must_use]
    pub fn values<'a>(&self, path: &'a str) -> Option<Vec<(&str, &'a str)>> {
        let mut values = Vec::new();
        match_tokens(&self.tokens, path, self.slash, &mut values).then_some(values)
    }

    /// A target with the values of [`Self::values`]. Unknown names stay.
    #[must_use]
    pub fn fill(target: &str, values: &[(&str, &str)]) -> String {
        let (mut filled, mut rest) = (String::new(), target);
        while let Some(at) = rest.find(':') {
            let (before, from) = rest.split_at(at);
            filled.push_str(before);
            let after = from.get(1..).unwrap_or_default();
            let end = after.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(after.len());
            let end = if after.starts_with(|next: char| next.is_ascii_alphabetic()) { end } else { 0 };
            let (name, remaining) = from.split_at(end + 1);
            let value = values.iter().find(|(known, _)| *known == name);
            let value = value.or_else(|| values.iter().find(|(known, _)| name == ":splat" && *known == "*"));
            filled.push_str(value.map_or(name, |(_, value)| value));
            rest = remaining;
        }
        filled.push_str(rest);
        filled
    }
}

/// As a regular expression does: names take as little as possible, `*` as much as possible.
fn match_tokens<'a, 'b>(
    tokens: &'b [Token],
    path: &'a str,
    slash: SlashMatch,
    values: &mut Vec<(&'b str, &'a str)>,
) -> bool {
    let Some((token, rest)) = tokens.split_first() else {
        return path.is_empty() || (path == "/" && slash == SlashMatch::Either);
    };
    let mut attempt = |name: &'b str, end: usize| {
        let Some((value, remaining)) = path.split_at_checked(end) else { return false };
        values.push((name, value));
        let matched = match_tokens(rest, remaining, slash, values);
        if !matched {
            values.pop();
        }
        matched
    };
    match token {
        Token::Text(text) => {
            path.strip_prefix(text.as_str()).is_some_and(|remaining| match_tokens(rest, remaining, slash, values))
        }
        Token::Name(name) => {
            let longest = path.find('/').unwrap_or(path.len());
            (1..=longest).any(|end| attempt(name, end))
        }
        Token::Splat => (0..=path.len()).rev().any(|end| attempt("*", end)),
        Token::SplatFolder => match path.strip_prefix('/') {
            Some(all) => {
                values.push(("*", all));
                true
            }
            None => path.is_empty() && attempt("*", 0),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_the_hosts_do() {
        let check = |pattern: &str, slash, path: &str| {
            let pattern = RequestPattern::new(&RulePath::new(pattern).unwrap(), slash);
            pattern.values(path).map(|values| RequestPattern::fill(":splat|:a|:b|:title", &values))
        };
        use SlashMatch::{AsWritten, Either};
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(check("/old", Either, "/old/"), some(":splat|:a|:b|:title"));
        assert_eq!(check("/old", AsWritten, "/old/"), None);
        assert_eq!(check("/d/*", Either, "/d"), some("|:a|:b|:title"));
        assert_eq!(check("/d/*", Either, "/d/"), some("|:a|:b|:title"));
        assert_eq!(check("/d/*", Either, "/d/x/"), some("x/|:a|:b|:title"));
        assert_eq!(check("/d/*", AsWritten, "/d"), None);
        assert_eq!(check("/d*", AsWritten, "/dx/y"), some("x/y|:a|:b|:title"));
        assert_eq!(check("/:a/x/:b", Either, "/1/x/2/"), some(":splat|1|2|:title"));
        assert_eq!(check("/:a/x", Either, "/1/2/x"), None);
        assert_eq!(check("/m/:title.json", AsWritten, "/m/a.b.json"), some(":splat|:a|:b|a.b"));
        assert_eq!(check("/a/*/z", AsWritten, "/a/b/c/z"), some("b/c|:a|:b|:title"));
        assert_eq!(check("/*", Either, "/"), some("|:a|:b|:title"));
        assert_eq!(check("/é/:a", Either, "/%C3%A9/%20"), some(":splat|%20|:b|:title"));
    }
}
