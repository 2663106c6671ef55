//! Settings of `rewrite`.
//!
//! Owns their shape and checks. Renames nothing.

use std::fmt;

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use tidegate_plugin::glob::KeyGlob;
use tidegate_plugin::{Issues, Pointer, Settings};

use crate::redirects::{self, Redirects};

/// What a configuration may say.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct RewriteSettings {
    /// A leading folder that is not part of the site; empty, or with a `/` at its end.
    pub(crate) strip_prefix: String,
    /// What happens to what is outside of that folder.
    pub(crate) outside_prefix: OutsidePrefix,
    /// In order; the first that matches speaks.
    pub(crate) rename: Vec<RenameRule>,
    /// How pages are named.
    pub(crate) clean_urls: CleanUrls,
    /// Pages that keep their names, such as error documents.
    pub(crate) clean_urls_except: Vec<KeyGlob>,
    /// Redirects by rule.
    pub(crate) redirects: Vec<RedirectRule>,
    /// Redirects by the artifact's own file.
    #[serde(rename = "redirects-file")]
    pub(crate) file: RedirectsFileSettings,
}

/// What happens to keys outside of `strip-prefix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutsidePrefix {
    /// The run is denied: what is published would not be what was meant.
    Fail,
    /// They are left out.
    Exclude,
    /// They stay as they are.
    Keep,
}

/// How pages are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CleanUrls {
    /// As they are.
    Off,
    /// `x.html` becomes `x/index.html`.
    HtmlToDirectory,
    /// `x.html` becomes `x`.
    StripHtml,
}

/// One rule that renames.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "WrittenRenameRule", untagged)]
pub enum RenameRule {
    /// Puts `to` in the place of `prefix`.
    Prefix {
        /// The start of keys.
        prefix: String,
        /// What they start with instead.
        to: String,
    },
    /// Puts `to` in the place of a key that `pattern` matches as a whole.
    Pattern {
        /// A regular expression.
        pattern: RenamePattern,
        /// With `$1` or `${name}` for what the groups of the pattern matched, and `$$` for `$`.
        to: String,
    },
}

/// A rename rule as it is written: one type, so that what is wrong is pointed at where it is.
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
    pub(crate) regex: Regex,
}

/// Most that a compiled pattern may take, in bytes.
const LARGEST_PATTERN: usize = 256 * 1024;

impl TryFrom<String> for RenamePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match RegexBuilder::new(&format!("^(?:{text})$")).size_limit(LARGEST_PATTERN).build() {
            Ok(regex) => Ok(Self { text, regex }),
            Err(error) => Err(format!("pattern `{text}` is no regular expression: {error}")),
        }
    }
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

/// One redirect.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RedirectRule {
    from: String,
    to: String,
    /// Whether it replaces an object under the same name.
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
    /// Its key, behind `strip-prefix`.
    pub(crate) key: String,
    /// Whether lines that cannot be followed deny the run.
    pub(crate) strict: bool,
    /// Whether temporary redirects, which storage cannot have, become permanent ones.
    pub(crate) temporary_as_permanent: bool,
}

impl Default for RedirectsFileSettings {
    fn default() -> Self {
        Self { enabled: true, key: "_redirects".to_owned(), strict: false, temporary_as_permanent: false }
    }
}

/// Error documents, which the CDN asks for by name, and the files by which search engines verify who owns a site.
const CLEAN_URLS_EXCEPT: [&str; 3] = ["**/[45][0-9][0-9].html", "google*.html", "yandex_*.html"];

impl Default for RewriteSettings {
    fn default() -> Self {
        Self {
            strip_prefix: String::new(),
            outside_prefix: OutsidePrefix::Fail,
            rename: Vec::new(),
            clean_urls: CleanUrls::Off,
            clean_urls_except: CLEAN_URLS_EXCEPT.iter().filter_map(|glob| KeyGlob::parse(glob).ok()).collect(),
            redirects: Vec::new(),
            file: RedirectsFileSettings::default(),
        }
    }
}

impl Settings for RewriteSettings {
    fn check(&mut self, issues: &mut Issues) {
        let root = Pointer::root;
        if !self.strip_prefix.is_empty() && !self.strip_prefix.ends_with('/') {
            // `dist` and `dist/` mean one folder; the canonical form has one of them.
            self.strip_prefix.push('/');
        }
        if self.strip_prefix.starts_with('/') {
            issues.add(
                &root().member("strip-prefix"),
                "not a folder of the artifact; write it without a `/` at the start",
            );
        }
        for (place, rule) in self.rename.iter().enumerate() {
            let at = root().member("rename").index(place);
            match rule {
                RenameRule::Prefix { prefix, to } if prefix.is_empty() && to.is_empty() => {
                    issues.add(&at, "a rule that changes nothing; leave it out");
                }
                RenameRule::Prefix { .. } => {}
                RenameRule::Pattern { pattern, to } => {
                    if let Some(name) = unknown_group(&pattern.regex, to) {
                        let message = format!(
                            "the pattern has no group `{name}`; write `${{1}}` or `${{name}}` where text follows, and `$$` for `$`"
                        );
                        issues.add(&at.member("to"), message);
                    }
                }
            }
        }
        let mut known = Redirects::default();
        for (place, rule) in self.redirects.iter().enumerate() {
            let at = root().member("redirects").index(place);
            if let Err(error) = known.add(&rule.from, &rule.to, rule.force, &at, "") {
                let member = if matches!(error, redirects::RedirectError::BadTarget(_)) { "to" } else { "from" };
                issues.add(&at.member(member), error.to_string());
            }
        }
        if let Err(error) = tidegate_plugin::key::check(&self.file.key) {
            issues.add(
                &root().member("redirects-file").member("key"),
                format!("{error}; write one such as `_redirects`"),
            );
        }
    }
}

/// The first group that a replacement names and the pattern lacks.
fn unknown_group(regex: &Regex, replacement: &str) -> Option<String> {
    let mut rest = replacement;
    while let Some((_, behind)) = rest.split_once('$') {
        if let Some(escaped) = behind.strip_prefix('$') {
            rest = escaped;
            continue;
        }
        let (name, next) = match behind.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            Some(braced) => braced,
            None => {
                let end = behind
                    .find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
                    .unwrap_or(behind.len());
                behind.split_at_checked(end).unwrap_or((behind, ""))
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
