//! Policy evaluation: whether a set of policies allows a request.
//!
//! The order is that of the IAM User Guide, "Policy evaluation logic", for requests within one account and without
//! resource policies. An explicit deny anywhere wins. Then identity policies, the permissions boundary and the session
//! policies must each allow the request, so the effective permissions are their intersection.

use std::sync::Arc;

use super::context::ConditionContext;
use super::document::{IdentityPolicy, StatementEffect};

/// The kind of policy that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluatedPolicy {
    /// Attached to the user or role.
    Identity,
    /// Limits what the user or role can be given.
    Boundary,
    /// Passed when the session was created.
    Session,
    /// Of the resource.
    Resource,
}

impl EvaluatedPolicy {
    /// The kind with its article, as AWS's messages write it.
    #[must_use]
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Identity => "an identity-based policy",
            Self::Boundary => "a permissions boundary",
            Self::Session => "a session policy",
            Self::Resource => "a resource-based policy",
        }
    }

    /// The kind as AWS's messages write it.
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

/// Why a request is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessRefusal {
    /// A statement denies it.
    Explicit(EvaluatedPolicy),
    /// No statement of this kind allows it.
    Implicit(EvaluatedPolicy),
}

/// The permissions of a caller's identity, before its boundary and session policies.
#[derive(Debug, Clone)]
pub(crate) enum EvaluatedIdentity {
    /// The account's root: all permissions.
    Root,
    /// The union of these policies.
    Policies(Vec<Arc<IdentityPolicy>>),
}

/// All policies that apply to the requests of one caller.
#[derive(Debug, Clone)]
pub(crate) struct Grants {
    /// Policies of the user or role.
    pub identity: EvaluatedIdentity,
    /// The permissions boundary of the user or role, if it has one.
    pub boundary: Option<Arc<IdentityPolicy>>,
    /// The session policies. Empty means that none were passed, so they restrict nothing.
    pub session: Vec<Arc<IdentityPolicy>>,
    /// Scope down policies of `GetScopedCredentials`. Each of them must allow a request.
    pub scopes: Vec<Arc<IdentityPolicy>>,
}

impl Grants {
    /// The permissions of an identity that nothing restricts.
    pub(crate) fn of(identity: EvaluatedIdentity) -> Self {
        Self { identity, boundary: None, session: Vec::new(), scopes: Vec::new() }
    }

    /// Evaluates one request.
    ///
    /// # Errors
    /// Why the request is not allowed.
    pub(crate) fn evaluate(
        &self,
        action: &str,
        resource: &str,
        context: &ConditionContext,
    ) -> Result<(), AccessRefusal> {
        let evaluate = |policies: &[Arc<IdentityPolicy>]| {
            let mut effective = None;
            for effect in policies.iter().flat_map(|policy| policy.effects(action, resource, context)) {
                match effect {
                    StatementEffect::Deny => return Some(StatementEffect::Deny),
                    StatementEffect::Allow => effective = Some(StatementEffect::Allow),
                }
            }
            effective
        };
        let scopes = self.scopes.iter().map(|scope| (EvaluatedPolicy::Session, evaluate(std::slice::from_ref(scope))));
        let layers = [
            (
                EvaluatedPolicy::Identity,
                match &self.identity {
                    EvaluatedIdentity::Root => Some(StatementEffect::Allow),
                    EvaluatedIdentity::Policies(policies) => evaluate(policies),
                },
            ),
            (
                EvaluatedPolicy::Boundary,
                self.boundary
                    .as_ref()
                    .map_or(Some(StatementEffect::Allow), |policy| evaluate(std::slice::from_ref(policy))),
            ),
            (
                EvaluatedPolicy::Session,
                if self.session.is_empty() { Some(StatementEffect::Allow) } else { evaluate(&self.session) },
            ),
        ];
        let layers: Vec<_> = layers.into_iter().chain(scopes).collect();
        for (kind, effect) in &layers {
            if *effect == Some(StatementEffect::Deny) {
                return Err(AccessRefusal::Explicit(*kind));
            }
        }
        for (kind, effect) in &layers {
            if effect.is_none() {
                return Err(AccessRefusal::Implicit(*kind));
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
        Grants::of(EvaluatedIdentity::Policies(identity))
    }

    #[test]
    fn denies_what_no_policy_allows() {
        assert_eq!(put(&grants(Vec::new()), "a"), Err(AccessRefusal::Implicit(EvaluatedPolicy::Identity)));
        assert_eq!(put(&grants(vec![policy(&[OTHER])]), "a"), Err(AccessRefusal::Implicit(EvaluatedPolicy::Identity)));
        assert_eq!(put(&grants(vec![policy(&[OTHER]), policy(&[ALLOW])]), "a"), Ok(()));
    }

    #[test]
    fn an_explicit_deny_wins_in_every_kind_of_policy() {
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
    fn a_session_policy_only_restricts() {
        let narrow = r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::site/docs/*"}"#;
        let session = Grants { session: vec![policy(&[narrow])], ..grants(vec![policy(&[ALLOW])]) };
        assert_eq!(put(&session, "docs/a"), Ok(()));
        assert_eq!(put(&session, "a"), Err(AccessRefusal::Implicit(EvaluatedPolicy::Session)));
        let beyond = session.evaluate("s3:DeleteObject", "arn:aws:s3:::site/docs/a", &ConditionContext::default());
        assert_eq!(beyond, Err(AccessRefusal::Implicit(EvaluatedPolicy::Identity)), "the role does not have it");
    }

    #[test]
    fn root_has_all_permissions_except_in_a_restricted_session() {
        let root = Grants::of(EvaluatedIdentity::Root);
        assert_eq!(put(&root, "a"), Ok(()));
        let session = Grants { session: vec![policy(&[OTHER])], ..root };
        assert_eq!(put(&session, "a"), Err(AccessRefusal::Implicit(EvaluatedPolicy::Session)));
    }

    proptest! {
        /// The rule as a formula, for every combination of allow and deny in every kind.
        #[test]
        fn allows_the_intersection_minus_every_deny(
            identity in (any::<bool>(), any::<bool>()),
            boundary in proptest::option::of((any::<bool>(), any::<bool>())),
            session in proptest::option::of((any::<bool>(), any::<bool>())),
            scopes in proptest::collection::vec((any::<bool>(), any::<bool>()), 0..4),
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
                scopes: scopes.iter().copied().map(statement).collect(),
            };
            let kinds: Vec<_> = [Some(identity), boundary, session].into_iter().flatten().chain(scopes).collect();
            let allowed = kinds.iter().all(|(allow, _)| *allow);
            let denied = kinds.iter().any(|(_, deny)| *deny);
            prop_assert_eq!(put(&all, "private/a").is_ok(), allowed && !denied);
            prop_assert_eq!(put(&all, "a").is_ok(), allowed);
        }
    }
}
