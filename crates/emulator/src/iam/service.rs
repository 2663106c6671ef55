//! The service that all others ask: secrets of access keys, callers, and whether a caller may do something.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use super::arn::ACCOUNT_ID;
use super::caller::{AccessDenied, AccessRequest, Caller};
use super::clock::IamClock;
use super::context::ConditionContext;
use super::document::{BucketPolicy, StatementEffect};
use super::error::IamError;
use super::evaluate::{AccessRefusal, EvaluatedPolicy};
use super::state::IamState;
use crate::documents::Documents;

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
    pub(super) state: Arc<RwLock<IamState>>,
    pub(super) clock: IamClock,
}

impl fmt::Debug for IamService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("IamService").field("account", &ACCOUNT_ID).finish_non_exhaustive()
    }
}

impl IamService {
    /// Loads the identities that `documents` stores. The first time, creates the account's root and its access key.
    ///
    /// # Errors
    /// A record cannot be read.
    pub(crate) fn open(documents: &Documents, clock: IamClock) -> Result<Self, IamError> {
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

    /// Whether a resource's policy allows a request of an AWS service, which has no other policies.
    pub(crate) fn service_is_allowed(
        &self,
        service: &str,
        request: &AccessRequest<'_>,
        policy: Option<&BucketPolicy>,
    ) -> bool {
        let now = self.clock.now();
        let mut context = ConditionContext::default();
        for (key, value) in request.context {
            context.add(key, *value);
        }
        for (key, value) in [
            ("aws:PrincipalServiceName", service),
            ("aws:PrincipalIsAWSService", "true"),
            ("aws:SourceAccount", ACCOUNT_ID),
            ("aws:SecureTransport", "true"),
            ("aws:CurrentTime", &super::clock::iso8601(now)),
            ("aws:EpochTime", &now.as_second().to_string()),
        ] {
            context.add(key, value);
        }
        let effect =
            policy.and_then(|policy| policy.effect_on_service(request.action, request.resource, service, &context));
        effect == Some(StatementEffect::Allow)
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, IamState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies one change at a time, so that readers never see a difference between memory and storage.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut IamState) -> Result<T, IamError>) -> Result<T, IamError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut state)
    }
}
