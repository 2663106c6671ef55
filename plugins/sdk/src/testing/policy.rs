//! Runs a policy plugin.

use std::collections::BTreeMap;

use super::{BATCH_SIZES, canonical, run, with_content};
use crate::{Change, ChangeKind, Failure, Judgement, PolicyPlugin, PolicySession, Totals};

/// A plan to review: changes by key, with their totals.
#[derive(Clone, Debug, Default)]
pub struct TestPlan {
    changes: BTreeMap<String, Change>,
    content: BTreeMap<String, Vec<u8>>,
    counts: BTreeMap<String, u64>,
}

impl TestPlan {
    /// An empty plan for an empty site.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a change of an object with this size in bytes.
    #[must_use]
    pub fn change(mut self, kind: ChangeKind, key: &str, size: u64) -> Self {
        let change = Change {
            key: key.to_owned(),
            kind,
            size,
            redirect: None,
            headers: Vec::new(),
            reason: String::new(),
            attributes: Vec::new(),
        };
        self.changes.insert(key.to_owned(), change);
        self
    }

    /// Adds a change of a redirect.
    #[must_use]
    pub fn redirect(mut self, kind: ChangeKind, key: &str, to: &str) -> Self {
        self = self.change(kind, key, 0);
        if let Some(change) = self.changes.get_mut(key) {
            change.redirect = Some(to.to_owned());
        }
        self
    }

    /// Adds content that the policy may read.
    #[must_use]
    pub fn content(mut self, key: &str, content: impl Into<Vec<u8>>) -> Self {
        self.content.insert(key.to_owned(), content.into());
        self
    }

    /// Overrides a total.
    #[must_use]
    pub fn count(mut self, name: &str, count: u64) -> Self {
        self.counts.insert(name.to_owned(), count);
        self
    }

    fn totals(&self) -> Totals {
        let of_kinds = |kinds: &[ChangeKind]| {
            self.changes.values().filter(|change| kinds.contains(&change.kind)).collect::<Vec<_>>()
        };
        let count = |kinds: &[ChangeKind]| of_kinds(kinds).len() as u64;
        let bytes = |kinds: &[ChangeKind]| of_kinds(kinds).iter().map(|change| change.size).sum();
        let after = [ChangeKind::Create, ChangeKind::Update, ChangeKind::Headers, ChangeKind::Keep];
        let before = [ChangeKind::Update, ChangeKind::Headers, ChangeKind::Delete, ChangeKind::Keep];
        let counts = [
            ("create", count(&[ChangeKind::Create])),
            ("update", count(&[ChangeKind::Update])),
            ("headers", count(&[ChangeKind::Headers])),
            ("delete", count(&[ChangeKind::Delete])),
            ("keep", count(&[ChangeKind::Keep])),
            ("source-objects", count(&after)),
            ("published-objects", count(&after)),
            ("published-bytes", bytes(&after)),
            ("site-objects", count(&before)),
            ("bytes-to-write", bytes(&[ChangeKind::Create, ChangeKind::Update])),
        ];
        let mut counts: BTreeMap<String, u64> = counts.map(|(name, count)| (name.to_owned(), count)).into();
        counts.extend(self.counts.clone());
        Totals { counts: counts.into_iter().collect(), attributes: Vec::new() }
    }
}

/// Runs a policy with each of the [`BATCH_SIZES`], and returns its judgement, which must always be the same.
///
/// Findings of reviews come first, in the order of batches.
///
/// # Panics
///
/// The settings are invalid, or the judgement depends on the size of batches.
///
/// # Errors
///
/// The plugin's failure.
pub fn judge<P: PolicyPlugin>(settings: &str, plan: &TestPlan) -> Result<Judgement, Failure> {
    let [first, others @ ..] = BATCH_SIZES;
    let judgement = judge_in_batches::<P>(settings, plan, first);
    for size in others {
        let other = judge_in_batches::<P>(settings, plan, size);
        assert_eq!(other, judgement, "the judgement in batches of {size} differs from the one in batches of {first}");
    }
    judgement
}

/// Runs a policy in batches of `size` changes.
///
/// # Panics
///
/// The settings are invalid, or `size` is 0.
///
/// # Errors
///
/// The plugin's failure.
pub fn judge_in_batches<P: PolicyPlugin>(settings: &str, plan: &TestPlan, size: usize) -> Result<Judgement, Failure> {
    let settings = canonical::<P::Settings>(settings);
    assert!(settings.is_ok(), "invalid settings: {settings:?}");
    let settings = settings.unwrap_or_default();
    let changes: Vec<Change> = plan.changes.values().cloned().collect();
    with_content(plan.content.clone(), || {
        let session = PolicySession::<P>::new();
        session.begin(&run(&settings, changes.len(), None), &plan.totals())?;
        let mut findings = Vec::new();
        for batch in changes.chunks(size) {
            findings.extend(session.review(batch)?);
        }
        let judgement = session.conclude()?;
        findings.extend(judgement.findings);
        Ok(Judgement { findings, ..judgement })
    })
}
