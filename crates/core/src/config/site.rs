//! One site of a configuration: what is published where, through which plugins, shown by which distributions.
//!
//! Owns the rules that hold within a site. Rules between sites are the configuration's.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::protect::ProtectedKeys;
use super::value::{
    DistributionId, LeaseSeconds, MetadataName, OriginPath, PluginReference, RoleArn, Sha256Hex, SiteName,
};
use super::webhook::{GithubRule, Webhook};
use crate::arn::{Partition, distribution_arn};
use crate::invalidation::FREE_PATHS;
use crate::location::{Location, Prefix, Source};
use crate::put_options::ObjectSettings;
use crate::release::keep::Retention;

/// One site.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Site {
    /// Its name.
    pub name: SiteName,
    /// The one artifact that is published where no `--from` says otherwise. In S3, uploads publish it: a zip when it is
    /// stored, a prefix when its `.ready` is.
    #[serde(default)]
    pub staged: Option<Source>,
    /// Where builds land under names of their own: `NAME.zip`, or `NAME/…` closed by `NAME/.ready`. It is a field beside
    /// `staged` because the two read the same prefix in two ways: below `staged` everything is one artifact, below `builds`
    /// every folder and every zip is one, and which of them is meant cannot be seen from the prefix.
    #[serde(default)]
    pub builds: Option<Location>,
    /// Whether what lands in `staged` or `builds` is published by itself. Where nothing is said: yes, unless the site has
    /// webhooks. Their rules would be worth nothing if every build of every branch went live as soon as it landed.
    #[serde(default)]
    pub publish_on_upload: Option<bool>,
    /// Where it is published.
    pub target: Location,
    /// The role that publishes it; without one, the caller's own credentials do.
    #[serde(default)]
    pub role: Option<RoleArn>,
    /// The distributions that show it.
    #[serde(default)]
    pub cdn: Vec<DistributionConfig>,
    /// Where its releases are kept: the configuration's `state` and its own name.
    #[serde(skip)]
    pub state: Option<Location>,
    /// How long what earlier releases name is kept.
    #[serde(default)]
    pub keep: Retention,
    /// How long the lease of a run that died blocks the next one, in seconds.
    #[serde(default)]
    pub lease_seconds: LeaseSeconds,
    /// Whether objects that the artifact lacks are deleted.
    #[serde(default = "yes")]
    pub delete: bool,
    /// Globs of keys that are never deleted.
    #[serde(default)]
    pub protect: ProtectedKeys,
    /// How objects are written.
    #[serde(default)]
    pub objects: ObjectSettings,
    /// Whose announcements publish it.
    #[serde(default, rename = "webhook")]
    pub webhooks: Vec<Webhook>,
    /// Sync plugins, in order.
    #[serde(default)]
    pub sync: Vec<PluginUse>,
    /// Policy plugins. Where `guard` is not among them, it judges with its defaults.
    #[serde(default)]
    pub policy: Vec<PluginUse>,
}

fn yes() -> bool {
    true
}

/// A distribution and what it shows of the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DistributionConfig {
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
    /// The user metadata that its `CacheTagConfig` reads tags from, without `x-amz-meta-`; without it, no tag is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_tags: Option<MetadataName>,
}

fn free_paths() -> usize {
    FREE_PATHS
}

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

impl Site {
    /// The partition of AWS that it is in: its role's, or the common one.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.role.as_ref().map(RoleArn::partition).unwrap_or_default()
    }

    /// Where the releases of every site of its configuration are kept.
    #[must_use]
    pub fn state_root(&self) -> Option<Location> {
        let state = self.state.as_ref()?;
        let root = state.prefix.as_str().strip_suffix(&format!("{}/", self.name))?;
        Some(Location { bucket: state.bucket.clone(), prefix: Prefix::new(root).ok()? })
    }

    /// Whether what lands in its places is published by itself.
    #[must_use]
    pub fn publishes_on_upload(&self) -> bool {
        self.publish_on_upload.unwrap_or(self.webhooks.is_empty())
    }

    /// Whether a source lies in the site's own places in S3: what a stranger with a signature may name.
    #[must_use]
    pub fn owns(&self, source: &Source) -> bool {
        let within = |place: &Location| match source {
            Source::Prefix(location) => location.bucket == place.bucket && place.prefix.contains(&location.prefix),
            Source::Object(object) => {
                object.bucket == place.bucket && place.prefix.relative(object.key.as_str()).is_some()
            }
            Source::Directory(_) | Source::Archive(_) | Source::Release(_) => false,
        };
        let staged = match &self.staged {
            Some(Source::Prefix(place)) => within(place),
            Some(Source::Object(_)) => self.staged.as_ref() == Some(source),
            _ => false,
        };
        staged || self.builds.as_ref().is_some_and(within)
    }

    /// Its rules for webhooks of GitHub.
    pub fn github_rules(&self) -> impl Iterator<Item = &GithubRule> {
        self.webhooks.iter().filter_map(|webhook| match webhook {
            Webhook::Github(rule) => Some(rule.as_ref()),
            Webhook::Generic(_) => None,
        })
    }

    /// `kept` says whether the configuration has a state.
    pub(super) fn check(&self, kept: bool) -> Result<(), ConfigError> {
        for webhook in &self.webhooks {
            webhook.check(self, kept).map_err(|error| ConfigError::Webhook { site: self.name.clone(), error })?;
        }
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
            if cdn.cache_tags.is_some() && !kept {
                return Err(ConfigError::CacheTags(cdn.distribution.clone()));
            }
        }
        Ok(())
    }
}

impl DistributionConfig {
    /// A distribution with everything else at its default.
    #[must_use]
    pub fn new(distribution: DistributionId, origin_path: OriginPath) -> Self {
        Self { distribution, origin_path, max_paths: FREE_PATHS, wait_seconds: 0, cache_tags: None }
    }

    /// Whether its origin path is the target's prefix or a folder above it.
    #[must_use]
    pub fn leads_to(&self, target: &Location) -> bool {
        self.origin_path.prefix().contains(&target.prefix)
    }

    /// What visitors of this distribution see before a key of the site at `target`.
    #[must_use]
    pub fn visible_prefix(&self, target: &Location) -> Prefix {
        target
            .prefix
            .as_str()
            .strip_prefix(self.origin_path.prefix().as_str())
            .and_then(|rest| Prefix::new(rest).ok())
            .unwrap_or_default()
    }

    /// The distribution's ARN in the account of `role`.
    #[must_use]
    pub fn arn(&self, role: &RoleArn) -> String {
        distribution_arn(&role.partition(), role.account(), self.distribution.as_str())
    }
}
