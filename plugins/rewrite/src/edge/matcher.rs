//! Finds the rule that decides about a path, as the function at the edge does, to report rules that have no effect.

use std::collections::BTreeMap;

use percent_encoding::utf8_percent_encode;
use regex_lite::{Regex, escape};

use super::PlannedRule;
use super::path::{EdgePart, decoded_path};
use crate::pattern::IN_KEYS;

/// The rules of a run by what they match for every query.
pub(super) struct EdgeMatcher<'a> {
    rules: &'a [PlannedRule],
    /// The first rule of each path without placeholders, by the path.
    written: BTreeMap<String, usize>,
    /// The same for rules for which a `/` at the end makes no difference, by the path without it.
    either: BTreeMap<String, usize>,
    /// In order of their positions.
    patterns: Vec<PlannedPattern>,
    /// Indexes of patterns by the first folder of their paths, for a file with thousands of lines.
    by_folder: BTreeMap<String, Vec<usize>>,
    /// Indexes of the other ones.
    others: Vec<usize>,
}

struct PlannedPattern {
    position: usize,
    /// How all of its paths start.
    prefix: String,
    regex: Regex,
}

impl<'a> EdgeMatcher<'a> {
    pub(super) fn new(rules: &'a [PlannedRule]) -> Self {
        let mut matcher = Self {
            rules,
            written: BTreeMap::new(),
            either: BTreeMap::new(),
            patterns: Vec::new(),
            by_folder: BTreeMap::new(),
            others: Vec::new(),
        };
        // Where no condition on the query is fulfilled, rules with conditions do not count.
        for (position, rule) in rules.iter().enumerate().filter(|(_, rule)| !rule.path.has_query()) {
            if !rule.path.is_exact() {
                matcher.add_pattern(position, rule);
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
        let folder = path.split('/').nth(1).and_then(|folder| self.by_folder.get(folder));
        let lists = folder.into_iter().chain([&self.others]);
        let first = lists.filter_map(|list| {
            let patterns = list.iter().filter_map(|index| self.patterns.get(*index));
            let mut before = patterns.take_while(|pattern| exact.is_none_or(|exact| pattern.position < exact));
            before.find(|pattern| path.starts_with(&pattern.prefix) && pattern.regex.is_match(path))
        });
        first.map(|pattern| pattern.position).min().or(exact)
    }

    fn add_pattern(&mut self, position: usize, rule: &PlannedRule) {
        let Some(pattern) = PlannedPattern::new(position, rule) else { return };
        let index = self.patterns.len();
        self.patterns.push(pattern);
        let folder = match rule.path.parts().first() {
            Some(EdgePart::Text(text)) => text.trim_start_matches('/').split_once('/').map(|(folder, _)| folder),
            _ => None,
        };
        match folder {
            Some(folder) => self.by_folder.entry(folder.to_owned()).or_default().push(index),
            None => self.others.push(index),
        }
    }

    fn pattern(&self, position: usize) -> Option<&PlannedPattern> {
        let index = self.patterns.binary_search_by_key(&position, |pattern| pattern.position).ok()?;
        self.patterns.get(index)
    }

    /// The decoded path to which a rule redirects a path that it matches; `None` for another site, for content, and for a
    /// path that is already at the target.
    pub(super) fn next(&self, position: usize, path: &str) -> Option<String> {
        let rule = self.rules.get(position).filter(|rule| rule.is_redirect() && self.leads(position, path))?;
        let mut target = rule.target.clone()?;
        if let Some(pattern) = self.pattern(position) {
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
        if !matches!(rule.path.parts().last(), Some(EdgePart::Splat(_))) {
            return true;
        }
        let area = rule.target.as_deref().and_then(|target| decoded_path(target.split("/:splat").next()?));
        let area = area.filter(|area| !area.is_empty() && path.starts_with(area.as_str()));
        area.zip(self.pattern(position)).is_none_or(|(area, pattern)| !pattern.regex.is_match(&area))
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
