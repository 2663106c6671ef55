//! Redirects of a site with an edge: rules for its function instead of objects. Nothing is expanded, and a path needs no
//! key.
//!
//! Rules of the settings come first, then the lines of the file. Old addresses of pages that no redirect covers come before
//! both, so that content for all paths does not cover them.

mod cloudflare;
mod matcher;
mod netlify;
mod path;
mod report;

use tidegate_plugin::edge::{EdgeDialect, RedirectRule};
use tidegate_plugin::{LineFindings, Pointer};

use crate::error::RedirectError;
use crate::pattern::FromPattern;
use crate::rule_findings::RuleSource;
use crate::settings::RedirectsFileSettings;
use matcher::bare;
use path::{EdgePath, decoded_path, target_text};
pub(crate) use report::EdgeReport;

/// The rules of a run, in order.
#[derive(Debug)]
pub(crate) struct EdgeRedirects {
    dialect: EdgeDialect,
    rules: Vec<PlannedRule>,
}

/// A rule for requests, with its origin.
#[derive(Debug)]
pub(crate) struct PlannedRule {
    /// As it is written.
    from: String,
    path: EdgePath,
    /// With placeholders; `None` for 410.
    target: Option<String>,
    status: u16,
    either_slash: bool,
    force: bool,
    rule: Pointer,
    /// The line of the file.
    line: Option<usize>,
    /// Whether it takes the paths of a line that cannot be followed, so that no later line answers them.
    is_shield: bool,
}

/// Why a line is not followed.
struct RefusedEdgeLine {
    /// Lines of the same kind are reported together.
    kind: &'static str,
    message: String,
}

impl RefusedEdgeLine {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<RedirectError> for RefusedEdgeLine {
    fn from(error: RedirectError) -> Self {
        let kind = match error {
            RedirectError::InvalidTarget(_) | RedirectError::Host(_) => "target",
            _ => "path",
        };
        Self::new(kind, error.to_string())
    }
}

impl EdgeRedirects {
    pub(crate) fn new(dialect: EdgeDialect) -> Self {
        Self { dialect, rules: Vec::new() }
    }

    /// Adds a rule of the settings.
    ///
    /// # Errors
    ///
    /// A path or a target that the settings should not have.
    pub(crate) fn add_rule(&mut self, from: &str, to: &str, force: bool, rule: &Pointer) -> Result<(), RedirectError> {
        let pattern = FromPattern::parse(from)?;
        for path in path::of_netlify(&pattern)? {
            let target = Some(target_text(to, &path)?);
            let (from, rule) = (from.to_owned(), rule.clone());
            let planned = PlannedRule {
                from,
                path,
                target,
                status: 301,
                either_slash: true,
                force,
                rule,
                line: None,
                is_shield: false,
            };
            self.rules.push(planned);
        }
        Ok(())
    }

    /// Adds the rules of a file after the others. Returns findings about lines that are not followed.
    pub(crate) fn add_file(&mut self, text: &str, settings: &RedirectsFileSettings) -> LineFindings {
        let at = Pointer::root().member("redirects-file");
        let mut findings = LineFindings::new(&settings.key, at.clone());
        match self.dialect {
            EdgeDialect::Netlify => netlify::add_lines(text, settings, &at, &mut self.rules, &mut findings),
            EdgeDialect::Cloudflare => cloudflare::add_lines(text, &at, &mut self.rules, &mut findings),
        }
        findings
    }
}

impl RuleSource for PlannedRule {
    fn rule(&self) -> &Pointer {
        &self.rule
    }

    fn line(&self) -> Option<usize> {
        self.line
    }
}

impl PlannedRule {
    /// Where it comes from, for users.
    fn reason(&self, file: &str) -> String {
        self.line.map_or_else(|| "a rule".to_owned(), |line| format!("line {line} of `{file}`"))
    }

    fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }

    /// The target, if it is a path of the site without placeholders.
    fn exact_target(&self) -> Option<&str> {
        let target = self.target.as_deref().filter(|target| target.starts_with('/'))?;
        self.path.names().iter().all(|name| !target.contains(&format!(":{name}"))).then_some(target)
    }

    /// Whether it redirects its one path to the same page.
    fn leads_to_itself(&self) -> bool {
        let target = self.exact_target().filter(|_| self.is_redirect() && self.path.is_exact()).and_then(decoded_path);
        let path = self.path.text();
        target.is_some_and(|target| target == path || self.either_slash && bare(&target) == bare(&path))
    }

    fn into_rule(self, file: &str) -> RedirectRule {
        let reason = self.reason(file);
        let rule = RedirectRule {
            either_slash: self.either_slash,
            force: self.force,
            ..RedirectRule::new(self.path.text(), self.status, self.target.as_deref(), &self.rule, reason)
        };
        self.path.query().fold(rule, |rule, (name, value)| rule.with_query(name, &value))
    }
}

#[cfg(test)]
mod tests;
