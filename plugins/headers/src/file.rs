//! The `_headers` file of an artifact, in the syntax that Netlify and Cloudflare Pages share.
//!
//! Owns its grammar, and which keys a path in it means. A line that cannot be followed becomes a finding that names it.
//!
//! ```text
//! # a comment
//! /assets/*
//!   Cache-Control: public, max-age=600
//! /:lang/about
//!   Content-Language: en
//! ```

use std::collections::BTreeMap;

use tidegate_plugin::Finding;

use crate::line_finding;
use crate::name::{SettingHeader, SettingHeaderError, is_value};

/// The rules of a file.
#[derive(Debug, Default)]
pub(crate) struct HeadersFile {
    blocks: Vec<HeadersBlock>,
    /// What could not be followed, by line.
    pub(crate) findings: Vec<Finding>,
}

/// One path with its headers.
#[derive(Debug)]
struct HeadersBlock {
    path: HeadersPath,
    headers: Vec<HeaderLine>,
}

#[derive(Debug)]
struct HeaderLine {
    line: usize,
    name: SettingHeader,
    value: String,
}

/// A path whose segments may be placeholders, and whose end may be open.
#[derive(Debug)]
struct HeadersPath {
    segments: Vec<PathSegment>,
    open: bool,
}

#[derive(Debug)]
enum PathSegment {
    Text(String),
    Placeholder,
}

impl HeadersFile {
    /// Reads a file; `key` is its name in findings.
    pub(crate) fn parse(key: &str, text: &str) -> Self {
        let mut file = Self::default();
        // Headers under a path that was refused belong to nothing.
        let mut refused = false;
        for (place, line) in text.lines().enumerate() {
            let number = place + 1;
            let content = line.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let mut report = |code, message: &str| file.findings.push(line_finding(code, key, number, message));
            if !line.starts_with([' ', '\t']) {
                match HeadersPath::parse(content) {
                    Ok(path) => {
                        file.blocks.push(HeadersBlock { path, headers: Vec::new() });
                        refused = false;
                    }
                    Err(message) => {
                        report("unsupported-path", message);
                        refused = true;
                    }
                }
                continue;
            }
            if refused {
                continue;
            }
            match header(number, content) {
                Ok(header) => match file.blocks.last_mut() {
                    Some(block) => block.headers.push(header),
                    None => report(
                        "header-without-path",
                        "a header comes before the first path; write a line such as `/*` above it",
                    ),
                },
                Err((code, message)) => report(code, &message),
            }
        }
        file
    }

    /// The headers of a key by name, each with its line. Values that several lines of the file say for one header are
    /// joined by commas, as the sites that this syntax comes from do.
    pub(crate) fn headers(&self, key: &str) -> Vec<(usize, &SettingHeader, String)> {
        let mut joined: BTreeMap<&SettingHeader, (usize, String)> = BTreeMap::new();
        for header in self.blocks.iter().filter(|block| block.path.matches(key)).flat_map(|block| &block.headers) {
            joined
                .entry(&header.name)
                .and_modify(|(line, value)| {
                    *line = header.line;
                    value.push_str(", ");
                    value.push_str(&header.value);
                })
                .or_insert_with(|| (header.line, header.value.clone()));
        }
        joined.into_iter().map(|(name, (line, value))| (line, name, value)).collect()
    }
}

fn header(line: usize, text: &str) -> Result<HeaderLine, (&'static str, String)> {
    let Some((name, value)) = text.split_once(':') else {
        return Err((
            "no-header",
            format!("`{text}` is no header; write `Name: value`, or start the path with `/` in the first column"),
        ));
    };
    let name = SettingHeader::parse(name.trim_end()).map_err(|error| match error {
        SettingHeaderError::NotStored(_) => ("header-not-stored", error.to_string()),
        SettingHeaderError::Reserved(_) | SettingHeaderError::NoName(_) => ("no-header", error.to_string()),
    })?;
    let value = value.trim();
    if !is_value(value) {
        return Err(("no-header", format!("the value of `{name}` is empty or has characters beyond printable ASCII")));
    }
    Ok(HeaderLine { line, name, value: value.to_owned() })
}

impl HeadersPath {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err("not a path; it starts with `/`, and rules for one host or address cannot be followed");
        };
        let (rest, open) = match rest.strip_suffix('*') {
            Some(rest) if rest.is_empty() || rest.ends_with('/') => (rest.trim_end_matches('/'), true),
            Some(_) => {
                return Err("`*` stands for everything below a folder, and only after a `/`");
            }
            None => (rest, false),
        };
        if rest.contains('*') {
            return Err("`*` can only be at the end of a path");
        }
        let segment = |text: &str| match text.strip_prefix(':') {
            Some(name) if !name.is_empty() => PathSegment::Placeholder,
            _ => PathSegment::Text(text.to_owned()),
        };
        let segments = if rest.is_empty() && open { Vec::new() } else { rest.split('/').map(segment).collect() };
        Ok(Self { segments, open })
    }

    /// Whether a visitor's path means this key: its own, or that of the folder whose index it is.
    fn matches(&self, key: &str) -> bool {
        let of_folder = || {
            let folder = key.strip_suffix("index.html").filter(|folder| folder.is_empty() || folder.ends_with('/'))?;
            Some(
                self.matches_path(folder)
                    || (!folder.is_empty() && self.matches_path(folder.strip_suffix('/').unwrap_or(folder))),
            )
        };
        self.matches_path(key) || of_folder() == Some(true)
    }

    fn matches_path(&self, path: &str) -> bool {
        let mut parts = path.split('/');
        for segment in &self.segments {
            match (segment, parts.next()) {
                (PathSegment::Text(text), Some(part)) if text == part => {}
                (PathSegment::Placeholder, Some(part)) if !part.is_empty() => {}
                _ => return false,
            }
        }
        // `/a/*` is everything below `/a/`, that folder's own page included, but not an object `a`.
        if self.open { self.segments.is_empty() || parts.next().is_some() } else { parts.next().is_none() }
    }
}

#[cfg(test)]
mod tests {
    use super::{HeadersFile, HeadersPath};

    #[test]
    fn paths_mean_keys() {
        let table = [
            ("/*", "a/b", true),
            ("/*", "index.html", true),
            ("/a/*", "a/b/c", true),
            ("/a/*", "a/index.html", true),
            ("/a/*", "ab/c", false),
            ("/a/*", "a", false),
            ("/a.html", "a.html", true),
            ("/a.html", "x/a.html", false),
            ("/", "index.html", true),
            ("/", "a.html", false),
            ("/a/", "a/index.html", true),
            ("/a", "a/index.html", true),
            ("/a", "a", true),
            ("/:lang/about", "en/about", true),
            ("/:lang/about", "about", false),
            ("/:lang/*", "en/x/y", true),
        ];
        for (path, key, expected) in table {
            assert_eq!(HeadersPath::parse(path).unwrap().matches(key), expected, "`{path}` and `{key}`");
        }
    }

    #[test]
    fn lines_that_cannot_be_followed_are_named() {
        let text = "  Early: x\nhttps://a.example/*\n  X-Ignored: 1\n/a*\n/*.js\n/ok\n  X-Frame-Options: DENY\n  nonsense\n  Cache-Control:\n  Cache-Control: no-store\n";
        let file = HeadersFile::parse("_headers", text);
        let found: Vec<_> = file
            .findings
            .iter()
            .map(|finding| (finding.code.as_str(), finding.message.split(':').next().unwrap()))
            .collect();
        let line = |number| format!("line {number} of `_headers`");
        let expected = [
            ("header-not-stored", line(1)),
            ("unsupported-path", line(2)),
            ("unsupported-path", line(4)),
            ("unsupported-path", line(5)),
            ("header-not-stored", line(7)),
            ("no-header", line(8)),
            ("no-header", line(9)),
        ];
        assert_eq!(found, expected.each_ref().map(|(code, line)| (*code, line.as_str())));
        assert_eq!(file.headers("ok").len(), 1);
    }

    #[test]
    fn values_of_several_lines_are_joined() {
        let file =
            HeadersFile::parse("_headers", "/*\n  Cache-Control: public\n# more\n/a\n\tcache-control: max-age=5\n");
        let headers = file.headers("a");
        assert_eq!(headers.len(), 1);
        assert_eq!((headers[0].0, headers[0].2.as_str()), (5, "public, max-age=5"));
        assert_eq!(file.headers("b")[0].2, "public");
    }
}
