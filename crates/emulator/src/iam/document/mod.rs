//! Policy documents: the JSON of identity policies (what an identity may do) and trust policies (who may assume a
//! role), parsed strictly into values that `evaluate` can evaluate.
//!
//! The grammar is that of the IAM User Guide, "Grammar of the IAM JSON policy language". Everything unknown is an
//! error: an emulator that ignored an element would allow or deny what AWS does not.

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

/// Why a policy document is malformed. AWS answers `MalformedPolicyDocument`.
#[derive(Debug, Error)]
pub enum ReadDocumentError {
    /// Invalid JSON, or an unknown, repeated or mistyped element.
    #[error("syntax errors in policy: {0}")]
    Syntax(#[from] serde_json::Error),
    /// An unknown version.
    #[error("unknown policy version `{0}`; use `2012-10-17`")]
    Version(String),
    /// No statement.
    #[error("the policy has no statement")]
    NoStatement,
    /// A statement ID with characters other than letters and digits.
    #[error("invalid statement ID `{0}`; statement IDs (SID) must be alpha-numeric")]
    Sid(String),
    /// Two statements with the same ID.
    #[error("repeated statement ID `{0}`; statement IDs (SID) in a single policy must be unique")]
    RepeatedSid(String),
    /// An effect other than `Allow` and `Deny`.
    #[error("invalid effect `{0}`; use `Allow` or `Deny`")]
    Effect(String),
    /// Neither or both of two elements of which a statement needs exactly one.
    #[error("a statement must contain exactly one of `{0}` and `{1}`")]
    ExactlyOne(&'static str, &'static str),
    /// An empty list that needs at least one value.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// An element that this kind of policy cannot have.
    #[error("the policy has prohibited field `{0}`")]
    Prohibited(&'static str),
    /// An action without a vendor.
    #[error("invalid action `{0}`; actions must be prefaced by a vendor, such as `s3:GetObject`")]
    Action(String),
    /// An action of a service other than STS in a trust policy.
    #[error("invalid action `{0}`; a trust policy can only specify STS actions")]
    TrustAction(String),
    /// A resource that is neither `*` nor an ARN.
    #[error("resource `{0}` must be in ARN format or \"*\"")]
    Resource(String),
    /// A malformed policy variable.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A malformed condition.
    #[error(transparent)]
    Condition(#[from] ConditionError),
    /// A malformed principal.
    #[error(transparent)]
    Principal(#[from] PrincipalError),
}

/// The effect of a matching statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementEffect {
    /// Allows the request, unless another statement denies it.
    Allow,
    /// Denies the request, even if another statement allows it.
    Deny,
}

/// What an identity may do: an attached policy, a permissions boundary, or a session policy.
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
    /// A policy without statements, which allows nothing.
    pub(super) fn nothing() -> Self {
        Self { statements: Vec::new() }
    }

    /// Parses an identity policy: every statement has a resource, and none a principal.
    ///
    /// # Errors
    /// The document violates the grammar, or the emulator cannot evaluate it.
    pub fn parse(text: &str) -> Result<Self, ReadDocumentError> {
        let document = read(text)?;
        let mut statements = Vec::new();
        for statement in document.statement.into_iter() {
            if statement.principal.is_some() {
                return Err(ReadDocumentError::Prohibited("Principal"));
            }
            let resources = match (&statement.resource, &statement.not_resource) {
                (Some(resources), None) => Selector::Any(arns(resources, "Resource", document.variables)?),
                (None, Some(resources)) => Selector::None(arns(resources, "NotResource", document.variables)?),
                _ => return Err(ReadDocumentError::ExactlyOne("Resource", "NotResource")),
            };
            statements.push((clause(&statement, document.variables)?, resources));
        }
        Ok(Self { statements })
    }

    /// The effects of the statements that apply to `action` on `resource`.
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
    /// The keys that a request's context needs for the statements that apply to `action` on `resource`. Some may be in
    /// `context`.
    pub(super) fn required_keys(&self, action: &str, resource: &str, context: &ConditionContext) -> BTreeSet<&str> {
        let mut keys = BTreeSet::new();
        for (clause, resources) in self.statements.iter().filter(|(clause, _)| clause.covers(action, context)) {
            keys.extend(resources.patterns().iter().flat_map(ArnPattern::variables));
            if resources.selects(|pattern| pattern.matches(resource, context)) {
                keys.extend(clause.required_keys());
            }
        }
        keys
    }
}

impl TrustPolicy {
    /// Parses a trust policy: every statement has a principal, and none a resource. All actions are of STS.
    ///
    /// # Errors
    /// The document violates the grammar, or the emulator cannot evaluate it.
    pub fn parse(text: &str) -> Result<Self, ReadDocumentError> {
        let document = read(text)?;
        let mut statements = Vec::new();
        for statement in document.statement.into_iter() {
            if statement.resource.is_some() {
                return Err(ReadDocumentError::Prohibited("Resource"));
            }
            if statement.not_resource.is_some() {
                return Err(ReadDocumentError::Prohibited("NotResource"));
            }
            let named = statement.action.iter().chain(&statement.not_action).flat_map(OneOrMany::iter);
            if let Some(other) = named.into_iter().find(|action| !is_sts(action)) {
                return Err(ReadDocumentError::TrustAction(other.clone()));
            }
            let Some(principals) = &statement.principal else {
                return Err(ReadDocumentError::ExactlyOne("Principal", "NotPrincipal"));
            };
            statements.push((clause(&statement, document.variables)?, Principals::parse(principals)?));
        }
        Ok(Self { statements })
    }

    /// The effects of the statements that apply to `action` for the principal with these ARNs.
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
