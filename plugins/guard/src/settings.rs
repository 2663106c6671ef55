//! Settings of `guard`.
//!
//! Owns their shape and defaults. Judges nothing.

use serde::{Deserialize, Serialize};
use tidegate_plugin::glob::{GlobList, IgnoreGlob, KeyGlob};
use tidegate_plugin::{Issues, Pointer, Settings};

use crate::Share;

/// What a configuration may say. A limit that is `null` is not judged.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct GuardSettings {
    /// Whether a plan may publish nothing.
    pub(crate) allow_empty: bool,
    /// Fewest objects that the site must have afterwards.
    pub(crate) min_objects: Option<u64>,
    /// Keys that the site must have afterwards, each at least once.
    pub(crate) required: Vec<KeyGlob>,
    /// Most objects that may be deleted.
    pub(crate) max_deletes: Option<u64>,
    /// Largest share of the site's objects that may be deleted.
    pub(crate) max_delete_share: Option<Share>,
    /// The share is judged only where more objects than this are deleted: in a small site every delete is a large share.
    pub(crate) delete_share_above: u64,
    /// Most objects that may be created, updated or deleted, header changes included.
    pub(crate) max_changes: Option<u64>,
    /// Largest object, in bytes.
    pub(crate) max_object_bytes: Option<u64>,
    /// Largest site, in bytes.
    pub(crate) max_site_bytes: Option<u64>,
    /// Names that must not be published, in the language of gitignore.
    pub(crate) forbidden: GlobList,
    /// Exceptions to `forbidden`.
    pub(crate) allow: GlobList,
    /// What each rule does to a plan that violates it.
    pub(crate) on_violation: OnViolation,
}

/// What a rule does to a plan that violates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// The plan is refused.
    Deny,
    /// The plan waits for a person.
    Hold,
    /// The plan goes on, and its report says it.
    Report,
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
            // Much change is not wrong; it deserves a look.
            max_changes: Response::Hold,
            max_object_bytes: Response::Deny,
            max_site_bytes: Response::Deny,
            forbidden: Response::Deny,
            // Which of them a visitor gets is known to whoever configured the CDN, not here.
            addresses: Response::Report,
        }
    }
}

/// Secrets and repositories that builds sweep along: environment files, version control, private keys and key stores,
/// credentials of clouds and package managers, histories of shells, databases and their dumps, states of Terraform.
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

/// Deletes are judged by share from this number on.
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
            let message = "larger than `max-site-bytes`, so that it allows nothing more; make it smaller";
            issues.add(&Pointer::root().member("max-object-bytes"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FORBIDDEN, GuardSettings, IgnoreGlob};

    #[test]
    fn every_default_is_a_glob() {
        assert_eq!(Vec::<IgnoreGlob>::from(GuardSettings::default().forbidden).len(), FORBIDDEN.len());
    }
}
