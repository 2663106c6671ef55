//! Renames objects, gives pages clean URLs, and adds redirects, or on a site with an edge rules for requests. Content, including links in pages, stays unchanged.
//!
//! The steps in order: compose the characters of the key, strip a leading folder, apply the first matching rename, apply clean URLs. Redirects use the
//! resulting keys.

mod edge;
mod error;
mod file;
mod follow;
mod links;
mod pages;
mod pattern;
mod redirects;
mod rename;
mod report;
mod rule_findings;
mod settings;

pub use settings::{
    CleanUrls, Normalization, OutsidePrefix, RedirectRule, RedirectsFileSettings, RenameRule, RewriteSettings,
};

use std::borrow::Cow;

use tidegate_plugin::edge::{EdgeDialect, add_redirects};
use tidegate_plugin::{Decisions, Edit, Entry, Failure, LineFindings, Pointer, Run, Summary, SyncPlugin, content, key};

use edge::{EdgeRedirects, EdgeReport};
use links::{LinkingPage, Links};
use pages::CleanPages;
use redirects::Redirects;
use rename::{Renames, StrippedPrefix};
use report::Report;
use rule_findings::RuleFindings;

/// Limit of the `_redirects` file, in bytes: some 10,000 rules.
const MAX_FILE_BYTES: usize = 1024 * 1024;

/// The plugin.
#[derive(Debug)]
pub struct Rewrite {
    settings: RewriteSettings,
    /// The key of the `_redirects` file in the artifact.
    file: Option<String>,
    renames: Renames,
    pages: CleanPages,
    links: Links,
    /// Pages of the batch whose links are checked.
    linking: Vec<LinkingPage>,
    redirects: Redirects,
    /// The redirects of a site with an edge; then there are no others.
    edge: Option<EdgeRedirects>,
    /// About lines of the `_redirects` file.
    findings: LineFindings,
}

/// A new key, with the rule that it comes from.
struct RenamedKey {
    key: String,
    rule: Pointer,
    reason: String,
}

impl SyncPlugin for Rewrite {
    type Settings = RewriteSettings;

    fn begin(run: &Run, settings: RewriteSettings) -> Result<Self, Failure> {
        let mut redirects = Redirects::default();
        let mut edge = EdgeDialect::of(run)?.map(EdgeRedirects::new);
        for (position, rule) in settings.redirects.iter().enumerate() {
            let at = Pointer::root().member("redirects").index(position);
            let added = match &mut edge {
                Some(edge) => edge.add_rule(rule.from(), rule.to(), rule.force, &at),
                None => redirects.add_rule(rule.from(), rule.to(), rule.force, &at),
            };
            added.map_err(|error| Failure::new("redirect", error.to_string()).with_rule(&at))?;
        }
        let mut findings = LineFindings::new(&settings.file.key, Pointer::root().member("redirects-file"));
        let file = settings.file.enabled.then(|| format!("{}{}", settings.strip_prefix, settings.file.key));
        if let Some(key) = &file {
            let text = content::text(key, MAX_FILE_BYTES)?.unwrap_or_default();
            findings = match &mut edge {
                Some(edge) => edge.add_file(&text, &settings.file),
                None => file::add_redirects(&text, &settings.file, &mut redirects),
            };
            if let Some(message) = findings.first_warning().filter(|_| settings.file.strict) {
                let strict = Pointer::root().member("redirects-file").member("strict");
                return Err(Failure::new("redirects-file", message).with_key(key.as_str()).with_rule(&strict));
            }
        }
        Ok(Self {
            file,
            renames: Renames::new(&settings),
            pages: CleanPages::new(settings.clean_urls, settings.clean_urls_except.clone()),
            links: Links::default(),
            linking: Vec::new(),
            redirects,
            edge,
            findings,
            settings,
        })
    }

    fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure> {
        for (index, entry) in batch.iter().enumerate() {
            if self.file.as_ref() == Some(&entry.key) {
                let rule = Pointer::root().member("redirects-file").member("key");
                decisions.exclude(index, &rule, "a rules file, not part of the site");
                continue;
            }
            self.decide_entry(index, entry, decisions)?;
        }
        self.links.read(std::mem::take(&mut self.linking));
        Ok(())
    }

    fn finish(&mut self) -> Result<Summary, Failure> {
        self.pages.check()?;
        let mut summary = Summary::default();
        let RedirectsFileSettings { strict, key, .. } = &self.settings.file;
        let pages = self.settings.clean_urls_redirects.then_some(&self.pages);
        let strict = *strict;
        let findings = RuleFindings { lines: &mut self.findings, summary: &mut summary };
        if let Some(edge) = self.edge.take() {
            let entries = &self.redirects;
            let report = EdgeReport { findings, strict, file: key, pages, entries };
            add_redirects(&report.finish(edge)?)?;
        } else {
            let report = Report { findings, strict, file: key, pages };
            report.finish(&mut self.redirects)?;
        }
        summary.findings.splice(0..0, self.findings.finish());
        summary.findings.extend(self.links.finish(&self.pages));
        Ok(summary)
    }
}

impl Rewrite {
    fn decide_entry(&mut self, index: usize, entry: &Entry, decisions: &mut Decisions) -> Result<(), Failure> {
        let mut steps = RenameSteps::new(&entry.key);
        if let Some(renamed) = self.renames.compose(steps.key()) {
            steps.add(renamed);
        }
        match self.renames.strip(steps.key()) {
            StrippedPrefix::Unset => {}
            StrippedPrefix::Stripped(renamed) => steps.add(renamed),
            StrippedPrefix::Outside => {
                let rule = Pointer::root().member("outside-prefix");
                let prefix = &self.settings.strip_prefix;
                match self.settings.outside_prefix {
                    OutsidePrefix::Keep => {}
                    OutsidePrefix::Exclude => {
                        decisions.exclude(index, &rule, format!("outside of `{prefix}`"));
                        return Ok(());
                    }
                    OutsidePrefix::Fail => {
                        let key = steps.key();
                        let message = format!("`{key}` is outside of `{prefix}`; exclude it, or set `outside-prefix`");
                        return Err(Failure::new("outside-prefix", message).with_key(&*entry.key).with_rule(&rule));
                    }
                }
            }
        }
        if let Some(renamed) = self.renames.rename(steps.key()) {
            steps.add(renamed);
        }
        let current = steps.key();
        let cleaned = self.pages.add(current);
        let checks_links = self.settings.clean_urls != CleanUrls::Off && self.settings.clean_urls_links;
        if checks_links && current.ends_with(".html") && entry.redirect.is_none() {
            self.linking.push(LinkingPage { source: entry.key.clone(), key: current.to_owned() });
        }
        let mut edits = Vec::new();
        if let Some(renamed) = cleaned {
            steps.add(renamed);
            // Without the extension, the name no longer implies the type.
            if self.settings.clean_urls == CleanUrls::StripHtml
                && entry.header("content-type").is_none()
                && entry.redirect.is_none()
            {
                edits.push(Edit::header("content-type", "text/html; charset=utf-8"));
            }
        }
        let RenameSteps { key: current, mut rule, mut reason } = steps;
        if current != entry.key {
            if let Err(error) = key::check(&current) {
                let message = format!("cannot rename `{}` to `{current}`: {error}; change the rule", entry.key);
                return Err(Failure::new("bad-key", message).with_key(&*entry.key).with_rule(&rule));
            }
            edits.insert(0, Edit::Rename(current.to_string()));
        }
        let exists = |key: &str| has_source(&self.renames, &self.pages, key);
        let forced = self.redirects.add_entry(&current, entry.redirect.as_deref(), exists);
        if let Some((forced, by)) = forced.and_then(|forced| Some((forced.to, self.redirects.rule(forced.rule?)?))) {
            edits.push(Edit::Redirect(forced));
            rule = by.rule.clone();
            reason = by.reason(&self.settings.file.key);
        }
        decisions.publish(index, edits, &rule, reason);
        Ok(())
    }
}

/// The steps that rename an object.
struct RenameSteps<'a> {
    key: Cow<'a, str>,
    /// The rule of the last step.
    rule: Pointer,
    /// The reasons of all steps.
    reason: String,
}

impl<'a> RenameSteps<'a> {
    fn new(key: &'a str) -> Self {
        Self { key: Cow::Borrowed(key), rule: Pointer::root(), reason: String::new() }
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn add(&mut self, renamed: RenamedKey) {
        let RenamedKey { key, rule, reason } = renamed;
        self.key = key.into();
        self.rule = rule;
        if self.reason.is_empty() {
            self.reason = reason;
        } else {
            self.reason = [&self.reason, "; ", &reason].concat();
        }
    }
}

/// Whether the run has an object that gets this key, also one that comes later. Objects that a pattern renames are not
/// found.
fn has_source(renames: &Renames, pages: &CleanPages, key: &str) -> bool {
    let becomes_key = |source: &String| {
        let key_of = |renamed: Option<RenamedKey>, key: String| renamed.map_or(key, |renamed| renamed.key);
        let composed = key_of(renames.compose(source), source.clone());
        let stripped = match renames.strip(&composed) {
            StrippedPrefix::Stripped(renamed) => renamed.key,
            StrippedPrefix::Unset | StrippedPrefix::Outside => composed,
        };
        let renamed = key_of(renames.rename(&stripped), stripped);
        key_of(pages.clean(&renamed), renamed) == key
    };
    let pages = [key.to_owned(), format!("{key}.html")]
        .into_iter()
        .chain(key.strip_suffix("/index.html").map(|page| format!("{page}.html")));
    let sources: Vec<String> = pages.flat_map(|page| renames.sources(&page)).filter(becomes_key).collect();
    content::heads(&sources, 1).iter().any(Result::is_ok)
}

tidegate_plugin::export_sync!(Rewrite);

#[cfg(test)]
mod tests;
