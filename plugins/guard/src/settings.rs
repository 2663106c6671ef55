//! Settings of `guard`.

use serde::{Deserialize, Serialize};
use tidegate_plugin::glob::{GlobList, IgnoreGlob, KeyGlob};
use tidegate_plugin::violations::Response;
use tidegate_plugin::{Issues, Pointer, Settings};

use crate::Share;

/// Settings of `guard`. A limit that is `null` is off.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct GuardSettings {
    /// Whether a plan may publish an empty site.
    pub(crate) allow_empty: bool,
    /// Minimum of objects on the site afterwards.
    pub(crate) min_objects: Option<u64>,
    /// Keys that the site must have afterwards, at least one for each pattern.
    pub(crate) required: Vec<KeyGlob>,
    /// Limit of deleted objects.
    pub(crate) max_deletes: Option<u64>,
    /// Limit of deleted objects as a share of the site's objects.
    pub(crate) max_delete_share: Option<Share>,
    /// The share is checked only if more objects than this are deleted: on a small site, every delete is a large share.
    pub(crate) delete_share_above: u64,
    /// Limit of changed objects: created, updated, deleted, and with changed headers.
    pub(crate) max_changes: Option<u64>,
    /// Limit of an object, in bytes.
    pub(crate) max_object_bytes: Option<u64>,
    /// Limit of the site, in bytes.
    pub(crate) max_site_bytes: Option<u64>,
    /// Names that must not be published.
    pub(crate) forbidden: GlobList,
    /// Exceptions to `forbidden`.
    pub(crate) allow: GlobList,
    /// The response to a violation of each rule.
    pub(crate) on_violation: OnViolation,
}

/// The response of each rule, by the rule's name.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct OnViolation {
    pub(crate) allow_empty: Response,
    pub(crate) min_objects: Response,
    pub(crate) required: Response,
    pub(crate) max_deletes: Response,
    pub(crate) max_delete_share: Response,
    pub(crate) max_changes: Response,
    pub(crate) max_object_bytes: Response,
    pub(crate) max_site_bytes: Response,
    pub(crate) forbidden: Response,
    pub(crate) addresses: Response,
}

impl Default for OnViolation {
    fn default() -> Self {
        Self {
            allow_empty: Response::Deny,
            min_objects: Response::Deny,
            required: Response::Deny,
            max_deletes: Response::Deny,
            max_delete_share: Response::Deny,
            // Many changes can be intended, so a person approves them.
            max_changes: Response::Hold,
            max_object_bytes: Response::Deny,
            max_site_bytes: Response::Deny,
            forbidden: Response::Deny,
            // Only reported: the configuration of the CDN, which a plan does not have, decides which object visitors get.
            addresses: Response::Report,
        }
    }
}

/// Secrets that builds publish by accident: environment files, version control, private keys and key stores,
/// credentials of clouds and package managers, shell histories, Terraform state.
const FORBIDDEN: [&str; 40] = [
    ".env",
    ".env.*",
    "!.env.example",
    ".git/",
    ".svn/",
    ".hg/",
    ".aws/",
    ".ssh/",
    ".gnupg/",
    ".kube/",
    ".docker/config.json",
    ".npmrc",
    ".yarnrc",
    ".pypirc",
    ".netrc",
    "_netrc",
    ".htpasswd",
    ".pgpass",
    ".my.cnf",
    ".git-credentials",
    ".bash_history",
    ".zsh_history",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "*.tfstate",
    "*.tfstate.backup",
    "*.tfvars",
    "credentials.json",
    "service-account*.json",
    ".terraform/",
];

/// Up to this number of deletes, their share is not checked.
const DELETE_SHARE_ABOVE: u64 = 20;

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            allow_empty: false,
            min_objects: None,
            required: Vec::new(),
            max_deletes: None,
            max_delete_share: Some(Share::HALF),
            delete_share_above: DELETE_SHARE_ABOVE,
            max_changes: None,
            max_object_bytes: None,
            max_site_bytes: None,
            forbidden: FORBIDDEN.iter().filter_map(|glob| IgnoreGlob::parse(glob).ok()).collect(),
            allow: GlobList::default(),
            on_violation: OnViolation::default(),
        }
    }
}

impl Settings for GuardSettings {
    fn check(&mut self, issues: &mut Issues) {
        if let (Some(object), Some(site)) = (self.max_object_bytes, self.max_site_bytes)
            && object > site
        {
            let message = "it is larger than `max-site-bytes`, so it has no effect; lower it";
            issues.add(&Pointer::root().member("max-object-bytes"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FORBIDDEN, GuardSettings, IgnoreGlob};

    #[test]
    fn every_default_is_a_valid_glob() {
        assert_eq!(Vec::<IgnoreGlob>::from(GuardSettings::default().forbidden).len(), FORBIDDEN.len());
    }
}
