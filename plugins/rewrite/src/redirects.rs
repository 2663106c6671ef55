//! The redirects of a run. In S3, a redirect is an object with a target: it redirects one exact key, always with status
//! 301. So a rule with placeholders becomes a redirect for each path whose target exists.
//!
//! As on Netlify, the first rule that matches a path decides about it, and an object takes precedence unless the rule is
//! forced.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use percent_encoding::utf8_percent_encode;
use tidegate_plugin::{Pointer, key};

use crate::error::RedirectError;
use crate::pattern::{FromPattern, IN_KEYS, Target, local_path};
use crate::rule_findings::RuleSource;

/// Limit of the redirects by rules with placeholders. Each is an object to write.
const MAX_EXPANDED: usize = 50_000;

/// Limit of the steps in which redirects to redirects are found.
const MAX_STEPS: usize = 3;

/// Extensions of files: visitors do not request a folder with such a name.
const FILE_EXTENSIONS: [&str; 27] = [
    "html", "htm", "xhtml", "shtml", "php", "asp", "aspx", "jsp", "cgi", "xml", "rss", "atom", "json", "txt", "pdf",
    "css", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "zip", "gz", "mp4",
];

/// All redirects of a run.
#[derive(Debug, Default)]
pub(crate) struct Redirects {
    rules: Vec<Redirect>,
    /// The first rule of each path without placeholders, by path without a `/` at either end.
    exact: BTreeMap<String, usize>,
    /// The same by the composed path.
    composed: BTreeMap<String, usize>,
    /// Rules with placeholders, in order.
    patterns: Vec<usize>,
    has_forced: bool,
    /// Hashes of the keys of entries: with a million of them, keys would not fit in memory.
    entries: BTreeSet<u64>,
    /// The keys of entries that are not composed, by the composed key.
    decomposed: BTreeMap<String, String>,
    /// Targets of entries that earlier plugins made redirects, by key.
    earlier: BTreeMap<String, String>,
    /// Entries that forced rules replaced.
    replaced: BTreeSet<String>,
    /// Keys that rules with placeholders redirect if their targets exist.
    expanded: BTreeSet<String>,
    /// Whether there were more than [`MAX_EXPANDED`].
    is_cut: bool,
    /// Forced redirects that do not replace an entry, by position of the rule.
    refused: BTreeMap<usize, RefusedRedirect>,
}

/// A redirect by a rule or by a line of the `_redirects` file.
#[derive(Debug)]
pub(crate) struct Redirect {
    pub(crate) from: String,
    pub(crate) pattern: FromPattern,
    /// `None` for a line that cannot be followed: it still takes its paths, so that no later line applies to them.
    pub(crate) target: Option<Target>,
    pub(crate) force: bool,
    pub(crate) rule: Pointer,
    /// The line of the `_redirects` file.
    pub(crate) line: Option<usize>,
}

impl RuleSource for Redirect {
    fn rule(&self) -> &Pointer {
        &self.rule
    }

    fn line(&self) -> Option<usize> {
        self.line
    }
}

/// A forced redirect that does not replace an entry.
#[derive(Debug)]
pub(crate) struct RefusedRedirect {
    pub(crate) key: String,
    pub(crate) to: String,
    pub(crate) is_loop: bool,
}

/// A redirect of one key.
#[derive(Clone, Debug)]
pub(crate) struct KeyRedirect {
    pub(crate) to: String,
    /// The position of its rule; `None` for one by an earlier plugin.
    pub(crate) rule: Option<usize>,
}

/// What a rule does with one key.
pub(crate) enum KeyOutcome {
    Redirects(KeyRedirect),
    /// The target is another spelling of the same page.
    SamePage,
    /// This entry takes precedence.
    Shadowed(String),
    /// This rule comes first, by position.
    Taken(usize),
    /// The target would not be valid.
    Nothing,
}

/// Where a chain of redirects ends.
enum ChainEnd {
    Page,
    Nothing,
    Loop,
}

impl Redirects {
    /// Adds a configured redirect.
    pub(crate) fn add_rule(&mut self, from: &str, to: &str, force: bool, rule: &Pointer) -> Result<(), RedirectError> {
        let redirect = Redirect::new(from, Some(to), force, rule)?;
        if !redirect.pattern.is_exact() {
            return Err(RedirectError::Placeholder(from.to_owned()));
        }
        if self.exact.contains_key(&path_of(&redirect)) {
            return Err(RedirectError::Duplicate(from.to_owned()));
        }
        let to = local_path(to).map(|to| format!("/{to}"));
        if to.is_some_and(|to| redirect.values(&to).is_some() && to.ends_with('/') == from.ends_with('/')) {
            return Err(RedirectError::ToItself(from.to_owned()));
        }
        self.add(redirect);
        Ok(())
    }

    /// Adds a rule after the others.
    pub(crate) fn add(&mut self, redirect: Redirect) {
        let position = self.rules.len();
        if redirect.pattern.is_exact() {
            let path = path_of(&redirect);
            self.composed.entry(key::compose(&path).into_owned()).or_insert(position);
            self.exact.entry(path).or_insert(position);
        } else {
            self.patterns.push(position);
        }
        self.has_forced |= redirect.force;
        self.rules.push(redirect);
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = (usize, &Redirect)> {
        self.rules.iter().enumerate()
    }

    pub(crate) fn rule(&self, position: usize) -> Option<&Redirect> {
        self.rules.get(position)
    }

    pub(crate) fn refused(&self, position: usize) -> Option<&RefusedRedirect> {
        self.refused.get(&position)
    }

    /// Whether rules with placeholders have more redirects than the limit.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(crate) fn is_replaced(&self, key: &str) -> bool {
        self.replaced.contains(key)
    }

    /// The first rule that matches a path, with the values of its placeholders.
    fn find(&self, path: &str) -> Option<(usize, Vec<String>)> {
        let bare = path.trim_matches('/');
        let exact = self.exact.get(bare).or_else(|| self.composed.get(&*key::compose(bare))).copied();
        let before = |position: &&usize| exact.is_none_or(|exact| **position < exact);
        let pattern = self.patterns.iter().take_while(before).find_map(|position| {
            let values = self.rules.get(*position)?.values(path)?;
            Some((*position, values))
        });
        pattern.or_else(|| exact.map(|position| (position, Vec::new())))
    }

    /// The redirect of a key by the first rule for it, or that rule: for the path of its folder, or for the path with
    /// `index.html`.
    fn redirect(&self, key: &str) -> Option<Result<KeyRedirect, (usize, KeyOutcome)>> {
        let mut path = format!("/{key}");
        let folder = path.strip_suffix("index.html").filter(|folder| folder.ends_with('/'));
        let (position, values) = match folder.and_then(|folder| Some((folder.len(), self.find(folder)?))) {
            Some((length, found)) => {
                path.truncate(length);
                found
            }
            None => self.find(&path)?,
        };
        let rule = self.rules.get(position)?;
        if rule.target.as_ref().is_some_and(|target| target.contains(&path)) {
            return Some(Err((position, KeyOutcome::SamePage)));
        }
        let Some(to) = rule.target.as_ref().and_then(|target| target.fill(&values)) else {
            return Some(Err((position, KeyOutcome::Nothing)));
        };
        let to = self.in_form_of_entry(to);
        if local_path(&to).is_some_and(|path| address(&path) == address(key)) && !rule.changes_slash(key, &to) {
            return Some(Err((position, KeyOutcome::SamePage)));
        }
        Some(Ok(KeyRedirect { to, rule: Some(position) }))
    }

    /// Adds an entry with its final key. Returns the redirect that replaces it, if a rule forces one. `exists` says
    /// whether the run has an object, also one that comes later.
    pub(crate) fn add_entry(
        &mut self,
        key: &str,
        redirect: Option<&str>,
        exists: impl Fn(&str) -> bool,
    ) -> Option<KeyRedirect> {
        if let Some(to) = redirect {
            self.earlier.insert(key.to_owned(), to.to_owned());
        }
        self.entries.insert(hash(key));
        if let Cow::Owned(composed) = key::compose(key) {
            self.decomposed.insert(composed, key.to_owned());
        }
        if self.rules.is_empty() {
            return None;
        }
        self.expand(key, None);
        if !self.has_forced {
            return None;
        }
        let Some(Ok(redirect)) = self.redirect(key) else { return None };
        let position = redirect.rule.filter(|position| self.rules.get(*position).is_some_and(|rule| rule.force))?;
        // A page is never lost for a redirect that leads nowhere.
        let is_loop = match self.chain_end(key, &redirect.to, exists) {
            ChainEnd::Page => {
                self.replaced.insert(key.to_owned());
                return Some(redirect);
            }
            end => matches!(end, ChainEnd::Loop),
        };
        let refused = RefusedRedirect { key: key.to_owned(), to: redirect.to, is_loop };
        self.refused.entry(position).or_insert(refused);
        None
    }

    /// Adds the keys that rules with placeholders redirect to this one, which `by` redirects itself.
    fn expand(&mut self, key: &str, by: Option<usize>) {
        if self.patterns.is_empty() {
            return;
        }
        let paths = match key.strip_suffix("index.html").filter(|folder| folder.is_empty() || folder.ends_with('/')) {
            Some(folder) => vec![format!("/{folder}"), format!("/{}", folder.trim_end_matches('/'))],
            None => vec![format!("/{key}")],
        };
        let composed: Vec<String> = paths.iter().map(|path| key::compose(path).into_owned()).collect();
        let paths: BTreeSet<String> = paths.into_iter().chain(composed).collect();
        for position in self.patterns.iter().filter(|position| by != Some(**position)) {
            let Some(Redirect { pattern, target: Some(target), .. }) = self.rules.get(*position) else { continue };
            for values in paths.iter().filter_map(|path| target.values(path)) {
                if self.expanded.len() >= MAX_EXPANDED {
                    self.is_cut = true;
                    return;
                }
                let keys = pattern.fill_all(&values).into_iter().flat_map(|path| keys(&path, false));
                self.expanded.extend(keys.filter(|key| key::check(key).is_ok()));
            }
        }
    }

    /// Follows forced redirects from the target of a key.
    fn chain_end(&self, start: &str, to: &str, exists: impl Fn(&str) -> bool) -> ChainEnd {
        let mut seen = vec![start.to_owned()];
        let mut to = to.to_owned();
        loop {
            let Some(keys) = candidates(&to) else { return ChainEnd::Page };
            let mut next = None;
            for key in keys {
                let has = |key: &str| self.has(key) || exists(key);
                let is_object = has(&key);
                // A redirect replaces an object if it is forced, and is added if its page has no object.
                let is_published = |rule: &Redirect| match is_object {
                    true => rule.force,
                    false => rule.redirects(&key) && !Self::pages(&key, rule).iter().any(|page| has(page)),
                };
                match self.redirect(&key) {
                    Some(Ok(redirect)) if redirect.rule.and_then(|rule| self.rule(rule)).is_some_and(is_published) => {
                        next = Some((key, redirect.to));
                        break;
                    }
                    _ if is_object => return ChainEnd::Page,
                    _ => {}
                }
            }
            match next {
                None => return ChainEnd::Nothing,
                Some((key, _)) if seen.contains(&key) => return ChainEnd::Loop,
                Some((key, target)) => {
                    seen.push(key);
                    to = target;
                }
            }
        }
    }

    /// The keys of entries that are the page of a key.
    fn pages(key: &str, rule: &Redirect) -> Vec<String> {
        let page = address(key);
        // A page in a file of its own also shadows a line, as on Netlify.
        let html = rule.line.filter(|_| !rule.force).map(|_| format!("{page}.html"));
        keys(&page, true).into_iter().chain(html).collect()
    }

    /// Whether an entry has this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.contains(&hash(key)) || self.earlier.contains_key(key)
    }

    /// A target on this site, in the Unicode form of the entry's key if no entry has it as it is.
    pub(crate) fn in_form_of_entry(&self, to: String) -> String {
        let (Some(path), Some(keys)) = (local_path(&to), candidates(&to)) else { return to };
        if path.is_ascii() || keys.iter().any(|key| self.has(key)) {
            return to;
        }
        let other_form = |key: &String| {
            let composed = key::compose(key);
            if self.has(&composed) { Some(composed.into_owned()) } else { self.decomposed.get(&*composed).cloned() }
        };
        let Some((key, entry)) = keys.iter().find_map(|key| Some((key, other_form(key)?))) else { return to };
        // The path of an index is that of its folder, unless the target names the file.
        let is_index = key.len() > path.trim_end_matches('/').len();
        let entry = entry.strip_suffix("/index.html").filter(|_| is_index).unwrap_or(&entry);
        let slash = if path.ends_with('/') { "/" } else { "" };
        let rest = to.find(['?', '#']).and_then(|at| to.get(at..)).unwrap_or_default();
        format!("/{}{slash}{rest}", utf8_percent_encode(entry, IN_KEYS))
    }

    /// The first key of a target that an entry has.
    fn entry_of(&self, to: &str) -> Option<String> {
        candidates(to)?.into_iter().find(|key| self.has(key))
    }

    /// What the rule at a position does with a key. Call it after all entries are added.
    pub(crate) fn outcome(&self, key: &str, position: usize) -> KeyOutcome {
        let redirect = match self.redirect(key) {
            Some(Ok(redirect)) if redirect.rule == Some(position) => redirect,
            Some(Err((first, outcome))) if first == position => return outcome,
            Some(Ok(KeyRedirect { rule: Some(first), .. }) | Err((first, _))) => return KeyOutcome::Taken(first),
            _ => return KeyOutcome::Nothing,
        };
        if self.is_replaced(key) {
            return KeyOutcome::Redirects(redirect);
        }
        let Some(rule) = self.rules.get(position) else { return KeyOutcome::Nothing };
        let target = self.entry_of(&redirect.to);
        let mut pages = Self::pages(key, rule).into_iter();
        let shadow = pages.find(|page| self.has(page) && !self.is_replaced(page) && target.as_ref() != Some(page));
        match shadow {
            Some(page) => KeyOutcome::Shadowed(page),
            None if self.has(key) => KeyOutcome::SamePage,
            None => KeyOutcome::Redirects(redirect),
        }
    }

    /// The redirects of all keys, those of earlier plugins included. Call it after all entries are added.
    pub(crate) fn resolve(&mut self) -> BTreeMap<String, KeyRedirect> {
        let mut keys: BTreeSet<String> = std::mem::take(&mut self.expanded);
        for (_, rule) in self.rules().filter(|(_, rule)| rule.target.is_some()) {
            keys.extend(rule.keys());
        }
        keys.extend(self.replaced.iter().cloned());
        let earlier = self.earlier.iter().filter(|(key, _)| !self.replaced.contains(*key));
        let mut redirects: BTreeMap<String, KeyRedirect> =
            earlier.map(|(key, to)| (key.clone(), KeyRedirect { to: to.clone(), rule: None })).collect();
        let mut expanded = 0;
        // Redirects to redirects: each step finds those to the redirects of the previous one.
        for _ in 0..MAX_STEPS {
            let mut added = Vec::new();
            for key in keys {
                let Some(Ok(KeyRedirect { rule: Some(position), .. })) = self.redirect(&key) else { continue };
                let KeyOutcome::Redirects(redirect) = self.outcome(&key, position) else { continue };
                let Some(rule) = self.rules.get(position).filter(|_| !redirects.contains_key(&key)) else { continue };
                let has_target = |to: &str| {
                    candidates(to)
                        .is_none_or(|keys| keys.iter().any(|key| self.has(key) || redirects.contains_key(key)))
                };
                if !rule.pattern.is_exact() && !self.is_replaced(&key) {
                    if !rule.redirects(&key) || (rule.is_invertible() && !has_target(&redirect.to)) {
                        continue;
                    }
                    if expanded >= MAX_EXPANDED {
                        self.is_cut = true;
                        continue;
                    }
                    expanded += 1;
                }
                redirects.insert(key.clone(), redirect);
                added.push((key, position));
            }
            added.iter().for_each(|(key, rule)| self.expand(key, Some(*rule)));
            keys = std::mem::take(&mut self.expanded);
            if keys.is_empty() {
                break;
            }
        }
        redirects
    }
}

impl Redirect {
    /// A redirect to a path or URL, or a line that cannot be followed.
    pub(crate) fn new(from: &str, to: Option<&str>, force: bool, rule: &Pointer) -> Result<Self, RedirectError> {
        let pattern = FromPattern::parse(from)?;
        let target = to.map(|to| Target::parse(to, &pattern)).transpose()?;
        let redirect = Self { from: from.to_owned(), pattern, target, force, rule: rule.clone(), line: None };
        for key in redirect.keys() {
            key::check(&key).map_err(|reason| RedirectError::InvalidKey { path: from.to_owned(), reason })?;
        }
        Ok(redirect)
    }

    /// Where it comes from, for users.
    pub(crate) fn reason(&self, file: &str) -> String {
        self.line.map_or_else(|| "a rule".to_owned(), |line| format!("line {line} of `{file}`"))
    }

    fn values(&self, path: &str) -> Option<Vec<String>> {
        self.pattern.values(path)
    }

    fn is_invertible(&self) -> bool {
        self.target.as_ref().is_some_and(Target::is_invertible)
    }

    /// Whether it can redirect a key that it matches. A target without all of the placeholders has paths without end, so
    /// only the path of the rule itself redirects.
    fn redirects(&self, key: &str) -> bool {
        self.is_invertible() || self.keys().iter().any(|own| own == key)
    }

    /// The keys that it has without the entries of a run: those of its path, with nothing for a `*`.
    pub(crate) fn keys(&self) -> Vec<String> {
        if self.pattern.names().iter().any(|name| name != "splat") {
            return Vec::new();
        }
        keys(&self.pattern.fill(&[]), self.from.ends_with('/') || !self.pattern.is_exact())
    }

    /// Whether the target is the same page with or without a `/` at the end, and not the key itself.
    fn changes_slash(&self, key: &str, to: &str) -> bool {
        let is_index = key.ends_with("index.html");
        let (from_slash, to_slash) = (self.from.ends_with('/'), to.ends_with('/'));
        !to.ends_with("index.html") && from_slash == is_index && to_slash != is_index
    }
}

/// The path of a rule without placeholders, without a `/` at either end.
fn path_of(redirect: &Redirect) -> String {
    redirect.pattern.fill(&[])
}

/// The keys of a path: its own, and the index of the folder with that name, because visitors use `/old` and `/old/` for
/// the same page.
fn keys(path: &str, is_folder: bool) -> Vec<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let is_file = extension.is_some_and(|extension| FILE_EXTENSIONS.contains(&extension.as_str()));
    match path {
        "" => vec!["index.html".to_owned()],
        _ if name == "index.html" || (is_file && !is_folder) => vec![path.to_owned()],
        _ => vec![path.to_owned(), format!("{path}/index.html")],
    }
}

/// The page of a key or path: without `index.html` and without a `/` at the end.
fn address(path: &str) -> String {
    let folder = path.strip_suffix("index.html").filter(|folder| folder.is_empty() || folder.ends_with('/'));
    folder.unwrap_or(path).trim_matches('/').to_owned()
}

/// The keys that a website tries for a target, in order; `None` for a target on another site.
pub(crate) fn candidates(to: &str) -> Option<Vec<String>> {
    let path = local_path(to)?;
    let bare = path.strip_suffix('/').unwrap_or(&path);
    Some(match (bare.is_empty(), path.ends_with('/')) {
        (true, _) => vec!["index.html".to_owned()],
        (false, true) => vec![format!("{bare}/index.html")],
        (false, false) => vec![bare.to_owned(), format!("{bare}/index.html")],
    })
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
