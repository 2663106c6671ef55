//! Users, roles, groups, access keys and identity providers as they are stored. Managed policies are in `managed`, sessions in `session`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::document::{IdentityPolicy, ReadDocumentError, TrustPolicy};
use super::name::EntityPath;
use super::quota::DEFAULT_SESSION_DURATION;
use crate::random::{self, RandomError};

/// A policy with the text that it was parsed from. Only the text is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    try_from = "String",
    into = "String",
    bound(
        serialize = "P: Clone",
        deserialize = "P: Clone, StoredPolicy<P>: TryFrom<String, Error = ReadDocumentError>"
    )
)]
pub(super) struct StoredPolicy<P: Clone> {
    pub(super) text: String,
    pub(super) policy: Arc<P>,
}

impl<P: Clone> From<StoredPolicy<P>> for String {
    fn from(document: StoredPolicy<P>) -> Self {
        document.text
    }
}

impl TryFrom<String> for StoredPolicy<IdentityPolicy> {
    type Error = ReadDocumentError;

    fn try_from(text: String) -> Result<Self, ReadDocumentError> {
        Ok(Self { policy: Arc::new(IdentityPolicy::parse(&text)?), text })
    }
}

impl TryFrom<String> for StoredPolicy<TrustPolicy> {
    type Error = ReadDocumentError;

    fn try_from(text: String) -> Result<Self, ReadDocumentError> {
        Ok(Self { policy: Arc::new(TrustPolicy::parse(&text)?), text })
    }
}

/// The policies of a user, role or group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Policies {
    /// Inline policies by name.
    pub(super) inline: BTreeMap<String, StoredPolicy<IdentityPolicy>>,
    /// ARNs of attached managed policies.
    pub(super) attached: BTreeSet<String>,
}

/// The permissions of a user or role. A group has no boundary.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Permissions {
    #[serde(flatten)]
    pub(super) policies: Policies,
    /// ARN of the managed policy that is the permissions boundary.
    pub(super) boundary: Option<String>,
}

/// Tags by key.
pub(super) type Tags = BTreeMap<String, String>;

// Fields with a default are missing in directories of the first version.

/// A user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct IamUser {
    /// `AIDA…`.
    pub(super) id: String,
    #[serde(default)]
    pub(super) path: EntityPath,
    #[serde(default)]
    pub(super) created: Timestamp,
    #[serde(default)]
    pub(super) tags: Tags,
    pub(super) permissions: Permissions,
    /// Names of the groups that the user is in.
    #[serde(default)]
    pub(super) groups: BTreeSet<String>,
}

impl IamUser {
    /// A user without permissions.
    pub(super) fn new(created: Timestamp) -> Result<Self, RandomError> {
        Ok(Self {
            id: random::identifier("AIDA", 17)?,
            path: EntityPath::default(),
            created,
            tags: Tags::default(),
            permissions: Permissions::default(),
            groups: BTreeSet::new(),
        })
    }
}

/// A role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct IamRole {
    /// `AROA…`.
    pub(super) id: String,
    #[serde(default)]
    pub(super) path: EntityPath,
    #[serde(default)]
    pub(super) created: Timestamp,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) tags: Tags,
    pub(super) trust: StoredPolicy<TrustPolicy>,
    pub(super) permissions: Permissions,
    /// Maximum session duration, 3,600 to 43,200 seconds.
    pub(super) longest_session: u32,
}

impl IamRole {
    /// A role without permissions.
    pub(super) fn new(trust: StoredPolicy<TrustPolicy>, created: Timestamp) -> Result<Self, RandomError> {
        Ok(Self {
            id: random::identifier("AROA", 17)?,
            path: EntityPath::default(),
            created,
            description: None,
            tags: Tags::default(),
            trust,
            permissions: Permissions::default(),
            longest_session: DEFAULT_SESSION_DURATION,
        })
    }
}

/// A group of users.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct IamGroup {
    /// `AGPA…`.
    pub(super) id: String,
    pub(super) path: EntityPath,
    pub(super) created: Timestamp,
    pub(super) policies: Policies,
}

impl IamGroup {
    /// A group without permissions.
    pub(super) fn new(path: EntityPath, created: Timestamp) -> Result<Self, RandomError> {
        Ok(Self { id: random::identifier("AGPA", 17)?, path, created, policies: Policies::default() })
    }
}

/// The owner of a long-lived access key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum KeyOwner {
    Root,
    User(String),
}

/// A long-lived access key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredAccessKey {
    pub(super) secret: String,
    pub(super) owner: KeyOwner,
    pub(super) active: bool,
    #[serde(default)]
    pub(super) created: Timestamp,
}

impl StoredAccessKey {
    /// An active key and its ID, `AKIA…`.
    pub(super) fn new(owner: KeyOwner, created: Timestamp) -> Result<(String, Self), RandomError> {
        let key = Self { secret: random::secret()?, owner, active: true, created };
        Ok((random::identifier("AKIA", 16)?, key))
    }
}

/// An OpenID Connect provider. Its key is its ARN.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OpenIdProvider {
    /// The URL without `https://`.
    pub(super) issuer: String,
    pub(super) audiences: BTreeSet<String>,
    pub(super) thumbprints: Vec<String>,
    /// The keys that verify its tokens, as a JSON Web Key Set.
    #[serde(default)]
    pub(super) keys: Option<String>,
    pub(super) created: Timestamp,
    pub(super) tags: Tags,
}
