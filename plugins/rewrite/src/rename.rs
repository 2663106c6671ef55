//! Composes keys, strips a leading folder, and applies rename rules.

use std::borrow::Cow;

use tidegate_plugin::Pointer;
use tidegate_plugin::key::{compose, decompose};

use crate::RenamedKey;
use crate::settings::{Normalization, RenameRule, RewriteSettings};

/// The compiled rules.
#[derive(Debug)]
pub(crate) struct Renames {
    normalize: Normalization,
    prefix: String,
    rules: Vec<RenameRule>,
}

/// The result of stripping the leading folder of a key.
pub(crate) enum StrippedPrefix {
    /// No folder is configured.
    Unset,
    Stripped(RenamedKey),
    /// The key is not in the folder.
    Outside,
}

impl Renames {
    pub(crate) fn new(settings: &RewriteSettings) -> Self {
        Self { normalize: settings.normalize, prefix: settings.strip_prefix.clone(), rules: settings.rename.clone() }
    }

    /// The composed key, if keys are composed and it differs.
    pub(crate) fn compose(&self, key: &str) -> Option<RenamedKey> {
        if self.normalize != Normalization::Nfc {
            return None;
        }
        let Cow::Owned(key) = compose(key) else { return None };
        Some(RenamedKey { key, rule: Pointer::root().member("normalize"), reason: "composed".to_owned() })
    }

    /// Keys of the source that may get this key, except by patterns. Of those in which only some characters are composed, none
    /// is found.
    pub(crate) fn sources(&self, key: &str) -> Vec<String> {
        let prefixes = self.rules.iter().filter_map(|rule| match rule {
            RenameRule::Prefix { prefix, to } => Some(format!("{prefix}{}", key.strip_prefix(to)?)),
            RenameRule::Pattern { .. } => None,
        });
        let keys = prefixes.chain([key.to_owned()]);
        let keys = keys.flat_map(|key| [format!("{}{key}", self.prefix), key]);
        keys.flat_map(|key| {
            let decomposed = (self.normalize == Normalization::Nfc).then(|| decompose(&key).into_owned());
            decomposed.filter(|decomposed| *decomposed != key).into_iter().chain([key])
        })
        .collect()
    }

    pub(crate) fn strip(&self, key: &str) -> StrippedPrefix {
        if self.prefix.is_empty() {
            return StrippedPrefix::Unset;
        }
        match key.strip_prefix(&self.prefix) {
            Some(rest) if !rest.is_empty() => StrippedPrefix::Stripped(RenamedKey {
                key: rest.to_owned(),
                rule: Pointer::root().member("strip-prefix"),
                reason: format!("`{}` stripped", self.prefix),
            }),
            _ => StrippedPrefix::Outside,
        }
    }

    /// The new key from the first matching rule, if it differs.
    pub(crate) fn rename(&self, key: &str) -> Option<RenamedKey> {
        let (position, renamed, reason) = self.rules.iter().enumerate().find_map(|(position, rule)| match rule {
            RenameRule::Prefix { prefix, to } => {
                let rest = key.strip_prefix(prefix)?;
                Some((position, format!("{to}{rest}"), format!("starts with `{prefix}`")))
            }
            RenameRule::Pattern { pattern, to } => {
                let captures = pattern.captures(key)?;
                let mut renamed = String::new();
                captures.expand(to, &mut renamed);
                Some((position, renamed, format!("matches `{pattern}`")))
            }
        })?;
        let rule = Pointer::root().member("rename").index(position);
        (renamed != key).then_some(RenamedKey { key: renamed, rule, reason })
    }
}
