//! Sync plugins: what shapes a site.
//!
//! Owns the trait and the builders of its answers. Never applies an edit: the host does.

pub use crate::bindings::sync::exports::tidegate::plugin::sync::{Action, Decision, Edit, Entry, Extra, Summary};

use crate::{Attribute, Failure, Finding, Pointer, Run, Settings};

/// Shapes what is published.
///
/// One value lives for one run: made by [`begin`](Self::begin), asked about every entry in ascending order of keys, and
/// finished. Where batches are cut is the host's business, and the answers to all entries together must not depend on it.
pub trait SyncPlugin: Sized {
    /// What a configuration may say.
    type Settings: Settings;

    /// Starts a run.
    ///
    /// # Errors
    ///
    /// A failure denies the run.
    fn begin(run: &Run, settings: Self::Settings) -> Result<Self, Failure>;

    /// Decides about at most 1,000 entries. An entry about which nothing is decided goes on as it is.
    ///
    /// # Errors
    ///
    /// A failure denies the run.
    fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure>;

    /// Says what is left to say after the last entry: redirects that exist nowhere in the artifact, and findings.
    ///
    /// # Errors
    ///
    /// A failure denies the run.
    fn finish(&mut self) -> Result<Summary, Failure> {
        Ok(Summary::default())
    }
}

/// The decisions about one batch, in any order, one for each entry at the most.
#[derive(Debug, Default)]
pub struct Decisions(Vec<Decision>);

impl Decisions {
    /// Publishes the entry at `index` of the batch with these edits; decides nothing where there are none.
    pub fn publish(&mut self, index: usize, edits: Vec<Edit>, rule: &Pointer, reason: impl Into<String>) {
        if !edits.is_empty() {
            self.push(index, Action::Publish(edits), rule, reason.into());
        }
    }

    /// Leaves the entry at `index` of the batch out.
    pub fn exclude(&mut self, index: usize, rule: &Pointer, reason: impl Into<String>) {
        self.push(index, Action::Exclude, rule, reason.into());
    }

    fn push(&mut self, index: usize, action: Action, rule: &Pointer, reason: String) {
        // A batch has at most 1,000 entries; an index that does not fit is out of range, which the host refuses.
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        self.0.push(Decision { index, action, rule: rule.to_string(), reason });
    }

    /// The decisions in the order of their entries.
    pub(crate) fn in_order(mut self) -> Result<Vec<Decision>, Failure> {
        self.0.sort_by_key(|decision| decision.index);
        let twice = self.0.iter().zip(self.0.iter().skip(1)).any(|(one, next)| one.index == next.index);
        if twice {
            return Err(Failure::new(
                "decided-twice",
                "the plugin decided twice about one entry; report it to its author",
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
    /// The value of a response header that has been decided so far; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
    }

    /// The value of a metadata entry that has been decided so far; `name` in lower case, without `x-amz-meta-`.
    #[must_use]
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.iter().find(|entry| entry.name == name).map(|entry| entry.value.as_str())
    }
}

impl Default for Summary {
    /// Nothing to say.
    fn default() -> Self {
        Self { extras: Vec::new(), findings: Vec::new(), attributes: Vec::new() }
    }
}

impl Summary {
    /// Adds a redirect under a key that no entry has; `to` is a path that starts with `/`, or an http(s) URL.
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
