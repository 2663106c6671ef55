//! Policy plugins: the trait, and constructors for its answers.

pub use crate::bindings::policy::exports::tidegate::plugin::policy::{Change, ChangeKind, Judgement, Totals, Verdict};

use crate::{Failure, Finding, Run, Settings};

/// Reviews the finished plan.
///
/// One value lives for one run: [`begin`](Self::begin) creates it, [`review`](Self::review) shows it every change in
/// ascending order of keys, and [`conclude`](Self::conclude) asks for its judgement. The judgement must not depend on
/// the size of batches.
pub trait PolicyPlugin: Sized {
    /// The plugin's settings.
    type Settings: Settings;

    /// Starts a run with the totals of the plan.
    ///
    /// # Errors
    ///
    /// A failure denies the run.
    fn begin(run: &Run, totals: &Totals, settings: Self::Settings) -> Result<Self, Failure>;

    /// Reviews up to 1,000 changes, including unchanged keys, and returns findings.
    ///
    /// # Errors
    ///
    /// A failure denies the run.
    fn review(&mut self, batch: &[Change]) -> Result<Vec<Finding>, Failure>;

    /// Returns the judgement.
    ///
    /// # Errors
    ///
    /// A failure denies the run.
    fn conclude(&mut self) -> Result<Judgement, Failure>;
}

impl Totals {
    /// The count with this name, such as `delete` or `site-objects`; `None` if the host does not report it.
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

    /// Allows the plan without findings.
    #[must_use]
    pub fn allow() -> Self {
        Self::new(Verdict::Allow, Vec::new())
    }
}
