//! Policy documents: the JSON of identity policies (what somebody may do) and of trust policies
//! (who may assume a role), parsed strictly into values that can be evaluated. It owns what is well
//! formed; `evaluate` owns what it means.
//!
//! The grammar is that of the IAM User Guide, "Grammar of the IAM JSON policy language". Everything
//! that isn't understood is an error: a stand-in that ignored an element would allow, or deny, what
//! AWS doesn't.

mod resource;
mod statement;

use std::collections::BTreeSet;

use thiserror::Error;

use super::condition::ConditionError;
use super::context::ConditionContext;
use super::json::OneOrMany;
use super::pattern::{ArnPattern, PatternError};
use super::principal::{PrincipalError, Principals};
pub use resource::BucketPolicy;
use statement::{Clause, Selector, arns, clause, is_sts, read};

/// Why a policy document is malformed; AWS answers `MalformedPolicyDocument`.
#[derive(Debug, Error)]
pub enum ReadDocumentError {
    /// Not JSON, an unknown or repeated element, or one of the wrong type.
    #[error("syntax errors in policy: {0}")]
    Syntax(#[from] serde_json::Error),
    /// A version that doesn't exist.
    #[error("`{0}` isn't a policy version: write `2012-10-17`")]
    Version(String),
    /// No statement at all.
    #[error("the policy has no statement")]
    NoStatement,
    /// A statement identifier with other characters than letters and digits.
    #[error("statement IDs (SID) must be alpha-numeric, but `{0}` isn't")]
    Sid(String),
    /// Two statements with one identifier.
    #[error("statement IDs (SID) in a single policy must be unique, but `{0}` occurs twice")]
    RepeatedSid(String),
    /// An effect other than `Allow` and `Deny`.
    #[error("`{0}` isn't an effect: write `Allow` or `Deny`")]
    Effect(String),
    /// Neither or both of two elements of which a statement needs exactly one.
    #[error("a statement must contain exactly one of `{0}` and `{1}`")]
    ExactlyOne(&'static str, &'static str),
    /// An empty list where at least one value is needed.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// An element that this kind of policy can't have.
    #[error("the policy has prohibited field `{0}`")]
    Prohibited(&'static str),
    /// An action without a vendor.
    #[error("`{0}` isn't an action: actions must be prefaced by a vendor, as in `s3:GetObject`")]
    Action(String),
    /// An action in a trust policy that isn't one of STS's.
    #[error("a trust policy can only specify STS actions, but it says `{0}`")]
    TrustAction(String),
    /// A resource that is neither `*` nor an ARN.
    #[error("resource `{0}` must be in ARN format or \"*\"")]
    Resource(String),
    /// A policy variable that isn't well formed.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A condition that isn't well formed.
    #[error(transparent)]
    Condition(#[from] ConditionError),
    /// A principal that isn't well formed.
    #[error(transparent)]
    Principal(#[from] PrincipalError),
}

/// What a matching statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementEffect {
    /// It grants, unless something denies.
    Allow,
    /// It denies, whatever else grants.
    Deny,
}

/// What somebody may do: attached to a user or a role, a permissions boundary, or a session policy.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityPolicy {
    statements: Vec<(Clause, Selector<ArnPattern>)>,
}

/// Who may assume a role.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustPolicy {
    statements: Vec<(Clause, Principals)>,
}

impl IdentityPolicy {
    /// A policy that says nothing, and so allows nothing.
    pub(super) fn nothing() -> Self {
        Self { statements: Vec::new() }
    }

    /// Reads an identity policy: every statement has a resource, none a principal.
    ///
    /// # Errors
    /// For anything that the grammar doesn't know or the stand-in can't judge.
    pub fn parse(text: &str) -> Result<Self, ReadDocumentError> {
        let document = read(text)?;
        let mut statements = Vec::new();
        for written in document.statement.into_iter() {
            if written.principal.is_some() {
                return Err(ReadDocumentError::Prohibited("Principal"));
            }
            let resources = match (&written.resource, &written.not_resource) {
                (Some(resources), None) => Selector::Any(arns(resources, "Resource", document.variables)?),
                (None, Some(resources)) => Selector::None(arns(resources, "NotResource", document.variables)?),
                _ => return Err(ReadDocumentError::ExactlyOne("Resource", "NotResource")),
            };
            statements.push((clause(&written, document.variables)?, resources));
        }
        Ok(Self { statements })
    }

    /// The effects of the statements that speak about `action` on `resource`.
    pub(super) fn effects(
        &self,
        action: &str,
        resource: &str,
        context: &ConditionContext,
    ) -> impl Iterator<Item = StatementEffect> {
        self.statements
            .iter()
            .filter(move |(clause, resources)| {
                clause.applies(action, context) && resources.selects(|pattern| pattern.matches(resource, context))
            })
            .map(|(clause, _)| clause.effect())
    }
}

impl IdentityPolicy {
    /// The keys that a request's context has to have for the statements about `action` on `resource` to
    /// be judged as they are meant; some may be in `context`.
    pub(super) fn required_keys(&self, action: &str, resource: &str, context: &ConditionContext) -> BTreeSet<&str> {
        let mut keys = BTreeSet::new();
        for (clause, resources) in self.statements.iter().filter(|(clause, _)| clause.names(action, context)) {
            keys.extend(resources.patterns().iter().flat_map(ArnPattern::variables));
            if resources.selects(|pattern| pattern.matches(resource, context)) {
                keys.extend(clause.required_keys());
            }
        }
        keys
    }
}

impl TrustPolicy {
    /// Reads a trust policy: every statement has a principal, none a resource, and all actions are
    /// of STS.
    ///
    /// # Errors
    /// For anything that the grammar doesn't know or the stand-in can't judge.
    pub fn parse(text: &str) -> Result<Self, ReadDocumentError> {
        let document = read(text)?;
        let mut statements = Vec::new();
        for written in document.statement.into_iter() {
            if written.resource.is_some() {
                return Err(ReadDocumentError::Prohibited("Resource"));
            }
            if written.not_resource.is_some() {
                return Err(ReadDocumentError::Prohibited("NotResource"));
            }
            let named = written.action.iter().chain(&written.not_action).flat_map(OneOrMany::iter);
            if let Some(other) = named.into_iter().find(|action| !is_sts(action)) {
                return Err(ReadDocumentError::TrustAction(other.clone()));
            }
            let Some(principals) = &written.principal else {
                return Err(ReadDocumentError::ExactlyOne("Principal", "NotPrincipal"));
            };
            statements.push((clause(&written, document.variables)?, Principals::parse(principals)?));
        }
        Ok(Self { statements })
    }

    /// The effects of the statements that speak about `action` for the principal with these ARNs.
    pub(super) fn effects(
        &self,
        action: &str,
        arns: &[String],
        context: &ConditionContext,
    ) -> impl Iterator<Item = StatementEffect> {
        self.statements
            .iter()
            .filter(move |(clause, principals)| clause.applies(action, context) && principals.name_any(arns))
            .map(|(clause, _)| clause.effect())
    }

    /// The ARNs of users and roles that the policy names.
    pub(super) fn named_arns(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|(_, principals)| principals.arns())
    }
}

#[cfg(test)]
mod tests;
