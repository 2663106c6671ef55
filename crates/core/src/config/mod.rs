//! The configuration file `tidegate.toml`, and the rules between its parts. Plugins check their own settings.
mod archive_limits;
mod credentials;
mod edge;
mod error;
mod function;
mod github;
mod pattern;
mod overlap;
mod owners;
mod plugin_grant;
mod plugin_use;
mod protect;
mod secret;
mod site;
mod site_buckets;
mod trusted_key;
mod value;
mod webhook;

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::arn::Partition;
use crate::kms_key::KmsKey;
use crate::location::{Location, Prefix};
use crate::sanitize::sanitize_name;

pub use archive_limits::{ArchiveLimit, ArchiveLimits};
pub use credentials::{CredentialChoice, CredentialMode, UsedCredentials};
pub use edge::{
    EdgeConfig, EdgeConfigError, EdgeFunctionName, EdgeReleases, MaxReads, RulesDialect, StoreArn, TrailingSlash,
};
pub use error::ConfigError;
pub use function::{
    BoundaryArn, EventAge, FunctionConfig, FunctionEngine, FunctionError, FunctionName, LogRetention, MemorySize,
    QueueArn, Retries, ShardSize, Timeout, TopicArn, Workers,
};
pub use github::{ApiUrl, GithubAccess, GithubEvent, Repository, RunEvents, SiteUrl, StatusKind, StatusRule};
pub use owners::{AccountId, BucketOwners};
pub use pattern::{NamePattern, is_merge_queue};
pub use plugin_grant::{EditKind, GrantError, GrantedHeader, MissingGrant, PluginGrant, ReadGrant};
pub use plugin_use::{PluginMode, PluginSettings, PluginUse, PluginUseError, SignatureReference, VersionRequirement};
pub use protect::ProtectedKeys;
pub use secret::{MAX_SECRETS, SecretReference, SecretReferenceError, SecretReferences};
pub use site::{DistributionConfig, Site};
pub use trusted_key::{KeyId, TrustedKey};
pub use value::{
    DistributionId, LeaseSeconds, MetadataName, OriginPath, PluginReference, RoleArn, Sha256Hex, SiteName, ValueError,
};
pub use webhook::{GenericRule, GithubRule, Webhook, WebhookError, WebhookProvider, WebhookPublish};

/// The configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where releases are stored, below the name of each site: manifests, leases, archived bodies. Without it there is no
    /// rollback, and concurrent publishes are not serialized.
    #[serde(default)]
    pub state: Option<Location>,
    /// The account that owns the bucket of `state`.
    #[serde(default, rename = "state-owner")]
    pub state_owner: Option<AccountId>,
    /// The KMS key that `state` is encrypted with.
    #[serde(default, rename = "state-kms-key")]
    pub state_kms_key: Option<KmsKey>,
    /// The Lambda function.
    #[serde(default)]
    pub function: FunctionConfig,
    /// What holds for all plugins that are not bundled.
    #[serde(default)]
    pub plugins: PluginSettings,
    /// The sites.
    #[serde(rename = "site")]
    pub sites: Vec<Site>,
}

impl Config {
    /// Parses and checks a configuration.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut config: Self =
            toml::from_str(text).map_err(|error| ConfigError::Form(error.to_string().trim_end().to_owned()))?;
        if config.plugins.require_signatures && config.plugins.trusted_keys.is_empty() {
            return Err(ConfigError::NoTrustedKeys);
        }
        for site in &mut config.sites {
            config.plugins.apply(&mut site.sync, &mut site.policy);
        }
        let mut names = BTreeSet::new();
        for (at, site) in config.sites.iter().enumerate() {
            if !names.insert(&site.name) {
                return Err(ConfigError::SameName(site.name.clone()));
            }
            if let Some(other) = config.sites.iter().take(at).find(|other| other.target.overlaps(&site.target)) {
                return Err(ConfigError::Overlap(other.name.clone(), site.name.clone()));
            }
        }
        overlap::check(&config.sites)?;
        for site in &config.sites {
            site.check(config.state.is_some())?;
        }
        let Some(state) = config.state.clone() else {
            config.check_owners()?;
            if config.state_kms_key.is_some() {
                let message = "`state-kms-key` without `state`; set both, or neither";
                return Err(ConfigError::Form(message.to_owned()));
            }
            return Ok(config);
        };
        for site in &mut config.sites {
            let overlap = |field| ConfigError::State { site: site.name.clone(), field };
            if state.overlaps(&site.target) {
                return Err(overlap("target"));
            }
            if let Some(field) = overlap::overlapping(site, &state) {
                return Err(overlap(field));
            }
            let prefix = Prefix::new(&state.prefix.join(site.name.as_str()));
            let prefix = prefix.map_err(|error| ConfigError::Form(error.to_string()))?;
            site.state_kms_key.clone_from(&config.state_kms_key);
            site.state = Some(Location { bucket: state.bucket.clone(), prefix });
            site.state_owner.clone_from(&config.state_owner);
        }
        config.check_owners()?;
        Ok(config)
    }

    /// Sets the AWS partition of sites without a role.
    pub fn set_default_partition(&mut self, partition: &Partition) {
        for site in &mut self.sites {
            site.default_partition.clone_from(partition);
        }
    }

    fn check_owners(&self) -> Result<(), ConfigError> {
        self.sites.iter().try_for_each(|site| site.checked_owners().map(drop))
    }

    /// The site with this name.
    ///
    /// # Errors
    /// [`ConfigError::UnknownSite`].
    pub fn site(&self, name: &str) -> Result<&Site, ConfigError> {
        self.sites.iter().find(|site| site.name.as_str() == name).ok_or_else(|| {
            let known: Vec<String> = self.sites.iter().map(|site| format!("`{}`", site.name)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            ConfigError::UnknownSite { name: sanitize_name(name), known }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::StoredKey;

    const CONFIGURATION: &str = r#"
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
    fn parses_a_configuration() {
        let config = Config::parse(CONFIGURATION).unwrap();
        let site = config.site("docs").unwrap();
        assert_eq!(site.role.as_ref().unwrap().account(), "123456789012");
        assert_eq!(site.cdn.first().unwrap().visible_prefix(&site.target), Prefix::default());
        let covers = |key: &str| site.protect.covers(&StoredKey::new(key));
        assert!(site.delete && covers("legacy/a/b") && covers("/legacy/x") && !covers("x") && !covers("/"));
        assert!(config.site("dosc").unwrap_err().to_string().contains("`docs`"));
    }

    #[test]
    fn a_lease_lasts_at_least_ten_seconds() {
        let parse = |seconds: u16| {
            Config::parse(&format!("[[site]]\nname = \"docs\"\ntarget = \"s3://docs/\"\nlease-seconds = {seconds}\n"))
        };
        assert!(parse(10).is_ok() && parse(900).is_ok());
        for bad in [0, 1, 9, 901] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("`lease-seconds` must be 10 to 900, not {bad}")), "{error}");
        }
    }

    #[test]
    fn cache_tags_need_a_state() {
        let text = "[[site]]\nname = \"docs\"\ntarget = \"s3://docs/\"\ncdn = [{ distribution = \"E1\", cache-tags = \"cache-tag\" }]\n";
        assert_eq!(Config::parse(text), Err(ConfigError::CacheTags("E1".to_owned().try_into().unwrap())));
        let config = Config::parse(&format!("state = \"s3://state/\"\n{text}")).unwrap();
        let cdn = config.site("docs").unwrap().cdn.first().unwrap();
        assert_eq!(cdn.cache_tags.as_ref().unwrap().header(), "x-amz-meta-cache-tag");
    }

    #[test]
    fn errors_name_the_mistake() {
        let error_with = |from: &str, to: &str| {
            let changed = CONFIGURATION.replace(from, to);
            assert_ne!(changed, CONFIGURATION);
            Config::parse(&changed).unwrap_err().to_string()
        };
        assert!(error_with("protect =", "protcet =").contains("protcet"));
        assert!(error_with("\"docs\"", "\"Docs\"").contains("`Docs`"));
        assert!(error_with("role/tidegate-docs", "user/x").contains("role"));
        assert!(error_with("E2EXAMPLE", "e2 x").contains("distribution"));
        assert!(error_with("\"/v1\"", "\"v1\"").contains("origin path"));
        assert!(error_with("\"/v1\"", "\"/v2\"").contains("does not match"));
        for bad in ["x-amz-meta-cache-tag", "Cache-Tag", "", "tidegate-x", "a b"] {
            let error = error_with("origin-path", &format!("cache-tags = \"{bad}\", origin-path"));
            assert!(error.contains("metadata name"), "{error}");
        }
        assert!(error_with("\"exclude\"", "\"plugins/x.wasm\"").contains("sha256"));
        assert!(error_with("legacy/**", "legacy/{a").contains("glob"));
        let error = error_with("s3://docs.acme.com/v1/", "s3://acme-artifacts/staging/docs/out");
        assert!(error.contains("overlaps `staged`"), "{error}");
        let duplicate = format!("{CONFIGURATION}{}", CONFIGURATION.replace("\"docs\"", "\"other\""));
        assert!(Config::parse(&duplicate).unwrap_err().to_string().contains("overlap"));
    }

    /// Every name that becomes part of an ARN in a policy; `NAME` is where a wildcard could be.
    const NAMES_IN_POLICIES: &str = r#"
        state = "s3://acme-state-NAME/NAME/"

        [function]
        name = "f-NAME"
        alarm-topic = "arn:aws:sns:eu-west-1:123456789012:NAME"

        [[site]]
        name   = "site-NAME"
        staged = "s3://acme-artifacts-NAME/NAME.zip"
        target = "s3://docs-NAME/NAME/"
        role   = "arn:aws:iam::123456789012:role/NAME"
        cdn    = [{ distribution = "NAME" }]
        objects = { encryption = "aws:kms", kms-key = "arn:aws:kms:eu-west-1:123456789012:key/NAME" }
        sync   = [{ plugin = "s3://plugins-NAME/NAME.wasm", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }]

        [[site]]
        name   = "other"
        builds = "s3://acme-builds-NAME/NAME/"
        target = "s3://other/"

        [[site.webhook]]
        provider = "generic"
        secrets = ["secretsmanager:NAME", "ssm:/NAME", "secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:NAME"]
    "#;

    #[test]
    fn names_in_policies_have_no_wildcards_and_variables() {
        let names: Vec<usize> = NAMES_IN_POLICIES.match_indices("NAME").map(|(at, _)| at).collect();
        assert!(names.len() > 15);
        let with = |at: usize, name: &str| {
            let (before, rest) = NAMES_IN_POLICIES.split_at(at);
            let valid = |text: &str| text.replace("distribution = \"NAME", "distribution = \"E1").replace("NAME", "x1");
            format!("{}{name}{}", valid(before), valid(rest.strip_prefix("NAME").unwrap()))
        };
        for at in names {
            let is_distribution = NAMES_IN_POLICIES.split_at(at).0.ends_with("distribution = \"");
            let valid = if is_distribution { "E1" } else { "x1" };
            if let Err(error) = Config::parse(&with(at, valid)) {
                panic!("{error}\n{}", with(at, valid));
            }
            for special in ["*", "?", "${aws:username}", "x*", "x?1", "x$1"] {
                assert!(Config::parse(&with(at, special)).is_err(), "{}", with(at, special));
            }
        }
    }
}
