//! Assuming a role: from a caller and its wish to temporary credentials. It owns trust, durations,
//! session policies and their packed size; `sts` owns the protocol and the form of each parameter.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use aws_credential_types::Credentials;
use jiff::Timestamp;
use thiserror::Error;

use super::caller::{AccessDenied, Caller, CallerIdentity};
use super::context::ConditionContext;
use super::document::{IdentityPolicy, ReadDocumentError, StatementEffect};
use super::kind::EntityKind;
use super::record::{StoredPolicy, StsSession};
use super::{IamError, IamService, arn, random};

/// Longest session of a role that is assumed with another role's session, in seconds. Source:
/// `DurationSeconds` of STS's `AssumeRole`.
const LONGEST_CHAINED_SESSION: u32 = 3_600;

/// Packed size that a session's policies may have, in bytes of `packed_size`. AWS keeps its own
/// packing and its limit to itself; this is an estimate that lets through the 870 to 1,451
/// characters of an ordinary publishing policy and refuses 2,048 characters without repetition.
const PACKED_ALLOWANCE: usize = 1_536;

/// How long sessions are remembered after their end, to tell an expired token from an unknown one.
const REMEMBERED: Duration = Duration::from_secs(24 * 3_600);

/// A wish to assume a role.
#[derive(Debug, Clone)]
pub struct AssumeRole {
    /// ARN of the role.
    pub role_arn: String,
    /// Name of the session.
    pub session_name: String,
    /// Seconds that the session shall last.
    pub duration: u32,
    /// Inline session policy, as JSON.
    pub policy: Option<String>,
    /// ARNs of managed policies that narrow the session.
    pub policy_arns: Vec<String>,
    /// What the owner of the role asked to be told.
    pub external_id: Option<String>,
}

/// Temporary credentials, and whose they are.
#[derive(Clone)]
pub struct AssumedRole {
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret access key.
    pub secret: String,
    /// The session token.
    pub token: String,
    /// When the credentials end.
    pub expires: Timestamp,
    /// ARN of the session.
    pub arn: String,
    /// `AROA…:session-name`.
    pub assumed_role_id: String,
    /// Packed size of the session policies in percent of what is allowed; `None` without any.
    pub packed_policy_size: Option<usize>,
}

impl fmt::Debug for AssumedRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AssumedRole").field("arn", &self.arn).finish_non_exhaustive()
    }
}

impl AssumedRole {
    /// The credentials as the AWS SDK takes them.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        let (token, expires) = (self.token.clone(), self.expires.into());
        Credentials::new(&self.access_key_id, &self.secret, Some(token), Some(expires), "tidegate-local")
    }
}

/// Why a role can't be assumed.
#[derive(Debug, Error)]
pub enum AssumeError {
    /// The caller isn't allowed to, the role doesn't trust it, or there is no such role: AWS tells
    /// these apart to nobody.
    #[error(transparent)]
    Denied(#[from] AccessDenied),
    /// Longer than the role allows.
    #[error("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")]
    TooLong,
    /// Longer than a chained session may be.
    #[error("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")]
    TooLongChained,
    /// The session policy isn't a policy document.
    #[error("{0}")]
    Malformed(#[from] ReadDocumentError),
    /// A managed session policy that doesn't exist.
    #[error("Policy ARN {0} does not exist")]
    NoSuchPolicy(String),
    /// The session policies don't fit in a session token.
    #[error("Packed policy consumes {0}% of allotted space, please use smaller policy.")]
    PackedPolicyTooLarge(usize),
    /// The session can't be kept.
    #[error(transparent)]
    Iam(#[from] IamError),
}

impl IamService {
    /// Makes a session of a role for `caller`.
    ///
    /// # Errors
    /// If the caller may not, or the wish can't be fulfilled.
    pub fn assume_role(&self, caller: &Caller, wish: AssumeRole) -> Result<AssumedRole, AssumeError> {
        let inline: Option<StoredPolicy<IdentityPolicy>> = wish.policy.map(StoredPolicy::try_from).transpose()?;
        let packed = packed_size(inline.as_ref().map_or("", |document| &document.text), &wish.policy_arns);
        let percent = packed.saturating_mul(100).div_ceil(PACKED_ALLOWANCE);
        if percent > 100 {
            return Err(AssumeError::PackedPolicyTooLarge(percent));
        }
        let narrowed = inline.is_some() || !wish.policy_arns.is_empty();

        let access_key_id = random::identifier("ASIA", 16).map_err(IamError::from)?;
        let secret = random::secret().map_err(IamError::from)?;
        let token = random::token().map_err(IamError::from)?;
        let issued = self.clock.now();
        let expires = issued.checked_add(Duration::from_secs(wish.duration.into())).unwrap_or(Timestamp::MAX);

        // Everything that is judged is judged under the same lock under which the session is kept.
        let outcome = self.change(|state| {
            let denied = |refusal| {
                let action = "sts:AssumeRole".to_owned();
                AssumeError::Denied(AccessDenied {
                    caller: caller.arn(),
                    action,
                    resource: wish.role_arn.clone(),
                    refusal,
                })
            };
            let mut context = ConditionContext::default();
            caller.describe(issued, &mut context);
            context.add("sts:RoleSessionName", wish.session_name.as_str());
            if let Some(external_id) = &wish.external_id {
                context.add("sts:ExternalId", external_id);
            }
            let Some(grants) = state.grants(&caller.access_key_id) else {
                return Ok(Err(denied(None)));
            };
            if let Err(refusal) = grants.evaluate("sts:AssumeRole", &wish.role_arn, &context) {
                return Ok(Err(denied(Some(refusal))));
            }
            let Some((name, role)) = (match state.entity_of(&wish.role_arn) {
                Some((EntityKind::Role, name)) => state.roles.get(name).map(|role| (name, role)),
                _ => None,
            }) else {
                return Ok(Err(denied(None)));
            };
            let mut trusted = false;
            for effect in role.trust.policy.effects("sts:AssumeRole", &caller.trusted_as(), &context) {
                match effect {
                    StatementEffect::Deny => return Ok(Err(denied(None))),
                    StatementEffect::Allow => trusted = true,
                }
            }
            if !trusted {
                return Ok(Err(denied(None)));
            }
            let chained = matches!(caller.identity, CallerIdentity::Session { .. });
            if chained && wish.duration > LONGEST_CHAINED_SESSION {
                return Ok(Err(AssumeError::TooLongChained));
            }
            if wish.duration > role.longest_session {
                return Ok(Err(AssumeError::TooLong));
            }
            let mut policies: Vec<_> = inline.into_iter().collect();
            for policy_arn in &wish.policy_arns {
                match state.policy(policy_arn) {
                    Some(policy) => policies.push(policy.default.document.clone()),
                    None => return Ok(Err(AssumeError::NoSuchPolicy(policy_arn.clone()))),
                }
            }
            let session = StsSession {
                secret: secret.clone(),
                token: token.clone(),
                role: name.to_owned(),
                role_id: role.id.clone(),
                name: wish.session_name.clone(),
                policies,
                issued,
                expires,
            };
            let over: Vec<String> = state
                .sessions
                .iter()
                .filter(|(_, session)| session.expires.checked_add(REMEMBERED).is_ok_and(|end| end < issued))
                .map(|(id, _)| id.clone())
                .collect();
            for id in over {
                state.sessions.remove(&id)?;
            }
            let answer = (arn::session(name, &session.name), format!("{}:{}", session.role_id, session.name));
            state.sessions.put(&access_key_id, session)?;
            Ok(Ok(answer))
        })?;
        let (arn, assumed_role_id) = outcome?;
        let packed_policy_size = narrowed.then_some(percent);
        Ok(AssumedRole { access_key_id, secret, token, expires, arn, assumed_role_id, packed_policy_size })
    }
}

/// An estimate of what session policies take in a session token, in bytes: every word counts its
/// bytes the first time and two the next times, other characters count one, white space between
/// words nothing, and the ARN of a managed policy its length. A word is a run of letters, digits
/// and `-._`. So a policy that names one prefix five times costs little more than one that names it
/// once.
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
    fn packing_rewards_repetition_and_ignores_white_space() {
        assert_eq!(packed_size("", &[]), 0);
        assert_eq!(packed_size(r#"{"a": "documents"}"#, &[]), packed_size(r#"{"a":"documents"}"#, &[]));
        assert_eq!(packed_size("documents/documents", &[]), 9 + 1 + 2);
        assert_eq!(packed_size("", &["arn:aws:iam::000000000000:policy/a".to_owned()]), 34);
    }
}
