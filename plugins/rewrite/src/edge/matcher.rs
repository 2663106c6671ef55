//! Finds the rule that decides about a path, as the function at the edge does, to report rules that have no effect.

use std::collections::BTreeMap;

use percent_encoding::utf8_percent_encode;
use regex_lite::{Regex, escape};

use super::PlannedRule;
use super::path::{EdgePart, decoded_path};
use crate::pattern::IN_KEYS;

/// The rules of a run by what they match.
pub(super) struct EdgeMatcher<'a> {
    rules: &'a [PlannedRule],
    /// The first rule of each path without placeholders, by the path.
    written: BTreeMap<String, usize>,
    /// The same for rules for which a `/` at the end makes no difference, by the path without it.
    either: BTreeMap<String, usize>,
    patterns: Vec<PlannedPattern>,
}

struct PlannedPattern {
    position: usize,
    /// How all of its paths start.
    prefix: String,
    regex: Regex,
}

impl<'a> EdgeMatcher<'a> {
    pub(super) fn new(rules: &'a [PlannedRule]) -> Self {
        let mut matcher = Self { rules, written: BTreeMap::new(), either: BTreeMap::new(), patterns: Vec::new() };
        for (position, rule) in rules.iter().enumerate() {
            if !rule.path.is_exact() {
                matcher.patterns.extend(PlannedPattern::new(position, rule));
            } else if rule.either_slash {
                matcher.either.entry(bare(&rule.path.text()).to_owned()).or_insert(position);
            } else {
                matcher.written.entry(rule.path.text()).or_insert(position);
            }
        }
        matcher
    }

    /// The position of the first rule that matches a decoded path.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        let exact = [self.either.get(bare(path)), self.written.get(path)].into_iter().flatten().min().copied();
        let before = |pattern: &&PlannedPattern| exact.is_none_or(|exact| pattern.position < exact);
        let is_match = |pattern: &&PlannedPattern| path.starts_with(&pattern.prefix) && pattern.regex.is_match(path);
        let pattern = self.patterns.iter().take_while(before).find(is_match);
        pattern.map(|pattern| pattern.position).or(exact)
    }

    /// The decoded path to which a rule redirects a path that it matches; `None` for another site, for content, and for a
    /// path that is already at the target.
    pub(super) fn next(&self, position: usize, path: &str) -> Option<String> {
        let rule = self.rules.get(position).filter(|rule| rule.is_redirect() && self.leads(position, path))?;
        let mut target = rule.target.clone()?;
        if let Some(pattern) = self.patterns.iter().find(|pattern| pattern.position == position) {
            let captures = pattern.regex.captures(path)?;
            for (group, name) in (1..).zip(rule.path.names()) {
                let value = captures.get(group).map_or("", |value| value.as_str());
                target = target.replace(&format!(":{name}"), &utf8_percent_encode(value, IN_KEYS).to_string());
            }
        }
        decoded_path(&target)
    }

    /// Whether a rule that ends with `*` leads anywhere: it leaves paths alone that are at its target.
    fn leads(&self, position: usize, path: &str) -> bool {
        let Some(rule) = self.rules.get(position).filter(|rule| rule.is_redirect()) else { return true };
        let is_open = matches!(rule.path.parts().last(), Some(EdgePart::Splat(_)));
        let area = rule.target.as_deref().and_then(|target| decoded_path(target.split("/:splat").next()?));
        let area = area.filter(|area| is_open && !area.is_empty() && path.starts_with(area.as_str()));
        let pattern = self.patterns.iter().find(|pattern| pattern.position == position);
        area.zip(pattern).is_none_or(|(area, pattern)| !pattern.regex.is_match(&area))
    }
}

impl PlannedPattern {
    fn new(position: usize, rule: &PlannedRule) -> Option<Self> {
        let mut regex = String::from("(?s)^");
        let mut prefix = None;
        for part in rule.path.parts() {
            match part {
                EdgePart::Text(text) => {
                    prefix.get_or_insert(bare(text));
                    regex.push_str(&escape(text));
                }
                EdgePart::Name(_) => regex.push_str("([^/]+)"),
                EdgePart::Splat(_) => regex.push_str("(.*)"),
            }
        }
        if rule.either_slash {
            match regex.strip_suffix("/(.*)") {
                Some(folder) => regex = format!("{folder}(?:/(.*))?"),
                None => regex.push_str("/?"),
            }
        }
        let regex = Regex::new(&format!("{regex}$")).ok()?;
        Some(Self { position, prefix: prefix.unwrap_or_default().to_owned(), regex })
    }
}

/// A path without a `/` at its end.
pub(super) fn bare(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}
