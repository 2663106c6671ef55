//! Policy documents: the JSON of identity policies (what an identity may do) and trust policies (who may assume a
//! role), parsed strictly into values that `evaluate` can evaluate.
//!
//! The grammar is that of the IAM User Guide, "Grammar of the IAM JSON policy language". Everything unknown is an
//! error: an emulator that ignored an element would allow or deny what AWS does not.

mod error;
mod resource;
mod statement;

use std::collections::BTreeSet;

use super::context::ConditionContext;
use super::json::OneOrMany;
use super::pattern::ArnPattern;
use super::principal::Principals;
pub(crate) use error::ReadDocumentError;
pub(crate) use resource::BucketPolicy;
pub(crate) use statement::StatementEffect;
use statement::{Clause, Selector, arns, clause, is_sts, read};

/// What an identity may do: an attached policy, a permissions boundary, or a session policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IdentityPolicy {
    statements: Vec<(Clause, Selector<ArnPattern>)>,
}

/// Who may assume a role.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrustPolicy {
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
    pub(crate) fn parse(text: &str) -> Result<Self, ReadDocumentError> {
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
    pub(crate) fn parse(text: &str) -> Result<Self, ReadDocumentError> {
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

    /// Whether a statement allows an identity provider without a condition on `key`.
    pub(super) fn allows_federated_without(&self, is_provider: impl Fn(&str) -> bool, key: &str) -> bool {
        self.statements.iter().any(|(clause, principals)| {
            clause.effect() == StatementEffect::Allow
                && principals.federated().iter().any(|provider| is_provider(provider))
                && !clause.required_keys().any(|known| known.eq_ignore_ascii_case(key))
        })
    }

    /// The ARNs of users and roles that the policy names.
    pub(super) fn named_arns(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|(_, principals)| principals.arns())
    }
}

#[cfg(test)]
mod tests;
