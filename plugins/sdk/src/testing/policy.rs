//! Runs a policy plugin.

use std::collections::BTreeMap;

use super::{CUTS, canonical, run, while_content_is};
use crate::{Change, ChangeKind, Failure, Judgement, PolicyPlugin, PolicySession, Totals};

/// A plan to be judged: changes by key, with the totals that follow from them.
#[derive(Clone, Debug, Default)]
pub struct TestPlan {
    changes: BTreeMap<String, Change>,
    content: BTreeMap<String, Vec<u8>>,
    counts: BTreeMap<String, u64>,
}

impl TestPlan {
    /// A plan that changes nothing of an empty site.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a change of an object with so many bytes.
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

    /// Adds content that the policy may read.
    #[must_use]
    pub fn content(mut self, key: &str, content: impl Into<Vec<u8>>) -> Self {
        self.content.insert(key.to_owned(), content.into());
        self
    }

    /// Sets a total instead of what follows from the changes.
    #[must_use]
    pub fn count(mut self, name: &str, count: u64) -> Self {
        self.counts.insert(name.to_owned(), count);
        self
    }

    fn totals(&self) -> Totals {
        let of =
            |wanted: &[ChangeKind]| self.changes.values().filter(|change| wanted.contains(&change.kind)).count() as u64;
        let bytes = |wanted: &[ChangeKind]| {
            self.changes.values().filter(|change| wanted.contains(&change.kind)).map(|change| change.size).sum()
        };
        let after = [ChangeKind::Create, ChangeKind::Update, ChangeKind::Headers, ChangeKind::Keep];
        let before = [ChangeKind::Update, ChangeKind::Headers, ChangeKind::Delete, ChangeKind::Keep];
        let counts = [
            ("create", of(&[ChangeKind::Create])),
            ("update", of(&[ChangeKind::Update])),
            ("headers", of(&[ChangeKind::Headers])),
            ("delete", of(&[ChangeKind::Delete])),
            ("keep", of(&[ChangeKind::Keep])),
            ("source-objects", of(&after)),
            ("published-objects", of(&after)),
            ("published-bytes", bytes(&after)),
            ("site-objects", of(&before)),
            ("bytes-to-write", bytes(&[ChangeKind::Create, ChangeKind::Update])),
        ];
        let mut counts: BTreeMap<String, u64> = counts.map(|(name, count)| (name.to_owned(), count)).into();
        counts.extend(self.counts.clone());
        Totals { counts: counts.into_iter().collect(), attributes: Vec::new() }
    }
}

/// Runs a policy in every cut of [`CUTS`], and returns its judgement, which must be one and the same.
///
/// Findings of reviews come first, in the order of batches.
///
/// # Panics
///
/// If the settings are not valid, or the judgement depends on how batches are cut.
///
/// # Errors
///
/// The plugin's failure.
pub fn judge<P: PolicyPlugin>(settings: &str, plan: &TestPlan) -> Result<Judgement, Failure> {
    let [first, others @ ..] = CUTS;
    let judgement = judge_in_batches::<P>(settings, plan, first);
    for cut in others {
        let other = judge_in_batches::<P>(settings, plan, cut);
        assert_eq!(other, judgement, "the judgement depends on batches: {cut} changes in each instead of {first}");
    }
    judgement
}

/// Runs a policy in batches of `cut` changes.
///
/// # Panics
///
/// If the settings are not valid, or `cut` is 0.
///
/// # Errors
///
/// The plugin's failure.
pub fn judge_in_batches<P: PolicyPlugin>(settings: &str, plan: &TestPlan, cut: usize) -> Result<Judgement, Failure> {
    let settings = canonical::<P::Settings>(settings);
    assert!(settings.is_ok(), "the settings are not valid: {settings:?}");
    let settings = settings.unwrap_or_default();
    let changes: Vec<Change> = plan.changes.values().cloned().collect();
    while_content_is(plan.content.clone(), || {
        let session = PolicySession::<P>::new();
        session.begin(&run(&settings, changes.len()), &plan.totals())?;
        let mut findings = Vec::new();
        for batch in changes.chunks(cut) {
            findings.extend(session.review(batch)?);
        }
        let judgement = session.conclude()?;
        findings.extend(judgement.findings);
        Ok(Judgement { findings, ..judgement })
    })
}
