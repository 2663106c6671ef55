//! Policies of resources: what a bucket's owner says of everybody. It owns their form and what a statement of them says of
//! a caller; how that goes together with the caller's own policies is `Iam::authorize_at`'s to say.

use super::statement::{Clause, Selector, arns, clause, read};
use super::{ArnPattern, Principals, ReadDocumentError, StatementEffect};
use crate::iam::context::ConditionContext;

/// A bucket's policy.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketPolicy {
    statements: Vec<(Clause, Principals, Selector<ArnPattern>)>,
}

impl BucketPolicy {
    /// Reads a bucket's policy: every statement has a principal and a resource.
    ///
    /// # Errors
    /// For anything that the grammar doesn't know or the stand-in can't judge.
    pub fn parse(text: &str) -> Result<Self, ReadDocumentError> {
        let document = read(text)?;
        let mut statements = Vec::new();
        for written in document.statement.into_iter() {
            let Some(principals) = &written.principal else {
                return Err(ReadDocumentError::ExactlyOne("Principal", "NotPrincipal"));
            };
            let resources = match (&written.resource, &written.not_resource) {
                (Some(resources), None) => Selector::Any(arns(resources, "Resource", document.variables)?),
                (None, Some(resources)) => Selector::None(arns(resources, "NotResource", document.variables)?),
                _ => return Err(ReadDocumentError::ExactlyOne("Resource", "NotResource")),
            };
            statements.push((clause(&written, document.variables)?, Principals::parse(principals)?, resources));
        }
        Ok(Self { statements })
    }

    /// What it says of a request by somebody with these ARNs; somebody without credentials has none.
    pub(crate) fn effect(
        &self,
        action: &str,
        resource: &str,
        arns: &[String],
        context: &ConditionContext,
    ) -> Option<StatementEffect> {
        let mut verdict = None;
        for (clause, principals, resources) in &self.statements {
            let speaks = clause.applies(action, context)
                && principals.name_any(arns)
                && resources.selects(|pattern| pattern.matches(resource, context));
            match (speaks, clause.effect()) {
                (true, StatementEffect::Deny) => return Some(StatementEffect::Deny),
                (true, StatementEffect::Allow) => verdict = Some(StatementEffect::Allow),
                (false, _) => {}
            }
        }
        verdict
    }

    /// Whether it gives anything to everybody without a condition: what a public access block refuses.
    /// Source: Amazon S3 user guide, "Blocking public access", the meaning of "public"; fixed conditions make a policy not
    /// public there, any condition does here.
    #[must_use]
    pub fn is_public(&self) -> bool {
        let open = |(clause, principals, _): &(Clause, Principals, Selector<ArnPattern>)| {
            clause.effect() == StatementEffect::Allow && principals.name_any(&[]) && !clause.is_conditional()
        };
        self.statements.iter().any(open)
    }
}
