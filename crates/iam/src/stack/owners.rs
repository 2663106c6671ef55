//! Settings of the configuration that name the owners of its buckets, where they are missing.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use tidegate_core::config::{AccountId, Config, Site, SiteName};
use tidegate_core::location::{Bucket, Source};

use super::account_region::AccountRegion;
use super::model::function_account;

/// A setting that names the owner of buckets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnerSetting {
    /// The site that it belongs to; none for a setting of all sites.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteName>,
    /// Its name: `owner`, `builds-owner`, `state-owner`.
    pub setting: &'static str,
    /// Its value.
    pub account: AccountId,
}

/// As a line of the configuration: `owner = "123456789012"`.
impl fmt::Display for OwnerSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = \"{}\"", self.setting, self.account.as_str())
    }
}

/// The buckets that a site's builds are uploaded to.
fn build_buckets(site: &Site) -> impl Iterator<Item = &Bucket> {
    let staged = site.staged_in_s3().and_then(|source| match source {
        Source::Prefix(location) => Some(&location.bucket),
        Source::Object(object) => Some(&object.bucket),
        Source::Directory(_) | Source::Archive(_) | Source::Release(_) => None,
    });
    staged.into_iter().chain(site.builds.as_ref().map(|builds| &builds.bucket))
}

/// The buckets of the configuration.
#[must_use]
pub fn configured_buckets(config: &Config) -> BTreeSet<Bucket> {
    let sites = config.sites.iter().flat_map(|site| build_buckets(site).chain([&site.target.bucket]));
    sites.chain(config.state.as_ref().map(|state| &state.bucket)).cloned().collect()
}

/// The settings to add, where `owned` are buckets that belong to `account`. `owner` is also the default of `builds-owner`,
/// so it is left out where it would be wrong for builds.
#[must_use]
pub fn missing_owners(config: &Config, account: &AccountId, owned: &BTreeSet<Bucket>) -> Vec<OwnerSetting> {
    let mut settings = Vec::new();
    let mut add = |site: Option<&SiteName>, setting| {
        settings.push(OwnerSetting { site: site.cloned(), setting, account: account.clone() });
    };
    if config.state_owner.is_none() && config.state.as_ref().is_some_and(|state| owned.contains(&state.bucket)) {
        add(None, "state-owner");
    }
    for site in config.sites.iter().filter(|site| site.owner.is_none()) {
        let has_builds = site.builds_owner.is_none() && build_buckets(site).next().is_some();
        let builds_owned = build_buckets(site).all(|bucket| owned.contains(bucket));
        if owned.contains(&site.target.bucket) && (builds_owned || !has_builds) {
            add(Some(&site.name), "owner");
        } else if has_builds && builds_owned {
            add(Some(&site.name), "builds-owner");
        }
    }
    settings
}

/// The settings to add if the buckets belong to the account of the stack, where that is known. Targets that a role of
/// another account writes are left out.
#[must_use]
pub fn assumed_owners(config: &Config, place: &AccountRegion) -> Vec<OwnerSetting> {
    let account = function_account(config, place).ok().flatten().and_then(|account| AccountId::try_from(account).ok());
    let Some(account) = account else { return Vec::new() };
    let mut owned = configured_buckets(config);
    for site in &config.sites {
        if site.role.as_ref().is_some_and(|role| role.account() != account.as_str()) {
            owned.remove(&site.target.bucket);
        }
    }
    missing_owners(config, &account, &owned)
}
