//! The rules of `each`: which keys they are about, and how much text of their objects they need.

use std::collections::BTreeMap;

use tidegate_plugin::content;
use tidegate_plugin::glob::KeyGlob;
use tidegate_plugin::{Failure, Pointer};

/// Limit of `head`, in bytes. Source: `wit/plugin.wit`.
pub(crate) const MAX_HEAD_BYTES: u32 = 64 << 10;

/// One call of `each`.
pub(crate) struct ScriptRule {
    /// Empty for every key.
    pub(crate) patterns: Vec<KeyGlob>,
    /// The first bytes of each object that the callback gets as text; 0 for none.
    pub(crate) head: u32,
    /// Where `each` was called, for reasons.
    pub(crate) place: Option<String>,
}

impl ScriptRule {
    pub(crate) fn matches(&self, key: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(key))
    }
}

/// One object of a batch with the rules that match it.
pub(crate) struct Matched {
    /// Its index in the batch.
    pub(crate) index: usize,
    /// The rules, by their indexes.
    pub(crate) rules: Vec<usize>,
    /// The text that the rules need; empty for those without `head`.
    pub(crate) head: String,
}

/// An object as the rules see it.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) key: &'a str,
    /// Whether it has a body that can be read.
    pub(crate) readable: bool,
}

/// The objects that any rule matches, with their text. One read for each length that rules ask for.
pub(crate) fn matched<'a>(
    rules: &[ScriptRule],
    batch: impl Iterator<Item = Candidate<'a>>,
    pointer: &Pointer,
) -> Result<Vec<Matched>, Failure> {
    let mut matched = Vec::new();
    let mut reads: BTreeMap<u32, (Vec<usize>, Vec<String>)> = BTreeMap::new();
    for (index, candidate) in batch.enumerate() {
        let of_rules = rules.iter().enumerate().filter(|(_, rule)| rule.matches(candidate.key));
        let of_rules: Vec<(usize, u32)> = of_rules.map(|(at, rule)| (at, rule.head)).collect();
        if of_rules.is_empty() {
            continue;
        }
        let head = of_rules.iter().map(|(_, head)| *head).max().unwrap_or(0);
        if head > 0 && candidate.readable {
            let (places, keys) = reads.entry(head).or_default();
            places.push(matched.len());
            keys.push(candidate.key.to_owned());
        }
        let rules = of_rules.into_iter().map(|(at, _)| at).collect();
        matched.push(Matched { index, rules, head: String::new() });
    }
    for (head, (places, keys)) in reads {
        for ((place, key), text) in places.into_iter().zip(&keys).zip(content::texts(&keys, head)) {
            let text = text.map_err(|error| content::failure(key, &error).with_rule(pointer))?;
            if let Some(matched) = matched.get_mut(place) {
                matched.head = text;
            }
        }
    }
    Ok(matched)
}

/// Names and values on alternating lines, as the prelude splits them. Neither has line breaks.
pub(crate) fn lines(attributes: &[tidegate_plugin::Attribute]) -> String {
    let mut lines = String::new();
    for attribute in attributes {
        for part in [&attribute.name, "\n", &attribute.value, "\n"] {
            lines.push_str(part);
        }
    }
    lines
}
