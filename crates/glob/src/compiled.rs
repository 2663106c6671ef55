//! One compiled pattern: anchoring, folders, and shortcuts for the common shapes (a name, or `*` with a suffix).
//!
//! The `fast-glob` crate matches wildcards.

use super::{GlobError, GlobErrorKind};

/// A pattern without its `!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CompiledGlob {
    shape: Shape,
    /// The pattern ended with `/`.
    folders_only: bool,
}

/// What a pattern is matched against.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// Any one segment of the key.
    Segment(SegmentPattern),
    /// The key or a folder that contains it, from the root.
    Path(String),
    /// Like `Path`, with wildcards.
    PathGlob(String),
}

/// How a pattern without `/` matches one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
enum SegmentPattern {
    Any,
    Name(String),
    StartsWith(String),
    EndsWith(String),
    AnyOf(Vec<Self>),
    Glob(String),
}

/// Text that a name needs to match.
#[derive(Clone, Copy, Debug)]
pub(super) enum Affix<'a> {
    /// This text at its start.
    Start(&'a str),
    /// This text at its end.
    End(&'a str),
}

impl CompiledGlob {
    /// Parses a pattern without its `!`.
    pub(super) fn parse(text: &str) -> Result<Self, GlobError> {
        if text.starts_with('#') {
            return Err(GlobErrorKind::Comment.of(text));
        }
        let (body, folders_only) = match text.strip_suffix('/') {
            // A backslash before the last `/` escapes it, which does not change its meaning.
            Some(body) => (body.strip_suffix('\\').unwrap_or(body), true),
            None => (text, false),
        };
        let (body, rooted) = match body.strip_prefix('/') {
            Some(rest) => (rest, true),
            None => (body, body.contains('/')),
        };
        let glob = normalize(body).map_err(|kind| kind.of(text))?;
        // `**/name` is `name` at any depth, and `**/name/**` is everything in folders with that name. `**/name/**/` is only
        // what is in folders in them.
        let at_any_depth = glob.strip_prefix("**/").map(|rest| match rest.strip_suffix("/**") {
            Some(folder) if !folders_only => (folder, true),
            _ => (rest, folders_only),
        });
        if let Some((segment, folders_only)) = at_any_depth.filter(|(glob, _)| is_segment(glob)) {
            return Ok(Self { shape: Shape::Segment(SegmentPattern::new(segment.to_owned())), folders_only });
        }
        let shape = if rooted {
            literal(&glob).map_or(Shape::PathGlob(glob), Shape::Path)
        } else {
            Shape::Segment(SegmentPattern::new(glob))
        };
        Ok(Self { shape, folders_only })
    }

    /// The name of a pattern that is one plain name, and whether it matches only folders.
    pub(super) fn as_name(&self) -> Option<(&str, bool)> {
        match &self.shape {
            Shape::Segment(SegmentPattern::Name(name)) => Some((name, self.folders_only)),
            _ => None,
        }
    }

    /// The affixes of which a name needs one, for a pattern of which this is known. None is empty.
    pub(super) fn affixes(&self) -> Option<Vec<Affix<'_>>> {
        match &self.shape {
            Shape::Segment(SegmentPattern::AnyOf(patterns)) => patterns.iter().map(SegmentPattern::affix).collect(),
            Shape::Segment(pattern) => pattern.affix().map(|affix| vec![affix]),
            Shape::Path(_) | Shape::PathGlob(_) => None,
        }
    }

    /// Whether the pattern matches this key or a folder that contains it.
    pub(super) fn matches(&self, key: &str) -> bool {
        if let Shape::Path(path) = &self.shape {
            return match key.strip_prefix(path.as_str()) {
                Some("") => !self.folders_only,
                Some(rest) => rest.starts_with('/'),
                None => false,
            };
        }
        let (folder, name) = split(key);
        self.matches_object(key, name) || folder.is_some_and(|folder| self.matches_in(folder))
    }

    /// Whether the pattern matches the object itself; `name` is the last segment of the key.
    pub(super) fn matches_object(&self, key: &str, name: &str) -> bool {
        !self.folders_only
            && match &self.shape {
                Shape::Segment(segment) => segment.matches(name),
                Shape::Path(path) => path == key,
                Shape::PathGlob(glob) => fast_glob::glob_match(glob, key),
            }
    }

    /// Whether the pattern matches this folder, given without a trailing `/`, or a folder that contains it.
    pub(super) fn matches_in(&self, folder: &str) -> bool {
        if let Shape::Path(path) = &self.shape {
            let rest = folder.strip_prefix(path.as_str());
            return rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        }
        levels(folder).any(|(folder, name)| self.matches_folder(folder, name))
    }

    /// Whether the pattern matches this folder itself; `name` is its last segment.
    pub(super) fn matches_folder(&self, folder: &str, name: &str) -> bool {
        match &self.shape {
            Shape::Segment(segment) => segment.matches(name),
            Shape::Path(path) => path == folder,
            Shape::PathGlob(glob) => fast_glob::glob_match(glob, folder),
        }
    }

    /// Whether the pattern may match a key in this folder, if it matches neither the folder nor a folder that contains it.
    /// Some answers are `true` where no key would match.
    pub(super) fn may_match_below(&self, folder: &str) -> bool {
        match &self.shape {
            Shape::Segment(_) => true,
            Shape::Path(path) => path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')),
            Shape::PathGlob(glob) => {
                let mut segments = glob.split('/');
                for name in folder.split('/') {
                    match segments.next() {
                        None => return false,
                        // Brackets, braces and escapes may contain a `/`, so that this is only a part of a segment.
                        Some(segment) if segment == "**" || segment.contains(['[', '{', '\\', '!']) => return true,
                        Some(segment) if !fast_glob::glob_match(segment, name) => return false,
                        Some(_) => {}
                    }
                }
                segments.next().is_some()
            }
        }
    }
}

/// Whether a pattern is for one segment.
pub(super) fn is_segment(glob: &str) -> bool {
    !glob.contains('/') && !glob.contains("**")
}

/// The folders that contain a folder, from the root, and the folder itself, each with its last segment. Folders are short: a
/// loop takes fewer instructions than a search.
pub(super) fn levels(folder: &str) -> impl Iterator<Item = (&str, &str)> {
    levels_from(folder, 0)
}

/// Like [`levels`], from the segment that starts at `start`; none after the end.
pub(super) fn levels_from(folder: &str, start: usize) -> impl Iterator<Item = (&str, &str)> {
    let mut start = Some(start);
    std::iter::from_fn(move || {
        let from = start?;
        let rest = folder.get(from..)?;
        let end = rest.bytes().position(|byte| byte == b'/').map(|length| from + length);
        start = end.map(|end| end + 1);
        let end = end.unwrap_or(folder.len());
        Some((folder.get(..end)?, folder.get(from..end)?))
    })
}

/// The folder of a key, and its last segment.
pub(super) fn split(key: &str) -> (Option<&str>, &str) {
    let parts = key.bytes().rposition(|byte| byte == b'/').and_then(|at| Some((key.get(..at)?, key.get(at + 1..)?)));
    match parts {
        Some((folder, name)) => (Some(folder), name),
        None => (None, key),
    }
}

impl SegmentPattern {
    fn new(glob: String) -> Self {
        if let Some(name) = literal(&glob) {
            return Self::Name(name);
        }
        if glob == "*" || glob == "**" {
            return Self::Any;
        }
        if let Some(suffix) = glob.strip_prefix('*').and_then(literal) {
            return Self::EndsWith(suffix);
        }
        if let Some(prefix) = glob.strip_suffix('*').and_then(literal) {
            return Self::StartsWith(prefix);
        }
        match alternatives(&glob) {
            Some(all) => Self::AnyOf(all.into_iter().map(Self::new).collect()),
            None => Self::Glob(glob),
        }
    }

    fn affix(&self) -> Option<Affix<'_>> {
        match self {
            // A whole name is also a start.
            Self::Name(text) | Self::StartsWith(text) => Some(Affix::Start(text)),
            Self::EndsWith(text) => Some(Affix::End(text)),
            Self::Any | Self::AnyOf(_) | Self::Glob(_) => None,
        }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Name(text) => text == name,
            Self::StartsWith(text) => name.starts_with(text.as_str()),
            // Most names have another last byte, and are not compared.
            Self::EndsWith(text) => name.as_bytes().last() == text.as_bytes().last() && name.ends_with(text.as_str()),
            Self::AnyOf(patterns) => patterns.iter().any(|pattern| pattern.matches(name)),
            Self::Glob(glob) => fast_glob::glob_match(glob, name),
        }
    }
}

/// Rewrites a pattern so that `fast-glob` reads it as git does: `fast-glob` takes `\n` for a line feed where git takes
/// it for an `n`, takes a leading `!` for a negation, and gives `**` a meaning only as a whole segment.
pub(super) fn normalize(pattern: &str) -> Result<String, GlobErrorKind> {
    if pattern.is_empty() {
        return Err(GlobErrorKind::Empty);
    }
    let mut glob = String::with_capacity(pattern.len() + 1);
    let mut characters = pattern.chars().peekable();
    let mut previous = '/';
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let escaped = characters.next().ok_or(GlobErrorKind::TrailingBackslash)?;
                if !escaped.is_alphanumeric() {
                    glob.push('\\');
                }
                glob.push(escaped);
            }
            '!' if glob.is_empty() => glob.push_str("\\!"),
            '*' => {
                let mut stars = 1;
                while characters.next_if_eq(&'*').is_some() {
                    stars += 1;
                }
                let whole_segment =
                    matches!(previous, '/' | '{' | ',') && matches!(characters.peek(), None | Some('/' | '}' | ','));
                glob.push_str(if stars == 2 && whole_segment { "**" } else { "*" });
            }
            '[' => {
                glob.push('[');
                if let Some(negation) = characters.next_if(|next| matches!(next, '!' | '^')) {
                    glob.push(negation);
                }
                // The first character of a set is a member, even if it is `]`.
                let mut first = true;
                loop {
                    match characters.next() {
                        None => return Err(GlobErrorKind::Unclosed('[')),
                        Some(']') if !first => break,
                        Some(member) if !member.is_ascii() => return Err(GlobErrorKind::SetBeyondAscii),
                        Some(member) => glob.push(member),
                    }
                    first = false;
                }
                glob.push(']');
            }
            other => glob.push(other),
        }
        previous = character;
    }
    fast_glob::validate(&glob).map_err(|error| match error.kind {
        fast_glob::ErrorKind::UnclosedBrace => GlobErrorKind::Unclosed('{'),
        fast_glob::ErrorKind::UnclosedBracket => GlobErrorKind::Unclosed('['),
        fast_glob::ErrorKind::TrailingBackslash => GlobErrorKind::TrailingBackslash,
        _ => GlobErrorKind::TooManyBraces,
    })?;
    Ok(glob)
}

/// The patterns that a pattern with one group of braces stands for: most of them are a suffix, which is matched much faster.
fn alternatives(glob: &str) -> Option<Vec<String>> {
    let (before, rest) = glob.split_once('{')?;
    let (inside, after) = rest.split_once('}')?;
    let is_plain = ![before, inside, after].iter().any(|part| part.contains(['{', '}', '[', '\\']));
    let all: Vec<String> = inside.split(',').map(|choice| format!("{before}{choice}{after}")).collect();
    (is_plain && all.iter().all(|pattern| !pattern.is_empty() && !pattern.contains("**"))).then_some(all)
}

/// The text that a pattern without wildcards matches.
fn literal(glob: &str) -> Option<String> {
    let mut text = String::with_capacity(glob.len());
    let mut characters = glob.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.push(characters.next()?),
            '*' | '?' | '[' | ']' | '{' | '}' => return None,
            other => text.push(other),
        }
    }
    Some(text)
}
