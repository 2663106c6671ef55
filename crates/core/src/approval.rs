//! From a judged plan to an approved one.
//!
//! Owns the rule of approval: every policy answered, and every one said allow. Never runs a policy and never acts.

use crate::desired::{DesiredBody, DesiredSite};
use crate::plan::{Action, ChangeReason, Operation, Plan};
use crate::plan_review::{Judgement, PlanReview, ReviewedChange, ReviewedKind, Verdict};

/// A plan as policies see it: every operation, and every key that stays.
#[must_use]
pub fn review<'a>(plan: &'a Plan, desired: &'a DesiredSite) -> PlanReview<'a> {
    let source = |key: &str| match &desired.get(key)?.body {
        DesiredBody::Object { source, .. } => Some(source),
        DesiredBody::Redirect(_) => None,
    };
    let changed = plan.operations.iter().map(|operation| {
        let headers = match &operation.action {
            Action::Put { headers, .. } | Action::Headers { headers, .. } => Some(headers),
            Action::Delete { .. } => None,
        };
        let key = operation.key.as_str();
        let redirect = desired.get(key).and_then(|entry| entry.body.redirect());
        let (kind, size, reason) = (kind(operation), operation.size(), operation.reason.as_str());
        ReviewedChange { key, kind, size, redirect, headers, reason, source: source(key) }
    });
    let kept = plan.kept(desired).map(|entry| ReviewedChange {
        key: entry.key.as_str(),
        kind: ReviewedKind::Keep,
        size: entry.body.size(),
        redirect: entry.body.redirect(),
        headers: Some(&entry.headers),
        reason: "unchanged",
        source: match &entry.body {
            DesiredBody::Object { source, .. } => Some(source),
            DesiredBody::Redirect(_) => None,
        },
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

/// A plan that may be carried out. Only [`decide`] makes one.
#[derive(Debug)]
pub struct Approved {
    plan: Plan,
    judgements: Vec<Judgement>,
}

/// What became of a plan.
#[derive(Debug)]
pub enum Decision {
    /// It may be carried out.
    Approved(Approved),
    /// A person has to look at it.
    Held(Plan, Vec<Judgement>),
    /// It must not be carried out.
    Denied(Plan, Vec<Judgement>),
}

/// Who stands behind a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// Policies alone.
    Policies,
    /// A person saw this very plan and approves it: `hold` no longer stops it. A denial still does.
    Person,
}

/// Decides. A plan that no policy judged is denied, and so is one that a policy failed on.
#[must_use]
pub fn decide(plan: Plan, judgements: Vec<Judgement>, approval: Approval) -> Decision {
    let denied = judgements.is_empty()
        || judgements.iter().any(|judgement| judgement.verdict == Verdict::Deny || judgement.failure.is_some());
    let held = judgements.iter().any(|judgement| judgement.verdict == Verdict::Hold);
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

    /// Its judgements.
    #[must_use]
    pub fn judgements(&self) -> &[Judgement] {
        &self.judgements
    }

    /// Takes it apart, once it was carried out.
    #[must_use]
    pub fn into_parts(self) -> (Plan, Vec<Judgement>) {
        (self.plan, self.judgements)
    }
}
