//! Renames objects, gives pages clean URLs, and adds redirects.
//!
//! Owns the order: a leading folder is stripped, the first rename rule that matches speaks, clean URLs come last, and
//! redirects are about the keys that come out. Never touches bytes: links inside pages stay as they are.

mod file;
mod follow;
mod pages;
mod redirects;
mod rename;
mod settings;

pub use settings::{CleanUrls, OutsidePrefix, RedirectRule, RedirectsFileSettings, RenameRule, RewriteSettings};

use tidegate_plugin::{Decisions, Edit, Entry, Failure, Finding, Pointer, Run, Summary, SyncPlugin, content, key};

use follow::Targets;
use pages::CleanPages;
use redirects::{Redirects, Resolution};
use rename::{Renames, StrippedPrefix};

/// The longest `_redirects` file that is read, in bytes: some 10,000 rules.
const LONGEST_FILE: usize = 1024 * 1024;

/// The plugin.
#[derive(Debug)]
pub struct Rewrite {
    settings: RewriteSettings,
    /// The `_redirects` file's key in the artifact.
    file: Option<String>,
    renames: Renames,
    pages: CleanPages,
    redirects: Redirects,
    targets: Targets,
    findings: Vec<Finding>,
}

/// A change of a key, with the rule that made it.
struct RenamedKey {
    key: String,
    rule: Pointer,
    reason: String,
}

impl SyncPlugin for Rewrite {
    type Settings = RewriteSettings;

    fn begin(_run: &Run, settings: RewriteSettings) -> Result<Self, Failure> {
        let mut redirects = Redirects::default();
        for (place, rule) in settings.redirects.iter().enumerate() {
            let at = Pointer::root().member("redirects").index(place);
            redirects
                .add(rule.from(), rule.to(), rule.force, &at, "a rule")
                .map_err(|error| Failure::new("redirect", error.to_string()).by(&at))?;
        }
        let mut findings = Vec::new();
        let file = settings.file.enabled.then(|| format!("{}{}", settings.strip_prefix, settings.file.key));
        if let Some(key) = &file {
            let text = content::text(key, LONGEST_FILE)?.unwrap_or_default();
            findings = file::read(&text, &settings.file, &mut redirects);
            if let Some(finding) = findings.first().filter(|_| settings.file.strict) {
                let strict = Pointer::root().member("redirects-file").member("strict");
                return Err(Failure::new("redirects-file", finding.message.clone()).on(key.as_str()).by(&strict));
            }
        }
        Ok(Self {
            file,
            renames: Renames::new(&settings),
            pages: CleanPages::new(settings.clean_urls, settings.clean_urls_except.clone()),
            targets: Targets::of(&redirects),
            redirects,
            findings,
            settings,
        })
    }

    fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure> {
        for (index, entry) in batch.iter().enumerate() {
            if self.file.as_ref() == Some(&entry.key) {
                let rule = Pointer::root().member("redirects-file").member("key");
                decisions.exclude(index, &rule, "rules, not part of the site");
                continue;
            }
            self.decide_entry(index, entry, decisions)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Summary, Failure> {
        self.pages.check()?;
        follow::check(&self.redirects, &self.targets)?;
        let mut summary = Summary { findings: std::mem::take(&mut self.findings), ..Summary::default() };
        self.redirects.finish(&mut summary);
        self.targets.finish(&self.redirects, &mut summary);
        Ok(summary)
    }
}

impl Rewrite {
    fn decide_entry(&mut self, index: usize, entry: &Entry, decisions: &mut Decisions) -> Result<(), Failure> {
        let mut steps: Vec<(Pointer, String)> = Vec::new();
        let mut edits = Vec::new();
        let mut current = entry.key.clone();
        match self.renames.strip(&current) {
            StrippedPrefix::Nothing => {}
            StrippedPrefix::To(renamed) => current = step(renamed, &mut steps),
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
                        let message = format!(
                            "`{current}` is outside of `{prefix}`; exclude it, or say with `outside-prefix` what to do"
                        );
                        return Err(Failure::new("outside-prefix", message).on(&*entry.key).by(&rule));
                    }
                }
            }
        }
        if let Some(renamed) = self.renames.rename(&current) {
            current = step(renamed, &mut steps);
        }
        let clean = self.pages.clean(&current);
        if let Some(renamed) = clean {
            current = step(renamed, &mut steps);
            // Without an extension nothing else says that it is a page.
            if self.settings.clean_urls == CleanUrls::StripHtml
                && entry.header("content-type").is_none()
                && entry.redirect.is_none()
            {
                edits.push(Edit::header("content-type", "text/html; charset=utf-8"));
            }
        }
        let (mut rule, mut reason) = match steps.last() {
            Some((rule, _)) => {
                let reasons: Vec<&str> = steps.iter().map(|(_, reason)| reason.as_str()).collect();
                (rule.clone(), reasons.join("; "))
            }
            None => (Pointer::root(), String::new()),
        };
        if current != entry.key {
            if let Err(error) = key::check(&current) {
                let message =
                    format!("`{}` would be published as `{current}`, but {error}; change the rule", entry.key);
                return Err(Failure::new("bad-key", message).on(&*entry.key).by(&rule));
            }
            edits.insert(0, Edit::Rename(current.clone()));
        }
        self.targets.see(&current);
        match self.redirects.meet(&current, entry.redirect.as_deref()) {
            Resolution::Nothing => {}
            Resolution::Replaced { to, by, reason: why } => {
                edits.push(Edit::Redirect(to));
                rule = by;
                reason = why;
            }
        }
        decisions.publish(index, edits, &rule, reason);
        Ok(())
    }
}

/// Notes a step, and gives the key after it.
fn step(renamed: RenamedKey, steps: &mut Vec<(Pointer, String)>) -> String {
    steps.push((renamed.rule, renamed.reason));
    renamed.key
}

tidegate_plugin::export_sync!(Rewrite);

#[cfg(test)]
mod tests;
