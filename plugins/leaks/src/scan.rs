//! Finds secrets in the parts of a file.
//!
//! One automaton finds the keywords of all rules in one pass. A rule looks only at the text around its keywords.

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, StartKind};

use crate::check::contains;
use crate::detect::FoundSecret;
use crate::format;
use crate::rules::{ContentRule, Form, RULES};

/// Text after a keyword that a rule may look at, in bytes.
const AHEAD: usize = 8 << 10;

/// Text before a keyword that a rule may look at, in bytes.
const BEHIND: usize = 4 << 10;

/// Characters of a secret that a message may show.
const SHOWN: usize = 4;

/// How dumps of databases start, and what is one.
const DUMPS: [(&[u8], &str); 6] = [
    (b"SQLite format 3\0", "a database of SQLite"),
    (b"PGDMP", "a dump of PostgreSQL"),
    (b"--\n-- PostgreSQL database dump", "a dump of PostgreSQL"),
    (b"-- MySQL dump ", "a dump of MySQL"),
    (b"-- MariaDB dump ", "a dump of MariaDB"),
    (b"/*M!999999\\- enable the sandbox mode */", "a dump of MariaDB"),
];

/// The rules that are on.
#[derive(Debug)]
pub(crate) struct SecretScanner {
    keywords: Option<DFA>,
    /// By number of a keyword.
    rules: Vec<&'static ContentRule>,
}

/// What a file has that violates one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) rule: &'static str,
    pub(crate) what: &'static str,
    /// The line of the first one, from 1; 0 for the whole file.
    pub(crate) line: usize,
    /// The first characters of the first one, if a message may show them.
    pub(crate) shown: Option<String>,
    /// How many the file has.
    pub(crate) count: usize,
}

/// A file that is being read.
#[derive(Debug, Default)]
pub(crate) struct FileScan {
    /// The end of the previous part.
    carry: Vec<u8>,
    /// How much of it is done.
    done: usize,
    lines: usize,
    is_utf16: bool,
    pub(crate) found: Vec<Found>,
}

impl SecretScanner {
    /// A scanner with the rules that `is_on`.
    pub(crate) fn new(is_on: impl Fn(&ContentRule) -> bool) -> Self {
        let active = RULES.iter().filter(|rule| is_on(rule));
        let (keywords, rules): (Vec<_>, Vec<_>) =
            active.flat_map(|rule| rule.keywords.iter().map(move |keyword| (*keyword, rule))).unzip();
        let mut builder = DFA::builder();
        builder.match_kind(MatchKind::Standard).start_kind(StartKind::Unanchored).prefilter(false);
        Self { keywords: builder.build(keywords).ok(), rules }
    }

    /// Scans the next part of a file; `false` if the rest need not be read.
    pub(crate) fn scan(&self, file: &mut FileScan, key: &str, part: &[u8], is_first: bool, is_last: bool) -> bool {
        if is_first {
            file.is_utf16 = part.starts_with(&[0xff, 0xfe]) || part.starts_with(&[0xfe, 0xff]);
            let head = part.get(..part.len().min(1_024)).unwrap_or_default();
            if let Some((_, what)) = DUMPS.iter().find(|(start, _)| head.starts_with(start)) {
                file.found.push(Found { rule: "database", what, line: 0, shown: None, count: 1 });
            }
            if is_source_map(key, part) {
                file.found.push(Found { rule: "source-map", what: "a source map", line: 0, shown: None, count: 1 });
            }
            if !file.is_utf16 && head.contains(&0) {
                return false;
            }
        }
        if file.carry.is_empty() && is_last && !file.is_utf16 {
            self.scan_text(file, part, 0, part.len());
            return false;
        }
        let mut text = std::mem::take(&mut file.carry);
        // Secrets are ASCII, of which UTF-16 is each byte and a zero.
        text.extend(part.iter().filter(|byte| !file.is_utf16 || **byte != 0));
        let end = if is_last { text.len() } else { text.len().saturating_sub(AHEAD).max(file.done) };
        self.scan_text(file, &text, file.done, end);
        let keep = text.len().saturating_sub(AHEAD + BEHIND);
        let dropped = text.get(..keep).unwrap_or_default();
        file.lines += count_lines(dropped);
        text.drain(..keep);
        file.done = end.saturating_sub(keep);
        file.carry = text;
        !is_last
    }

    /// Finds the secrets at keywords that start in `from..to`.
    fn scan_text(&self, file: &mut FileScan, text: &[u8], from: usize, to: usize) {
        let mut secrets: Vec<(&'static ContentRule, FoundSecret)> = Vec::new();
        self.keywords(text, |rule, keyword, at| {
            if !(from..to).contains(&at) {
                return;
            }
            let secret = match rule.form {
                Form::Around(find) => find(text, at),
                Form::Token(parts, check) => token(text, at, keyword, parts, check),
            };
            secrets.extend(secret.map(|secret| (rule, secret)));
        });
        secrets.sort_by_key(|(_, secret)| (secret.start, secret.end));
        let mut end = 0;
        for (position, (rule, secret)) in secrets.iter().enumerate() {
            // The name of a variable says less than the form of its value.
            let next = secrets.get(position + 1).filter(|_| rule.name == "environment-secret");
            let is_better_known =
                next.is_some_and(|(other, inner)| other.name != rule.name && inner.start < secret.end);
            if secret.start >= end && !is_better_known {
                file.add(rule, *secret, text);
                end = secret.end;
            }
        }
    }

    /// Calls `found` with the rule of each keyword in the text, its length and its position.
    fn keywords(&self, text: &[u8], mut found: impl FnMut(&'static ContentRule, usize, usize)) {
        let Some(dfa) = &self.keywords else { return };
        let Ok(mut state) = dfa.start_state(Anchored::No) else { return };
        for (position, byte) in text.iter().enumerate() {
            state = dfa.next_state(Anchored::No, state, *byte);
            if dfa.is_special(state) {
                self.matches(dfa, state, position + 1, &mut found);
            }
        }
    }

    fn matches(
        &self,
        dfa: &DFA,
        state: StateID,
        end: usize,
        found: &mut impl FnMut(&'static ContentRule, usize, usize),
    ) {
        if !dfa.is_match(state) {
            return;
        }
        for index in 0..dfa.match_len(state) {
            let pattern = dfa.match_pattern(state, index);
            let length = dfa.pattern_len(pattern);
            if let Some(rule) = self.rules.get(pattern.as_usize()) {
                found(rule, length, end - length);
            }
        }
    }
}

/// A token that starts with a keyword at `at`.
fn token(
    text: &[u8],
    at: usize,
    keyword: usize,
    parts: &[format::Part],
    check: fn(&[u8]) -> bool,
) -> Option<FoundSecret> {
    if !format::starts(text, at) {
        return None;
    }
    let start = at + keyword;
    let end = start + format::length(text.get(start..)?, parts)?;
    check(text.get(start..end)?).then(|| FoundSecret::shown(at, end))?
}

impl FileScan {
    fn add(&mut self, rule: &'static ContentRule, secret: FoundSecret, text: &[u8]) {
        if let Some(known) = self.found.iter_mut().find(|known| known.rule == rule.name) {
            known.count += 1;
            return;
        }
        let before = text.get(..secret.start).unwrap_or_default();
        let shown = || {
            let start = text.get(secret.start..secret.end)?;
            let start = start.iter().take(SHOWN).map(|byte| char::from(*byte));
            Some(start.map(|character| if character.is_ascii_graphic() { character } else { '.' }).collect())
        };
        self.found.push(Found {
            rule: rule.name,
            what: rule.what,
            line: self.lines + count_lines(before) + 1,
            shown: secret.shown.then(shown).flatten(),
            count: 1,
        });
    }
}

fn count_lines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// Whether a `*.map` is a source map, which has the paths of the sources and often their text. Source: ECMA-426.
fn is_source_map(key: &str, head: &[u8]) -> bool {
    let is_named = key.ends_with(".map");
    let text = || head.trim_ascii_start().strip_prefix(b")]}'").unwrap_or(head.trim_ascii_start());
    is_named
        && text().trim_ascii_start().starts_with(b"{")
        && [&b"\"mappings\""[..], b"\"sources\"", b"\"sections\""].iter().any(|name| contains(head, name))
}
