//! Rules for requests, as sync plugins hand them over: in order, the first match applies.

use serde::{Deserialize, Serialize};

use super::header::{check_name, check_value};
use super::query::QueryCondition;
use super::rule_error::RuleError;
use super::spelling::MAX_PATH_CHARACTERS;
use crate::redirect::RedirectTarget;
use crate::sanitize::{is_unsafe, sanitize, sanitize_name};

/// The rules of a site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeRules {
    /// The first match applies.
    pub redirects: Vec<EdgeRedirect>,
    /// Every match applies.
    pub headers: Vec<EdgeHeaderRule>,
}

impl EdgeRules {
    /// Adds rules after these.
    pub fn append(&mut self, mut later: Self) {
        self.redirects.append(&mut later.redirects);
        self.headers.append(&mut later.headers);
    }
}

/// Where a rule comes from, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleOrigin {
    /// The plugin's name in the configuration.
    pub plugin: String,
    /// JSON Pointer to the rule in its settings, or empty.
    pub rule: String,
    /// The reason that the plugin gave, such as ``line 3 of `_redirects` ``.
    pub reason: String,
}

/// What happens to requests for some paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeRedirect {
    /// The paths.
    pub path: RulePath,
    /// Which spellings of them.
    pub slash: SlashMatch,
    /// Parameters that the query of a request must have, each once.
    pub query: Vec<QueryCondition>,
    /// What answers.
    pub status: RuleStatus,
    /// Where the request goes; `None` for 410.
    pub target: Option<RuleTarget>,
    /// Whether the rule applies to paths that the site has.
    pub force: bool,
    /// Where it comes from.
    pub origin: RuleOrigin,
}

/// Headers of responses for some paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeHeaderRule {
    /// The paths.
    pub path: RulePath,
    /// Which spellings of them.
    pub slash: SlashMatch,
    /// Headers to add, in order, with names in lower case. Equal names are joined.
    pub headers: Vec<(String, String)>,
    /// Names of headers that earlier rules have added, in lower case.
    pub removals: Vec<String>,
    /// Where it comes from.
    pub origin: RuleOrigin,
}

/// A path, or a pattern of paths: `/old`, `/blog/:slug`, `/docs/*`.
///
/// Starts with one `/`. `:name` stands for a part of a segment or a whole one, and one `*` for any text, also for none.
/// Other characters stand for themselves and are not percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RulePath(String);

/// Which spellings of a path a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlashMatch {
    /// With and without a `/` at the end.
    Either,
    /// As the rule has it.
    AsWritten,
}

/// The status of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleStatus {
    /// A redirect: 301, 302, 303, 307 or 308.
    Redirect(u16),
    /// The content of another path, with 200.
    Rewrite,
    /// The content of another path, with 404.
    NotFound,
    /// 410 without content.
    Gone,
}

/// A path of the site, or an http(s) URL. `:name` and `:splat` stand for what the path of the rule matched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleTarget(RedirectTarget);

impl RulePath {
    /// Parses a path.
    ///
    /// # Errors
    /// [`RuleError`].
    pub fn new(text: &str) -> Result<Self, RuleError> {
        let shown = || sanitize_name(text);
        let characters = text.chars().count();
        if characters > MAX_PATH_CHARACTERS {
            return Err(RuleError::TooLong(sanitize(text, 100), characters));
        }
        let Some(rest) = text.strip_prefix('/') else { return Err(RuleError::Path(shown())) };
        if text.contains(['?', '#', '\\']) || text.chars().any(is_unsafe) {
            return Err(RuleError::Path(shown()));
        }
        let path = rest.strip_suffix('/').unwrap_or(rest);
        if text != "/" && path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(RuleError::Segment(shown()));
        }
        if text.matches('*').count() > 1 {
            return Err(RuleError::Splats(shown()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for one path, but for a `/` at its end.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*') && !has_placeholder(&self.0)
    }
}

/// Whether a text has a `:name`: a colon before a letter.
fn has_placeholder(text: &str) -> bool {
    text.split(':').skip(1).any(|rest| rest.starts_with(|character: char| character.is_ascii_alphabetic()))
}

impl RuleStatus {
    /// Parses a status.
    ///
    /// # Errors
    /// [`RuleError::Status`].
    pub fn new(code: u16) -> Result<Self, RuleError> {
        match code {
            301 | 302 | 303 | 307 | 308 => Ok(Self::Redirect(code)),
            200 => Ok(Self::Rewrite),
            404 => Ok(Self::NotFound),
            410 => Ok(Self::Gone),
            other => Err(RuleError::Status(other)),
        }
    }

    /// The code.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Redirect(code) => code,
            Self::Rewrite => 200,
            Self::NotFound => 404,
            Self::Gone => 410,
        }
    }
}

impl RuleTarget {
    /// Parses a target.
    ///
    /// # Errors
    /// [`RuleError::Target`].
    pub fn new(text: &str) -> Result<Self, RuleError> {
        Ok(Self(RedirectTarget::new(text)?))
    }

    /// The target as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host of a URL, with user and port; empty for a path of the site.
    fn host(&self) -> &str {
        let host = self.as_str().split_once("://").filter(|_| !self.is_path()).map_or("", |(_, host)| host);
        host.split(['/', '?', '#', '\\']).next().unwrap_or_default()
    }

    /// Whether it is a path of the site.
    #[must_use]
    pub fn is_path(&self) -> bool {
        self.0.as_str().starts_with('/')
    }
}

impl EdgeRedirect {
    /// Checks status and target together, the conditions, and that no visitor can choose the host.
    ///
    /// # Errors
    /// [`RuleError`].
    pub fn check(&self) -> Result<(), RuleError> {
        if let Some(target) = self.target.as_ref().filter(|target| has_placeholder(target.host())) {
            return Err(RuleError::HostPlaceholder(target.as_str().to_owned()));
        }
        let twice = |(at, condition): (usize, &QueryCondition)| {
            self.query
                .iter()
                .take(at)
                .any(|earlier| earlier.name() == condition.name())
                .then(|| condition.name().to_owned())
        };
        if let Some(name) = self.query.iter().enumerate().find_map(twice) {
            return Err(RuleError::TwoConditions(sanitize_name(self.path.as_str()), sanitize_name(&name)));
        }
        match (self.status, &self.target) {
            (RuleStatus::Gone, _) => Ok(()),
            (_, None) => Err(RuleError::NoTarget(sanitize_name(self.path.as_str()))),
            (RuleStatus::Rewrite | RuleStatus::NotFound, Some(target)) if !target.is_path() => {
                Err(RuleError::OtherHost(target.as_str().to_owned()))
            }
            (RuleStatus::Redirect(_) | RuleStatus::Rewrite | RuleStatus::NotFound, Some(_)) => Ok(()),
        }
    }
}

impl EdgeHeaderRule {
    /// Checks the headers.
    ///
    /// # Errors
    /// [`RuleError`].
    pub fn check(&self) -> Result<(), RuleError> {
        if self.headers.is_empty() && self.removals.is_empty() {
            return Err(RuleError::NoHeader(sanitize_name(self.path.as_str())));
        }
        for (name, value) in &self.headers {
            check_name(name)?;
            check_value(name, value)?;
        }
        self.removals.iter().try_for_each(|name| check_name(name))?;
        Ok(())
    }
}

impl TryFrom<String> for RulePath {
    type Error = RuleError;
    fn try_from(text: String) -> Result<Self, RuleError> {
        Self::new(&text)
    }
}

impl From<RulePath> for String {
    fn from(path: RulePath) -> Self {
        path.0
    }
}
