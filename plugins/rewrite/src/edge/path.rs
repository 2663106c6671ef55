//! The paths and targets of rules for requests, made of those of a host: with names that a target cannot confuse.

use std::collections::BTreeSet;

use percent_encoding::{percent_decode_str, utf8_percent_encode};
use tidegate_plugin::key;

use crate::error::RedirectError;
use crate::pattern::{FromPattern, FromSegment, IN_KEYS, TargetPart, checked, target_parts};

/// A path in which `:name` and one `*` are placeholders.
#[derive(Clone, Debug)]
pub(super) struct EdgePath {
    parts: Vec<EdgePart>,
    /// The host's names of placeholders, in the order in which that host fills a target.
    host_names: Vec<String>,
    /// Parameters that the query must have.
    query: Vec<(String, EdgeQueryValue)>,
}

/// The value of a parameter.
#[derive(Clone, Debug)]
enum EdgeQueryValue {
    Text(String),
    /// Any value, by its position among the names.
    Name(usize),
}

/// A name that no target has.
const UNUSED_NAME: &str = "\u{0}";

/// A part of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum EdgePart {
    /// Decoded.
    Text(String),
    /// A placeholder, by its position among the names.
    Name(usize),
    /// `*`, by its position among the names.
    Splat(usize),
}

impl EdgePath {
    /// A path of parts. Neighbouring texts become one.
    pub(super) fn new(parts: Vec<EdgePart>, host_names: Vec<String>) -> Result<Self, RedirectError> {
        let mut joined: Vec<EdgePart> = Vec::new();
        for part in parts {
            match (joined.last_mut(), part) {
                (Some(EdgePart::Text(last)), EdgePart::Text(text)) => last.push_str(&text),
                (_, part) => joined.push(part),
            }
        }
        let path = Self { parts: joined, host_names, query: Vec::new() };
        let is_literal = |part: &EdgePart| matches!(part, EdgePart::Text(text) if has_placeholder(text));
        let text = path.text();
        if path.parts.iter().any(is_literal) {
            return Err(RedirectError::Literal(text));
        }
        let is_requested = text == "/" || key_of(&text).is_some_and(|key| key::check(key).is_ok());
        if is_requested { Ok(path) } else { Err(RedirectError::NoRequest(text)) }
    }

    /// With parameters that the query must have. A value that starts with `:` stands for any one.
    pub(super) fn with_query(mut self, query: &[(&str, &str)]) -> Self {
        for (name, value) in query {
            let value = match value.strip_prefix(':') {
                None => EdgeQueryValue::Text((*value).to_owned()),
                Some(placeholder) => {
                    let placeholder = if placeholder.is_empty() { UNUSED_NAME } else { placeholder };
                    self.host_names.push(placeholder.to_owned());
                    EdgeQueryValue::Name(self.host_names.len() - 1)
                }
            };
            self.query.push(((*name).to_owned(), value));
        }
        self
    }

    /// Parameters that the query must have, as a rule has them.
    pub(super) fn query(&self) -> impl Iterator<Item = (&str, String)> {
        let names = self.names();
        self.query.iter().map(move |(name, value)| {
            let value = match value {
                EdgeQueryValue::Text(text) => text.clone(),
                EdgeQueryValue::Name(position) => format!(":{}", names.get(*position).map_or("", String::as_str)),
            };
            (name.as_str(), value)
        })
    }

    /// Whether it depends on the query.
    pub(super) fn has_query(&self) -> bool {
        !self.query.is_empty()
    }

    /// Whether it has no placeholders.
    pub(super) fn is_exact(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, EdgePart::Text(_)))
    }

    pub(super) fn parts(&self) -> &[EdgePart] {
        &self.parts
    }

    /// The path as a rule has it.
    pub(super) fn text(&self) -> String {
        let names = self.names();
        let text = |part: &EdgePart| match part {
            EdgePart::Text(text) => text.clone(),
            EdgePart::Name(position) => format!(":{}", names.get(*position).map_or("", String::as_str)),
            EdgePart::Splat(_) => "*".to_owned(),
        };
        self.parts.iter().map(text).collect()
    }

    /// The path as a target that leads to itself.
    pub(super) fn as_target(&self) -> String {
        let names = self.names();
        let text = |part: &EdgePart| match part {
            EdgePart::Text(text) => utf8_percent_encode(text, IN_KEYS).to_string(),
            EdgePart::Name(position) | EdgePart::Splat(position) => {
                format!(":{}", names.get(*position).map_or("", String::as_str))
            }
        };
        self.parts.iter().map(text).collect()
    }

    /// The names of the rule, by position: the host's, or letters if a target could confuse those.
    pub(super) fn names(&self) -> Vec<String> {
        let is_splat = |position: usize| self.parts.contains(&EdgePart::Splat(position));
        let is_word = |name: &str| {
            name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let others = |position: usize| self.host_names.iter().enumerate().filter(move |(other, _)| *other != position);
        let is_clear = |(position, name): (usize, &String)| {
            is_word(name) && others(position).all(|(_, other)| !other.starts_with(name.as_str()))
        };
        let keeps = self.host_names.iter().enumerate().all(is_clear);
        let letter = |position: usize| match is_splat(position) {
            true => "splat".to_owned(),
            // Neither starts with another one, nor with that of `*`.
            false => {
                let digit = |place: usize| char::from(b'a' + u8::try_from(position / place % 10).unwrap_or_default());
                format!("p{}{}", digit(10), digit(1))
            }
        };
        self.host_names
            .iter()
            .enumerate()
            .map(|(position, name)| if keeps { name.clone() } else { letter(position) })
            .collect()
    }
}

/// The part of a path that is a key: without a `/` at either end. Rules do not match a `?` or `#`.
fn key_of(path: &str) -> Option<&str> {
    let inner = path.strip_prefix('/').filter(|inner| !inner.contains(['?', '#']))?;
    Some(inner.strip_suffix('/').unwrap_or(inner))
}

/// The paths of Netlify's rule. What a `*` there matches has no `/` at its start, and there may be none before it.
pub(super) fn of_netlify(from: &FromPattern) -> Result<Vec<EdgePath>, RedirectError> {
    let names = from.names();
    if names.iter().filter(|name| *name == "splat").count() > 1 {
        return Err(RedirectError::Stars);
    }
    let text = |text: &str| EdgePart::Text(text.to_owned());
    // Of two paths, the second one has the `*` beside the text before it, or not at all.
    let build = |is_second: bool| {
        let mut parts = Vec::new();
        let mut position = 0;
        for (at, segment) in (1..).zip(from.segments()) {
            match segment {
                FromSegment::Text(segment) => parts.push(text(&format!("/{segment}"))),
                FromSegment::Placeholder => parts.extend([text("/"), EdgePart::Name(position)]),
                FromSegment::Splat(before) if before.is_empty() => {
                    // At the end, it matches nothing anyway.
                    if !is_second || at == from.segments().len() {
                        parts.extend([text("/"), EdgePart::Splat(position)]);
                    }
                }
                FromSegment::Splat(before) => {
                    parts.extend([
                        text(&format!("/{before}{}", if is_second { "" } else { "/" })),
                        EdgePart::Splat(position),
                    ]);
                }
            }
            position += usize::from(!matches!(segment, FromSegment::Text(_)));
        }
        if parts.is_empty() {
            parts.push(text("/"));
        }
        EdgePath::new(parts, names.to_vec())
    };
    let first = build(false)?;
    let has_splat = names.iter().any(|name| name == "splat");
    let second = if has_splat { Some(build(true)?).filter(|second| second.parts != first.parts) } else { None };
    Ok([first].into_iter().chain(second).collect())
}

/// A target of a host as a rule has it.
pub(super) fn target_text(to: &str, path: &EdgePath) -> Result<String, RedirectError> {
    let names = path.names();
    let in_query = path.query.iter().filter_map(|(_, value)| match value {
        EdgeQueryValue::Text(_) => None,
        EdgeQueryValue::Name(position) => Some(*position),
    });
    let used: BTreeSet<usize> = path.parts.iter().filter_map(EdgePart::position).chain(in_query).collect();
    let mut text = String::new();
    for part in target_parts(to, &path.host_names)? {
        match part {
            TargetPart::Text(part) => text.push_str(&escape_names(&part)),
            // A `*` that this path does not have matches nothing.
            TargetPart::Value(position) if !used.contains(&position) => {}
            TargetPart::Value(position) => {
                text.push(':');
                text.push_str(names.get(position).map_or("", String::as_str));
            }
        }
    }
    let text = checked(&single_slashes(&text))?;
    let host = text.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    if names.iter().any(|name| host.contains(&format!(":{name}"))) {
        return Err(RedirectError::Host(to.to_owned()));
    }
    Ok(text)
}

/// A target without runs of `/` in its path on this site, as the edge makes it.
fn single_slashes(target: &str) -> String {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let (path, rest) = target.split_at_checked(end).unwrap_or((target, ""));
    if !path.starts_with('/') {
        return target.to_owned();
    }
    let mut single = String::with_capacity(target.len());
    for character in path.chars() {
        if character != '/' || !single.ends_with('/') {
            single.push(character);
        }
    }
    single + rest
}

/// The keys of the page at a decoded path: its own, and the index of its folder.
pub(super) fn page_keys(path: &str) -> Vec<String> {
    let folder = path.trim_start_matches('/');
    match folder.strip_suffix('/').unwrap_or(folder) {
        "" => vec!["index.html".to_owned()],
        bare if path.ends_with('/') => vec![format!("{bare}/index.html")],
        bare => vec![bare.to_owned(), format!("{bare}/index.html")],
    }
}

/// The decoded path of a target on this site.
pub(super) fn decoded_path(target: &str) -> Option<String> {
    let path = target.split(['?', '#']).next().filter(|path| path.starts_with('/'))?;
    Some(percent_decode_str(path).decode_utf8().ok()?.into_owned())
}

impl EdgePart {
    fn position(&self) -> Option<usize> {
        match self {
            Self::Text(_) => None,
            Self::Name(position) | Self::Splat(position) => Some(*position),
        }
    }
}

/// Whether a rule would take a text for a placeholder.
fn has_placeholder(text: &str) -> bool {
    text.contains('*') || text.split(':').skip(1).any(starts_with_letter)
}

/// Text of a target, with the `:` of what is not a placeholder encoded.
fn escape_names(text: &str) -> String {
    let mut parts = text.split(':');
    let mut escaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        escaped.push_str(if starts_with_letter(part) { "%3A" } else { ":" });
        escaped.push_str(part);
    }
    escaped
}

fn starts_with_letter(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
}
