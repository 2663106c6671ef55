//! The `_headers` file of an artifact, in the syntax that Netlify and Cloudflare Pages share.
//!
//! An unsupported line becomes a finding that names the line.
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
    /// Unsupported lines.
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

/// A header of a key, with the last line that it comes from.
pub(crate) struct FileHeader<'a> {
    pub(crate) line: usize,
    pub(crate) name: &'a SettingHeader,
    pub(crate) value: String,
}

/// A path, which may have placeholders and a trailing `*`.
#[derive(Debug)]
struct HeadersPath {
    segments: Vec<PathSegment>,
    /// Whether it ends with `*`.
    open: bool,
}

#[derive(Debug)]
enum PathSegment {
    Text(String),
    Placeholder,
}

impl HeadersFile {
    /// Parses a file; `key` is its name in findings.
    pub(crate) fn parse(key: &str, text: &str) -> Self {
        let mut file = Self::default();
        // The headers of a path with a mistake are skipped.
        let mut skip = false;
        for (number, line) in (1..).zip(text.lines()) {
            let content = line.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let mut report = |code, message: &str| file.findings.push(line_finding(code, key, number, message));
            if !line.starts_with([' ', '\t']) {
                match HeadersPath::parse(content) {
                    Ok(path) => {
                        file.blocks.push(HeadersBlock { path, headers: Vec::new() });
                        skip = false;
                    }
                    Err(message) => {
                        report("unsupported-path", message);
                        skip = true;
                    }
                }
                continue;
            }
            if skip {
                continue;
            }
            match header(number, content) {
                Ok(header) => match file.blocks.last_mut() {
                    Some(block) => block.headers.push(header),
                    None => report(
                        "header-without-path",
                        "a header comes before the first path; add a path such as `/*` above it",
                    ),
                },
                Err((code, message)) => report(code, &message),
            }
        }
        file
    }

    /// The headers of a key, by name. As on Netlify and Cloudflare Pages, several values of one header are
    /// joined by commas.
    pub(crate) fn headers(&self, key: &str) -> Vec<FileHeader<'_>> {
        let mut joined: BTreeMap<&SettingHeader, FileHeader<'_>> = BTreeMap::new();
        for header in self.blocks.iter().filter(|block| block.path.matches(key)).flat_map(|block| &block.headers) {
            joined
                .entry(&header.name)
                .and_modify(|joined| {
                    joined.line = header.line;
                    joined.value.push_str(", ");
                    joined.value.push_str(&header.value);
                })
                .or_insert_with(|| FileHeader { line: header.line, name: &header.name, value: header.value.clone() });
        }
        joined.into_values().collect()
    }
}

fn header(line: usize, text: &str) -> Result<HeaderLine, (&'static str, String)> {
    let Some((name, value)) = text.split_once(':') else {
        return Err((
            "invalid-header",
            format!("`{text}` is not a header; write `Name: value`, or start a path with `/` in the first column"),
        ));
    };
    let name = SettingHeader::parse(name.trim_end()).map_err(|error| match error {
        SettingHeaderError::NotStored(_) => ("header-not-stored", error.to_string()),
        SettingHeaderError::Reserved(_) | SettingHeaderError::InvalidName(_) => ("invalid-header", error.to_string()),
    })?;
    let value = value.trim();
    if !is_value(value) {
        return Err((
            "invalid-header",
            format!("invalid value for `{name}`; use printable ASCII without leading or trailing spaces"),
        ));
    }
    Ok(HeaderLine { line, name, value: value.to_owned() })
}

impl HeadersPath {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err("not a path; start it with `/`, since rules for hosts are not supported");
        };
        let (rest, open) = match rest.strip_suffix('*') {
            Some(rest) if rest.is_empty() || rest.ends_with('/') => (rest.trim_end_matches('/'), true),
            Some(_) => {
                return Err("`*` is supported only after a `/`, where it matches everything below a folder");
            }
            None => (rest, false),
        };
        if rest.contains('*') {
            return Err("`*` is supported only at the end of a path");
        }
        let segment = |text: &str| match text.strip_prefix(':') {
            Some(name) if !name.is_empty() => PathSegment::Placeholder,
            _ => PathSegment::Text(text.to_owned()),
        };
        let segments = if rest.is_empty() && open { Vec::new() } else { rest.split('/').map(segment).collect() };
        Ok(Self { segments, open })
    }

    /// Whether the path matches this key, or the folder whose index it is, with or without the trailing `/`.
    fn matches(&self, key: &str) -> bool {
        let folder = key.strip_suffix("index.html").filter(|folder| folder.is_empty() || folder.ends_with('/'));
        self.matches_path(key)
            || folder.is_some_and(|folder| {
                self.matches_path(folder) || folder.strip_suffix('/').is_some_and(|bare| self.matches_path(bare))
            })
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
        // `/a/*` matches everything below `/a/`, including the index of that folder, but not an object `a`.
        if self.open { self.segments.is_empty() || parts.next().is_some() } else { parts.next().is_none() }
    }
}

#[cfg(test)]
mod tests {
    use super::{HeadersFile, HeadersPath};

    #[test]
    fn paths_match_keys() {
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
    fn findings_name_unsupported_lines() {
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
            ("invalid-header", line(8)),
            ("invalid-header", line(9)),
        ];
        assert_eq!(found, expected.each_ref().map(|(code, line)| (*code, line.as_str())));
        assert_eq!(file.headers("ok").len(), 1);
    }

    #[test]
    fn joins_values_of_several_lines() {
        let file =
            HeadersFile::parse("_headers", "/*\n  Cache-Control: public\n# more\n/a\n\tcache-control: max-age=5\n");
        let headers = file.headers("a");
        assert_eq!(headers.len(), 1);
        assert_eq!((headers[0].line, headers[0].value.as_str()), (5, "public, max-age=5"));
        assert_eq!(file.headers("b")[0].value, "public");
    }
}
