//! Rules with conditions on the query. The function reads the lines of a path before the patterns, so a pattern with
//! conditions that stands before a line of a path becomes a line, too.

use super::super::matcher::is_equal;
use super::super::paths::{PathKind, name_of};
use super::super::pattern::filled;
use super::super::release::{PathLine, PatternLine};
use super::{Pattern, Table, path_of_target};

impl Table<'_> {
    /// Lines of what the patterns with conditions say about one spelling of a path, as far as it has none yet.
    pub(super) fn add_conditional_patterns(&mut self, spelling: &str) {
        let from = self.written.insert(spelling.to_owned(), self.patterns.len()).unwrap_or_default();
        let patterns = self.patterns.iter().zip(&self.plan.release.patterns).skip(from);
        let lines: Vec<PathLine> =
            patterns.filter_map(|(pattern, line)| self.written_out(spelling, pattern, line)).collect();
        if !lines.is_empty() {
            self.plan.release.paths.entry(name_of(spelling).to_owned()).or_default().extend(lines);
        }
    }

    /// The same for pages without their extension, which have lines of their own.
    pub(super) fn add_conditional_patterns_of_pages(&mut self) {
        let pages = self.paths.iter().filter(|(_, kind)| matches!(kind, PathKind::Page(_)));
        let mut spellings: Vec<String> = pages.flat_map(|(path, _)| [path.to_owned(), format!("{path}/")]).collect();
        let any = |spelling: &String, is: fn(&Pattern) -> bool| {
            self.patterns.iter().any(|pattern| is(pattern) && pattern.decides(spelling))
        };
        spellings.retain(|path| any(path, |pattern| pattern.is_conditional) && any(path, |pattern| pattern.force));
        spellings.iter().for_each(|spelling| self.add_conditional_patterns(spelling));
    }

    /// A pattern with conditions as a line of one path.
    fn written_out(&self, spelling: &str, pattern: &Pattern, line: &PatternLine) -> Option<PathLine> {
        if line.query.is_empty() || !pattern.decides(spelling) {
            return None;
        }
        let values = pattern.path.values(spelling)?;
        let mut target = filled(&line.target, &values);
        // Placeholders of the query are those of the line now.
        for at in values.len()..values.len() + line.query.split('&').count() {
            target = target.replace(&format!("{{{}}}", at + 1), &format!("{{{}}}", at + 1 - values.len()));
        }
        let status = line.flags.get(..3)?;
        let is_there = status.starts_with('3') && is_equal(pattern.path.slash(), &path_of_target(&target), spelling);
        let is_page = !pattern.force && self.paths.object(spelling).is_some();
        if is_there || is_page || line.area.as_ref().is_some_and(|area| spelling.starts_with(area)) {
            return Some(self.page_line(spelling, &line.query));
        }
        let target = if target.is_empty() { "-" } else { &target };
        Some(PathLine(format!("{status}{} {target} {}", flag_of(spelling), line.query)))
    }

    /// The line that leaves a spelling of a path as it is for some queries.
    pub(super) fn page_line(&self, spelling: &str, query: &str) -> PathLine {
        PathLine(match (self.paths.get(spelling), spelling.ends_with('/')) {
            (Some(PathKind::Page(page)), false) => format!("200. {page} {query}"),
            (Some(PathKind::Page(_)), true) => format!("301/ {} {query}", name_of(spelling)),
            _ => format!("000{} - {query}", flag_of(spelling)),
        })
    }

    /// Leaves out lines for some queries that leave a page as it is, if no rule follows.
    pub(super) fn drop_page_lines(&mut self) {
        let mut paths = std::mem::take(&mut self.plan.release.paths);
        for (name, lines) in &mut paths {
            let both = [name.clone(), format!("{name}/")];
            if both.iter().any(|spelling| self.patterns.iter().any(|pattern| pattern.decides(spelling))) {
                continue;
            }
            let is_page = |line: &PathLine| {
                !line.query().is_empty() && both.iter().any(|spelling| self.page_line(spelling, line.query()) == *line)
            };
            while lines.last().is_some_and(is_page) {
                lines.pop();
            }
        }
        paths.retain(|_, lines| !lines.is_empty());
        self.plan.release.paths = paths;
    }

    /// Whether a rule leaves a path as it is if the site has it, for some queries at least.
    pub(super) fn hides(&self, path: &str) -> bool {
        let mut deciding = self.patterns.iter().filter(|pattern| pattern.decides(path));
        deciding.find(|pattern| !pattern.force || !pattern.is_conditional).is_some_and(|pattern| !pattern.force)
    }
}

/// The flag of a line for one spelling.
fn flag_of(spelling: &str) -> &'static str {
    match spelling {
        "/" => "",
        _ if spelling.ends_with('/') => "/",
        _ => ".",
    }
}
