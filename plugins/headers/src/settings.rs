//! Settings of `headers`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_plugin::glob::{Glob, GlobList, IgnoreGlob};
use tidegate_plugin::{Issues, Pointer, Settings};

use crate::name::{self, SettingHeader};

/// Settings of `headers`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct HeadersSettings {
    /// In order; a later rule overrides an earlier one.
    pub(crate) rules: Vec<HeaderRule>,
    /// The rules file of the artifact.
    #[serde(rename = "headers-file")]
    pub(crate) file: HeadersFileSettings,
    /// Default values of `cache-control`.
    pub(crate) presets: PresetSettings,
    /// Folders in which the build tool fingerprints every name.
    pub(crate) fingerprinted_folders: GlobList,
}

/// Headers for the keys that match a glob.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderRule {
    pub(crate) glob: Glob,
    #[serde(default)]
    pub(crate) set: BTreeMap<SettingHeader, String>,
    #[serde(default)]
    pub(crate) remove: Vec<SettingHeader>,
}

/// The `_headers` file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeadersFileSettings {
    pub(crate) enabled: bool,
    pub(crate) key: String,
    /// Whether an unsupported line denies the run.
    pub(crate) strict: bool,
}

/// Values of `cache-control`; `null` sets none.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PresetSettings {
    pub(crate) fingerprinted: Option<String>,
    pub(crate) pages: Option<String>,
    pub(crate) others: Option<String>,
}

/// Folders of fingerprinted names of Astro, SvelteKit, Next.js and Nuxt. Nuxt polls `builds/latest.json`, which is not
/// fingerprinted.
const FINGERPRINTED_FOLDERS: [&str; 5] =
    ["_astro/", "**/_app/immutable/", "**/_next/static/", "_nuxt/", "!**/_nuxt/builds/"];

impl Default for HeadersSettings {
    fn default() -> Self {
        let folders = FINGERPRINTED_FOLDERS.iter().filter_map(|glob| IgnoreGlob::parse(glob).ok());
        Self {
            rules: Vec::new(),
            file: HeadersFileSettings::default(),
            presets: PresetSettings::default(),
            fingerprinted_folders: folders.collect(),
        }
    }
}

impl Default for HeadersFileSettings {
    fn default() -> Self {
        Self { enabled: true, key: "_headers".to_owned(), strict: false }
    }
}

impl Default for PresetSettings {
    /// The content of a fingerprinted name never changes, so caches keep it for a year. Pages refer to everything else,
    /// so caches always revalidate them. Anything else may change with a release: browsers, which no invalidation
    /// reaches, always revalidate it; the CDN keeps it until it is invalidated, or for a day if the invalidation is
    /// lost.
    fn default() -> Self {
        Self {
            fingerprinted: Some("public, max-age=31536000, immutable".to_owned()),
            pages: Some("no-cache".to_owned()),
            others: Some("public, max-age=0, s-maxage=86400, must-revalidate".to_owned()),
        }
    }
}

impl Settings for HeadersSettings {
    fn check(&mut self, issues: &mut Issues) {
        const INVALID_VALUE: &str = "invalid header value; use printable ASCII without leading or trailing spaces";
        for (position, rule) in self.rules.iter().enumerate() {
            let at = Pointer::root().member("rules").index(position);
            for (name, value) in &rule.set {
                if !name::is_value(value) {
                    issues.add(&at.clone().member("set").member(&name.to_string()), INVALID_VALUE);
                }
            }
            if rule.set.is_empty() && rule.remove.is_empty() {
                issues.add(&at, "the rule has no effect; add `set` or `remove`");
            }
        }
        let presets = [
            ("fingerprinted", &self.presets.fingerprinted),
            ("pages", &self.presets.pages),
            ("others", &self.presets.others),
        ];
        for (member, value) in presets {
            if value.as_deref().is_some_and(|value| !name::is_value(value)) {
                issues.add(&Pointer::root().member("presets").member(member), INVALID_VALUE);
            }
        }
        if self.file.key.is_empty() || self.file.key.starts_with('/') {
            issues
                .add(&Pointer::root().member("headers-file").member("key"), "invalid key; use one such as `_headers`");
        }
    }
}
