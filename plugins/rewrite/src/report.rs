//! Ends a run: the redirects to add, and findings about those that have no effect.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_plugin::{Failure, Finding, Pointer, Summary};

use crate::follow;
use crate::pages::CleanPages;
use crate::redirects::{KeyOutcome, KeyRedirect, Redirect, Redirects, candidates};
use crate::rule_findings::RuleFindings;

/// What a report needs of a run.
pub(crate) struct Report<'a> {
    pub(crate) findings: RuleFindings<'a>,
    /// Whether a loop in the file denies the run.
    pub(crate) strict: bool,
    /// The name of the file.
    pub(crate) file: &'a str,
    /// Pages with clean URLs, if their old addresses redirect to them.
    pub(crate) pages: Option<&'a CleanPages>,
}

/// Limit of the redirects to add, in bytes: hosts refuse longer answers. Some 100,000 redirects.
const MAX_ADDED_BYTES: usize = 12 * 1024 * 1024;

/// Bytes of a redirect besides its key and its target.
const REDIRECT_BYTES: usize = 80;

impl Report<'_> {
    /// Adds all redirects that no entry has, and all findings.
    ///
    /// # Errors
    ///
    /// A loop that is not made by lines of the file alone.
    pub(crate) fn finish(mut self, redirects: &mut Redirects) -> Result<(), Failure> {
        let mut resolved = redirects.resolve();
        let same_page = self.remove_loops(redirects, &mut resolved)?;
        let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
        for position in resolved.values().filter_map(|redirect| redirect.rule) {
            *counts.entry(position).or_default() += 1;
        }
        let pages = self.pages;
        let exists = |to: &str| {
            let is_moved = |key: &str| pages.is_some_and(|pages| pages.moved_to(key).is_some());
            let is_key = |key: &String| redirects.has(key) || resolved.contains_key(key) || is_moved(key);
            candidates(to).is_none_or(|keys| keys.iter().any(is_key))
        };
        for (position, rule) in redirects.rules() {
            let count = counts.get(&position).copied().unwrap_or_default();
            let from = &rule.from;
            if let Some(refused) = redirects.refused(position) {
                let (key, to) = (&refused.key, &refused.to);
                if refused.is_loop {
                    let message = format!("redirect loop: `{from}` does not replace `{key}`; remove one of the rules");
                    if rule.line.is_none() || self.strict {
                        return Err(Failure::new("redirect-loop", message).with_key(key).with_rule(&rule.rule));
                    }
                    self.findings.warn(rule, "redirect-loop", message, None);
                } else {
                    let message = format!("`{from}` does not replace `{key}`: `{to}` does not exist on this site");
                    self.findings.warn(rule, "redirect-to-nothing", message, None);
                }
                if rule.pattern.is_exact() || count == 0 {
                    continue;
                }
            }
            match &rule.target {
                None => {}
                // The others are reported when the file is read.
                Some(target) if !rule.pattern.is_exact() && !target.is_invertible() => {}
                Some(_) if !rule.pattern.is_exact() && count == 0 => {
                    let message =
                        format!("`{from}` redirects no path: the site has none of its targets, or has its paths");
                    self.findings.warn(rule, "redirect-not-possible", message, None);
                }
                Some(_) if !rule.pattern.is_exact() => {
                    let keys = if count == 1 { "1 key".to_owned() } else { format!("{count} keys") };
                    let message = format!(
                        "`{from}` redirects {keys}, all those whose targets exist; for other paths, use a CloudFront \
                         function"
                    );
                    self.findings.remark(rule, "redirect-expanded", message);
                }
                Some(target) if count > 0 => {
                    let to = target.fill(&[]).map(|to| redirects.in_form_of_entry(to));
                    if let Some(to) = to.filter(|to| !exists(to)) {
                        let message = format!("`{from}` redirects to `{to}`, which does not exist on this site");
                        self.findings.warn(rule, "redirect-to-nothing", message, None);
                    }
                }
                Some(_) if same_page.contains(&position) => self.same_page(rule),
                Some(_) => self.without_effect(redirects, position, rule)?,
            }
        }
        let mut bytes = 0;
        let mut is_cut = redirects.is_cut();
        let mut add = |summary: &mut Summary, key: &str, to: &str, rule: &Pointer, reason: &str| {
            bytes += key.len() + to.len() + REDIRECT_BYTES;
            if bytes <= MAX_ADDED_BYTES {
                summary.redirect(key, to, rule, reason);
            } else {
                is_cut = true;
            }
        };
        for (key, redirect) in &resolved {
            let rule = redirect.rule.and_then(|position| redirects.rule(position));
            if let Some(rule) = rule.filter(|_| !redirects.is_replaced(key)) {
                add(self.findings.summary, key, &redirect.to, &rule.rule, &rule.reason(self.file));
            }
        }
        let at = Pointer::root().member("clean-urls-redirects");
        let moved = pages.into_iter().flat_map(CleanPages::moved);
        for (key, to) in moved.filter(|(key, _)| !redirects.has(key) && !resolved.contains_key(key)) {
            add(self.findings.summary, &key, &to, &at, "the page has a clean URL");
        }
        if is_cut {
            let message = "there are more redirects than S3 objects can be added for; use a CloudFront function";
            self.findings.summary.finding(Finding::warning("too-many-redirects", message).with_key(self.file));
        }
        Ok(())
    }

    /// Removes redirects by lines from loops. Returns the rules that lead to their own key, which have no effect.
    fn remove_loops(
        &mut self,
        redirects: &Redirects,
        resolved: &mut BTreeMap<String, KeyRedirect>,
    ) -> Result<BTreeSet<usize>, Failure> {
        let mut same_page = BTreeSet::new();
        loop {
            // Without the removed redirects, others may lead to other keys.
            let loops = follow::loops(resolved, redirects);
            if loops.is_empty() {
                return Ok(same_page);
            }
            for keys in loops {
                let rule_of = |key: &String| resolved.get(key).and_then(|redirect| redirects.rule(redirect.rule?));
                let positions: Vec<_> = keys.iter().filter_map(|key| resolved.get(key)?.rule).collect();
                if let ([key], [position]) = (keys.as_slice(), positions.as_slice()) {
                    same_page.insert(*position);
                    resolved.remove(key);
                    continue;
                }
                let path: Vec<String> = keys.iter().chain(keys.first()).map(|key| format!("`/{key}`")).collect();
                let message = format!("redirect loop: {}; remove one of them", path.join(" to "));
                let lines: Vec<&String> =
                    keys.iter().filter(|key| rule_of(key).is_some_and(|rule| rule.line.is_some())).collect();
                if lines.is_empty() || self.strict {
                    let mut failure = Failure::new("redirect-loop", message);
                    failure.key = keys.first().cloned();
                    let rule = keys.iter().find_map(rule_of);
                    return Err(rule.map_or(failure.clone(), |rule| failure.with_rule(&rule.rule)));
                }
                for rule in lines.iter().filter_map(|key| rule_of(key)) {
                    self.findings.warn(rule, "redirect-loop", message.clone(), None);
                }
                for key in lines {
                    resolved.remove(key);
                }
            }
        }
    }

    /// Reports why an exact rule redirects no key.
    fn without_effect(&mut self, redirects: &Redirects, position: usize, rule: &Redirect) -> Result<(), Failure> {
        let from = &rule.from;
        let outcomes = rule.keys().into_iter().map(|key| redirects.outcome(&key, position));
        let outcome = outcomes.reduce(|first, next| match (&first, &next) {
            (KeyOutcome::Shadowed(_), _) | (_, KeyOutcome::SamePage) => first,
            _ => next,
        });
        match outcome {
            Some(KeyOutcome::Shadowed(key)) => {
                let message = format!(
                    "`{from}` is not redirected, because the site has `{key}`; remove one of them, or set `force`"
                );
                self.findings.warn(rule, "redirect-shadowed", message, Some(&key));
            }
            Some(KeyOutcome::Taken(first)) => {
                let first = redirects.rule(first).map_or(String::new(), |first| first.reason(self.file));
                let message = format!("`{from}` is not redirected: {first} matches it first; remove one of them");
                if self.strict && rule.line.is_some() {
                    let message = format!("{}: {message}", rule.reason(self.file));
                    return Err(Failure::new("redirects-file", message).with_key(self.file).with_rule(&rule.rule));
                }
                self.findings.warn(rule, "redirect-twice", message, None);
            }
            Some(KeyOutcome::SamePage) => self.same_page(rule),
            // A redirect that is not published was part of a loop, which has been reported.
            Some(KeyOutcome::Redirects(_)) => {}
            Some(KeyOutcome::Nothing) | None => {
                self.findings.warn(rule, "redirect-not-possible", format!("the target of `{from}` is too long"), None);
            }
        }
        Ok(())
    }

    fn same_page(&mut self, rule: &Redirect) {
        self.findings.remark(
            rule,
            "redirect-to-itself",
            format!("`{}` redirects to the page itself, so it has no effect", rule.from),
        );
    }
}
