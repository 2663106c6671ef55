//! The rule of approval: a plan is approved if at least one policy reviewed it and every policy allowed it.

use crate::desired::{DesiredBody, DesiredSite};
use crate::edge::shown_key;
use crate::plan::{Action, ChangeReason, Operation, Plan};
use crate::plan_review::{Judgement, PlanReview, ReviewedChange, ReviewedKind, Verdict};

/// A plan as policies see it: every operation, and every key that is kept.
#[must_use]
pub fn review<'a>(plan: &'a Plan, desired: &'a DesiredSite) -> PlanReview<'a> {
    let changed = plan.operations.iter().filter_map(|operation| {
        let headers = match &operation.action {
            Action::Put { headers, .. } | Action::Headers { headers, .. } => Some(headers),
            Action::Delete { .. } => None,
        };
        let key = operation.key.as_str();
        let shown = shown_key(desired, key).filter(|shown| *shown == key || headers.is_some())?;
        let body = desired.get(key).map(|entry| &entry.body);
        let (redirect, source) = (body.and_then(DesiredBody::redirect), body.and_then(DesiredBody::source));
        let (kind, size, reason) = (kind(operation), operation.size(), operation.reason.as_str());
        Some(ReviewedChange { key: shown, kind, size, redirect, headers, reason, source })
    });
    let kept = plan.kept(desired).filter_map(|entry| {
        let key = shown_key(desired, entry.key.as_str())?;
        Some(ReviewedChange { key, ..ReviewedChange::of_entry(entry, ReviewedKind::Keep, "unchanged") })
    });
    PlanReview::new(changed.chain(kept).collect(), plan.totals.named())
}

fn kind(operation: &Operation) -> ReviewedKind {
    match (&operation.action, operation.reason) {
        (Action::Put { .. }, ChangeReason::New) => ReviewedKind::Create,
        (Action::Put { .. }, _) => ReviewedKind::Update,
        (Action::Headers { .. }, _) => ReviewedKind::Headers,
        (Action::Delete { .. }, _) => ReviewedKind::Delete,
    }
}

/// A plan that may be executed. Only [`decide`] makes one.
#[derive(Debug)]
pub struct Approved {
    plan: Plan,
    judgements: Vec<Judgement>,
}

/// The result of a review.
#[derive(Debug)]
pub enum Decision {
    /// The plan may be executed.
    Approved(Approved),
    /// A person must approve the plan.
    Held(Plan, Vec<Judgement>),
    /// The plan must not be executed.
    Denied(Plan, Vec<Judgement>),
}

/// Who approves a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// Policies alone.
    Policies,
    /// A person approved exactly this plan: `hold` no longer stops it, a denial still does.
    Person,
}

/// Decides about a plan. It is denied if no policy reviewed it or a policy failed. Policies that are only observed do not
/// count.
#[must_use]
pub fn decide(plan: Plan, judgements: Vec<Judgement>, approval: Approval) -> Decision {
    let is_reviewed = judgements.iter().any(|judgement| judgement.mode.is_enforced());
    let has = |verdict| judgements.iter().any(|judgement| judgement.enforced_verdict() == verdict);
    let (denied, held) = (!is_reviewed || has(Verdict::Deny), has(Verdict::Hold));
    match (denied, held, approval) {
        (true, _, _) => Decision::Denied(plan, judgements),
        (false, true, Approval::Policies) => Decision::Held(plan, judgements),
        (false, true, Approval::Person) | (false, false, _) => Decision::Approved(Approved { plan, judgements }),
    }
}

impl Approved {
    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The judgements of the policies.
    #[must_use]
    pub fn judgements(&self) -> &[Judgement] {
        &self.judgements
    }

    /// Splits the value after the plan was executed.
    #[must_use]
    pub fn into_parts(self) -> (Plan, Vec<Judgement>) {
        (self.plan, self.judgements)
    }
}
