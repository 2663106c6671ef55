//! Bucket policies: their grammar and the effect of their statements. `IamService::authorize_at` combines it with the
//! caller's own policies.

use super::super::context::ConditionContext;
use super::super::pattern::ArnPattern;
use super::super::principal::Principals;
use super::error::ReadDocumentError;
use super::statement::{Clause, Selector, StatementEffect, arns, clause, read};

/// The policy of a bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketPolicy {
    statements: Vec<(Clause, Principals, Selector<ArnPattern>)>,
}

impl BucketPolicy {
    /// Parses a bucket policy: every statement has a principal and a resource.
    ///
    /// # Errors
    /// The document violates the grammar, or the emulator cannot evaluate it.
    pub fn parse(text: &str) -> Result<Self, ReadDocumentError> {
        let document = read(text)?;
        let mut statements = Vec::new();
        for statement in document.statement.into_iter() {
            let Some(principals) = &statement.principal else {
                return Err(ReadDocumentError::ExactlyOne("Principal", "NotPrincipal"));
            };
            let resources = match (&statement.resource, &statement.not_resource) {
                (Some(resources), None) => Selector::Any(arns(resources, "Resource", document.variables)?),
                (None, Some(resources)) => Selector::None(arns(resources, "NotResource", document.variables)?),
                _ => return Err(ReadDocumentError::ExactlyOne("Resource", "NotResource")),
            };
            statements.push((clause(&statement, document.variables)?, Principals::parse(principals)?, resources));
        }
        Ok(Self { statements })
    }

    /// The effect on a request by the caller with these ARNs. A caller without credentials has none.
    pub(crate) fn effect(
        &self,
        action: &str,
        resource: &str,
        arns: &[String],
        context: &ConditionContext,
    ) -> Option<StatementEffect> {
        self.effect_where(action, resource, |principals| principals.name_any(arns), context)
    }

    /// The effect on a request by an AWS service.
    pub(crate) fn effect_on_service(
        &self,
        action: &str,
        resource: &str,
        service: &str,
        context: &ConditionContext,
    ) -> Option<StatementEffect> {
        self.effect_where(action, resource, |principals| principals.name_service(service), context)
    }

    fn effect_where(
        &self,
        action: &str,
        resource: &str,
        names: impl Fn(&Principals) -> bool,
        context: &ConditionContext,
    ) -> Option<StatementEffect> {
        let mut effect = None;
        for (clause, principals, resources) in &self.statements {
            let applies = clause.applies(action, context)
                && names(principals)
                && resources.selects(|pattern| pattern.matches(resource, context));
            match (applies, clause.effect()) {
                (true, StatementEffect::Deny) => return Some(StatementEffect::Deny),
                (true, StatementEffect::Allow) => effect = Some(StatementEffect::Allow),
                (false, _) => {}
            }
        }
        effect
    }

    /// Whether it allows any principal something without a condition, which a public access block can reject. Source:
    /// Amazon S3 User Guide, "Blocking public access", the meaning of "public". There only fixed conditions make a
    /// policy non-public, here any condition does.
    #[must_use]
    pub fn is_public(&self) -> bool {
        let is_open = |(clause, principals, _): &(Clause, Principals, Selector<ArnPattern>)| {
            clause.effect() == StatementEffect::Allow && principals.name_any(&[]) && !clause.is_conditional()
        };
        self.statements.iter().any(is_open)
    }
}
