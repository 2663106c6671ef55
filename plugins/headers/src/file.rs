//! The `_headers` file of an artifact, in the syntax that Netlify and Cloudflare Pages share, with Netlify's semantics.
//!
//! A later block replaces a header of an earlier one; lines of one block are joined. A line that cannot be followed
//! leaves its header undecided for the objects of its block, so that no broader block applies instead.
//!
//! ```text
//! # a comment
//! /assets/*
//!   Cache-Control: public, max-age=600
//! /:lang/about
//!   Content-Language: en
//!   ! Cache-Control
//! ```

use std::cell::Cell;
use std::collections::BTreeMap;

use tidegate_plugin::edge::{EdgeDialect, HeaderRule};
use tidegate_plugin::{Finding, LineFindings, Pointer};

use crate::edge::{self, EdgeBlock, EdgeHeaderRefusal};
use crate::name::{SettingHeader, SettingHeaderError, is_value};
use crate::path::{ObjectPaths, PathPattern};

/// The rules of a file.
#[derive(Debug)]
pub(crate) struct HeadersFile {
    key: String,
    /// The dialect of headers that S3 does not store.
    dialect: Option<EdgeDialect>,
    blocks: Vec<HeadersBlock>,
    pub(crate) findings: LineFindings,
}

/// One path with its headers.
#[derive(Debug)]
struct HeadersBlock {
    line: usize,
    path: String,
    pattern: PathPattern,
    /// Whether its path is one of this site, and not of one host.
    is_followed: bool,
    headers: BTreeMap<SettingHeader, BlockHeader>,
    /// Headers that S3 does not store, on a site with an edge.
    edge: EdgeBlock,
    /// Whether it matches an object of the run.
    is_met: Cell<bool>,
}

/// What a block says about a header.
#[derive(Debug)]
enum BlockHeader {
    Set {
        /// Its last line.
        line: usize,
        value: String,
    },
    /// `! Name`: earlier blocks do not apply.
    Detached,
    /// It has a line that cannot be followed.
    Undecided,
}

/// A header of an object, with the line that it comes from.
pub(crate) struct FileHeader<'a> {
    pub(crate) line: usize,
    pub(crate) name: &'a SettingHeader,
    pub(crate) value: &'a str,
}

/// A line that cannot be followed.
struct RefusedLine {
    code: &'static str,
    /// Lines of the same kind are reported together.
    kind: String,
    message: String,
    /// The header that it is about, if storage keeps that header.
    header: Option<SettingHeader>,
}

impl HeadersFile {
    /// Parses a file; `key` is its name in findings.
    pub(crate) fn parse(key: &str, text: &str, dialect: Option<EdgeDialect>) -> Self {
        let findings = LineFindings::new(key, Pointer::root().member("headers-file"));
        let mut file = Self { key: key.to_owned(), dialect, blocks: Vec::new(), findings };
        for (number, line) in (1..).zip(text.split('\n')) {
            let line = line.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(path) = path_of(line) {
                let block = HeadersBlock::new(number, line, path);
                if !block.is_followed {
                    let message = "rules for hosts are not supported, so the headers of this block are not set; start \
                                   the path with `/`";
                    file.findings.warning("unsupported-path", "", number, message);
                }
                file.blocks.push(block);
                continue;
            }
            let Some(block) = file.blocks.last_mut() else {
                let message = "a header comes before the first path; add a path such as `/*` above it";
                file.findings.warning("header-without-path", "", number, message);
                continue;
            };
            if let Err(refused) = block.add(number, line, dialect) {
                if let Some(header) = refused.header {
                    block.headers.insert(header, BlockHeader::Undecided);
                }
                if block.is_followed {
                    file.findings.warning(refused.code, &refused.kind, number, refused.message);
                }
            }
        }
        file
    }

    /// The rules for headers that S3 does not store, on a site with an edge.
    pub(crate) fn edge_rules(&mut self, at: &Pointer) -> Vec<HeaderRule> {
        let Some(dialect) = self.dialect else { return Vec::new() };
        let followed = self.blocks.iter().filter(|block| block.is_followed);
        let blocks = followed.map(|block| (block.line, block.path.as_str(), &block.edge));
        let (rules, refused) = edge::rules(blocks, dialect, &self.key, at);
        for (line, error) in refused {
            self.findings.warning("unsupported-path", "edge", line, error.to_string());
        }
        rules
    }

    /// The headers of an object, by name.
    pub(crate) fn headers(&self, key: &str) -> Vec<FileHeader<'_>> {
        if self.blocks.is_empty() {
            return Vec::new();
        }
        let paths = ObjectPaths::new(key);
        let mut headers = BTreeMap::new();
        for block in self.blocks.iter().filter(|block| block.pattern.matches(&paths)) {
            block.is_met.set(true);
            headers.extend(&block.headers);
        }
        let set = headers.into_iter().filter_map(|(name, header)| match header {
            BlockHeader::Set { line, value } => Some(FileHeader { line: *line, name, value }),
            BlockHeader::Detached | BlockHeader::Undecided => None,
        });
        set.collect()
    }

    /// The findings about the file, including those about blocks that match no object.
    pub(crate) fn finish(&mut self) -> Vec<Finding> {
        // Rules for requests need no object.
        let needs_object = |block: &&HeadersBlock| !block.headers.is_empty() || block.edge.is_empty();
        let unmet = self.blocks.iter().filter(|block| block.is_followed && !block.is_met.get());
        for block in unmet.filter(needs_object) {
            let message = format!("`{}` matches no object of the site; correct or remove it", block.path);
            self.findings.warning("block-without-object", "", block.line, message);
        }
        self.findings.finish()
    }
}

impl HeadersBlock {
    fn new(line: usize, text: &str, path: &str) -> Self {
        Self {
            line,
            path: text.to_owned(),
            pattern: PathPattern::parse(path),
            is_followed: text.starts_with('/'),
            headers: BTreeMap::new(),
            edge: EdgeBlock::default(),
            is_met: Cell::new(false),
        }
    }

    /// Adds a line with a header.
    fn add(&mut self, number: usize, line: &str, dialect: Option<EdgeDialect>) -> Result<(), RefusedLine> {
        if let Some(name) = line.strip_prefix('!') {
            if dialect.is_some() && is_for_edge(name.trim()) {
                self.edge.remove(name.trim());
                return Ok(());
            }
            let name = parse_name(name.trim())?;
            self.headers.entry(name).or_insert(BlockHeader::Detached);
            return Ok(());
        }
        let Some((name, value)) = line.split_once(':') else {
            let word = line.split([' ', '\t', '=']).next().unwrap_or_default();
            return Err(RefusedLine {
                code: "invalid-header",
                kind: "form".to_owned(),
                message: format!("`{line}` is not a header; write `Name: value`, or start a path with `/`"),
                header: SettingHeader::parse(word).ok(),
            });
        };
        let name = name.trim_end();
        if edge::is_secret(name) {
            return Err(RefusedLine::of_edge(name, &EdgeHeaderRefusal::Secret(name.to_owned())));
        }
        if let Some(dialect) = dialect.filter(|_| is_for_edge(name)) {
            let value =
                if dialect == EdgeDialect::Netlify { spaced_commas(value.trim()) } else { value.trim().to_owned() };
            let added = self.edge.set(&self.path, name, &value, dialect);
            return added.map_err(|error| RefusedLine::of_edge(name, &error));
        }
        let name = parse_name(name)?;
        let value = spaced_commas(value.trim());
        if !is_value(&value) {
            return Err(RefusedLine {
                code: "invalid-header",
                kind: "value".to_owned(),
                message: format!("invalid value for `{name}`; use up to 2,048 characters of printable ASCII"),
                header: Some(name),
            });
        }
        let value = if self.is_followed { BlockHeader::Set { line: number, value } } else { BlockHeader::Undecided };
        match (self.headers.get_mut(&name), value) {
            // Another value of a list.
            (Some(BlockHeader::Set { line, value }), BlockHeader::Set { value: more, .. }) if name.is_list() => {
                *line = number;
                value.push_str(", ");
                value.push_str(&more);
            }
            (Some(BlockHeader::Set { line, value }), BlockHeader::Set { value: last, .. }) => {
                let message = format!("it replaces the value of `{name}` in line {line}; remove one of them");
                (*line, *value) = (number, last);
                return Err(RefusedLine { code: "header-twice", kind: String::new(), message, header: None });
            }
            (Some(BlockHeader::Undecided), _) => {}
            (_, value) => {
                self.headers.insert(name, value);
            }
        }
        Ok(())
    }
}

impl RefusedLine {
    /// A line with a header that S3 does not store, or must not publish.
    fn of_edge(name: &str, error: &EdgeHeaderRefusal) -> Self {
        let code = match error {
            EdgeHeaderRefusal::Secret(_) => "header-with-secret",
            EdgeHeaderRefusal::Value(_) => "invalid-header",
            EdgeHeaderRefusal::Reserved(_) | EdgeHeaderRefusal::Cookie | EdgeHeaderRefusal::Replaced(_) => {
                "header-not-possible"
            }
        };
        Self { code, kind: name.to_ascii_lowercase(), message: error.to_string(), header: None }
    }
}

/// Whether S3 does not store a header, and its name is valid.
fn is_for_edge(name: &str) -> bool {
    matches!(SettingHeader::parse(name), Err(SettingHeaderError::NotStored(_)))
}

/// The path of a line that starts a block. Rules for hosts have one, too.
fn path_of(line: &str) -> Option<&str> {
    if line.starts_with('/') {
        return Some(line);
    }
    let (scheme, rest) = line.split_once("://")?;
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_scheme.then(|| rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"))
}

fn parse_name(name: &str) -> Result<SettingHeader, RefusedLine> {
    SettingHeader::parse(name).map_err(|error| {
        let code = match error {
            SettingHeaderError::NotStored(_) => "header-not-stored",
            SettingHeaderError::Reserved(_) | SettingHeaderError::InvalidName(_) => "invalid-header",
        };
        RefusedLine { code, kind: name.to_ascii_lowercase(), message: error.to_string(), header: None }
    })
}

/// A value with one space after each comma outside of quotes. Source: `normalize.js` of `@netlify/headers-parser`, which
/// does the same within quotes.
fn spaced_commas(value: &str) -> String {
    let mut spaced = String::with_capacity(value.len());
    let mut in_quotes = false;
    let mut after_comma = false;
    for character in value.chars() {
        if after_comma && character.is_whitespace() {
            continue;
        }
        if after_comma {
            spaced.push(' ');
        }
        after_comma = character == ',' && !in_quotes;
        if after_comma {
            spaced.truncate(spaced.trim_end().len());
        }
        in_quotes ^= character == '"';
        spaced.push(character);
    }
    spaced
}

#[cfg(test)]
mod tests {
    use super::{HeadersFile, spaced_commas};

    /// The values of a key, by name.
    fn headers(file: &HeadersFile, key: &str) -> Vec<(String, String)> {
        file.headers(key).into_iter().map(|header| (header.name.to_string(), header.value.to_owned())).collect()
    }

    fn cache_control(text: &str, key: &str) -> Option<String> {
        let headers = headers(&HeadersFile::parse("_headers", text, None), key);
        headers.into_iter().find_map(|(name, value)| (name == "cache-control").then_some(value))
    }

    /// Code and message of each finding, the message up to the first `;`.
    fn findings(mut file: HeadersFile) -> Vec<(String, String)> {
        let findings = file.finish().into_iter();
        findings.map(|finding| (finding.code, finding.message.split(';').next().unwrap().to_owned())).collect()
    }

    #[test]
    fn a_later_block_replaces_and_lines_of_a_block_join() {
        let text = "/*\n  Cache-Control: public\n# more\n/a\n\tcache-control:max-age=5,immutable\n\tCache-Control: s-maxage=1\n";
        assert_eq!(cache_control(text, "a").as_deref(), Some("max-age=5, immutable, s-maxage=1"));
        assert_eq!(cache_control(text, "b").as_deref(), Some("public"));
        let file = HeadersFile::parse("_headers", text, None);
        assert_eq!(file.headers("a")[0].line, 6);
    }

    #[test]
    fn headers_with_one_value_do_not_join() {
        for name in ["Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"] {
            let file = HeadersFile::parse("_headers", &format!("/*\n{name}: a\n{name}: b\n"), None);
            assert_eq!(headers(&file, "x"), [(name.to_lowercase(), "b".to_owned())]);
            file.headers("x");
            assert_eq!(findings(file).len(), 1);
        }
    }

    #[test]
    fn a_name_with_an_exclamation_mark_detaches_earlier_blocks() {
        let text =
            "/*\nCache-Control: no-store\nContent-Language: en\n/a/*\n! cache-control\n/a/b\nCache-Control: private\n";
        let file = HeadersFile::parse("_headers", text, None);
        let language = ("content-language".to_owned(), "en".to_owned());
        assert_eq!(headers(&file, "a/b"), [("cache-control".to_owned(), "private".to_owned()), language.clone()]);
        assert_eq!(headers(&file, "a/x"), [language]);
        let both = "/*\nCache-Control: a\n/b\nCache-Control: c\n! Cache-Control\n";
        assert_eq!(cache_control(both, "b").as_deref(), Some("c"), "a block detaches first, and then sets");
    }

    #[test]
    fn what_cannot_be_followed_leaves_no_broader_block() {
        let broad = "/*\n  Cache-Control: immutable\n";
        for block in [
            "/x\n  Cache-Control:\n",
            "/x\n  Cache-Control: é\n",
            "/x\n  Cache-Control no-cache\n",
            "/x\n  Cache-Control: public\n  Cache-Control: é\n",
            "/x\n  Cache-Control: é\n  Cache-Control: public\n",
            "https://a.example/x\n  Cache-Control: no-cache\n",
            "https://:project.pages.dev/*\n  Cache-Control: no-cache\n",
        ] {
            assert_eq!(cache_control(&format!("{broad}{block}"), "x"), None, "{block}");
            let later = format!("{broad}{block}/x\n  Cache-Control: no-store\n");
            assert_eq!(cache_control(&later, "x").as_deref(), Some("no-store"), "{block}");
        }
        let other = format!("{broad}https://a.example/x\n  X-Robots-Tag: noindex\n");
        assert_eq!(cache_control(&other, "x").as_deref(), Some("immutable"));
    }

    #[test]
    fn reads_lines_with_any_indentation() {
        let text = "\u{feff}  /*\r\n\u{a0}Cache-Control:\tno-store \u{a0}\r\n\r\n\t/x\r\nCache-Control: private\r\n";
        assert_eq!(cache_control(text, "a").as_deref(), Some("no-store"));
        assert_eq!(cache_control(text, "x").as_deref(), Some("private"));
        let link = HeadersFile::parse("_headers", "/*\nLink: <https://a.example>\n", None);
        link.headers("a");
        assert_eq!(findings(link)[0].0, "header-not-stored", "a header with a URL is not a path");
    }

    #[test]
    fn findings_name_lines() {
        let text = "  Early: x\nhttps://a.example/*\n  X-Ignored: 1\n/ok\n  X-Frame-Options: DENY\n  nonsense\n  Cache-Control:\n  Cache-Control: no-store\n/ok\n  x-frame-options: DENY\n/none\n  Expires: 0\n";
        let file = HeadersFile::parse("_headers", text, None);
        file.headers("ok");
        let line = |number, text| format!("line {number} of `_headers`: {text}");
        let expected = [
            ("header-without-path", line(1, "a header comes before the first path")),
            (
                "unsupported-path",
                line(2, "rules for hosts are not supported, so the headers of this block are not set"),
            ),
            ("header-not-stored", line(5, "S3 cannot store header `X-Frame-Options`")),
            ("invalid-header", line(6, "`nonsense` is not a header")),
            ("invalid-header", line(7, "invalid value for `cache-control`")),
            ("block-without-object", line(11, "`/none` matches no object of the site")),
        ];
        assert_eq!(findings(file), expected.map(|(code, message)| (code.to_owned(), message)));
    }

    #[test]
    fn commas_have_one_space() {
        for (value, expected) in [
            ("a,b", "a, b"),
            ("a ,  b,c", "a, b, c"),
            ("attachment; filename=\"a,b.txt\",c", "attachment; filename=\"a,b.txt\", c"),
            ("a,", "a,"),
        ] {
            assert_eq!(spaced_commas(value), expected);
        }
    }
}
