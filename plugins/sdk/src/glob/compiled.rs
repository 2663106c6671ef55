//! One pattern, ready to match.
//!
//! Owns anchoring and folders, and the shortcuts for what most patterns are: a name, or a `*` with an ending.

use super::GlobError;

/// A pattern without its `!`.
#[derive(Clone, Debug)]
pub(super) struct CompiledGlob {
    shape: Shape,
    /// Whether only folders match: the pattern ended in `/`.
    folders_only: bool,
}

/// How a pattern matches.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Any one segment of the key.
    Segment(SegmentPattern),
    /// The key, or a folder that it is in, from the root.
    Path(String),
    /// As `Path`, with wildcards.
    PathGlob(String),
}

/// How a pattern without `/` matches one segment.
#[derive(Clone, Debug)]
pub(super) enum SegmentPattern {
    Any,
    Name(String),
    StartsWith(String),
    EndsWith(String),
    Glob(String),
}

impl CompiledGlob {
    /// Reads a pattern, without its `!`.
    pub(super) fn parse(text: &str) -> Result<Self, GlobError> {
        if text.starts_with('#') {
            return Err(GlobError::Comment(text.to_owned()));
        }
        let (body, folders_only) = match text.strip_suffix('/') {
            // A backslash before the last `/` escapes it, which changes nothing about what `/` means.
            Some(body) => (body.strip_suffix('\\').unwrap_or(body), true),
            None => (text, false),
        };
        let (body, rooted) = match body.strip_prefix('/') {
            Some(rest) => (rest, true),
            None => (body, body.contains('/')),
        };
        let wild = pattern(text, body)?;
        let shape = if rooted {
            literal(&wild).map_or(Shape::PathGlob(wild), Shape::Path)
        } else {
            Shape::Segment(SegmentPattern::of(wild))
        };
        Ok(Self { shape, folders_only })
    }

    /// The one name that a segment must have, where that is all there is to the pattern, and whether only folders match.
    pub(super) fn name(&self) -> Option<(&str, bool)> {
        match &self.shape {
            Shape::Segment(SegmentPattern::Name(name)) => Some((name, self.folders_only)),
            _ => None,
        }
    }

    /// Whether the pattern matches this key or a folder that it is in.
    pub(super) fn matches(&self, key: &str) -> bool {
        let (folder, name) = split(key);
        self.matches_object(key, name) || folder.is_some_and(|folder| self.matches_in(folder))
    }

    /// Whether the pattern matches the object itself; `name` is the key's last segment.
    pub(super) fn matches_object(&self, key: &str, name: &str) -> bool {
        !self.folders_only
            && match &self.shape {
                Shape::Segment(segment) => segment.matches(name),
                Shape::Path(path) => path == key,
                Shape::PathGlob(glob) => fast_glob::glob_match(glob, key),
            }
    }

    /// Whether the pattern matches this folder, which has no `/` at its end, or one that it is in.
    pub(super) fn matches_in(&self, folder: &str) -> bool {
        match &self.shape {
            Shape::Segment(segment) => folder.split('/').any(|name| segment.matches(name)),
            Shape::Path(path) => {
                let rest = folder.strip_prefix(path.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Shape::PathGlob(glob) => {
                let mut above = folder.match_indices('/').filter_map(|(at, _)| folder.get(..at));
                fast_glob::glob_match(glob, folder) || above.any(|folder| fast_glob::glob_match(glob, folder))
            }
        }
    }
}

/// The folder that a key is in, and its last segment.
pub(super) fn split(key: &str) -> (Option<&str>, &str) {
    match key.rsplit_once('/') {
        Some((folder, name)) => (Some(folder), name),
        None => (None, key),
    }
}

impl SegmentPattern {
    fn of(wild: String) -> Self {
        if let Some(name) = literal(&wild) {
            return Self::Name(name);
        }
        if wild == "*" || wild == "**" {
            return Self::Any;
        }
        if let Some(end) = wild.strip_prefix('*').and_then(literal) {
            return Self::EndsWith(end);
        }
        if let Some(start) = wild.strip_suffix('*').and_then(literal) {
            return Self::StartsWith(start);
        }
        Self::Glob(wild)
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Name(text) => text == name,
            Self::StartsWith(text) => name.starts_with(text.as_str()),
            Self::EndsWith(text) => name.ends_with(text.as_str()),
            Self::Glob(glob) => fast_glob::glob_match(glob, name),
        }
    }
}

/// Rewrites `body` into what `fast-glob` understands alike: it reads `\n` as a line feed where gitignore has an `n`, takes
/// a leading `!` for a negation, and gives `**` a meaning only as a whole segment. `text` is what errors show.
pub(super) fn pattern(text: &str, body: &str) -> Result<String, GlobError> {
    if body.is_empty() {
        return Err(GlobError::Empty);
    }
    let mut wild = String::with_capacity(body.len() + 1);
    let mut characters = body.chars().peekable();
    let mut before = '/';
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped) => {
                    if !escaped.is_alphanumeric() {
                        wild.push('\\');
                    }
                    wild.push(escaped);
                }
                None => return Err(GlobError::TrailingBackslash(text.to_owned())),
            },
            '!' if wild.is_empty() => wild.push_str("\\!"),
            '*' => {
                let mut stars = 1;
                while characters.next_if_eq(&'*').is_some() {
                    stars += 1;
                }
                let whole =
                    matches!(before, '/' | '{' | ',') && matches!(characters.peek(), None | Some('/' | '}' | ','));
                wild.push_str(if stars == 2 && whole { "**" } else { "*" });
            }
            '[' => {
                wild.push('[');
                if let Some(negation) = characters.next_if(|next| matches!(next, '!' | '^')) {
                    wild.push(negation);
                }
                // The first character of a set is a member, also where it is `]`.
                let mut first = true;
                loop {
                    match characters.next() {
                        None => {
                            return Err(GlobError::Unclosed { glob: text.to_owned(), opened: '[' });
                        }
                        Some(']') if !first => break,
                        Some(member) if !member.is_ascii() => {
                            return Err(GlobError::SetBeyondAscii(text.to_owned()));
                        }
                        Some(member) => wild.push(member),
                    }
                    first = false;
                }
                wild.push(']');
            }
            other => wild.push(other),
        }
        before = character;
    }
    fast_glob::validate(&wild).map_err(|error| match error.kind {
        fast_glob::ErrorKind::UnclosedBrace => GlobError::Unclosed { glob: text.to_owned(), opened: '{' },
        fast_glob::ErrorKind::UnclosedBracket => GlobError::Unclosed { glob: text.to_owned(), opened: '[' },
        fast_glob::ErrorKind::TrailingBackslash => GlobError::TrailingBackslash(text.to_owned()),
        _ => GlobError::TooManyBraces(text.to_owned()),
    })?;
    Ok(wild)
}

/// The one text that a pattern matches, where it has no wildcard.
fn literal(wild: &str) -> Option<String> {
    let mut text = String::with_capacity(wild.len());
    let mut characters = wild.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.push(characters.next()?),
            '*' | '?' | '[' | ']' | '{' | '}' => return None,
            other => text.push(other),
        }
    }
    Some(text)
}
