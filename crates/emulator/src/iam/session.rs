//! Sessions: temporary credentials of a role or of a user's access key, as they are stored.

use std::fmt;

use aws_credential_types::Credentials;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::document::IdentityPolicy;
use super::error::IamError;
use super::record::StoredPolicy;
use crate::random;

/// Temporary credentials.
#[derive(Clone)]
pub struct TemporaryCredentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret access key.
    pub secret: String,
    /// The session token.
    pub token: String,
    /// When the credentials expire.
    pub expires: Timestamp,
}

impl fmt::Debug for TemporaryCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TemporaryCredentials").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl TemporaryCredentials {
    pub(super) fn new(expires: Timestamp) -> Result<Self, IamError> {
        Ok(Self {
            access_key_id: random::identifier("ASIA", 16)?,
            secret: random::secret()?,
            token: random::token()?,
            expires,
        })
    }

    /// The credentials as AWS SDKs accept them.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        let (token, expires) = (self.token.clone(), self.expires.into());
        Credentials::new(&self.access_key_id, &self.secret, Some(token), Some(expires), "tidegate-local")
    }
}

/// Whose session it is. The ID is that of the time when the session was created: a role or user that is later created
/// with the same name is another one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum SessionOwner {
    /// A role that was assumed.
    Role { role: String, role_id: String, name: String },
    /// A user.
    User { user: String, user_id: String },
}

/// A session as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StsSession {
    pub(super) secret: String,
    pub(super) token: String,
    #[serde(flatten)]
    pub(super) owner: SessionOwner,
    /// Session policies: one of them must allow a request. Empty if none were passed.
    pub(super) policies: Vec<StoredPolicy<IdentityPolicy>>,
    /// Scope down policies of `GetScopedCredentials`: each of them must allow a request.
    #[serde(default)]
    pub(super) scopes: Vec<StoredPolicy<IdentityPolicy>>,
    pub(super) issued: Timestamp,
    pub(super) expires: Timestamp,
}

impl StsSession {
    /// A session of `owner` without policies.
    pub(super) fn new(credentials: &TemporaryCredentials, owner: SessionOwner, issued: Timestamp) -> Self {
        Self {
            secret: credentials.secret.clone(),
            token: credentials.token.clone(),
            owner,
            policies: Vec::new(),
            scopes: Vec::new(),
            issued,
            expires: credentials.expires,
        }
    }
}
