//! Which credentials a run uses.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::value::RoleArn;

/// The kind of credentials that a run uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialMode {
    /// The caller's own session, limited to the plan by STS's `GetScopedCredentials`.
    Scoped,
    /// A session of the site's `role`, limited to the plan.
    Role,
    /// The caller's own credentials.
    Caller,
}

/// Which credentials to try for a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialChoice<'a> {
    /// A session of this role.
    Role(&'a RoleArn),
    /// Scoped credentials. If STS refuses them, a session of this role; without one, nothing is published.
    Scoped(Option<&'a RoleArn>),
    /// Scoped credentials, if the caller's credentials are temporary and STS does not refuse. Otherwise the caller's own.
    ScopedIfPossible,
    /// The caller's own.
    Caller,
}

impl<'a> CredentialChoice<'a> {
    /// The choice of a site with this `credentials` and this `role`.
    pub(super) fn of(mode: Option<CredentialMode>, role: Option<&'a RoleArn>) -> Self {
        match (mode, role) {
            (None | Some(CredentialMode::Role), Some(role)) => Self::Role(role),
            (Some(CredentialMode::Scoped), role) => Self::Scoped(role),
            (None, None) => Self::ScopedIfPossible,
            // `role` without one is refused when the configuration is parsed.
            (Some(CredentialMode::Caller), _) | (Some(CredentialMode::Role), None) => Self::Caller,
        }
    }

    /// Whether `GetScopedCredentials` is called.
    #[must_use]
    pub fn scopes(self) -> bool {
        matches!(self, Self::Scoped(_) | Self::ScopedIfPossible)
    }
}

/// The credentials that a run used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsedCredentials {
    /// The kind.
    pub mode: CredentialMode,
    /// The reason: `role` of the site, …
    pub why: String,
}

impl fmt::Display for UsedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.mode {
            CredentialMode::Scoped => "the caller's, limited to this plan",
            CredentialMode::Role => "a session of the role, limited to this plan",
            CredentialMode::Caller => "the caller's own",
        };
        write!(f, "credentials: {what}: {}", self.why)
    }
}
