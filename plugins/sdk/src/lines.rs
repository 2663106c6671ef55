//! Findings about the lines of a rules file, such as `_headers` or `_redirects`.

use std::fmt::Write as _;

use crate::{Finding, Pointer};

/// Limit of the groups of one file, far below the number of findings that a host keeps.
const MAX_GROUPS: usize = 100;

/// Limit of the message about one line, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Limit of a list of lines, in bytes: hosts cut longer messages.
const MAX_LIST_BYTES: usize = 600;

/// Findings about the lines of one file. Similar ones become one finding that names the first line with its problem, and
/// the numbers of the others. No line is lost.
#[derive(Debug)]
pub struct LineFindings {
    key: String,
    rule: Pointer,
    groups: Vec<LineGroup>,
}

#[derive(Debug)]
struct LineGroup {
    code: &'static str,
    /// Lines with this text are similar.
    kind: String,
    message: String,
    is_info: bool,
    line: usize,
    /// Of further lines.
    more: Vec<usize>,
}

impl LineFindings {
    /// No findings about the file `key`, which `rule` in the settings configures.
    #[must_use]
    pub fn new(key: &str, rule: Pointer) -> Self {
        Self { key: key.to_owned(), rule, groups: Vec::new() }
    }

    /// Adds a warning about a line. Lines with the same `code` and `kind` are similar.
    pub fn warning(&mut self, code: &'static str, kind: &str, line: usize, message: impl Into<String>) {
        self.add(code, kind, line, message.into(), false);
    }

    /// Adds a remark about a line.
    pub fn info(&mut self, code: &'static str, kind: &str, line: usize, message: impl Into<String>) {
        self.add(code, kind, line, message.into(), true);
    }

    fn add(&mut self, code: &'static str, kind: &str, line: usize, mut message: String, is_info: bool) {
        // Text of the file must not push the numbers of lines out of a message.
        if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE_CHARS) {
            message.truncate(end);
            message.push('…');
        }
        let full = self.groups.len() >= MAX_GROUPS;
        let similar = |group: &&mut LineGroup| group.code == code && (full || group.kind == kind);
        match self.groups.iter_mut().find(similar) {
            Some(group) if line < group.line => {
                group.more.push(std::mem::replace(&mut group.line, line));
                group.message = message;
            }
            Some(group) if line > group.line => group.more.push(line),
            // One finding of a kind is enough for a line.
            Some(_) => {}
            None => {
                self.groups.push(LineGroup { code, kind: kind.to_owned(), message, is_info, line, more: Vec::new() });
            }
        }
    }

    /// The message of the first warning, in the order of lines.
    #[must_use]
    pub fn first_warning(&self) -> Option<String> {
        let warnings = self.groups.iter().filter(|group| !group.is_info);
        warnings.min_by_key(|group| group.line).map(|group| self.message(group))
    }

    /// Takes the findings, in the order of their first lines.
    pub fn finish(&mut self) -> Vec<Finding> {
        let mut groups = std::mem::take(&mut self.groups);
        groups.sort_by_key(|group| group.line);
        let mut findings = Vec::new();
        for mut group in groups {
            group.more.sort_unstable();
            group.more.dedup();
            let mut messages = vec![self.message(&group)];
            let lists = line_lists(&group.more);
            if let (Some(list), Some(message)) = (lists.first(), messages.first_mut()) {
                let _ = write!(message, "; and {} more like it: {list}", group.more.len());
            }
            let rest = lists.iter().skip(1);
            messages.extend(rest.map(|list| format!("{list} of `{}`: like line {}", self.key, group.line)));
            findings.extend(messages.into_iter().map(|message| {
                let finding = if group.is_info { Finding::info } else { Finding::warning }(group.code, message);
                finding.with_key(self.key.as_str()).with_rule(&self.rule)
            }));
        }
        findings
    }

    fn message(&self, group: &LineGroup) -> String {
        format!("line {} of `{}`: {}", group.line, self.key, group.message)
    }
}

/// Lists of lines, such as `lines 3, 5-9`, each short enough for one message.
fn line_lists(lines: &[usize]) -> Vec<String> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *line => *last = *line,
            _ => ranges.push((*line, *line)),
        }
    }
    let mut lists: Vec<String> = Vec::new();
    for (first, last) in ranges {
        let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
        match lists.last_mut().filter(|list| list.len() + range.len() < MAX_LIST_BYTES) {
            Some(list) => list.push_str(&format!(", {range}")),
            None => lists.push(format!("lines {range}")),
        }
    }
    if let ([list], [_]) = (lists.as_mut_slice(), lines) {
        *list = list.replacen("lines", "line", 1);
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::{LineFindings, MAX_GROUPS};
    use crate::Pointer;

    fn messages(mut findings: LineFindings) -> Vec<String> {
        findings.finish().into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn groups_similar_lines_by_number() {
        let mut findings = LineFindings::new("_x", Pointer::root());
        for line in [9, 3, 5, 4, 7, 7] {
            findings.warning("bad", "a", line, format!("`{line}` is bad"));
        }
        findings.info("bad", "b", 1, "odd");
        findings.warning("bad", "c", 2, "worse");
        findings.warning("bad", "c", 8, "worse");
        assert_eq!(findings.first_warning().as_deref(), Some("line 2 of `_x`: worse"));
        assert_eq!(
            messages(findings),
            [
                "line 1 of `_x`: odd",
                "line 2 of `_x`: worse; and 1 more like it: line 8",
                "line 3 of `_x`: `3` is bad; and 4 more like it: lines 4-5, 7, 9"
            ]
        );
    }

    #[test]
    fn loses_no_line() {
        let mut findings = LineFindings::new("_x", Pointer::root());
        for line in 1..5_000 {
            findings.warning("bad", &format!("{}", line % 400), line, "bad");
        }
        let messages = messages(findings);
        assert!(messages.len() < 2 * MAX_GROUPS, "{}", messages.len());
        assert!(messages.iter().all(|message| message.len() <= 1_024));
        let mut lines: Vec<usize> = Vec::new();
        for message in &messages {
            let (place, rest) = message.split_once(" of `_x`: ").unwrap();
            let more = rest.split_once("more like it: ").map_or("", |(_, list)| list);
            for range in [place, more].iter().flat_map(|list| list.split([' ', ','])) {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse()) {
                    lines.extend(first..=last);
                }
            }
        }
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines, (1..5_000).collect::<Vec<_>>());
    }
}
