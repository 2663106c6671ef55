//! Sync plugins: the trait, and constructors for its answers.

pub use crate::bindings::sync::exports::tidegate::plugin::sync::{Action, Decision, Edit, Entry, Extra, Summary};

use crate::{Attribute, Failure, Finding, Pointer, Run, Settings};

/// Transforms what is published.
///
/// One value lives for one run: [`begin`](Self::begin) creates it, [`decide`](Self::decide) shows it every entry in
/// ascending order of keys, and [`finish`](Self::finish) ends the run. The answers must not depend on the size of
/// batches.
pub trait SyncPlugin: Sized {
    /// The plugin's settings.
    type Settings: Settings;

    /// Starts a run.
    ///
    /// # Errors
    ///
    /// A failure denies the run.
    fn begin(run: &Run, settings: Self::Settings) -> Result<Self, Failure>;

    /// Decides about up to 1,000 entries. An entry without a decision stays unchanged.
    ///
    /// # Errors
    ///
    /// A failure denies the run.
    fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure>;

    /// Ends the run, with redirects to add and findings.
    ///
    /// # Errors
    ///
    /// A failure denies the run.
    fn finish(&mut self) -> Result<Summary, Failure> {
        Ok(Summary::default())
    }
}

/// The decisions about one batch, in any order, at most one for each entry.
#[derive(Debug, Default)]
pub struct Decisions(Vec<Decision>);

impl Decisions {
    /// Publishes the entry at `index` of the batch with these edits. Without edits there is no decision.
    pub fn publish(&mut self, index: usize, edits: Vec<Edit>, rule: &Pointer, reason: impl Into<String>) {
        if !edits.is_empty() {
            self.push(index, Action::Publish(edits), rule, reason.into());
        }
    }

    /// Excludes the entry at `index` of the batch.
    pub fn exclude(&mut self, index: usize, rule: &Pointer, reason: impl Into<String>) {
        self.push(index, Action::Exclude, rule, reason.into());
    }

    fn push(&mut self, index: usize, action: Action, rule: &Pointer, reason: String) {
        // A batch has at most 1,000 entries, so an index that does not fit is out of range, and the host refuses it.
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        self.0.push(Decision { index, action, rule: rule.as_str().to_owned(), reason });
    }

    /// The decisions in the order of their entries.
    pub(crate) fn in_order(mut self) -> Result<Vec<Decision>, Failure> {
        self.0.sort_by_key(|decision| decision.index);
        let duplicate = self.0.iter().zip(self.0.iter().skip(1)).any(|(one, next)| one.index == next.index);
        if duplicate {
            return Err(Failure::new(
                "decided-twice",
                "the plugin made two decisions about one entry; report this bug to its author",
            ));
        }
        Ok(self.0)
    }
}

impl Edit {
    /// Sets a response header; `name` in lower case.
    pub fn header(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::SetHeader(Attribute::new(name, value))
    }

    /// Sets user metadata; `name` in lower case, without `x-amz-meta-`.
    pub fn metadata(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::SetMetadata(Attribute::new(name, value))
    }
}

impl Entry {
    /// The value of a response header; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
    }

    /// The value of a metadata entry; `name` in lower case, without `x-amz-meta-`.
    #[must_use]
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.iter().find(|entry| entry.name == name).map(|entry| entry.value.as_str())
    }
}

impl Default for Summary {
    /// No redirects and no findings.
    fn default() -> Self {
        Self { extras: Vec::new(), findings: Vec::new(), attributes: Vec::new() }
    }
}

impl Summary {
    /// Adds a redirect with a key that no entry has; `to` is a path that starts with `/`, or an http(s) URL.
    pub fn redirect(
        &mut self,
        key: impl Into<String>,
        to: impl Into<String>,
        rule: &Pointer,
        reason: impl Into<String>,
    ) {
        self.extras.push(Extra {
            key: key.into(),
            redirect: to.into(),
            rule: rule.to_string(),
            reason: reason.into(),
            attributes: Vec::new(),
        });
    }

    /// Adds a finding.
    pub fn finding(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}
