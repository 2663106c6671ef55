//! Records: users, roles, managed policies, access keys and sessions as they are kept. It owns
//! their shapes and what makes one valid; it never stores them and never decides about a request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::document::{DocumentError, IdentityPolicy, TrustPolicy};

/// A policy with the text that it was parsed from; kept as the text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    try_from = "String",
    into = "String",
    bound(serialize = "P: Clone", deserialize = "P: Clone, Document<P>: TryFrom<String, Error = DocumentError>")
)]
pub(super) struct Document<P: Clone> {
    pub(super) text: String,
    pub(super) policy: Arc<P>,
}

impl<P: Clone> From<Document<P>> for String {
    fn from(document: Document<P>) -> Self {
        document.text
    }
}

impl TryFrom<String> for Document<IdentityPolicy> {
    type Error = DocumentError;

    fn try_from(text: String) -> Result<Self, DocumentError> {
        Ok(Self { policy: Arc::new(IdentityPolicy::parse(&text)?), text })
    }
}

impl TryFrom<String> for Document<TrustPolicy> {
    type Error = DocumentError;

    fn try_from(text: String) -> Result<Self, DocumentError> {
        Ok(Self { policy: Arc::new(TrustPolicy::parse(&text)?), text })
    }
}

/// What users and roles have alike.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Permissions {
    /// Inline policies by name.
    pub(super) inline: BTreeMap<String, Document<IdentityPolicy>>,
    /// ARNs of attached managed policies.
    pub(super) attached: BTreeSet<String>,
    /// ARN of the managed policy that is the permissions boundary.
    pub(super) boundary: Option<String>,
}

/// A user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct User {
    /// `AIDA…`.
    pub(super) id: String,
    pub(super) permissions: Permissions,
}

/// A role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Role {
    /// `AROA…`.
    pub(super) id: String,
    pub(super) trust: Document<TrustPolicy>,
    pub(super) permissions: Permissions,
    /// Longest session in seconds, 3,600 to 43,200.
    pub(super) longest_session: u32,
}

/// Whose a long-lived access key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Owner {
    Root,
    User(String),
}

/// A long-lived access key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) secret: String,
    pub(super) owner: Owner,
    pub(super) active: bool,
}

/// Temporary credentials of an assumed role.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) secret: String,
    pub(super) token: String,
    pub(super) role: String,
    /// The role's identifier when the session was made: a role of the same name made later is
    /// another role.
    pub(super) role_id: String,
    pub(super) name: String,
    /// Session policies; empty if none were passed.
    pub(super) policies: Vec<Document<IdentityPolicy>>,
    pub(super) issued: Timestamp,
    pub(super) expires: Timestamp,
}
