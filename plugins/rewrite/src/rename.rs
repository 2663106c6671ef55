//! Other keys by rule.
//!
//! Owns the stripping of a leading folder, and which rename rule speaks. Never looks at pages.

use tidegate_plugin::Pointer;

use crate::RenamedKey;
use crate::settings::{RenameRule, RewriteSettings};

/// The rules, ready to match.
#[derive(Debug)]
pub(crate) struct Renames {
    prefix: String,
    rules: Vec<RenameRule>,
}

/// What the stripping of the leading folder does to a key.
pub(crate) enum StrippedPrefix {
    /// There is no folder to strip.
    Nothing,
    To(RenamedKey),
    /// The key is not in the folder.
    Outside,
}

impl Renames {
    pub(crate) fn new(settings: &RewriteSettings) -> Self {
        Self { prefix: settings.strip_prefix.clone(), rules: settings.rename.clone() }
    }

    pub(crate) fn strip(&self, key: &str) -> StrippedPrefix {
        if self.prefix.is_empty() {
            return StrippedPrefix::Nothing;
        }
        match key.strip_prefix(&self.prefix) {
            Some(rest) if !rest.is_empty() => StrippedPrefix::To(RenamedKey {
                key: rest.to_owned(),
                rule: Pointer::root().member("strip-prefix"),
                reason: format!("`{}` is stripped", self.prefix),
            }),
            _ => StrippedPrefix::Outside,
        }
    }

    /// The key that the first rule that matches gives, where it is another one.
    pub(crate) fn rename(&self, key: &str) -> Option<RenamedKey> {
        let (place, renamed, reason) = self.rules.iter().enumerate().find_map(|(place, rule)| match rule {
            RenameRule::Prefix { prefix, to } => {
                let rest = key.strip_prefix(prefix)?;
                Some((place, format!("{to}{rest}"), format!("starts with `{prefix}`")))
            }
            RenameRule::Pattern { pattern, to } => {
                let captures = pattern.regex.captures(key)?;
                let mut renamed = String::new();
                captures.expand(to, &mut renamed);
                Some((place, renamed, format!("matches `{pattern}`")))
            }
        })?;
        let rule = Pointer::root().member("rename").index(place);
        (renamed != key).then_some(RenamedKey { key: renamed, rule, reason })
    }
}
