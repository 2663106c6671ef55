//! Settings of `headers`.
//!
//! Owns their shape, defaults and checks. Matches nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_plugin::glob::{Glob, GlobList, IgnoreGlob};
use tidegate_plugin::{Issues, Pointer, Settings};

use crate::name::{self, SettingHeader};

/// What a configuration may say.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct HeadersSettings {
    /// In order; what a later rule says about a header replaces what an earlier one said.
    pub(crate) rules: Vec<HeaderRule>,
    /// The artifact's own rules.
    #[serde(rename = "headers-file")]
    pub(crate) file: HeadersFileSettings,
    /// Values of `cache-control` where nothing else says one.
    pub(crate) presets: PresetSettings,
    /// Folders in which every name has a fingerprint that the build tool makes sure of.
    pub(crate) fingerprinted_folders: GlobList,
}

/// Headers by glob.
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
    /// Whether lines that cannot be followed deny the run.
    pub(crate) strict: bool,
}

/// Values of `cache-control`; `null` leaves it to whoever serves.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PresetSettings {
    pub(crate) fingerprinted: Option<String>,
    pub(crate) pages: Option<String>,
    pub(crate) others: Option<String>,
}

/// Where build tools put names that never mean other bytes: Astro, SvelteKit, Next.js, Nuxt. Nuxt's `builds/latest.json`
/// is looked up again and again.
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
    /// A fingerprinted name never gets other bytes: a year, without asking. A page is what names everything else: always
    /// asked for. The rest may change under its name in every release: browsers ask each time, since no invalidation
    /// reaches them; the CDN, which one does reach, keeps it, for a day at most should an invalidation get lost.
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
        const NO_VALUE: &str = "not a header's value; use printable ASCII without spaces at either end";
        for (place, rule) in self.rules.iter().enumerate() {
            let at = Pointer::root().member("rules").index(place);
            for (name, value) in &rule.set {
                if !name::is_value(value) {
                    issues.add(&at.clone().member("set").member(&name.to_string()), NO_VALUE);
                }
            }
            if rule.set.is_empty() && rule.remove.is_empty() {
                issues.add(&at, "a rule that neither sets nor removes a header; add `set` or `remove`");
            }
        }
        let presets = [
            ("fingerprinted", &self.presets.fingerprinted),
            ("pages", &self.presets.pages),
            ("others", &self.presets.others),
        ];
        for (member, value) in presets {
            if value.as_deref().is_some_and(|value| !name::is_value(value)) {
                issues.add(&Pointer::root().member("presets").member(member), NO_VALUE);
            }
        }
        if self.file.key.is_empty() || self.file.key.starts_with('/') {
            issues
                .add(&Pointer::root().member("headers-file").member("key"), "not a key; write one such as `_headers`");
        }
    }
}
