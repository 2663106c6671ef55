//! Identities: users, roles, groups, access keys and sessions, and whether one of them may do something.
//! It owns who exists and what they may do; only `api` speaks a protocol, and nothing here acts on what
//! it allows.
//!
//! Deviations from AWS, all of them:
//! - The account's root may assume roles that trust it (AWS refuses root users; here root stands for a
//!   developer's own administrator credentials), and a caller always needs its own permission to assume
//!   a role, even where a trust policy names it directly.
//! - A trust policy names users and roles by ARN; AWS keeps who that was, so that one that was deleted
//!   and made anew isn't trusted there.
//! - There are no resource policies and no organisations, and nobody can come as a service or with a
//!   token of another identity provider: such trust policies are kept, and let nobody in.
//! - Names are unique whatever their case, but found only in the case in which they were given.
//! - What changes counts at once; AWS takes seconds to spread it.
//! - The API has the actions that `api` lists, simulation included; sizes and numbers of things are
//!   limited as in an account that asked for no more, but for the number of users, groups, roles and
//!   policies.

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

pub use assume::{AssumeError, AssumeRole, AssumedRole};
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

/// The stand-in's only account. AWS gives out no such number, so that its ARNs are never taken for
/// real ones.
pub const ACCOUNT_ID: &str = "000000000000";

/// The secret behind an access key, for whoever verifies signatures.
#[derive(Clone)]
pub struct SecretLookup {
    /// The secret access key.
    pub secret: String,
    /// The token that has to be presented with temporary credentials.
    pub session_token: Option<String>,
    /// When temporary credentials end.
    pub expires: Option<SystemTime>,
    expired: bool,
}

impl fmt::Debug for SecretLookup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SecretLookup").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Why a session token isn't good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Missing where one is needed, present where none is, or another session's.
    #[error("the security token included in the request is invalid")]
    Invalid,
    /// Of a session that ended.
    #[error("the security token included in the request is expired")]
    Expired,
}

impl SecretLookup {
    /// Checks the session token of a request, and that the session hasn't ended by the account's
    /// clock.
    ///
    /// # Errors
    /// If the token isn't this key's, or its session ended.
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

/// Users, roles, sessions and keys of the account. Cloning gives the same account.
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
    /// Loads the identities that `documents` keeps; the first time, makes the account's root and
    /// its access key.
    ///
    /// # Errors
    /// If what is kept can't be read.
    pub fn open(documents: &Arc<dyn Documents>, clock: IamClock) -> Result<Self, IamError> {
        let state = IamState::load(documents, clock.now())?;
        Ok(Self { state: Arc::new(RwLock::new(state)), clock })
    }

    /// The clock by which sessions end.
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

    /// The secret behind an access key; `None` if the key doesn't exist or isn't active. Sessions
    /// that ended are still found, so that the caller can be told apart from an unknown one: see
    /// [`SecretLookup::check_token`].
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

    /// Who an access key belongs to; `None` if the key, its user or its role doesn't exist any
    /// more.
    #[must_use]
    pub fn caller(&self, access_key_id: &str) -> Option<Caller> {
        self.read().caller(access_key_id)
    }

    /// Judges one action of the owner of an access key by all policies that apply to it.
    ///
    /// # Errors
    /// If the action isn't allowed; the error's text is AWS's message.
    pub fn authorize(&self, access_key_id: &str, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        self.authorize_at(Some(access_key_id), request, None)
    }

    /// The same where the resource has a policy of its own. What that denies, nobody may; what it allows counts like a
    /// policy of the caller's own, which boundaries and sessions still narrow, and is all that somebody without
    /// credentials has.
    ///
    /// # Errors
    /// As [`IamService::authorize`].
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
        let said = |arns: &[String], context: &ConditionContext| {
            policy.and_then(|policy| policy.effect(request.action, request.resource, arns, context))
        };
        let Some(access_key_id) = access_key_id else {
            let allowed = said(&[], &context) == Some(StatementEffect::Allow);
            return if allowed { Ok(()) } else { Err(denied("(nobody)".to_owned(), None)) };
        };
        let Some((caller, grants)) = state.caller(access_key_id).zip(state.grants(access_key_id)) else {
            return Err(denied(format!("(access key {access_key_id})"), None));
        };
        caller.describe(self.clock.now(), &mut context);
        let said = said(&caller.trusted_as(), &context);
        if said == Some(StatementEffect::Deny) {
            return Err(denied(caller.arn(), Some(AccessRefusal::Explicit(EvaluatedPolicy::Resource))));
        }
        let by_itself = grants.evaluate(request.action, request.resource, &context);
        match by_itself {
            Err(AccessRefusal::Implicit(EvaluatedPolicy::Identity)) if said == Some(StatementEffect::Allow) => Ok(()),
            other => other.map_err(|refusal| denied(caller.arn(), Some(refusal))),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, IamState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}
