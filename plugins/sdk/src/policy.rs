//! Policy plugins: what judges a plan.
//!
//! Owns the trait and the builders of its answers. Never changes a plan: neither does a policy.

pub use crate::bindings::policy::exports::tidegate::plugin::policy::{Change, ChangeKind, Judgement, Totals, Verdict};

use crate::{Failure, Finding, Run, Settings};

/// Judges the finished plan.
///
/// One value lives for one run: made by [`begin`](Self::begin), shown every change in ascending order of keys, and asked
/// for its judgement. The judgement must not depend on where batches are cut.
pub trait PolicyPlugin: Sized {
    /// What a configuration may say.
    type Settings: Settings;

    /// Starts a run with the plan's totals.
    ///
    /// # Errors
    ///
    /// A failure denies the run.
    fn begin(run: &Run, totals: &Totals, settings: Self::Settings) -> Result<Self, Failure>;

    /// Looks at 1,000 changes at the most, kept keys included, and says what is worth a finding.
    ///
    /// # Errors
    ///
    /// A failure denies the run.
    fn review(&mut self, batch: &[Change]) -> Result<Vec<Finding>, Failure>;

    /// Judges.
    ///
    /// # Errors
    ///
    /// A failure denies the run.
    fn conclude(&mut self) -> Result<Judgement, Failure>;
}

impl Totals {
    /// The count of that name, such as `delete` or `site-objects`; nothing where the host does not know the name.
    #[must_use]
    pub fn count(&self, name: &str) -> Option<u64> {
        self.counts.iter().find(|(known, _)| known == name).map(|(_, count)| *count)
    }
}

impl Judgement {
    /// A judgement with its findings.
    #[must_use]
    pub fn new(verdict: Verdict, findings: Vec<Finding>) -> Self {
        Self { verdict, findings, attributes: Vec::new() }
    }

    /// Allows, and has nothing to say.
    #[must_use]
    pub fn allow() -> Self {
        Self::new(Verdict::Allow, Vec::new())
    }
}
