//! Makes what a release says about requests from the rules of its plugins and the keys of its site.
//!
//! The function reads one line for a path and a few patterns, in this order. So that the first matching rule of the file
//! applies, exact rules are left out where an earlier pattern covers them, or where the site has the path; and paths that a
//! pattern would hide get a line of their own.

mod conditions;

use super::headers::HeaderPlan;
use std::collections::{BTreeMap, BTreeSet};

use super::paths::{PathKind, SitePaths, has_extension, name_of};
use super::pattern::{RequestPattern, filled, has_values};
use super::placement::{PREVIEWS, RELEASES, is_shared};
use super::query;
use super::release::{PathLine, PatternLine, ReleaseEdge};
use super::rules::{EdgeRedirect, EdgeRules, RuleStatus, SlashMatch};
use super::spelling::{encode_path, single_slashes};
use crate::config::{EdgeConfig, TrailingSlash};
use crate::desired::DesiredSite;
use crate::finding::Finding;

/// Most redirects that are followed to find a loop. Browsers follow about 20.
const MAX_STEPS: usize = 20;

/// What a release says about requests, and what is to be said about its rules.
#[derive(Debug, Clone, Default)]
pub struct EdgePlan {
    /// What is stored with the release.
    pub release: ReleaseEdge,
    /// Rules that have no effect.
    pub findings: Vec<Finding>,
}

/// Makes the plan of a site's edge.
#[must_use]
pub fn plan_edge(config: &EdgeConfig, rules: &EdgeRules, desired: &DesiredSite) -> EdgePlan {
    let objects = desired.entries().iter().filter(|entry| entry.body.redirect().is_none());
    let keys = objects.map(|entry| entry.key.as_str());
    let paths = SitePaths::new(keys, &config.shared, config.clean_urls.then(|| config.not_found()));
    let plan = EdgePlan::default();
    let mut table =
        Table { config, paths, plan, patterns: Vec::new(), shown: BTreeMap::new(), written: BTreeMap::new() };
    table.plan.release.trailing_slash = config.trailing_slash;
    table.plan.release.max_reads = config.max_reads;
    table.plan.release.shared = config.shared.iter().map(|folder| encode_path(folder.as_str())).collect();
    table.plan.release.headers = HeaderPlan::new(&rules.headers);
    table.add_site_redirects(desired);
    for rule in &rules.redirects {
        table.add(rule);
    }
    table.add_fallback();
    table.add_lines();
    table.find_loops();
    table.plan
}

struct Table<'a> {
    config: &'a EdgeConfig,
    paths: SitePaths,
    plan: EdgePlan,
    patterns: Vec<Pattern>,
    /// Paths that an exact rule leaves as they are, with the number of patterns before it.
    shown: BTreeMap<String, usize>,
    /// Spellings with lines for patterns with conditions, with the number of patterns that they are for.
    written: BTreeMap<String, usize>,
}

struct Pattern {
    path: RequestPattern,
    force: bool,
    /// Whether it is for paths without an extension only.
    bare: bool,
    /// Whether it has conditions on the query.
    is_conditional: bool,
}

impl Pattern {
    /// Whether the rule decides about a path, as the function does, if the query fulfils its conditions.
    fn decides(&self, path: &str) -> bool {
        !(self.bare && has_extension(name_of(path))) && self.path.values(path).is_some()
    }
}

impl Table<'_> {
    /// Redirect objects of the site do nothing behind a REST origin, so they become rules.
    fn add_site_redirects(&mut self, desired: &DesiredSite) {
        for entry in desired.entries() {
            let Some(target) = entry.body.redirect() else { continue };
            let path = super::spelling::path_of_key(entry.key.as_str());
            let line = PathLine(format!("301 {}", target.as_str()));
            let folder = path.strip_suffix("/index.html").filter(|folder| !folder.is_empty());
            if let Some(folder) = folder {
                self.plan.release.paths.entry(folder.to_owned()).or_default().push(line.clone());
            }
            self.plan.release.paths.entry(path).or_default().push(line);
        }
    }

    fn add(&mut self, rule: &EdgeRedirect) {
        let path = RequestPattern::new(&rule.path, rule.slash);
        if is_reserved(path.as_str()) {
            let message = format!(
                "`{}` is a folder of Tidegate, so the rule has no effect; use another path",
                rule.path.as_str()
            );
            return self.note(rule, "redirect-not-possible", message, true);
        }
        let target = self.target(rule, &path);
        if rule.path.is_exact() { self.add_exact(rule, &path, &target) } else { self.add_pattern(rule, path, target) }
    }

    fn add_exact(&mut self, rule: &EdgeRedirect, path: &RequestPattern, target: &str) {
        let name = name_of(path.as_str());
        let conditions = query::encoded(&rule.query);
        let is_taken = |spelling: &String| {
            self.shown.contains_key(spelling)
                || self.patterns.iter().any(|pattern| !pattern.is_conditional && pattern.decides(spelling))
                || self.line(spelling, |line| line.query().is_empty() && line.target_of(spelling).is_some())
        };
        let mut free = self.spellings(path);
        free.retain(|spelling| !is_taken(spelling));
        if free.is_empty() {
            let path = rule.path.as_str();
            let message = format!("`{path}` is not redirected: an earlier rule matches it; remove one of them");
            return self.note(rule, "redirect-twice", message, true);
        }
        free.iter().for_each(|spelling| self.add_conditional_patterns(spelling));
        let is_same = matches!(rule.status, RuleStatus::Redirect(_)) && self.is_same_page(path, target);
        let is_shown = |spelling: &String| is_same || (!rule.force && self.paths.object(spelling).is_some());
        let (shown, free): (Vec<String>, Vec<String>) = free.into_iter().partition(is_shown);
        if conditions.is_empty() {
            self.shown.extend(shown.into_iter().map(|spelling| (spelling, self.patterns.len())));
        } else {
            let lines = shown.iter().map(|spelling| self.page_line(spelling, &conditions)).collect::<Vec<_>>();
            self.plan.release.paths.entry(name.to_owned()).or_default().extend(lines);
        }
        if is_same {
            let message = format!("`{}` redirects to the page itself, so it has no effect", rule.path.as_str());
            return self.note(rule, "redirect-to-itself", message, false);
        }
        let flag = match free.as_slice() {
            [] => {
                let path = rule.path.as_str();
                let message = format!(
                    "`{path}` is not redirected, because the site has it; remove one of them, or force the rule"
                );
                return self.note(rule, "redirect-shadowed", message, true);
            }
            [_] if name == "/" => "",
            [one] if one.ends_with('/') => "/",
            [_] => ".",
            _ => "",
        };
        let target = if target.is_empty() && !conditions.is_empty() { "-" } else { target };
        let line = PathLine(format!("{}{flag} {target} {conditions}", rule.status.code()).trim_end().to_owned());
        self.plan.release.rules_for_assets |= is_shared(path.as_str().trim_start_matches('/'), &self.config.shared);
        self.plan.release.paths.entry(name.to_owned()).or_default().push(line);
    }

    fn add_pattern(&mut self, rule: &EdgeRedirect, path: RequestPattern, target: String) {
        let area = rule.target.as_ref().and_then(|target| path.area(target));
        let area = area.filter(|_| matches!(rule.status, RuleStatus::Redirect(_) | RuleStatus::NotFound));
        let mut flags = rule.status.code().to_string();
        self.plan.release.rules_for_assets |= rule.force;
        let marks = [(rule.force, '!'), (rule.slash == SlashMatch::AsWritten, '=')];
        flags.extend(marks.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag));
        if area.is_none() && self.leads_to_itself(rule, &path, &target) {
            let path = rule.path.as_str();
            let message = format!(
                "`{path}` matches its own target, so browsers end in a loop for paths that the site does not have; exclude the \
                 target with an earlier rule"
            );
            self.note(rule, "redirect-loop", message, true);
        }
        let query = query::encoded(&rule.query);
        let is_conditional = !query.is_empty();
        self.plan.release.patterns.push(PatternLine { path: path.as_str().to_owned(), target, flags, area, query });
        self.patterns.push(Pattern { path, force: rule.force, bare: false, is_conditional });
    }

    /// `fallback`: the last rule, for paths without an extension.
    fn add_fallback(&mut self) {
        let Some(page) = &self.config.fallback else { return };
        let Ok(all) = super::rules::RulePath::new("/*") else { return };
        let target = super::spelling::path_of_key(page.as_str());
        self.plan.release.patterns.push(PatternLine {
            path: "/*".to_owned(),
            target,
            flags: "200e".to_owned(),
            area: None,
            query: String::new(),
        });
        let path = RequestPattern::new(&all, SlashMatch::Either);
        self.patterns.push(Pattern { path, force: false, bare: true, is_conditional: false });
    }

    /// The first pattern that decides about a path for every query.
    fn first(&self, path: &str) -> Option<&Pattern> {
        self.patterns.iter().find(|pattern| !pattern.is_conditional && pattern.decides(path))
    }

    /// Lines for paths whose names do not say what they are, and for those that patterns would hide.
    fn add_lines(&mut self) {
        self.drop_page_lines();
        self.add_conditional_patterns_of_pages();
        for (path, kind) in self.paths.iter() {
            let both = [path.to_owned(), format!("{path}/")];
            let is_hidden = || both.iter().any(|path| self.hides(path));
            let line = match kind {
                PathKind::Asset => continue,
                PathKind::File if !has_extension(path) || is_hidden() => "file",
                PathKind::Folder if (path != "/" && has_extension(path)) || is_hidden() => "folder",
                PathKind::File | PathKind::Folder => continue,
                PathKind::Page(_) if self.first(path).is_some_and(|pattern| pattern.force) => continue,
                // Relative links of the page are for the address without a `/`.
                PathKind::Page(page) => {
                    let lines = [format!("200. {page}"), format!("301/ {path}")].map(PathLine);
                    self.plan.release.paths.entry(path.to_owned()).or_default().extend(lines);
                    continue;
                }
            };
            self.plan.release.paths.entry(path.to_owned()).or_default().insert(0, PathLine(line.to_owned()));
        }
        // An exact rule that leaves a page as it is comes before later patterns, too.
        for (path, before) in &self.shown {
            if self.patterns.iter().skip(*before).any(|pattern| pattern.decides(path)) {
                let flag = if path.ends_with('/') && path != "/" { "/" } else { "." };
                let lines = self.plan.release.paths.entry(name_of(path).to_owned()).or_default();
                lines.push(PathLine(format!("000{}", if path == "/" { "" } else { flag })));
            }
        }
    }

    /// The target as the function fills it. For 200 and 404 it is the path of an object, where that is known.
    fn target(&mut self, rule: &EdgeRedirect, path: &RequestPattern) -> String {
        let Some(target) = &rule.target else { return String::new() };
        let written = path.target(target, &rule.query);
        let (RuleStatus::Rewrite | RuleStatus::NotFound) = rule.status else { return written };
        let inside = path_of_target(&written);
        if has_values(&inside) {
            return inside;
        }
        if let Some(object) = self.paths.object(&inside) {
            return object;
        }
        let message =
            format!("`{}` shows `{}`, which does not exist on this site", rule.path.as_str(), target.as_str());
        self.note(rule, "redirect-to-nothing", message, true);
        inside
    }

    /// The spellings of an exact path that the rule is for.
    fn spellings(&self, path: &RequestPattern) -> Vec<String> {
        let name = name_of(path.as_str());
        match path.slash() {
            SlashMatch::Either if name != "/" => vec![name.to_owned(), format!("{name}/")],
            SlashMatch::Either | SlashMatch::AsWritten => vec![path.as_str().to_owned()],
        }
    }

    /// Whether a redirect only changes the `/` at the end, and visitors would come back.
    fn is_same_page(&self, path: &RequestPattern, target: &str) -> bool {
        let target = target.split(['?', '#']).next().unwrap_or(target);
        if !target.starts_with('/') || name_of(target) != name_of(path.as_str()) {
            return false;
        }
        match (path.slash(), self.config.trailing_slash) {
            (SlashMatch::Either, _) => true,
            (SlashMatch::AsWritten, TrailingSlash::Keep) => target == path.as_str(),
            (SlashMatch::AsWritten, TrailingSlash::Add) => !target.ends_with('/') || target == path.as_str(),
            (SlashMatch::AsWritten, TrailingSlash::Strip) => target.ends_with('/') || target == path.as_str(),
        }
    }

    /// Whether a redirect with placeholders leads to a path that it matches again.
    fn leads_to_itself(&self, rule: &EdgeRedirect, path: &RequestPattern, target: &str) -> bool {
        if !matches!(rule.status, RuleStatus::Redirect(_)) || !target.starts_with('/') {
            return false;
        }
        let mut current = path.as_str().replace([':', '*'], "x");
        for _ in 0..3 {
            let Some(values) = path.values(&current).filter(|_| rule.force || self.paths.object(&current).is_none())
            else {
                return false;
            };
            let next = path_of_target(&filled(target, &values));
            if name_of(&next) == name_of(&current) {
                return false;
            }
            current = next;
        }
        true
    }

    fn line(&self, path: &str, is: impl Fn(&PathLine) -> bool) -> bool {
        self.plan.release.paths.get(name_of(path)).is_some_and(|lines| lines.iter().any(is))
    }

    /// Leaves out exact redirects that lead back to themselves. Those with conditions do if they lead to a path that has the
    /// same ones, because a redirect keeps the query.
    fn find_loops(&mut self) {
        let next = |path: &str, query: &str| {
            let lines = self.plan.release.paths.get(name_of(path))?;
            lines.iter().find_map(|line| Some((line, line.redirect_of(path, query)?)))
        };
        let mut looped: BTreeMap<(String, String), String> = BTreeMap::new();
        for (name, lines) in &self.plan.release.paths {
            let queries: BTreeSet<&str> = lines.iter().map(PathLine::query).collect();
            let spellings = [name.clone(), format!("{name}/")];
            for (query, spelling) in queries.iter().flat_map(|query| spellings.iter().map(move |one| (*query, one))) {
                let Some((first, mut path)) = next(spelling, query) else { continue };
                for _ in 0..MAX_STEPS {
                    if path == spelling {
                        looped.entry((name.clone(), first.0.clone())).or_insert_with(|| spelling.clone());
                        break;
                    }
                    let Some((_, to)) = next(path, query) else { break };
                    path = to;
                }
            }
        }
        for ((name, looped), spelling) in looped {
            if let Some(lines) = self.plan.release.paths.get_mut(&name) {
                lines.retain(|line| line.0 != looped);
                if lines.is_empty() {
                    self.plan.release.paths.remove(&name);
                }
            }
            let message = format!("redirect loop: `{spelling}` leads back to itself; remove one of the rules");
            self.plan.findings.push(Finding::warning("redirect-loop", message));
        }
    }

    fn note(&mut self, rule: &EdgeRedirect, code: &str, message: String, is_warning: bool) {
        let message =
            if rule.origin.reason.is_empty() { message } else { format!("{}: {message}", rule.origin.reason) };
        let finding = if is_warning { Finding::warning(code, message) } else { Finding::info(code, message) };
        self.plan.findings.push(Finding { rule: rule.origin.rule.clone(), ..finding });
    }
}

impl PathLine {
    /// The target of a rule that is for this spelling of the path.
    fn target_of(&self, path: &str) -> Option<&str> {
        let mut words = self.0.split(' ');
        let (status, target) = (words.next()?, words.next().unwrap_or_default());
        let fits = match status.get(3..)? {
            "/" => path.ends_with('/'),
            "." => !path.ends_with('/'),
            _ => status.starts_with(|first: char| first.is_ascii_digit()),
        };
        fits.then_some(target)
    }

    /// The path that it redirects to, for every query with these conditions. A target with a query of its own leads to
    /// other conditions.
    fn redirect_of(&self, path: &str, query: &str) -> Option<&str> {
        let target = self.target_of(path).filter(|target| self.0.starts_with('3') && target.starts_with('/'))?;
        let target = target.split('#').next().filter(|_| query::follows(self.query(), query))?;
        if query.is_empty() { target.split('?').next() } else { Some(target).filter(|target| !target.contains('?')) }
    }
}

/// The path of a target without query, fragment and empty segments.
fn path_of_target(target: &str) -> String {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let (address, _) = target.split_at(end);
    if !address.starts_with('/') {
        return address.to_owned();
    }
    single_slashes(address)
}

fn is_reserved(path: &str) -> bool {
    [RELEASES, PREVIEWS].iter().any(|folder| path.trim_start_matches('/').starts_with(folder))
}
