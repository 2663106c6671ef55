//! Violations of the rules of a policy, and how it responds to them.

use serde::{Deserialize, Serialize};

use crate::{Finding, Judgement, Severity, Verdict};

/// The response to a violation, as a value of settings: `deny`, `hold` or `report`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// The plan is denied.
    Deny,
    /// The plan is held for approval.
    Hold,
    /// The violation is reported, and does not change the verdict.
    Report,
}

/// The violations of a plan. The strictest response is the verdict.
#[derive(Debug)]
pub struct Violations {
    findings: Vec<Finding>,
    verdict: Verdict,
}

impl Default for Violations {
    fn default() -> Self {
        Self { findings: Vec::new(), verdict: Verdict::Allow }
    }
}

impl Violations {
    /// Adds a violation. Its severity follows from the response.
    pub fn add(&mut self, response: Response, finding: Finding) {
        let severity = match response {
            Response::Deny => Severity::Error,
            Response::Hold | Response::Report => Severity::Warning,
        };
        self.findings.push(Finding { severity, ..finding });
        self.verdict = match (response, &self.verdict) {
            (Response::Report, _) => return,
            (Response::Deny, _) | (_, Verdict::Deny) => Verdict::Deny,
            (Response::Hold, _) => Verdict::Hold,
        };
    }

    /// Adds a remark, which does not change the verdict.
    pub fn remark(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// The judgement.
    #[must_use]
    pub fn into_judgement(self) -> Judgement {
        Judgement::new(self.verdict, self.findings)
    }
}

/// The first few of many items; the rest is only counted, so that a report stays readable.
#[derive(Clone, Debug)]
pub struct FirstFew<T> {
    items: Vec<T>,
    limit: usize,
    more: u64,
}

impl<T> FirstFew<T> {
    /// Keeps up to `limit` items.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { items: Vec::new(), limit, more: 0 }
    }

    /// Adds an item; `item` is called only if it is kept.
    pub fn add(&mut self, item: impl FnOnce() -> T) {
        if self.items.len() < self.limit {
            self.items.push(item());
        } else {
            self.more += 1;
        }
    }

    /// The items that are kept, and the number of the others.
    #[must_use]
    pub fn into_parts(self) -> (Vec<T>, u64) {
        (self.items, self.more)
    }

    /// Takes all items, and leaves an empty list.
    #[must_use]
    pub fn take(&mut self) -> (Vec<T>, u64) {
        let limit = self.limit;
        std::mem::replace(self, Self::new(limit)).into_parts()
    }
}
