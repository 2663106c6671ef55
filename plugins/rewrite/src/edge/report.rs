//! Ends a run with an edge: the rules to add, and findings about those that have no effect.

use std::collections::BTreeSet;

use tidegate_plugin::edge::RedirectRule;
use tidegate_plugin::{Failure, Pointer};

use super::matcher::{EdgeMatcher, bare};
use super::path::{EdgePart, EdgePath, decoded_path, page_keys};
use super::{EdgeRedirects, PlannedRule};
use crate::pages::CleanPages;
use crate::redirects::Redirects;
use crate::rule_findings::RuleFindings;

/// Limit of the steps in which a chain of redirects is followed. Browsers give up after 20.
const MAX_STEPS: usize = 20;

/// What a report needs of a run.
pub(crate) struct EdgeReport<'a> {
    pub(crate) findings: RuleFindings<'a>,
    /// Whether a loop or a repeated path in the file denies the run.
    pub(crate) strict: bool,
    /// The name of the file.
    pub(crate) file: &'a str,
    /// Pages with clean URLs, if their old addresses redirect to them.
    pub(crate) pages: Option<&'a CleanPages>,
    /// The entries of the run.
    pub(crate) entries: &'a Redirects,
}

impl EdgeReport<'_> {
    /// All rules that have an effect, and findings about the others.
    ///
    /// # Errors
    ///
    /// A loop that is not made by lines of the file alone; with `strict`, any loop and any repeated path.
    pub(crate) fn finish(mut self, mut planned: EdgeRedirects) -> Result<Vec<RedirectRule>, Failure> {
        for rule in &mut planned.rules {
            // Only an encoded target can have another form.
            if let Some(target) = rule.exact_target().filter(|target| target.contains('%')) {
                rule.target = Some(self.entries.in_form_of_entry(target.to_owned()));
            }
        }
        let matcher = EdgeMatcher::new(&planned.rules);
        let mut dropped = self.find_loops(&planned.rules, &matcher)?;
        for (position, rule) in planned.rules.iter().enumerate() {
            if !dropped.contains(&position) && self.has_no_effect(&planned.rules, position, rule, &matcher)? {
                dropped.insert(position);
            }
        }
        let at = Pointer::root().member("clean-urls-redirects");
        let moved = self.pages.into_iter().flat_map(CleanPages::moved);
        let moved = moved.filter(|(key, _)| !self.entries.has(key)).filter(|(key, _)| {
            let path = format!("/{key}");
            let first = matcher.find(&path).and_then(|position| planned.rules.get(position));
            // A rule would take `:b` in the name of a page for a placeholder.
            let is_plain = EdgePath::new(vec![EdgePart::Text(path)], Vec::new()).is_ok();
            is_plain && first.is_none_or(|rule| !rule.path.is_exact() && !rule.is_redirect())
        });
        let moved: Vec<RedirectRule> = moved
            .map(|(key, to)| RedirectRule::new(format!("/{key}"), 301, Some(&to), &at, "the page has a clean URL"))
            .collect();
        let kept = planned.rules.into_iter().enumerate().filter(|(position, _)| !dropped.contains(position));
        // The old address of a page comes before content for all paths, which would decide about it.
        Ok(moved.into_iter().chain(kept.map(|(_, rule)| rule.into_rule(self.file))).collect())
    }

    /// Whether a rule has no effect, with a finding.
    fn has_no_effect(
        &mut self,
        rules: &[PlannedRule],
        position: usize,
        rule: &PlannedRule,
        matcher: &EdgeMatcher<'_>,
    ) -> Result<bool, Failure> {
        let from = &rule.from;
        // The second rule of a line and what takes the paths of another line have no findings.
        let is_second = position
            .checked_sub(1)
            .and_then(|before| rules.get(before))
            .is_some_and(|before| rule.line.is_some() && before.line == rule.line);
        if rule.is_shield || is_second {
            return Ok(false);
        }
        if rule.path.is_exact() {
            let path = rule.path.text();
            if rule.leads_to_itself() {
                self.findings.remark(
                    rule,
                    "redirect-to-itself",
                    format!("`{from}` redirects to the page itself, so it has no effect"),
                );
                // It keeps later rules from the path.
                return Ok(false);
            }
            if let Some(first) =
                matcher.find(&path).filter(|first| *first < position).and_then(|first| rules.get(first))
            {
                let message = format!(
                    "`{from}` is not redirected: {} matches it first; remove one of them",
                    first.reason(self.file)
                );
                if self.strict && rule.line.is_some() {
                    let message = format!("{}: {message}", rule.reason(self.file));
                    return Err(Failure::new("redirects-file", message).with_key(self.file).with_rule(&rule.rule));
                }
                self.findings.warn(rule, "redirect-twice", message, None);
                return Ok(true);
            }
            if let Some(key) = self.page(&path).filter(|_| !rule.force) {
                let message = format!(
                    "`{from}` is not redirected, because the site has `{key}`; remove one of them, or set `force`"
                );
                self.findings.warn(rule, "redirect-shadowed", message, Some(&key));
                return Ok(false);
            }
        }
        if let Some(to) = rule.exact_target().filter(|to| !self.exists(to, matcher, rule.is_redirect())) {
            let leads = if rule.is_redirect() { "redirects to" } else { "shows" };
            self.findings.warn(
                rule,
                "redirect-to-nothing",
                format!("`{from}` {leads} `{to}`, which does not exist on this site"),
                None,
            );
        }
        Ok(false)
    }

    /// Whether the site has a page at a target, or redirects it.
    fn exists(&self, to: &str, matcher: &EdgeMatcher<'_>, is_redirect: bool) -> bool {
        let Some(path) = decoded_path(to) else { return true };
        let is_moved = |key: &String| self.pages.is_some_and(|pages| pages.moved_to(key).is_some());
        let has_key = |key: &String| self.entries.has(key) || is_redirect && is_moved(key);
        page_keys(&path).iter().any(has_key) || is_redirect && matcher.find(&path).is_some()
    }

    /// The key of the page at a decoded path.
    fn page(&self, path: &str) -> Option<String> {
        page_keys(path).into_iter().find(|key| self.entries.has(key))
    }

    /// Reports loops. Returns the rules that only make loops.
    fn find_loops(&mut self, rules: &[PlannedRule], matcher: &EdgeMatcher<'_>) -> Result<BTreeSet<usize>, Failure> {
        let mut dropped = BTreeSet::new();
        let mut reported = BTreeSet::new();
        for (position, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.is_redirect()) {
            let mut path = sample(rule);
            let mut steps: Vec<(String, usize)> = Vec::new();
            // Most targets are pages that no rule matches. A rule that does not decide about its own path is reported
            // elsewhere.
            let is_chain = matcher.next(position, &path).is_some_and(|next| matcher.find(&next).is_some());
            if !is_chain || matcher.find(&path) != Some(position) {
                continue;
            }
            for _ in 0..MAX_STEPS {
                let Some(found) = matcher.find(&path) else { break };
                let is_page = self.page(&path).is_some();
                let decides = rules.get(found).is_some_and(|rule| rule.force || !is_page);
                let Some(next) = matcher.next(found, &path).filter(|_| decides) else { break };
                let either = rules.get(found).is_some_and(|rule| rule.either_slash);
                if next == path || either && bare(&next) == bare(&path) {
                    break;
                }
                if let Some(start) = steps.iter().position(|(known, _)| *known == path) {
                    let members: BTreeSet<usize> = steps.iter().skip(start).map(|(_, rule)| *rule).collect();
                    if members.is_disjoint(&reported) {
                        self.report_loop(rules, steps.get(start..).unwrap_or_default())?;
                        reported.extend(&members);
                    }
                    let is_exact = |at: &usize| rules.get(*at).is_some_and(|rule| rule.path.is_exact());
                    if members.iter().all(is_exact) {
                        dropped.extend(members);
                    }
                    break;
                }
                steps.push((path, found));
                path = next;
            }
        }
        Ok(dropped)
    }

    fn report_loop(&mut self, rules: &[PlannedRule], steps: &[(String, usize)]) -> Result<(), Failure> {
        let paths: Vec<String> = steps.iter().chain(steps.first()).map(|(path, _)| format!("`{path}`")).collect();
        let message = format!("redirect loop: {}; remove one of them", paths.join(" to "));
        let members: Vec<&PlannedRule> = steps.iter().filter_map(|(_, position)| rules.get(*position)).collect();
        if self.strict || members.iter().all(|rule| rule.line.is_none()) {
            let failure = Failure::new("redirect-loop", message);
            return Err(members.first().map_or(failure.clone(), |rule| failure.with_rule(&rule.rule)));
        }
        for rule in members.into_iter().filter(|rule| rule.line.is_some()) {
            self.findings.warn(rule, "redirect-loop", message.clone(), None);
        }
        Ok(())
    }
}

/// A path that a rule matches: with one letter for each placeholder.
fn sample(rule: &PlannedRule) -> String {
    let text = |part: &EdgePart| match part {
        EdgePart::Text(text) => text.clone(),
        EdgePart::Name(_) | EdgePart::Splat(_) => "x".to_owned(),
    };
    rule.path.parts().iter().map(text).collect()
}
