//! `tidegate.toml`: the one file of configuration, parsed at the door.
//!
//! Owns its form and the rules that hold between its parts. Never reads a file, a variable or a bucket; never checks a
//! plugin's settings, which is the plugin's own business.
mod function;
mod github;
mod pattern;
mod places;
mod protect;
mod secret;
mod site;
mod value;
mod webhook;

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::location::{Location, Prefix};

pub use function::{
    EventAge, FunctionConfig, FunctionError, FunctionName, LambdaArchitecture, LogRetention, MemorySize, Retries,
    Timeout, TopicArn,
};
pub use github::{ApiUrl, GithubAccess, GithubEvent, Repository, SiteUrl, StatusKind, StatusRule};
pub use pattern::NamePattern;
pub use protect::ProtectedKeys;
pub use secret::{MAX_SECRETS, SecretReference, SecretReferenceError, SecretReferences};
pub use site::{DistributionConfig, PluginUse, Site};
pub use value::{
    DistributionId, LeaseSeconds, MetadataName, OriginPath, PluginReference, RoleArn, Sha256Hex, SiteName, ValueError,
};
pub use webhook::{GenericRule, GithubRule, Webhook, WebhookError, WebhookProvider, WebhookPublish};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where releases are kept, each site's below its name: manifests, leases, bodies of earlier releases. Without it a
    /// site has no releases: nobody can go back, and two publishes at once are nobody's business.
    #[serde(default)]
    pub state: Option<Location>,
    /// The function that publishes by itself.
    #[serde(default)]
    pub function: FunctionConfig,
    /// The sites, by name.
    #[serde(rename = "site")]
    pub sites: Vec<Site>,
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
    /// What is published would land where builds are staged, and might start the next publish.
    #[error(
        "the site `{site}` would be published into the place that `{other}` is staged in, separate `target` and `{field}`"
    )]
    Loop {
        /// The site that is published.
        site: SiteName,
        /// The site that is staged there.
        other: SiteName,
        /// `staged`, `builds`.
        field: &'static str,
    },
    /// One upload would mean two things.
    #[error(
        "`{field}` of `{site}` and `{other_field}` of `{other}` lie within each other, so that one upload would mean two things, give each a prefix of its own"
    )]
    Places {
        /// A site.
        site: SiteName,
        /// `staged`, `builds`.
        field: &'static str,
        /// The other site.
        other: SiteName,
        /// `staged`, `builds`.
        other_field: &'static str,
    },
    /// A webhook that cannot publish the site.
    #[error("a webhook of the site `{site}` cannot work: {error}")]
    Webhook {
        /// The site.
        site: SiteName,
        /// Why.
        error: WebhookError,
    },
    /// Releases would be kept where a site is published or staged, so that a publish would delete, publish or trigger them.
    #[error("the `state` lies within the {what} of the site `{site}` or around it, give it a prefix of its own")]
    State {
        /// The site.
        site: SiteName,
        /// `target`, `staged`, `builds`.
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
    /// Which tags copies carry is known from the manifest of the release before.
    #[error("`cache-tags` of the distribution `{0}` needs to know the release before, name a `state`")]
    CacheTags(DistributionId),
    /// A distribution needs the account, which only a role names.
    #[error("no site is named `{name}`, the configuration has {known}")]
    UnknownSite {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
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
        places::check(&config.sites)?;
        for site in &config.sites {
            site.check(config.state.is_some())?;
        }
        let Some(state) = config.state.clone() else { return Ok(config) };
        for site in &mut config.sites {
            let refused = |what| ConfigError::State { site: site.name.clone(), what };
            if state.overlaps(&site.target) {
                return Err(refused("target"));
            }
            if let Some(field) = places::overlapping(site, &state) {
                return Err(refused(field));
            }
            let prefix = Prefix::new(&state.prefix.join(site.name.as_str()));
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
        self.sites.iter().find(|site| site.name.as_str() == name).ok_or_else(|| {
            let known: Vec<String> = self.sites.iter().map(|site| format!("`{}`", site.name)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            ConfigError::UnknownSite { name: name.escape_default().to_string(), known }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::StoredKey;

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
    fn cache_tags_need_a_state() {
        let text = "[[site]]\nname = \"docs\"\ntarget = \"s3://docs/\"\ncdn = [{ distribution = \"E1\", cache-tags = \"cache-tag\" }]\n";
        assert_eq!(Config::parse(text), Err(ConfigError::CacheTags("E1".to_owned().try_into().unwrap())));
        let config = Config::parse(&format!("state = \"s3://state/\"\n{text}")).unwrap();
        let cdn = config.site("docs").unwrap().cdn.first().unwrap();
        assert_eq!(cdn.cache_tags.as_ref().unwrap().header(), "x-amz-meta-cache-tag");
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
        for bad in ["x-amz-meta-cache-tag", "Cache-Tag", "", "tidegate-x", "a b"] {
            assert!(with("origin-path", &format!("cache-tags = \"{bad}\", origin-path")).contains("user metadata"));
        }
        assert!(with("\"exclude\"", "\"plugins/x.wasm\"").contains("sha256"));
        assert!(with("legacy/**", "legacy/{a").contains("glob"));
        assert!(with("s3://docs.acme.com/v1/", "s3://acme-artifacts/staging/docs/out").contains("staged in"));
        let twice = format!("{WHOLE}{}", WHOLE.replace("\"docs\"", "\"other\""));
        assert!(Config::parse(&twice).unwrap_err().to_string().contains("within each other"));
    }
}
