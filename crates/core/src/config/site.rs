//! `[[site]]`: the settings of one site, and the rules between them.

use serde::{Deserialize, Serialize};

use super::archive_limits::ArchiveLimits;
use super::credentials::{CredentialChoice, CredentialMode};
use super::edge::{EdgeConfig, EdgeConfigError};
use super::error::ConfigError;
use super::owners::AccountId;
use super::plugin_grant::PluginGrant;
use super::plugin_use::PluginUse;
use super::protect::ProtectedKeys;
use super::value::{DistributionId, LeaseSeconds, MetadataName, OriginPath, RoleArn, SiteName};
use super::webhook::{GithubRule, SiteSources, Webhook};
use crate::arn::{Partition, distribution_arn};
use crate::declared::StagedHeaders;
use crate::invalidation::AddressRules;
use crate::invalidation::quota::FREE_PATHS;
use crate::kms_key::KmsKey;
use crate::location::{Location, Prefix, Source};
use crate::put_options::ObjectSettings;
use crate::release::retention::Retention;

/// The settings of one site.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Site {
    /// Its name.
    pub name: SiteName,
    /// The artifact that is published without `--from`. In S3, an upload publishes it: the zip itself, or the `.ready` of the
    /// prefix.
    #[serde(default)]
    pub staged: Option<Source>,
    /// Where CI uploads builds by name: `NAME.zip`, or `NAME/…` with `NAME/.ready` as the last object. A prefix alone does
    /// not say which is meant, so this is a separate field: below `staged` everything is one artifact, below `builds` every
    /// folder and every zip is one.
    #[serde(default)]
    pub builds: Option<Location>,
    /// The KMS key that objects of `builds` and `staged` are encrypted with, by their bucket or by the upload.
    #[serde(default)]
    pub builds_kms_key: Option<KmsKey>,
    /// How the headers of staged objects are used.
    #[serde(default)]
    pub staged_headers: StagedHeaders,
    /// Whether uploads to `staged` or `builds` are published automatically. By default yes, unless the site has webhooks:
    /// their rules would have no effect if every build of every branch went live on upload.
    #[serde(default)]
    pub publish_on_upload: Option<bool>,
    /// Where the site is published.
    pub target: Location,
    /// The account that owns the bucket of `target`, and those of `staged` and `builds`.
    #[serde(default)]
    pub owner: Option<AccountId>,
    /// The account that owns the buckets of `staged` and `builds`, where it is another one.
    #[serde(default)]
    pub builds_owner: Option<AccountId>,
    /// The account that owns the bucket of `state`.
    #[serde(skip)]
    pub state_owner: Option<AccountId>,
    /// The role that publishes it.
    #[serde(default)]
    pub role: Option<RoleArn>,
    /// Which credentials a run uses; by default those of the role, if there is one.
    #[serde(default)]
    pub credentials: Option<CredentialMode>,
    /// The CloudFront distributions that serve it.
    #[serde(default)]
    pub cdn: Vec<DistributionConfig>,
    /// The CloudFront function that serves it.
    #[serde(default)]
    pub edge: Option<EdgeConfig>,
    /// Where its releases are stored: the site's name below the configuration's `state`.
    #[serde(skip)]
    pub state: Option<Location>,
    /// The configuration's `state-kms-key`.
    #[serde(skip)]
    pub state_kms_key: Option<KmsKey>,
    /// The AWS partition, where no role says it.
    #[serde(skip)]
    pub default_partition: Partition,
    /// How long earlier releases are kept.
    #[serde(default)]
    pub keep: Retention,
    /// How long the lease of a run that died blocks other runs, in seconds.
    #[serde(default)]
    pub lease_seconds: LeaseSeconds,
    /// Whether objects that are not in the artifact are deleted.
    #[serde(default = "yes")]
    pub delete: bool,
    /// A leading folder of the source that is not part of the site, such as the single folder in a zip; empty for none.
    #[serde(default)]
    pub strip_prefix: Prefix,
    /// Limits of zips that are published.
    #[serde(default)]
    pub archive_limits: ArchiveLimits,
    /// Globs of keys that are never deleted.
    #[serde(default)]
    pub protect: ProtectedKeys,
    /// How objects are written.
    #[serde(default)]
    pub objects: ObjectSettings,
    /// Webhooks that publish it.
    #[serde(default, rename = "webhook")]
    pub webhooks: Vec<Webhook>,
    /// Sync plugins, in order.
    #[serde(default)]
    pub sync: Vec<PluginUse>,
    /// Policy plugins. If `guard` is not among them, it runs with its defaults.
    #[serde(default)]
    pub policy: Vec<PluginUse>,
}

fn yes() -> bool {
    true
}

/// A CloudFront distribution, and the part of the bucket that it serves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DistributionConfig {
    /// Its id, such as `E2EXAMPLE`.
    pub distribution: DistributionId,
    /// The origin path that it prepends to every request: the part of the site's prefix that visitors do not see.
    #[serde(default)]
    pub origin_path: OriginPath,
    /// Whether it also shows a page without its extension: `about.html` as `/about`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clean_urls: bool,
    /// Most paths of one invalidation; 0 counts as 1. Beyond it, folders become wildcards.
    #[serde(default = "free_paths")]
    pub max_paths: usize,
    /// How long a publish waits for the invalidation to complete, in seconds; 0 for no waiting.
    #[serde(default)]
    pub wait_seconds: u32,
    /// The user metadata that its `CacheTagConfig` reads tags from, without `x-amz-meta-`. Without it, no tags are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_tags: Option<MetadataName>,
}

fn free_paths() -> usize {
    FREE_PATHS
}

impl Site {
    /// The AWS partition of its role, or that of the region.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.role.as_ref().map_or_else(|| self.default_partition.clone(), RoleArn::partition)
    }

    /// Which credentials to try.
    #[must_use]
    pub fn credential_choice(&self) -> CredentialChoice<'_> {
        CredentialChoice::of(self.credentials, self.role.as_ref())
    }

    /// The configuration's `state`: where the releases of all sites are stored.
    #[must_use]
    pub fn state_root(&self) -> Option<Location> {
        let state = self.state.as_ref()?;
        let root = state.prefix.as_str().strip_suffix(&format!("{}/", self.name))?;
        Some(Location { bucket: state.bucket.clone(), prefix: Prefix::new(root).ok()? })
    }

    /// Whether uploads are published automatically.
    #[must_use]
    pub fn publishes_on_upload(&self) -> bool {
        self.publish_on_upload.unwrap_or(self.webhooks.is_empty())
    }

    /// Its `staged`, if it is in S3: a webhook can publish it.
    #[must_use]
    pub fn staged_in_s3(&self) -> Option<&Source> {
        self.staged.as_ref().filter(|source| matches!(source, Source::Prefix(_) | Source::Object(_)))
    }

    /// Its rules for GitHub webhooks.
    pub fn github_rules(&self) -> impl Iterator<Item = &GithubRule> {
        self.webhooks.iter().filter_map(|webhook| match webhook {
            Webhook::Github(rule) => Some(rule.as_ref()),
            Webhook::Generic(_) => None,
        })
    }

    /// Checks the site; `has_state` says whether the configuration has a `state`.
    pub(super) fn check(&self, has_state: bool) -> Result<(), ConfigError> {
        let sources =
            SiteSources { builds: self.builds.is_some(), staged: self.staged_in_s3().is_some(), state: has_state };
        if self.credentials == Some(CredentialMode::Role) && self.role.is_none() {
            return Err(ConfigError::NoRole(self.name.clone()));
        }
        if let Some(Source::Object(object)) = &self.staged {
            object.check_for_policies().map_err(|error| ConfigError::Staged { site: self.name.clone(), error })?;
        }
        for webhook in &self.webhooks {
            webhook.check(sources).map_err(|error| ConfigError::Webhook { site: self.name.clone(), error })?;
        }
        self.check_plugins()?;
        if self.edge.is_some() {
            self.check_edge(has_state)?;
        }
        for cdn in &self.cdn {
            if !cdn.leads_to(&self.target) {
                return Err(ConfigError::Origin {
                    distribution: cdn.distribution.clone(),
                    target: self.target.clone(),
                });
            }
            if cdn.cache_tags.is_some() && !has_state {
                return Err(ConfigError::CacheTags(cdn.distribution.clone()));
            }
        }
        Ok(())
    }

    fn check_plugins(&self) -> Result<(), ConfigError> {
        let sync = self.sync.iter().map(|used| (used, used.grant.as_ref().map(PluginGrant::check_for_sync)));
        let policy = self.policy.iter().map(|used| (used, used.grant.as_ref().map(PluginGrant::check_for_policy)));
        for (used, grant) in sync.chain(policy) {
            used.check().and_then(|()| Ok(grant.unwrap_or(Ok(()))?)).map_err(|error| ConfigError::Plugin {
                site: self.name.clone(),
                plugin: used.plugin.clone(),
                error,
            })?;
        }
        Ok(())
    }

    /// The function reads which release is live, and rules hold for releases, so both need a state. It sees paths, so the
    /// site must be at the root of its distributions.
    fn check_edge(&self, has_state: bool) -> Result<(), ConfigError> {
        let edge = |error| Err(ConfigError::Edge { site: self.name.clone(), error });
        if !has_state {
            return edge(EdgeConfigError::State);
        }
        let Some(first) = self.cdn.first() else { return edge(EdgeConfigError::Distribution) };
        let visible = self.cdn.iter().find(|cdn| !cdn.visible_prefix(&self.target).as_str().is_empty());
        if let Some(cdn) = visible.filter(|cdn| cdn.leads_to(&self.target)) {
            return edge(EdgeConfigError::OriginPath(cdn.distribution.clone(), self.target.clone()));
        }
        if self.cdn.iter().any(|cdn| cdn.origin_path != first.origin_path) {
            return edge(EdgeConfigError::OriginPaths);
        }
        Ok(())
    }
}

impl DistributionConfig {
    /// A distribution with default settings.
    #[must_use]
    pub fn new(distribution: DistributionId, origin_path: OriginPath) -> Self {
        Self { distribution, origin_path, clean_urls: false, max_paths: FREE_PATHS, wait_seconds: 0, cache_tags: None }
    }

    /// Whether its origin path is the target's prefix or one of its parent folders.
    #[must_use]
    pub fn leads_to(&self, target: &Location) -> bool {
        self.origin_path.prefix().contains(&target.prefix)
    }

    /// The prefix that visitors of this distribution see before the keys of the site at `target`.
    #[must_use]
    pub fn visible_prefix(&self, target: &Location) -> Prefix {
        target
            .prefix
            .as_str()
            .strip_prefix(self.origin_path.prefix().as_str())
            .and_then(|rest| Prefix::new(rest).ok())
            .unwrap_or_default()
    }

    /// How visitors of this distribution address the keys of the site at `target`.
    pub(crate) fn address_rules(&self, target: &Location) -> AddressRules {
        AddressRules { prefix: self.visible_prefix(target), clean_urls: self.clean_urls }
    }

    /// The distribution's ARN in the account of `role`.
    #[must_use]
    pub fn arn(&self, role: &RoleArn) -> String {
        distribution_arn(&role.partition(), role.account(), self.distribution.as_str())
    }
}
