//! Evaluation: whether a set of policies allows a request. It owns AWS's order of evaluation and
//! its reasons; it knows nothing of users, roles and keys.
//!
//! The order is that of the IAM User Guide, "Policy evaluation logic", for requests within one
//! account and without resource policies: an explicit deny anywhere wins; then identity policies,
//! the permissions boundary and the session policies each have to allow, so that what is effective
//! is their intersection.

use std::sync::Arc;

use super::context::ConditionContext;
use super::document::{IdentityPolicy, StatementEffect};

/// The kind of policy that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluatedPolicy {
    /// Attached to the user or the role.
    Identity,
    /// The most that the user or the role can be given.
    Boundary,
    /// Passed when the session was made.
    Session,
    /// Of the resource that is asked for.
    Resource,
}

impl EvaluatedPolicy {
    /// The kind in the words of AWS's messages, with its article.
    #[must_use]
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Identity => "an identity-based policy",
            Self::Boundary => "a permissions boundary",
            Self::Session => "a session policy",
            Self::Resource => "a resource-based policy",
        }
    }

    /// The kind in the words of AWS's messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Resource => "resource-based policy",
        }
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessRefusal {
    /// A statement denies it.
    Explicit(EvaluatedPolicy),
    /// No statement of this kind allows it.
    Implicit(EvaluatedPolicy),
}

/// What a caller's identity grants before a boundary or a session narrows it.
#[derive(Debug, Clone)]
pub enum EvaluatedIdentity {
    /// The account's root: everything.
    Root,
    /// The union of these policies.
    Policies(Vec<Arc<IdentityPolicy>>),
}

/// All policies that a request of one caller is judged by.
#[derive(Debug, Clone)]
pub struct Grants {
    /// Policies of the user or the role.
    pub identity: EvaluatedIdentity,
    /// The permissions boundary of the user or the role, if it has one.
    pub boundary: Option<Arc<IdentityPolicy>>,
    /// The session's policies, if any were passed; empty means that none were, and nothing is
    /// narrowed.
    pub session: Vec<Arc<IdentityPolicy>>,
}

impl Grants {
    /// Judges one request.
    ///
    /// # Errors
    /// With the reason, if the request isn't allowed.
    pub fn evaluate(&self, action: &str, resource: &str, context: &ConditionContext) -> Result<(), AccessRefusal> {
        let judge = |policies: &[Arc<IdentityPolicy>]| {
            let mut verdict = None;
            for effect in policies.iter().flat_map(|policy| policy.effects(action, resource, context)) {
                match effect {
                    StatementEffect::Deny => return Some(StatementEffect::Deny),
                    StatementEffect::Allow => verdict = Some(StatementEffect::Allow),
                }
            }
            verdict
        };
        let layers = [
            (
                EvaluatedPolicy::Identity,
                match &self.identity {
                    EvaluatedIdentity::Root => Some(StatementEffect::Allow),
                    EvaluatedIdentity::Policies(policies) => judge(policies),
                },
            ),
            (
                EvaluatedPolicy::Boundary,
                self.boundary
                    .as_ref()
                    .map_or(Some(StatementEffect::Allow), |policy| judge(std::slice::from_ref(policy))),
            ),
            (
                EvaluatedPolicy::Session,
                if self.session.is_empty() { Some(StatementEffect::Allow) } else { judge(&self.session) },
            ),
        ];
        for (kind, verdict) in layers {
            if verdict == Some(StatementEffect::Deny) {
                return Err(AccessRefusal::Explicit(kind));
            }
        }
        for (kind, verdict) in layers {
            if verdict.is_none() {
                return Err(AccessRefusal::Implicit(kind));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALLOW: &str = r#"{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::site/*"}"#;
    const DENY: &str = r#"{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::site/private/*"}"#;
    const OTHER: &str = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#;

    fn policy(statements: &[&str]) -> Arc<IdentityPolicy> {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        Arc::new(IdentityPolicy::parse(&text).expect("a policy"))
    }

    fn put(grants: &Grants, key: &str) -> Result<(), AccessRefusal> {
        grants.evaluate("s3:PutObject", &format!("arn:aws:s3:::site/{key}"), &ConditionContext::default())
    }

    fn grants(identity: Vec<Arc<IdentityPolicy>>) -> Grants {
        Grants { identity: EvaluatedIdentity::Policies(identity), boundary: None, session: Vec::new() }
    }

    #[test]
    fn nothing_is_allowed_that_no_policy_allows() {
        assert_eq!(put(&grants(Vec::new()), "a"), Err(AccessRefusal::Implicit(EvaluatedPolicy::Identity)));
        assert_eq!(put(&grants(vec![policy(&[OTHER])]), "a"), Err(AccessRefusal::Implicit(EvaluatedPolicy::Identity)));
        assert_eq!(put(&grants(vec![policy(&[OTHER]), policy(&[ALLOW])]), "a"), Ok(()));
    }

    #[test]
    fn an_explicit_deny_wins_wherever_it_is() {
        let deny = policy(&[ALLOW, DENY]);
        let allow = policy(&[ALLOW]);
        let identity = grants(vec![allow.clone(), deny.clone()]);
        let boundary = Grants { boundary: Some(deny.clone()), ..grants(vec![allow.clone()]) };
        let session = Grants { session: vec![allow.clone(), deny], ..grants(vec![allow]) };
        for (grants, kind) in [
            (identity, EvaluatedPolicy::Identity),
            (boundary, EvaluatedPolicy::Boundary),
            (session, EvaluatedPolicy::Session),
        ] {
            assert_eq!(put(&grants, "a"), Ok(()));
            assert_eq!(put(&grants, "private/a"), Err(AccessRefusal::Explicit(kind)));
        }
    }

    #[test]
    fn a_session_policy_narrows_and_never_widens() {
        let narrow = r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::site/docs/*"}"#;
        let session = Grants { session: vec![policy(&[narrow])], ..grants(vec![policy(&[ALLOW])]) };
        assert_eq!(put(&session, "docs/a"), Ok(()));
        assert_eq!(put(&session, "a"), Err(AccessRefusal::Implicit(EvaluatedPolicy::Session)));
        let beyond = session.evaluate("s3:DeleteObject", "arn:aws:s3:::site/docs/a", &ConditionContext::default());
        assert_eq!(beyond, Err(AccessRefusal::Implicit(EvaluatedPolicy::Identity)), "the role never had it");
    }

    #[test]
    fn root_may_do_everything_unless_its_session_says_otherwise() {
        let root = Grants { identity: EvaluatedIdentity::Root, boundary: None, session: Vec::new() };
        assert_eq!(put(&root, "a"), Ok(()));
        let session = Grants { session: vec![policy(&[OTHER])], ..root };
        assert_eq!(put(&session, "a"), Err(AccessRefusal::Implicit(EvaluatedPolicy::Session)));
    }

    proptest! {
        /// The rule as a formula over every combination of allow and deny in the three kinds.
        #[test]
        fn evaluation_is_the_intersection_less_every_deny(
            identity in (any::<bool>(), any::<bool>()),
            boundary in proptest::option::of((any::<bool>(), any::<bool>())),
            session in proptest::option::of((any::<bool>(), any::<bool>())),
        ) {
            let statement = |(allow, deny): (bool, bool)| {
                let mut statements = vec![OTHER];
                if allow { statements.push(ALLOW); }
                if deny { statements.push(DENY); }
                policy(&statements)
            };
            let all = Grants {
                identity: EvaluatedIdentity::Policies(vec![statement(identity)]),
                boundary: boundary.map(statement),
                session: session.map(statement).into_iter().collect(),
            };
            let kinds = [Some(identity), boundary, session];
            let allowed = kinds.iter().flatten().all(|(allow, _)| *allow);
            let denied = kinds.iter().flatten().any(|(_, deny)| *deny);
            prop_assert_eq!(put(&all, "private/a").is_ok(), allowed && !denied);
            prop_assert_eq!(put(&all, "a").is_ok(), allowed);
        }
    }
}
