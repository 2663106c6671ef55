//! Runs a sync plugin, and applies its answer as a host does.

use std::collections::BTreeMap;

use super::{CUTS, TestArtifact, canonical, run, while_content_is};
use crate::{Action, Attribute, Edit, Entry, Failure, Summary, SyncPlugin, SyncSession};

/// What was decided about one key.
#[derive(Clone, Debug, PartialEq)]
pub struct DecidedEntry {
    /// What happens to it.
    pub action: Action,
    /// The rule that decided, as a JSON Pointer.
    pub rule: String,
    /// Why.
    pub reason: String,
}

/// The answers of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncAnswer {
    /// By key of the artifact: only what something was decided about.
    pub decided: BTreeMap<String, DecidedEntry>,
    /// What came at the end.
    pub summary: Summary,
    entries: Vec<Entry>,
}

impl SyncAnswer {
    /// The site that comes out, by final key, redirects included.
    ///
    /// # Panics
    ///
    /// If two entries end on one key, or an answer has an action or an edit that hosts refuse.
    #[must_use]
    pub fn published(&self) -> BTreeMap<String, Entry> {
        let mut site = BTreeMap::new();
        let mut add = |entry: Entry| {
            let key = entry.key.clone();
            assert!(site.insert(key.clone(), entry).is_none(), "two entries end on `{key}`");
        };
        for entry in &self.entries {
            match self.decided.get(&entry.key).map(|decided| &decided.action) {
                None => add(entry.clone()),
                Some(Action::Publish(edits)) => add(edited(entry.clone(), edits)),
                Some(Action::Exclude) => {}
                Some(Action::Other(action)) => {
                    assert_eq!(action.name, "", "no host knows this action");
                }
            }
        }
        for extra in &self.summary.extras {
            add(Entry {
                key: extra.key.clone(),
                size: 0,
                digest: None,
                redirect: Some(extra.redirect.clone()),
                headers: Vec::new(),
                metadata: Vec::new(),
                attributes: Vec::new(),
            });
        }
        site
    }

    /// The value of a header that `key` of the result ends with.
    #[must_use]
    pub fn header(&self, key: &str, name: &str) -> Option<String> {
        self.published().get(key).and_then(|entry| entry.header(name)).map(str::to_owned)
    }

    /// Codes of the findings with the key that each is about.
    #[must_use]
    pub fn findings(&self) -> Vec<(&str, Option<&str>)> {
        self.summary.findings.iter().map(|finding| (finding.code.as_str(), finding.key.as_deref())).collect()
    }
}

/// Runs a plugin in every cut of [`CUTS`], and returns the answer, which must be one and the same.
///
/// # Panics
///
/// If the settings are not valid, or an answer depends on how batches are cut.
///
/// # Errors
///
/// The plugin's failure.
pub fn sync<P: SyncPlugin>(settings: &str, artifact: &TestArtifact) -> Result<SyncAnswer, Failure> {
    let [first, others @ ..] = CUTS;
    let answer = sync_in_batches::<P>(settings, artifact, first);
    for cut in others {
        let other = sync_in_batches::<P>(settings, artifact, cut);
        assert_eq!(other, answer, "the answer depends on batches: {cut} entries in each instead of {first}");
    }
    answer
}

/// Runs a plugin in batches of `cut` entries.
///
/// # Panics
///
/// If the settings are not valid, or `cut` is 0.
///
/// # Errors
///
/// The plugin's failure.
pub fn sync_in_batches<P: SyncPlugin>(
    settings: &str,
    artifact: &TestArtifact,
    cut: usize,
) -> Result<SyncAnswer, Failure> {
    let settings = canonical::<P::Settings>(settings);
    assert!(settings.is_ok(), "the settings are not valid: {settings:?}");
    let settings = settings.unwrap_or_default();
    let entries = artifact.entries();
    while_content_is(artifact.content(), || {
        let session = SyncSession::<P>::new();
        session.begin(&run(&settings, entries.len()))?;
        let mut decided = BTreeMap::new();
        for batch in entries.chunks(cut) {
            for decision in session.decide(batch)? {
                let entry = usize::try_from(decision.index).ok().and_then(|index| batch.get(index));
                assert!(entry.is_some(), "decision {} of a batch of {}", decision.index, batch.len());
                if let Some(entry) = entry {
                    let answer = DecidedEntry { action: decision.action, rule: decision.rule, reason: decision.reason };
                    decided.insert(entry.key.clone(), answer);
                }
            }
        }
        let summary = session.finish()?;
        Ok(SyncAnswer { decided, summary, entries: entries.clone() })
    })
}

fn edited(mut entry: Entry, edits: &[Edit]) -> Entry {
    for edit in edits {
        match edit {
            Edit::Rename(key) => entry.key.clone_from(key),
            Edit::SetHeader(header) => set(&mut entry.headers, header),
            Edit::RemoveHeader(name) => entry.headers.retain(|header| header.name != *name),
            Edit::SetMetadata(metadata) => set(&mut entry.metadata, metadata),
            Edit::RemoveMetadata(name) => entry.metadata.retain(|metadata| metadata.name != *name),
            Edit::Redirect(to) => entry.redirect = Some(to.clone()),
            Edit::Other(edit) => assert_eq!(edit.name, "", "no host knows this edit"),
        }
    }
    entry
}

fn set(attributes: &mut Vec<Attribute>, attribute: &Attribute) {
    attributes.retain(|known| known.name != attribute.name);
    attributes.push(attribute.clone());
    attributes.sort_by(|one, other| one.name.cmp(&other.name));
}
