//! `tidegate.toml`: the one file of configuration, parsed at the door.
//!
//! Owns its form and the rules that hold between its parts. Never reads a file, a variable or a bucket; never checks a
//! plugin's settings, which is the plugin's own business.

use std::collections::BTreeSet;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::{Deserialize, Serialize};

use crate::document::distribution_arn;
use crate::invalidation::FREE_PATHS;
use crate::key::StoredKey;
use crate::lease::DEFAULT_SECONDS;
use crate::location::{Location, LocationError, Prefix, Source};
use crate::plan::Writing;
use crate::release::Keep;

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where releases are kept, each site's below its name: manifests, leases, bodies of earlier releases. Without it a
    /// site has no releases: nobody can go back, and two publishes at once are nobody's business.
    #[serde(default)]
    pub state: Option<Location>,
    /// The sites, by name.
    #[serde(rename = "site")]
    pub sites: Vec<Site>,
}

/// One site.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Site {
    /// Its name.
    pub name: SiteName,
    /// Where builds leave it, where no `--from` says otherwise.
    #[serde(default)]
    pub staged: Option<Source>,
    /// Where it is published.
    pub target: Location,
    /// The role that publishes it; without one, the caller's own credentials do.
    #[serde(default)]
    pub role: Option<RoleArn>,
    /// The distributions that show it.
    #[serde(default)]
    pub cdn: Vec<Cdn>,
    /// Where its releases are kept: the configuration's `state` and its own name.
    #[serde(skip)]
    pub state: Option<Location>,
    /// How long what earlier releases name is kept.
    #[serde(default)]
    pub keep: Keep,
    /// How long the lease of a run that died blocks the next one, in seconds.
    #[serde(default = "lease_seconds")]
    pub lease_seconds: LeaseSeconds,
    /// Whether objects that the artifact lacks are deleted.
    #[serde(default = "yes")]
    pub delete: bool,
    /// Globs of keys that are never deleted.
    #[serde(default)]
    pub protect: Protect,
    /// How objects are written.
    #[serde(default)]
    pub writing: Writing,
    /// Sync plugins, in order.
    #[serde(default)]
    pub sync: Vec<PluginUse>,
    /// Policy plugins. Where `guard` is not among them, it judges with its defaults.
    #[serde(default)]
    pub policy: Vec<PluginUse>,
}

fn lease_seconds() -> LeaseSeconds {
    LeaseSeconds(DEFAULT_SECONDS)
}

/// 1 to 900 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct LeaseSeconds(u16);

impl Default for LeaseSeconds {
    fn default() -> Self {
        lease_seconds()
    }
}

impl From<LeaseSeconds> for u16 {
    fn from(seconds: LeaseSeconds) -> Self {
        seconds.0
    }
}

impl TryFrom<u16> for LeaseSeconds {
    type Error = ValueError;
    fn try_from(seconds: u16) -> Result<Self, ValueError> {
        if (1..=900).contains(&seconds) { Ok(Self(seconds)) } else { Err(ValueError::LeaseSeconds(seconds)) }
    }
}

fn yes() -> bool {
    true
}

/// A site's name: 1 to 63 lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SiteName(String);

/// An IAM role's ARN.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleArn(String);

/// A distribution and what it shows of the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cdn {
    /// Its id, such as `E2EXAMPLE`.
    pub distribution: DistributionId,
    /// The origin path that it puts before every request: the part of the site's prefix that visitors do not see.
    #[serde(default)]
    pub origin_path: OriginPath,
    /// Most paths of one invalidation, at least 1 whatever is written; beyond it, folders become wildcards.
    #[serde(default = "free_paths")]
    pub max_paths: usize,
    /// How long a publish waits until the invalidation is complete, in seconds; 0 for not at all.
    #[serde(default)]
    pub wait_seconds: u32,
}

fn free_paths() -> usize {
    FREE_PATHS
}

/// A distribution's id: upper-case letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DistributionId(String);

/// An origin path as CloudFront writes it, `/docs/v1` or empty, kept as the prefix it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OriginPath(Prefix);

/// One use of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PluginUse {
    /// A bundled plugin's name, a path of a component relative to the configuration, or `s3://bucket/key.wasm`.
    pub plugin: PluginReference,
    /// SHA-256 of the component; required for everything that is not bundled.
    #[serde(default)]
    pub sha256: Option<Sha256Hex>,
    /// Its settings, as the plugin documents them.
    #[serde(default)]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// Where a plugin's component is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PluginReference {
    /// Bundled with Tidegate, by name.
    Bundled(String),
    /// A file, relative to the configuration.
    File(String),
    /// An object: `s3://bucket/key.wasm`.
    Object(crate::location::ObjectLocation),
}

/// 64 hexadecimal digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Hex(String);

/// Globs of keys that are never deleted, as in a `.gitignore`: the last one that matches decides, `!` takes back.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Protect {
    globs: Vec<String>,
    matcher: Gitignore,
}

/// Why a configuration is refused. Every message says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or not of this form. The text names line and field.
    #[error("the configuration cannot be read: {0}")]
    Form(String),
    /// Two sites of one name.
    #[error("two sites are named `{0}`, rename one of them")]
    SameName(SiteName),
    /// Two sites that would delete each other's objects.
    #[error("the targets of `{0}` and `{1}` lie within each other, give each site a prefix of its own")]
    Overlap(SiteName, SiteName),
    /// What is published would land where builds are staged.
    #[error("the site `{0}` would be published into the place that it is staged in, separate `target` and `staged`")]
    Loop(SiteName),
    /// Releases would be kept where a site is published or staged, so that a publish would delete, publish or trigger them.
    #[error("the `state` lies within the {what} of the site `{site}` or around it, give it a prefix of its own")]
    State {
        /// The site.
        site: SiteName,
        /// `target`, `staged`.
        what: &'static str,
    },
    /// A plugin that is not bundled has no digest.
    #[error("the plugin `{plugin}` of the site `{site}` needs its `sha256`, since it is not bundled with Tidegate")]
    Digest {
        /// The site.
        site: SiteName,
        /// The plugin.
        plugin: PluginReference,
    },
    /// The origin path shows something else than the site.
    #[error(
        "the origin path of `{distribution}` does not lead to the target `{target}`, use one of its parent folders"
    )]
    Origin {
        /// The distribution.
        distribution: DistributionId,
        /// The site's target.
        target: Location,
    },
    /// A distribution needs the account, which only a role names.
    #[error("no site is named `{name}`, the configuration has {known}")]
    UnknownSite {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
}

/// Why a value of the configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a site's name.
    #[error("`{0}` is not a site's name, use 1 to 63 lower-case letters, digits and hyphens")]
    SiteName(String),
    /// Not a role's ARN.
    #[error("`{0}` is not a role, write `arn:aws:iam::123456789012:role/NAME`")]
    Role(String),
    /// Not a distribution's id.
    #[error("`{0}` is not a distribution's id, write upper-case letters and digits such as `E2EXAMPLE`")]
    Distribution(String),
    /// Not an origin path.
    #[error("the origin path `{0}` must start with `/` and not end with it, or be empty")]
    OriginPath(String),
    /// Not a plugin's name.
    #[error("`{0}` is neither a bundled plugin nor the path of a `.wasm` component")]
    Plugin(String),
    /// Not a SHA-256.
    #[error("`{0}` is not a SHA-256, write its 64 hexadecimal digits")]
    Sha256(String),
    /// Not a glob.
    #[error("`{0}` is not a glob: {1}")]
    Glob(String, String),
    /// Too short or too long.
    #[error("`lease-seconds` is {0}, use 1 to 900")]
    LeaseSeconds(u16),
    /// Not a place.
    #[error(transparent)]
    Location(#[from] LocationError),
}

impl Config {
    /// Parses and checks a configuration.
    ///
    /// # Errors
    /// [`ConfigError`]; a wrong form names line and field.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut config: Self =
            toml::from_str(text).map_err(|error| ConfigError::Form(error.to_string().trim_end().to_owned()))?;
        let mut names = BTreeSet::new();
        for (at, site) in config.sites.iter().enumerate() {
            if !names.insert(&site.name) {
                return Err(ConfigError::SameName(site.name.clone()));
            }
            if let Some(other) = config.sites.iter().take(at).find(|other| other.target.overlaps(&site.target)) {
                return Err(ConfigError::Overlap(other.name.clone(), site.name.clone()));
            }
        }
        // A publish that lands in another site's staging place would start that site's publish.
        for site in &config.sites {
            if config.sites.iter().any(|other| staged_within(other, &site.target)) {
                return Err(ConfigError::Loop(site.name.clone()));
            }
            site.check()?;
        }
        let Some(state) = config.state.clone() else { return Ok(config) };
        for site in &mut config.sites {
            let refused = |what| ConfigError::State { site: site.name.clone(), what };
            if state.overlaps(&site.target) {
                return Err(refused("target"));
            }
            if staged_within(site, &state) {
                return Err(refused("staged"));
            }
            let prefix = Prefix::new(&state.prefix.join(&site.name.0));
            let prefix = prefix.map_err(|error| ConfigError::Form(error.to_string()))?;
            site.state = Some(Location { bucket: state.bucket.clone(), prefix });
        }
        Ok(config)
    }

    /// The site of that name.
    ///
    /// # Errors
    /// [`ConfigError::UnknownSite`] names the ones that there are.
    pub fn site(&self, name: &str) -> Result<&Site, ConfigError> {
        self.sites.iter().find(|site| site.name.0 == name).ok_or_else(|| {
            let known: Vec<String> = self.sites.iter().map(|site| format!("`{}`", site.name)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            ConfigError::UnknownSite { name: name.escape_default().to_string(), known }
        })
    }
}

fn staged_within(site: &Site, target: &Location) -> bool {
    match &site.staged {
        Some(Source::Prefix(staged)) => staged.overlaps(target),
        Some(Source::Object(object)) => {
            object.bucket == target.bucket && target.prefix.relative(object.key.as_str()).is_some()
        }
        Some(Source::Directory(_) | Source::Archive(_) | Source::Release(_)) | None => false,
    }
}

impl Site {
    /// Where the releases of every site of its configuration are kept.
    #[must_use]
    pub fn state_root(&self) -> Option<Location> {
        let state = self.state.as_ref()?;
        let root = state.prefix.as_str().strip_suffix(&format!("{}/", self.name))?;
        Some(Location { bucket: state.bucket.clone(), prefix: Prefix::new(root).ok()? })
    }

    fn check(&self) -> Result<(), ConfigError> {
        for plugin in self.sync.iter().chain(&self.policy) {
            if plugin.sha256.is_none() && !matches!(plugin.plugin, PluginReference::Bundled(_)) {
                return Err(ConfigError::Digest { site: self.name.clone(), plugin: plugin.plugin.clone() });
            }
        }
        for cdn in &self.cdn {
            if !cdn.leads_to(&self.target) {
                return Err(ConfigError::Origin {
                    distribution: cdn.distribution.clone(),
                    target: self.target.clone(),
                });
            }
        }
        Ok(())
    }
}

impl Cdn {
    /// A distribution with everything else at its default.
    #[must_use]
    pub fn new(distribution: DistributionId, origin_path: OriginPath) -> Self {
        Self { distribution, origin_path, max_paths: FREE_PATHS, wait_seconds: 0 }
    }

    /// Whether its origin path is the target's prefix or a folder above it.
    #[must_use]
    pub fn leads_to(&self, target: &Location) -> bool {
        self.origin_path.0.contains(&target.prefix)
    }

    /// What visitors of this distribution see before a key of the site at `target`.
    #[must_use]
    pub fn visible_prefix(&self, target: &Location) -> Prefix {
        target
            .prefix
            .as_str()
            .strip_prefix(self.origin_path.0.as_str())
            .and_then(|rest| Prefix::new(rest).ok())
            .unwrap_or_default()
    }

    /// The distribution's ARN in the account of `role`.
    #[must_use]
    pub fn arn(&self, role: &RoleArn) -> String {
        distribution_arn(role.account(), &self.distribution.0)
    }
}

impl RoleArn {
    /// The account's 12 digits.
    #[must_use]
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }

    /// The role's name, without its path.
    #[must_use]
    pub fn role_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl Protect {
    /// Compiles globs.
    ///
    /// # Errors
    /// [`ValueError::Glob`].
    pub fn new(globs: Vec<String>) -> Result<Self, ValueError> {
        let mut builder = GitignoreBuilder::new("");
        let told = |glob: &str, error: &ignore::Error| {
            ValueError::Glob(glob.escape_default().to_string(), error.to_string().escape_default().to_string())
        };
        for glob in &globs {
            builder.add_line(None, glob).map_err(|error| told(glob, &error))?;
        }
        let matcher = builder.build().map_err(|error| told(&globs.join(", "), &error))?;
        Ok(Self { globs, matcher })
    }

    /// Whether a key of the site is protected.
    #[must_use]
    pub fn covers(&self, key: &StoredKey) -> bool {
        // A key may begin with `/`, which the matcher would take for a path outside of its root.
        let path = key.as_str().trim_start_matches('/');
        !path.is_empty() && self.matcher.matched_path_or_any_parents(path, false).is_ignore()
    }
}

impl Default for Protect {
    fn default() -> Self {
        Self { globs: Vec::new(), matcher: Gitignore::empty() }
    }
}

impl PartialEq for Protect {
    fn eq(&self, other: &Self) -> bool {
        self.globs == other.globs
    }
}

impl Eq for Protect {}

impl TryFrom<Vec<String>> for Protect {
    type Error = ValueError;
    fn try_from(globs: Vec<String>) -> Result<Self, ValueError> {
        Self::new(globs)
    }
}

impl TryFrom<String> for SiteName {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let fine = (1..=63).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !text.starts_with('-');
        if fine { Ok(Self(text)) } else { Err(ValueError::SiteName(text.escape_default().to_string())) }
    }
}

impl TryFrom<String> for RoleArn {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let fine = match parts.as_slice() {
            ["arn", partition, "iam", "", account, resource] => {
                partition.starts_with("aws")
                    && account.len() == 12
                    && account.chars().all(|c| c.is_ascii_digit())
                    && resource.strip_prefix("role/").is_some_and(|name| {
                        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c))
                    })
            }
            _ => false,
        };
        if fine { Ok(Self(text)) } else { Err(ValueError::Role(text.escape_default().to_string())) }
    }
}

impl TryFrom<String> for DistributionId {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let fine = (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if fine { Ok(Self(text)) } else { Err(ValueError::Distribution(text.escape_default().to_string())) }
    }
}

impl TryFrom<String> for OriginPath {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        match text.strip_prefix('/') {
            None if text.is_empty() => Ok(Self::default()),
            Some(rest) if !rest.is_empty() && !rest.ends_with('/') => Ok(Self(Prefix::new(rest)?)),
            _ => Err(ValueError::OriginPath(text.escape_default().to_string())),
        }
    }
}

impl TryFrom<String> for PluginReference {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        if text.starts_with("s3://") {
            return Ok(Self::Object(text.parse()?));
        }
        let name = !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        match (name, text.ends_with(".wasm")) {
            (true, _) => Ok(Self::Bundled(text)),
            (false, true) => Ok(Self::File(text)),
            (false, false) => Err(ValueError::Plugin(text.escape_default().to_string())),
        }
    }
}

impl TryFrom<String> for Sha256Hex {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let fine = text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
        if fine {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(ValueError::Sha256(text.escape_default().to_string()))
        }
    }
}

impl From<OriginPath> for String {
    fn from(path: OriginPath) -> Self {
        match path.0.as_str().trim_end_matches('/') {
            "" => Self::new(),
            rest => format!("/{rest}"),
        }
    }
}

impl From<PluginReference> for String {
    fn from(reference: PluginReference) -> Self {
        reference.to_string()
    }
}

impl std::fmt::Display for PluginReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bundled(name) | Self::File(name) => f.write_str(name),
            Self::Object(object) => object.fmt(f),
        }
    }
}

macro_rules! plain_text {
    ($($name:ident),*) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
        impl $name {
            /// The value as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

plain_text!(SiteName, RoleArn, DistributionId, Sha256Hex);

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        [[site]]
        name   = "docs"
        staged = "s3://acme-artifacts/staging/docs/"
        target = "s3://docs.acme.com/v1/"
        role   = "arn:aws:iam::123456789012:role/tidegate-docs"
        cdn    = [{ distribution = "E2EXAMPLE", origin-path = "/v1" }]
        protect = ["legacy/**"]

        [[site.sync]]
        plugin = "exclude"
        settings = { globs = ["drafts/**"] }

        [[site.policy]]
        plugin = "guard"
        settings = { max-deletes = 200 }
    "#;

    #[test]
    fn a_whole_configuration_is_read() {
        let config = Config::parse(WHOLE).unwrap();
        let site = config.site("docs").unwrap();
        assert_eq!(site.role.as_ref().unwrap().account(), "123456789012");
        assert_eq!(site.cdn.first().unwrap().visible_prefix(&site.target), Prefix::default());
        let covers = |key: &str| site.protect.covers(&StoredKey::new(key));
        assert!(site.delete && covers("legacy/a/b") && covers("/legacy/x") && !covers("x") && !covers("/"));
        assert!(config.site("dosc").unwrap_err().to_string().contains("`docs`"));
    }

    #[test]
    fn mistakes_are_named() {
        let with = |from: &str, to: &str| {
            let changed = WHOLE.replace(from, to);
            assert_ne!(changed, WHOLE);
            Config::parse(&changed).unwrap_err().to_string()
        };
        assert!(with("protect =", "protcet =").contains("protcet"));
        assert!(with("\"docs\"", "\"Docs\"").contains("`Docs`"));
        assert!(with("role/tidegate-docs", "user/x").contains("role"));
        assert!(with("E2EXAMPLE", "e2 x").contains("distribution"));
        assert!(with("\"/v1\"", "\"v1\"").contains("origin path"));
        assert!(with("\"/v1\"", "\"/v2\"").contains("does not lead"));
        assert!(with("\"exclude\"", "\"plugins/x.wasm\"").contains("sha256"));
        assert!(with("legacy/**", "legacy/{a").contains("glob"));
        assert!(with("s3://docs.acme.com/v1/", "s3://acme-artifacts/staging/docs/out").contains("staged in"));
        let twice = format!("{WHOLE}{}", WHOLE.replace("\"docs\"", "\"other\""));
        assert!(Config::parse(&twice).unwrap_err().to_string().contains("within each other"));
    }
}
