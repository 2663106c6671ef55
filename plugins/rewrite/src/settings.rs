//! Settings of `rewrite`.

use std::fmt;

use regex_lite::{Captures, Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use tidegate_plugin::glob::KeyGlob;
use tidegate_plugin::{Issues, Pointer, Settings};

use crate::error::RedirectError;
use crate::redirects::Redirects;

/// Settings of `rewrite`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct RewriteSettings {
    /// The Unicode form of keys.
    pub(crate) normalize: Normalization,
    /// A leading folder that is not part of the site; empty, or with a `/` at its end.
    pub(crate) strip_prefix: String,
    /// What happens to objects outside of that folder.
    pub(crate) outside_prefix: OutsidePrefix,
    /// In order; the first match applies.
    pub(crate) rename: Vec<RenameRule>,
    /// The names of pages.
    pub(crate) clean_urls: CleanUrls,
    /// Pages that keep their names, such as error documents.
    pub(crate) clean_urls_except: Vec<KeyGlob>,
    /// Whether the old `.html` address of a page redirects to the page.
    pub(crate) clean_urls_redirects: bool,
    /// Whether pages that link to an old address are reported.
    pub(crate) clean_urls_links: bool,
    /// Redirects.
    pub(crate) redirects: Vec<RedirectRule>,
    /// The redirects file of the artifact.
    #[serde(rename = "redirects-file")]
    pub(crate) file: RedirectsFileSettings,
}

/// The Unicode form of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// As in the source.
    Off,
    /// Composed.
    Nfc,
}

/// What happens to keys outside of `strip-prefix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutsidePrefix {
    /// The run is denied.
    Fail,
    /// They are excluded.
    Exclude,
    /// They stay unchanged.
    Keep,
}

/// The names of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CleanUrls {
    /// Unchanged.
    Off,
    /// `x.html` becomes `x/index.html`.
    HtmlToDirectory,
    /// `x.html` becomes `x`.
    StripHtml,
}

/// A rename rule.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "WrittenRenameRule", untagged)]
pub enum RenameRule {
    /// Replaces `prefix` with `to`.
    Prefix {
        /// The start of keys.
        prefix: String,
        /// The replacement.
        to: String,
    },
    /// Replaces a key that `pattern` matches completely with `to`.
    Pattern {
        /// A regular expression.
        pattern: RenamePattern,
        /// The replacement, with `$1` or `${name}` for groups of the pattern, and `$$` for `$`.
        to: String,
    },
}

/// The form of a rename rule in the configuration. A single type, so that errors have precise positions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRenameRule {
    prefix: Option<String>,
    pattern: Option<RenamePattern>,
    to: String,
}

impl TryFrom<WrittenRenameRule> for RenameRule {
    type Error = &'static str;

    fn try_from(rule: WrittenRenameRule) -> Result<Self, &'static str> {
        match (rule.prefix, rule.pattern) {
            (Some(prefix), None) => Ok(Self::Prefix { prefix, to: rule.to }),
            (None, Some(pattern)) => Ok(Self::Pattern { pattern, to: rule.to }),
            _ => Err("a rename needs either `prefix` or `pattern`"),
        }
    }
}

/// A regular expression for whole keys.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RenamePattern {
    text: String,
    regex: Regex,
    /// How all keys start that it matches. Most keys are decided by it, because the engine is small rather than fast.
    prefix: String,
}

/// Limit of a compiled pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 256 * 1024;

impl TryFrom<String> for RenamePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match RegexBuilder::new(&format!("^(?:{text})$")).size_limit(MAX_PATTERN_BYTES).build() {
            Ok(regex) => Ok(Self { prefix: literal_prefix(&text), text, regex }),
            Err(error) => Err(format!("invalid regular expression `{text}`: {error}")),
        }
    }
}

impl RenamePattern {
    /// The groups of a key, if it matches.
    pub(crate) fn captures<'a>(&self, key: &'a str) -> Option<Captures<'a>> {
        if key.starts_with(&self.prefix) { self.regex.captures(key) } else { None }
    }
}

/// The letters, digits and separators at the start of an expression, as far as every match starts with them.
fn literal_prefix(expression: &str) -> String {
    let is_literal = |character: char| character.is_ascii_alphanumeric() || matches!(character, '/' | '-' | '_');
    let end = expression.find(|character| !is_literal(character)).unwrap_or(expression.len());
    let (prefix, rest) = expression.split_at_checked(end).unwrap_or_default();
    let mut prefix = prefix.to_owned();
    if rest.starts_with(['?', '*', '{']) {
        // The last character may be absent.
        prefix.pop();
    }
    if expression.contains('|') { String::new() } else { prefix }
}

impl From<RenamePattern> for String {
    fn from(pattern: RenamePattern) -> Self {
        pattern.text
    }
}

impl fmt::Display for RenamePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for RenamePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, formatter)
    }
}

/// A redirect.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RedirectRule {
    from: String,
    to: String,
    /// Whether it replaces an object with the same key.
    #[serde(default)]
    pub(crate) force: bool,
}

impl RedirectRule {
    pub(crate) fn from(&self) -> &str {
        &self.from
    }

    pub(crate) fn to(&self) -> &str {
        &self.to
    }
}

/// The `_redirects` file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct RedirectsFileSettings {
    pub(crate) enabled: bool,
    /// Its key below `strip-prefix`.
    pub(crate) key: String,
    /// Whether an unsupported line denies the run.
    pub(crate) strict: bool,
    /// The status of a line without one: 301 as on Netlify, or 302 as on Cloudflare Pages.
    pub(crate) default_status: u16,
    /// Whether temporary redirects, which S3 does not support, become permanent ones.
    pub(crate) temporary_as_permanent: bool,
}

impl Default for RedirectsFileSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            key: "_redirects".to_owned(),
            strict: false,
            default_status: 301,
            temporary_as_permanent: false,
        }
    }
}

/// Error documents, which the CDN requests by name, and files with which search engines verify the ownership of a site.
const CLEAN_URLS_EXCEPT: [&str; 3] = ["**/[45][0-9][0-9].html", "google*.html", "yandex_*.html"];

impl Default for RewriteSettings {
    fn default() -> Self {
        Self {
            normalize: Normalization::Off,
            strip_prefix: String::new(),
            outside_prefix: OutsidePrefix::Fail,
            rename: Vec::new(),
            clean_urls: CleanUrls::Off,
            clean_urls_except: CLEAN_URLS_EXCEPT.iter().filter_map(|glob| KeyGlob::parse(glob).ok()).collect(),
            clean_urls_redirects: true,
            clean_urls_links: true,
            redirects: Vec::new(),
            file: RedirectsFileSettings::default(),
        }
    }
}

impl Settings for RewriteSettings {
    fn check(&mut self, issues: &mut Issues) {
        let root = Pointer::root;
        if !self.strip_prefix.is_empty() && !self.strip_prefix.ends_with('/') {
            // `dist` and `dist/` are the same folder; the canonical form is `dist/`.
            self.strip_prefix.push('/');
        }
        if self.strip_prefix.starts_with('/') {
            issues.add(&root().member("strip-prefix"), "invalid folder; remove the leading `/`");
        }
        for (position, rule) in self.rename.iter().enumerate() {
            let at = root().member("rename").index(position);
            match rule {
                RenameRule::Prefix { prefix, to } if prefix.is_empty() && to.is_empty() => {
                    issues.add(&at, "the rule has no effect; remove it");
                }
                RenameRule::Prefix { .. } => {}
                RenameRule::Pattern { pattern, to } => {
                    if let Some(name) = unknown_group(&pattern.regex, to) {
                        let message = format!(
                            "the pattern has no group `{name}`; write `${{1}}` or `${{name}}` before text, and `$$` for `$`"
                        );
                        issues.add(&at.member("to"), message);
                    }
                }
            }
        }
        let mut known = Redirects::default();
        for (position, rule) in self.redirects.iter().enumerate() {
            let at = root().member("redirects").index(position);
            if let Err(error) = known.add_rule(&rule.from, &rule.to, rule.force, &at) {
                let member = if matches!(error, RedirectError::InvalidTarget(_)) { "to" } else { "from" };
                issues.add(&at.member(member), error.to_string());
            }
        }
        if !matches!(self.file.default_status, 301 | 302) {
            let at = root().member("redirects-file").member("default-status");
            issues.add(&at, "invalid status; use 301 as on Netlify, or 302 as on Cloudflare Pages");
        }
        if let Err(error) = tidegate_plugin::key::check(&self.file.key) {
            issues
                .add(&root().member("redirects-file").member("key"), format!("{error}; use one such as `_redirects`"));
        }
    }
}

/// The first group of a replacement that the pattern does not have.
fn unknown_group(regex: &Regex, replacement: &str) -> Option<String> {
    let mut rest = replacement;
    while let Some((_, after)) = rest.split_once('$') {
        if let Some(escaped) = after.strip_prefix('$') {
            rest = escaped;
            continue;
        }
        let (name, next) = match after.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            Some(braced) => braced,
            None => {
                let end = after
                    .find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
                    .unwrap_or(after.len());
                after.split_at_checked(end).unwrap_or((after, ""))
            }
        };
        let known = match name.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|group| group == name),
        };
        if !known {
            return Some(name.to_owned());
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{RenamePattern, literal_prefix};

    #[test]
    fn every_match_starts_with_the_prefix() {
        for (expression, prefix) in [
            (r"blog/(\d+)\.html", "blog/"),
            ("ab?c", "a"),
            ("ab*", "a"),
            ("ab{0}c", "a"),
            ("ab+", "ab"),
            ("(?i)ab", ""),
            ("a|b", ""),
            ("a(b|c)", ""),
            ("été", ""),
            (r"\Aab", ""),
            ("a-b_c/0", "a-b_c/0"),
        ] {
            assert_eq!(literal_prefix(expression), prefix, "{expression}");
        }
    }

    proptest! {
        #[test]
        fn the_prefix_changes_no_match(expression in r"(\(\?[ix]\)|\^)?([ab/ ]|[ab][*?+]|a\{0,1\}|\(a\|b\)|[ab.]){0,5}", key in "[abAB/]{1,4}") {
            let Ok(pattern) = RenamePattern::try_from(expression.clone()) else { return Ok(()) };
            prop_assert_eq!(pattern.captures(&key).is_some(), pattern.regex.is_match(&key), "{}", expression);
        }
    }
}
