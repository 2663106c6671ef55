//! Matches paths with the path of a rule.

use regex_lite::{Regex, escape};

use super::rules::SlashMatch;

/// A part of a rule's path.
enum PathPart<'a> {
    Text(&'a str),
    Name(&'a str),
    Splat,
}

/// A rule's path, compiled.
#[derive(Debug)]
pub(crate) struct PathMatcher {
    path: String,
    slash: SlashMatch,
    pattern: Option<PatternMatcher>,
}

/// A path with placeholders.
#[derive(Debug)]
struct PatternMatcher {
    /// By group: its name, `splat` for `*`.
    names: Vec<String>,
    /// How all of its paths start.
    prefix: String,
    /// `None` if it cannot be compiled: then it matches nothing.
    regex: Option<Regex>,
}

impl PathMatcher {
    /// A matcher for the path of a rule, decoded or as the function spells it; it matches paths in the same form.
    pub(crate) fn new(path: &str, slash: SlashMatch) -> Self {
        let is_exact = parts(path).iter().all(|part| matches!(part, PathPart::Text(_)));
        let pattern = (!is_exact).then(|| PatternMatcher::new(path, slash));
        Self { path: path.to_owned(), slash, pattern }
    }

    /// The path of the rule.
    pub(crate) fn as_str(&self) -> &str {
        &self.path
    }

    /// Which spellings it matches.
    pub(crate) fn slash(&self) -> SlashMatch {
        self.slash
    }

    /// The names of its placeholders in order, `splat` for `*`.
    pub(crate) fn names(&self) -> &[String] {
        self.pattern.as_ref().map_or(&[], |pattern| &pattern.names)
    }

    /// What the placeholders match in a path, by name; `None` if the path does not match.
    pub(crate) fn values(&self, path: &str) -> Option<Vec<(&str, String)>> {
        let Some(pattern) = &self.pattern else { return is_equal(self.slash, &self.path, path).then(Vec::new) };
        let captures = pattern.regex.as_ref().filter(|_| path.starts_with(&pattern.prefix))?.captures(path)?;
        let text = |group: usize| captures.get(group).map_or("", |value| value.as_str()).to_owned();
        Some((1..).zip(&pattern.names).map(|(group, name)| (name.as_str(), text(group))).collect())
    }
}

impl PatternMatcher {
    fn new(path: &str, slash: SlashMatch) -> Self {
        let written = match slash {
            SlashMatch::Either => path.strip_suffix('/').unwrap_or(path),
            SlashMatch::AsWritten => path,
        };
        let parts = parts(written);
        let mut names = Vec::new();
        let mut expression = String::from("(?s)^");
        for part in &parts {
            match part {
                PathPart::Text(text) => expression.push_str(&escape(text)),
                PathPart::Name(name) => {
                    names.push((*name).to_owned());
                    expression.push_str("([^/]+)");
                }
                PathPart::Splat => {
                    names.push("splat".to_owned());
                    expression.push_str("(.*)");
                }
            }
        }
        if slash == SlashMatch::Either {
            match expression.strip_suffix("/(.*)") {
                Some(folder) => expression = format!("{folder}(?:/(.*))?"),
                None => expression.push_str("/?"),
            }
        }
        let prefix = match parts.first() {
            Some(PathPart::Text(text)) => text.trim_end_matches('/'),
            _ => "",
        };
        let prefix = prefix.to_owned();
        Self { names, prefix, regex: Regex::new(&format!("{expression}$")).ok() }
    }
}

/// Whether two paths are the same for a rule.
pub(crate) fn is_equal(slash: SlashMatch, one: &str, other: &str) -> bool {
    match slash {
        SlashMatch::Either => one.trim_end_matches('/') == other.trim_end_matches('/'),
        SlashMatch::AsWritten => one == other,
    }
}

/// The parts of a path: text, names and `*`.
fn parts(path: &str) -> Vec<PathPart<'_>> {
    let mut parts = Vec::new();
    let mut rest = path;
    let mut from = 0;
    while let Some(at) = rest.get(from..).and_then(|rest| rest.find([':', '*'])).map(|at| at + from) {
        let (Some(text), Some(after)) = (rest.get(..at), rest.get(at + 1..)) else { break };
        let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = after.find(|character| !is_name(character)).unwrap_or(after.len());
        let (part, next) = match after.split_at_checked(end) {
            _ if rest.get(at..).is_some_and(|rest| rest.starts_with('*')) => (PathPart::Splat, after),
            Some((name, next)) if name.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                (PathPart::Name(name), next)
            }
            _ => {
                from = at + 1;
                continue;
            }
        };
        if !text.is_empty() {
            parts.push(PathPart::Text(text));
        }
        parts.push(part);
        (rest, from) = (next, 0);
    }
    if !rest.is_empty() {
        parts.push(PathPart::Text(rest));
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::rules::RulePath;
    use super::*;

    proptest! {
        #[test]
        fn parts_of_a_path_are_all_of_it(path in "(/[a-c:*.%é]{1,4}){1,3}/?") {
            let Ok(path) = RulePath::new(&path) else { return Ok(()) };
            let text: String = parts(path.as_str()).iter().map(|part| match part {
                PathPart::Text(text) => (*text).to_owned(),
                PathPart::Name(name) => format!(":{name}"),
                PathPart::Splat => "*".to_owned(),
            }).collect();
            prop_assert_eq!(text, path.as_str());
            prop_assert_eq!(PathMatcher::new(path.as_str(), SlashMatch::AsWritten).pattern.is_none(), path.is_exact());
        }
    }
}
