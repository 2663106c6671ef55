//! Identities: users, roles, groups, access keys and sessions, and their permissions.
//!
//! Deviations from AWS:
//! - The account's root can assume roles that trust it, since here it stands for a developer's own administrator
//!   credentials. AWS does not allow root users to assume roles.
//! - A caller always needs its own permission to assume a role, even if a trust policy names it directly.
//! - A trust policy names users and roles by ARN only. AWS also stores their IDs, so that it does not trust a new entity
//!   with the name of a deleted one.
//! - Only buckets have resource policies, and there are no organizations.
//! - Trust policies for services and identity providers are stored, but no caller can use them.
//! - Names are unique regardless of case, but are found only in their original case.
//! - Changes take effect at once. AWS needs seconds to propagate them.
//! - The API supports the actions that `api` lists. Quotas are AWS's defaults, except that the number of users, groups,
//!   roles and policies is not limited.

mod api;
pub mod arn;
mod assume;
mod aws_managed;
pub mod caller;
pub mod clock;
pub mod condition;
pub mod context;
pub mod document;
mod error;
pub mod evaluate;
mod group;
mod json;
mod kind;
mod managed;
mod name;
pub mod pattern;
mod permission;
mod policy;
pub mod principal;
mod quota;
mod random;
mod record;
mod role;
mod seed;
pub mod signature;
mod state;
mod table;
mod user;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use subtle::ConstantTimeEq as _;
use thiserror::Error;

pub use assume::{AssumeError, AssumeRoleRequest, AssumedRole};
pub use caller::{AccessDenied, AccessRequest, Caller, CallerIdentity};
pub use clock::IamClock;
pub use error::{IamError, Obstacle};
pub use name::EntityPath;
pub(crate) use random::identifier;
pub use seed::AccessKey;

use crate::documents::Documents;
use context::ConditionContext;
use document::{BucketPolicy, StatementEffect};
use evaluate::{AccessRefusal, EvaluatedPolicy};
use state::IamState;

/// The emulator's only account. AWS assigns no such number, so its ARNs cannot be confused with real ones.
pub const ACCOUNT_ID: &str = "000000000000";

/// The secret of an access key, for verifying signatures.
#[derive(Clone)]
pub struct SecretLookup {
    /// The secret access key.
    pub secret: String,
    /// The token that requests with temporary credentials must present.
    pub session_token: Option<String>,
    /// When temporary credentials expire.
    pub expires: Option<SystemTime>,
    expired: bool,
}

impl fmt::Debug for SecretLookup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SecretLookup").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Why a session token is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The token is missing, unexpected, or of another session.
    #[error("the security token included in the request is invalid")]
    Invalid,
    /// The session has expired.
    #[error("the security token included in the request is expired")]
    Expired,
}

impl SecretLookup {
    /// Checks the session token of a request, and that the session has not expired by the account's clock.
    ///
    /// # Errors
    /// The token is not this key's, or its session has expired.
    pub fn check_token(&self, presented: Option<&str>) -> Result<(), TokenError> {
        match (self.session_token.as_deref(), presented) {
            (None, None) => Ok(()),
            (Some(expected), Some(presented)) if bool::from(expected.as_bytes().ct_eq(presented.as_bytes())) => {
                if self.expired { Err(TokenError::Expired) } else { Ok(()) }
            }
            _ => Err(TokenError::Invalid),
        }
    }
}

/// The account's users, roles, sessions and keys. All clones are the same service.
#[derive(Clone)]
pub struct IamService {
    state: Arc<RwLock<IamState>>,
    clock: IamClock,
}

impl fmt::Debug for IamService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Iam").field("account", &ACCOUNT_ID).finish_non_exhaustive()
    }
}

impl IamService {
    /// Loads the identities that `documents` stores. The first time, creates the account's root and its access key.
    ///
    /// # Errors
    /// A record cannot be read.
    pub fn open(documents: &Arc<dyn Documents>, clock: IamClock) -> Result<Self, IamError> {
        let state = IamState::load(documents, clock.now())?;
        Ok(Self { state: Arc::new(RwLock::new(state)), clock })
    }

    /// The clock by which sessions expire.
    #[must_use]
    pub fn clock(&self) -> &IamClock {
        &self.clock
    }

    /// Credentials of the account's root.
    #[must_use]
    pub fn root_credentials(&self) -> Credentials {
        let state = self.read();
        Credentials::new(state.root_key_id(), state.root_secret(), None, None, "tidegate-local")
    }

    /// The secret of an access key; `None` if the key does not exist or is inactive. Expired sessions are still found,
    /// so that they can be distinguished from unknown keys: see [`SecretLookup::check_token`].
    #[must_use]
    pub fn secret_key(&self, access_key_id: &str) -> Option<SecretLookup> {
        let state = self.read();
        if let Some(session) = state.sessions.get(access_key_id) {
            return Some(SecretLookup {
                secret: session.secret.clone(),
                session_token: Some(session.token.clone()),
                expires: Some(session.expires.into()),
                expired: session.expires <= self.clock.now(),
            });
        }
        let key = state.keys.get(access_key_id).filter(|key| key.active)?;
        Some(SecretLookup { secret: key.secret.clone(), session_token: None, expires: None, expired: false })
    }

    /// The owner of an access key; `None` if the key, its user or its role no longer exists.
    #[must_use]
    pub fn caller(&self, access_key_id: &str) -> Option<Caller> {
        self.read().caller(access_key_id)
    }

    /// Evaluates one action of an access key's owner by all policies that apply.
    ///
    /// # Errors
    /// The action is not allowed. The error's text is AWS's message.
    pub fn authorize(&self, access_key_id: &str, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        self.authorize_at(Some(access_key_id), request, None)
    }

    /// Like [`Self::authorize`] for a resource with its own policy. Its deny applies to every caller. Its allow counts
    /// like an identity policy, which boundaries and session policies still restrict, and is the only way to allow a
    /// caller without credentials.
    ///
    /// # Errors
    /// As [`Self::authorize`].
    pub fn authorize_at(
        &self,
        access_key_id: Option<&str>,
        request: &AccessRequest<'_>,
        policy: Option<&BucketPolicy>,
    ) -> Result<(), AccessDenied> {
        let state = self.read();
        let denied = |caller: String, refusal| AccessDenied {
            caller,
            action: request.action.to_owned(),
            resource: request.resource.to_owned(),
            refusal,
        };
        let mut context = ConditionContext::default();
        for (key, value) in request.context {
            context.add(key, *value);
        }
        let resource_effect = |arns: &[String], context: &ConditionContext| {
            policy.and_then(|policy| policy.effect(request.action, request.resource, arns, context))
        };
        let Some(access_key_id) = access_key_id else {
            let allowed = resource_effect(&[], &context) == Some(StatementEffect::Allow);
            return if allowed { Ok(()) } else { Err(denied("(anonymous)".to_owned(), None)) };
        };
        let Some((caller, grants)) = state.caller(access_key_id).zip(state.grants(access_key_id)) else {
            return Err(denied(format!("(access key {access_key_id})"), None));
        };
        caller.describe(self.clock.now(), &mut context);
        let resource_effect = resource_effect(&caller.trusted_as(), &context);
        if resource_effect == Some(StatementEffect::Deny) {
            return Err(denied(caller.arn(), Some(AccessRefusal::Explicit(EvaluatedPolicy::Resource))));
        }
        let decision = grants.evaluate(request.action, request.resource, &context);
        match decision {
            Err(AccessRefusal::Implicit(EvaluatedPolicy::Identity))
                if resource_effect == Some(StatementEffect::Allow) =>
            {
                Ok(())
            }
            decision => decision.map_err(|refusal| denied(caller.arn(), Some(refusal))),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, IamState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}
