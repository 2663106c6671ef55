//! The rule of approval: a plan is approved if at least one policy reviewed it and every policy allowed it.

use crate::desired::DesiredSite;
use crate::edge::shown_key;
use crate::plan::{Action, Plan};
use crate::plan_review::{Judgement, PlanReview, ReviewedChange, ReviewedItem, Verdict};

/// A plan as policies see it: every operation, and every key that is kept.
#[must_use]
pub fn review<'a>(plan: &'a Plan, desired: &'a DesiredSite) -> PlanReview<'a> {
    let changed = plan.operations.iter().filter_map(|operation| {
        let is_delete = matches!(operation.action, Action::Delete { .. });
        let key = operation.key.as_str();
        let shown = shown_key(desired, key)?;
        let entry = desired.get(key);
        match shown == key {
            true => Some(ReviewedItem::Operation(operation, entry)),
            false if is_delete => None,
            false => Some(other(shown, ReviewedChange::of_operation(operation, entry))),
        }
    });
    let kept = plan.kept(desired).filter_map(|entry| {
        let shown = shown_key(desired, entry.key.as_str())?;
        Some(match shown == entry.key.as_str() {
            true => ReviewedItem::Kept(entry),
            false => other(shown, ReviewedChange::of_kept(entry)),
        })
    });
    let mut items = Vec::with_capacity(plan.operations.len().max(desired.entries().len()));
    items.extend(changed.chain(kept));
    PlanReview::of_items(items, plan.totals.named())
}

/// A change that people see under another key.
fn other<'a>(key: &'a str, change: ReviewedChange<'a>) -> ReviewedItem<'a> {
    ReviewedItem::Other(Box::new(ReviewedChange { key, ..change }))
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
