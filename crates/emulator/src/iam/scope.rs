//! `GetSessionToken` and `GetScopedCredentials`: temporary credentials of the caller itself.
//!
//! Source: STS API Reference, "GetSessionToken" and "GetScopedCredentials"; IAM User Guide, "Permissions for
//! GetScopedCredentials". The documentation does not say whether a caller needs a permission for
//! `GetScopedCredentials`. Here it does, which is safe under both readings: a program that works here works on AWS.

use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;

use super::assume::packed_percent;
use super::caller::{AccessDenied, Caller, CallerIdentity};
use super::context::ConditionContext;
use super::document::{IdentityPolicy, ReadDocumentError};
use super::error::IamError;
use super::evaluate::AccessRefusal;
use super::record::StoredPolicy;
use super::service::IamService;
use super::session::{SessionOwner, StsSession, TemporaryCredentials};

/// Most scope down policies of one session.
const MAX_SCOPES: usize = 3;

/// A request for scoped credentials.
#[derive(Debug, Clone)]
pub struct ScopeRequest {
    /// The scope down policy, as JSON.
    pub policy: Option<String>,
    /// The duration, in seconds; that of the calling session if there is none.
    pub duration: Option<u32>,
}

/// Scoped credentials.
#[derive(Debug, Clone)]
pub struct ScopedCredentials {
    /// The credentials.
    pub credentials: TemporaryCredentials,
    /// How many scope down policies the session has.
    pub scopes: usize,
}

/// Why a session cannot be scoped down.
#[derive(Debug, Error)]
pub enum ScopeError {
    /// The caller has no temporary credentials.
    #[error("Cannot call GetScopedCredentials with {0} credentials")]
    NotASession(&'static str),
    /// The caller's session was deleted or has expired.
    #[error("The session used to call GetScopedCredentials is not a valid session.")]
    InvalidSession,
    /// The caller has no permission, or the session has all the scope down policies that it can have.
    #[error(transparent)]
    Denied(#[from] AccessDenied),
    /// Longer than the rest of the calling session.
    #[error("The requested DurationSeconds exceeds the remaining lifetime of the calling session.")]
    TooLong,
    /// The policy is not a valid policy document.
    #[error("{0}")]
    Malformed(#[from] ReadDocumentError),
    /// The policies do not fit in a session token.
    #[error("Packed policy consumes {0}% of allotted space, please use smaller policy.")]
    PackedPolicyTooLarge(usize),
    /// The session cannot be stored.
    #[error(transparent)]
    Iam(#[from] IamError),
}

impl IamService {
    /// Temporary credentials of a user, which have the permissions of the user.
    ///
    /// # Errors
    /// The caller is not a user.
    pub fn session_token(&self, caller: &Caller, duration: u32) -> Result<TemporaryCredentials, ScopeError> {
        let CallerIdentity::User { name, id, session: None, .. } = &caller.identity else {
            let refused = AccessDenied {
                caller: caller.arn(),
                action: "sts:GetSessionToken".to_owned(),
                resource: "*".to_owned(),
                refusal: None,
            };
            return Err(refused.into());
        };
        let issued = self.clock.now();
        let credentials = TemporaryCredentials::new(later(issued, duration))?;
        let owner = SessionOwner::User { user: name.clone(), user_id: id.clone() };
        let session = StsSession::new(&credentials, owner, issued);
        self.change(|state| state.add_session(&credentials.access_key_id, session))?;
        Ok(credentials)
    }

    /// The caller's own session with fewer permissions, a shorter duration, or both.
    ///
    /// # Errors
    /// [`ScopeError`].
    pub fn scope(&self, caller: &Caller, request: ScopeRequest) -> Result<ScopedCredentials, ScopeError> {
        let scope: Option<StoredPolicy<IdentityPolicy>> = request.policy.map(StoredPolicy::try_from).transpose()?;
        match &caller.identity {
            CallerIdentity::Root => return Err(ScopeError::NotASession("root")),
            CallerIdentity::User { session: None, .. } => return Err(ScopeError::NotASession("IAM user")),
            CallerIdentity::User { .. } | CallerIdentity::Session { .. } => {}
        }
        let issued = self.clock.now();
        // The decision and the new session are made under the same lock.
        self.change(|state| {
            let parent = state.sessions.get(&caller.access_key_id).zip(state.grants(&caller.access_key_id));
            let Some((parent, grants)) = parent else { return Ok(Err(ScopeError::InvalidSession)) };
            let mut context = ConditionContext::default();
            caller.describe(issued, &mut context);
            if let Err(refusal) = grants.evaluate("sts:GetScopedCredentials", "*", &context) {
                return Ok(Err(denied(caller, Some(refusal)).into()));
            }
            let expires = match request.duration.map(|seconds| later(issued, seconds)) {
                Some(end) if end > parent.expires => return Ok(Err(ScopeError::TooLong)),
                Some(end) => end,
                None => parent.expires,
            };
            let mut scopes = parent.scopes.clone();
            if scope.is_some() && scopes.len() >= MAX_SCOPES {
                return Ok(Err(denied(caller, None).into()));
            }
            scopes.extend(scope);
            let texts: String = parent.policies.iter().chain(&scopes).map(|policy| policy.text.as_str()).collect();
            let percent = packed_percent(&texts, &[]);
            if percent > 100 {
                return Ok(Err(ScopeError::PackedPolicyTooLarge(percent)));
            }
            let credentials = TemporaryCredentials::new(expires)?;
            let session = StsSession {
                policies: parent.policies.clone(),
                scopes,
                issued: parent.issued,
                ..StsSession::new(&credentials, parent.owner.clone(), issued)
            };
            let scopes = session.scopes.len();
            state.add_session(&credentials.access_key_id, session)?;
            Ok(Ok(ScopedCredentials { credentials, scopes }))
        })?
    }
}

fn denied(caller: &Caller, refusal: Option<AccessRefusal>) -> AccessDenied {
    let action = "sts:GetScopedCredentials".to_owned();
    AccessDenied { caller: caller.arn(), action, resource: "*".to_owned(), refusal }
}

fn later(from: Timestamp, seconds: u32) -> Timestamp {
    from.checked_add(Duration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX)
}
