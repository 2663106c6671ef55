//! Has the policies review a plan, and approves it if all of them allow it.

use std::sync::Arc;

use tidegate_core::approval::{self, Approval, Approved, Decision};
use tidegate_core::plan::Plan;
use tidegate_core::plan_review::Judgement;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_host::policy;

use super::error::PublishError;
use super::plan::Basis;
use super::run::Run;
use super::transform::{blocking, facts};
use crate::plugins::SitePlugins;
use crate::source::content::SourceContent;

/// A plan, and the judgements of the policies.
pub(super) struct ReviewedPlan {
    pub(super) plan: Plan,
    pub(super) judgements: Vec<Judgement>,
}

/// Runs the policy plugins over a plan.
pub(super) async fn review(
    run: Run<'_>,
    plugins: SitePlugins,
    plan: Plan,
    basis: &Basis,
) -> Result<ReviewedPlan, PublishError> {
    let (desired, facts) = (Arc::clone(&basis.desired), facts(run));
    let content = SourceContent::new(basis.reader.clone(), tokio::runtime::Handle::current());
    blocking(move || {
        let judgements = policy::review(&plugins.policy, &approval::review(&plan, &desired), &facts, &content);
        ReviewedPlan { plan, judgements }
    })
    .await
}

/// Approves a plan. If it is not approved, the report says why.
pub(super) fn approve(
    plan: Plan,
    judgements: Vec<Judgement>,
    approval: Approval,
    report: &mut PublishReport,
) -> Option<Approved> {
    let (outcome, judgements) = match approval::decide(plan, judgements, approval) {
        Decision::Approved(approved) => {
            report.judgements = approved.judgements().to_vec();
            return Some(approved);
        }
        Decision::Denied(_, judgements) => (Outcome::Denied, judgements),
        Decision::Held(_, judgements) => (Outcome::Held, judgements),
    };
    report.outcome = outcome;
    report.judgements = judgements;
    None
}
