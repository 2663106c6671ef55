//! Assuming a role: trust, durations, session policies and their packed size. `sts` implements the protocol and checks
//! the format of parameters.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;

use super::arn;
use super::caller::{AccessDenied, Caller, CallerIdentity};
use super::context::ConditionContext;
use super::document::{IdentityPolicy, ReadDocumentError, StatementEffect};
use super::error::IamError;
use super::kind::EntityKind;
use super::record::StoredPolicy;
use super::service::IamService;
use super::session::{SessionOwner, StsSession, TemporaryCredentials};
use super::web_identity::{TokenRefusal, VerifiedToken};

/// Longest session of a role that is assumed from another role's session, in seconds. Source: `DurationSeconds` of
/// STS's `AssumeRole`.
const MAX_CHAINED_SESSION: u32 = 3_600;

/// Largest packed size of a session's policies, in bytes as computed by `packed_size`. AWS documents neither its
/// packing nor its limit. This estimate accepts the 870 to 1,451 characters of an ordinary publishing policy and
/// rejects 2,048 characters without repetition.
const PACKED_ALLOWANCE: usize = 1_536;

/// A request to assume a role.
#[derive(Debug, Clone)]
pub struct AssumeRoleRequest {
    /// ARN of the role.
    pub role_arn: String,
    /// Name of the session.
    pub session_name: String,
    /// Duration of the session, in seconds.
    pub duration: u32,
    /// Inline session policy, as JSON.
    pub policy: Option<String>,
    /// ARNs of managed session policies.
    pub policy_arns: Vec<String>,
    /// The external ID that the role's trust policy may require.
    pub external_id: Option<String>,
}

/// A session of a role.
#[derive(Debug, Clone)]
pub struct AssumedRole {
    /// Its credentials.
    pub credentials: TemporaryCredentials,
    /// ARN of the session.
    pub arn: String,
    /// `AROA…:session-name`.
    pub assumed_role_id: String,
    /// Packed size of the session policies, as a percentage of the limit; `None` without session policies.
    pub packed_policy_size: Option<usize>,
}

/// Who assumes a role.
enum RoleAssumer<'a> {
    Caller(&'a Caller),
    Token(VerifiedToken),
}

/// Why a role cannot be assumed.
#[derive(Debug, Error)]
pub enum AssumeError {
    /// The caller has no permission, the role does not trust it, or the role does not exist. AWS does not distinguish
    /// these.
    #[error(transparent)]
    Denied(#[from] AccessDenied),
    /// The role does not trust the token, or does not exist.
    #[error("Not authorized to perform sts:AssumeRoleWithWebIdentity")]
    NotTrusted,
    /// The token is refused.
    #[error(transparent)]
    Token(#[from] TokenRefusal),
    /// Longer than the role allows.
    #[error("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")]
    TooLong,
    /// Longer than a chained session may be.
    #[error("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")]
    TooLongChained,
    /// The session policy is not a valid policy document.
    #[error("{0}")]
    Malformed(#[from] ReadDocumentError),
    /// A managed session policy does not exist.
    #[error("Policy ARN {0} does not exist")]
    NoSuchPolicy(String),
    /// The session policies do not fit in a session token.
    #[error("Packed policy consumes {0}% of allotted space, please use smaller policy.")]
    PackedPolicyTooLarge(usize),
    /// The session cannot be stored.
    #[error(transparent)]
    Iam(#[from] IamError),
}

impl IamService {
    /// Creates a session of a role for `caller`.
    ///
    /// # Errors
    /// The caller is not allowed to, or the request is invalid.
    pub fn assume_role(&self, caller: &Caller, request: AssumeRoleRequest) -> Result<AssumedRole, AssumeError> {
        self.open_session(&RoleAssumer::Caller(caller), request)
    }

    /// Creates a session of a role for the bearer of a token, and returns what the token says.
    ///
    /// # Errors
    /// The token is not valid, the role does not trust it, or the request is invalid.
    pub fn assume_role_with_web_identity(
        &self,
        token: &str,
        request: AssumeRoleRequest,
    ) -> Result<(AssumedRole, VerifiedToken), AssumeError> {
        let verified = self.verify_token(token, self.clock.now())?;
        let session = self.open_session(&RoleAssumer::Token(verified.clone()), request)?;
        Ok((session, verified))
    }

    fn open_session(&self, assumer: &RoleAssumer<'_>, request: AssumeRoleRequest) -> Result<AssumedRole, AssumeError> {
        let inline: Option<StoredPolicy<IdentityPolicy>> = request.policy.map(StoredPolicy::try_from).transpose()?;
        let percent = packed_percent(inline.as_ref().map_or("", |document| &document.text), &request.policy_arns);
        if percent > 100 {
            return Err(AssumeError::PackedPolicyTooLarge(percent));
        }
        let narrowed = inline.is_some() || !request.policy_arns.is_empty();

        let issued = self.clock.now();
        let expires = issued.checked_add(Duration::from_secs(request.duration.into())).unwrap_or(Timestamp::MAX);
        let credentials = TemporaryCredentials::new(expires)?;

        // The decision and the new session are made under the same lock.
        let outcome = self.change(|state| {
            let denied = |refusal| match assumer {
                RoleAssumer::Caller(caller) => AssumeError::Denied(AccessDenied {
                    caller: caller.arn(),
                    action: "sts:AssumeRole".to_owned(),
                    resource: request.role_arn.clone(),
                    refusal,
                }),
                RoleAssumer::Token(_) => AssumeError::NotTrusted,
            };
            let mut context = ConditionContext::default();
            let (action, trusted_as) = match assumer {
                RoleAssumer::Caller(caller) => {
                    caller.describe(issued, &mut context);
                    ("sts:AssumeRole", caller.trusted_as())
                }
                RoleAssumer::Token(token) => {
                    context.add(&format!("{}:sub", token.issuer), token.subject.as_str());
                    context.add(&format!("{}:aud", token.issuer), token.audience.as_str());
                    context.add("aws:FederatedProvider", token.provider_arn());
                    ("sts:AssumeRoleWithWebIdentity", vec![token.provider_arn()])
                }
            };
            context.add("sts:RoleSessionName", request.session_name.as_str());
            if let Some(external_id) = &request.external_id {
                context.add("sts:ExternalId", external_id);
            }
            if let RoleAssumer::Caller(caller) = assumer {
                let Some(grants) = state.grants(&caller.access_key_id) else {
                    return Ok(Err(denied(None)));
                };
                if let Err(refusal) = grants.evaluate(action, &request.role_arn, &context) {
                    return Ok(Err(denied(Some(refusal))));
                }
            }
            let Some((name, role)) = (match state.entity_of(&request.role_arn) {
                Some((EntityKind::Role, name)) => state.roles.get(name).map(|role| (name, role)),
                _ => None,
            }) else {
                return Ok(Err(denied(None)));
            };
            let mut trusted = false;
            for effect in role.trust.policy.effects(action, &trusted_as, &context) {
                match effect {
                    StatementEffect::Deny => return Ok(Err(denied(None))),
                    StatementEffect::Allow => trusted = true,
                }
            }
            if !trusted {
                return Ok(Err(denied(None)));
            }
            let chained =
                matches!(assumer, RoleAssumer::Caller(caller) if matches!(caller.identity, CallerIdentity::Session { .. }));
            if chained && request.duration > MAX_CHAINED_SESSION {
                return Ok(Err(AssumeError::TooLongChained));
            }
            if request.duration > role.longest_session {
                return Ok(Err(AssumeError::TooLong));
            }
            let mut policies: Vec<_> = inline.into_iter().collect();
            for policy_arn in &request.policy_arns {
                match state.policy(policy_arn) {
                    Some(policy) => policies.push(policy.default.document.clone()),
                    None => return Ok(Err(AssumeError::NoSuchPolicy(policy_arn.clone()))),
                }
            }
            let answer = (arn::session(name, &request.session_name), format!("{}:{}", role.id, request.session_name));
            let owner = SessionOwner::Role {
                role: name.to_owned(),
                role_id: role.id.clone(),
                name: request.session_name.clone(),
            };
            let session = StsSession { policies, ..StsSession::new(&credentials, owner, issued) };
            state.add_session(&credentials.access_key_id, session)?;
            Ok(Ok(answer))
        })?;
        let (arn, assumed_role_id) = outcome?;
        let packed_policy_size = narrowed.then_some(percent);
        Ok(AssumedRole { credentials, arn, assumed_role_id, packed_policy_size })
    }
}

/// The packed size of session policies, as a percentage of what is allowed.
pub(super) fn packed_percent(policy: &str, policy_arns: &[String]) -> usize {
    packed_size(policy, policy_arns).saturating_mul(100).div_ceil(PACKED_ALLOWANCE)
}

/// An estimate of the size of session policies in a session token, in bytes. Every word counts its bytes the first time
/// and two the next times, other characters count one, white space between words nothing, and the ARN of a managed
/// policy its length. A word is a run of letters, digits and `-._`. A policy that names one prefix five times therefore
/// costs little more than one that names it once.
fn packed_size(policy: &str, policy_arns: &[String]) -> usize {
    let mut known = BTreeSet::new();
    let mut size: usize = policy_arns.iter().map(String::len).sum();
    let is_word = |character: char| character.is_alphanumeric() || "-._".contains(character);
    for run in policy.split_inclusive(|character: char| !is_word(character)) {
        let word = run.trim_end_matches(|character: char| !is_word(character));
        if !word.is_empty() {
            size += if known.insert(word) { word.len() } else { word.len().min(2) };
        }
        size += run.chars().rev().take_while(|character| !is_word(*character)).filter(|c| !c.is_whitespace()).count();
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_size_favours_repetition_and_ignores_white_space() {
        assert_eq!(packed_size("", &[]), 0);
        assert_eq!(packed_size(r#"{"a": "documents"}"#, &[]), packed_size(r#"{"a":"documents"}"#, &[]));
        assert_eq!(packed_size("documents/documents", &[]), 9 + 1 + 2);
        assert_eq!(packed_size("", &["arn:aws:iam::000000000000:policy/a".to_owned()]), 34);
    }
}
