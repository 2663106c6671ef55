//! What the rules of a site do with a request. This is the reference: the function at the edge must answer the same.
//!
//! A path is decoded, starts with one `/`, and has no segment that is empty, `.` or `..`. It may end with a `/`.
//!
//! 1. The first redirect rule that matches a path decides about it. If the site has a page there, the page is shown,
//!    unless the rule is forced.
//! 2. `*` matches any text, also none; `:name` matches text without `/`, at least one character. Where several ways are
//!    possible, the first one takes as much as it can.
//! 3. With [`SlashMatch::Either`], a `/` at the end of the rule or of the path makes no difference, and `/old/*` also
//!    matches `/old`. What a `*` at the end matches keeps its `/` at the end.
//! 4. In a target, `:` and the longest name of the path that follows stand for what that name matched, and `:splat` for
//!    what `*` matched: percent-encoded, as [`encode_path`] does.
//! 5. Runs of `/` in the path of a target on the site become one, so that no value makes it lead to another host.
//! 6. A redirect keeps the query of the request, unless its target has one. The fragment of its target stays at the end.
//! 7. A rule that matches a path that is already at its target decides that the page is shown. For a redirect, that is the
//!    path of its target, where a `/` at the end makes no difference if it makes none to the rule. For a redirect or 404
//!    whose path ends with `*` and matches the target up to `/:splat`, it is every path that starts with that:
//!    `/* /en/:splat` leaves `/en/a` alone, and `/a/old/* /a/:splat` redirects `/a/old/b`.
//! 8. A rule with conditions on the query matches requests whose query fulfils all of them: the parameter is there, with
//!    this value or, for `:name`, with any one. Its values are percent-encoded in a target, `/` included.
//! 9. Content (200, 404) is that of the target's path. No other rule applies to it. If that is not a path of the site, the
//!    page is shown.

use percent_encoding::percent_decode_str;

use super::matcher::{PathMatcher, is_equal};
use super::query;
use super::rules::{EdgeHeaderRule, EdgeRedirect, EdgeRules, RuleStatus, RuleTarget};
use super::spelling::{encode_path, has_only_known_escapes, single_slashes};

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EdgeOutcome<'a> {
    /// No rule decides: the page of the path, or none.
    Page,
    /// A redirect.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// A path of the site with query and fragment, or an http(s) URL.
        location: String,
        /// The rule that decides.
        rule: &'a EdgeRedirect,
    },
    /// The content of another path.
    Content {
        /// 200 or 404.
        status: u16,
        /// The other path, decoded.
        path: String,
        /// The rule that decides.
        rule: &'a EdgeRedirect,
    },
    /// 410 without content.
    Gone {
        /// The rule that decides.
        rule: &'a EdgeRedirect,
    },
}

/// The rules of a site, compiled.
#[derive(Debug)]
pub struct EdgeEvaluator<'a> {
    redirects: Vec<(&'a EdgeRedirect, PathMatcher)>,
    headers: Vec<(&'a EdgeHeaderRule, PathMatcher)>,
}

impl<'a> EdgeEvaluator<'a> {
    /// Compiles rules.
    #[must_use]
    pub fn new(rules: &'a EdgeRules) -> Self {
        Self {
            redirects: rules
                .redirects
                .iter()
                .map(|rule| (rule, PathMatcher::new(rule.path.as_str(), rule.slash)))
                .collect(),
            headers: rules
                .headers
                .iter()
                .map(|rule| (rule, PathMatcher::new(rule.path.as_str(), rule.slash)))
                .collect(),
        }
    }

    /// What happens to a request for a decoded path. The query is without `?`, and empty if there is none. `has_page`
    /// says whether the site has a page at a decoded path.
    pub fn outcome(&self, path: &str, query: &str, has_page: impl Fn(&str) -> bool) -> EdgeOutcome<'a> {
        let answer = |(rule, matcher): &(&'a EdgeRedirect, PathMatcher)| {
            let of_path = matcher.values(path)?.into_iter().map(|(name, value)| (name, encode_path(&value)));
            let values: Vec<(&str, String)> = of_path.chain(query::values(&rule.query, query)?).collect();
            Some((rule.force, answer(rule, matcher, path, query, &values).unwrap_or(EdgeOutcome::Page)))
        };
        match self.redirects.iter().find_map(answer) {
            Some((force, outcome)) if force || !has_page(path) => outcome,
            _ => EdgeOutcome::Page,
        }
    }

    /// The headers that responses for a decoded path get, in the order in which rules add them.
    #[must_use]
    pub fn headers(&self, path: &str) -> Vec<(&'a str, String)> {
        let mut headers: Vec<(&str, String)> = Vec::new();
        for (rule, _) in self.headers.iter().filter(|(_, matcher)| matcher.values(path).is_some()) {
            // A rule removes first, so it can set what it removes.
            headers.retain(|(name, _)| !rule.removals.iter().any(|removed| removed == name));
            for (name, value) in &rule.headers {
                match headers.iter_mut().find(|(known, _)| known == name) {
                    Some((_, known)) => {
                        known.push_str(", ");
                        known.push_str(value);
                    }
                    None => headers.push((name, value.clone())),
                }
            }
        }
        headers
    }
}

/// What a rule does with a path that it matches; `None` if that is nothing.
fn answer<'a>(
    rule: &'a EdgeRedirect,
    matcher: &PathMatcher,
    path: &str,
    query: &str,
    values: &[(&str, String)],
) -> Option<EdgeOutcome<'a>> {
    match (rule.status, &rule.target) {
        (RuleStatus::Gone, _) => Some(EdgeOutcome::Gone { rule }),
        (_, None) => None,
        (RuleStatus::Redirect(status), Some(target)) => {
            let target = filled(target, values)?;
            let is_same = |target: &str| is_equal(rule.slash, target, path);
            let is_there = target.path.as_deref().is_some_and(is_same) || leads_above(rule, matcher, path);
            let location = if target.query.is_some() { target.text } else { target.with_query(query) };
            (!is_there).then_some(EdgeOutcome::Redirect { status, location, rule })
        }
        (status @ (RuleStatus::Rewrite | RuleStatus::NotFound), Some(target)) => {
            let is_there = leads_above(rule, matcher, path);
            let target = filled(target, values)?;
            let has_known_escapes = has_only_known_escapes(target.text.split(['?', '#']).next().unwrap_or_default());
            let path = target.path.filter(|_| !is_there)?;
            // Part of a segment and the value of a placeholder may make `..`, and the value of a parameter any text.
            let is_valid = has_known_escapes && !path.split('/').any(|segment| matches!(segment, "." | ".."));
            is_valid.then_some(EdgeOutcome::Content { status: status.code(), path, rule })
        }
    }
}

/// Whether a rule ends with `*`, its target is one of its own paths, and this path is already below the target.
fn leads_above(rule: &EdgeRedirect, matcher: &PathMatcher, path: &str) -> bool {
    let is_open = rule.path.as_str().ends_with('*') && rule.status != RuleStatus::Rewrite;
    let target = rule.target.as_ref().filter(|target| target.is_path() && is_open);
    let area = target.and_then(|target| target.as_str().split("/:splat").next());
    let area = area.filter(|area| !area.is_empty()).and_then(|area| percent_decode_str(area).decode_utf8().ok());
    area.is_some_and(|area| path.starts_with(&*area) && matcher.values(&area).is_some())
}

/// The target with the values of a request, which are encoded; `None` if its path is not UTF-8.
fn filled(target: &RuleTarget, values: &[(&str, String)]) -> Option<FilledTarget> {
    let mut text = String::new();
    let mut rest = target.as_str();
    while let Some((before, after)) = rest.split_once(':') {
        text.push_str(before);
        let known = values.iter().filter(|(name, _)| after.starts_with(*name));
        // Of equal names, the first one.
        let longest = known.reduce(|best, next| if next.0.len() > best.0.len() { next } else { best });
        match longest.and_then(|(name, value)| Some((after.get(name.len()..)?, value))) {
            Some((next, value)) => {
                text.push_str(value);
                rest = next;
            }
            None => {
                text.push(':');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    FilledTarget::new(&text)
}

/// A target with the values of a request.
struct FilledTarget {
    text: String,
    /// The decoded path, if it is on the site.
    path: Option<String>,
    query: Option<String>,
}

impl FilledTarget {
    fn new(text: &str) -> Option<Self> {
        let (address, fragment) = text.split_at_checked(text.find('#').unwrap_or(text.len()))?;
        let (address, query) = match address.split_once('?') {
            Some((address, query)) => (address, Some(query.to_owned())),
            None => (address, None),
        };
        if !address.starts_with('/') {
            return Some(Self { text: text.to_owned(), path: None, query });
        }
        let path = single_slashes(address);
        let decoded = percent_decode_str(&path).decode_utf8().ok()?.into_owned();
        let shown = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        Some(Self { text: format!("{path}{shown}{fragment}"), path: Some(decoded), query })
    }

    /// The target with a query before its fragment.
    fn with_query(self, query: &str) -> String {
        if query.is_empty() {
            return self.text;
        }
        let (address, fragment) = self.text.split_at(self.text.find('#').unwrap_or(self.text.len()));
        format!("{address}?{query}{fragment}")
    }
}

#[cfg(test)]
mod tests;
