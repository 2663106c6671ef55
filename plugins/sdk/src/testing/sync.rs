//! Runs a sync plugin, and applies its decisions as a host does.

use std::collections::BTreeMap;

use super::{AddedRules, BATCH_SIZES, TestArtifact, canonical, run, with_content};
use crate::added_rules;
use crate::{Action, Attribute, Edit, Entry, Failure, Summary, SyncPlugin, SyncSession};

/// The decision about one key.
#[derive(Clone, Debug, PartialEq)]
pub struct DecidedEntry {
    /// The action.
    pub action: Action,
    /// The rule, as a JSON Pointer.
    pub rule: String,
    /// The reason.
    pub reason: String,
}

/// The answers of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncAnswer {
    /// Decisions, by key of the artifact.
    pub decided: BTreeMap<String, DecidedEntry>,
    /// The answer of `finish`.
    pub summary: Summary,
    /// The rules for requests.
    pub rules: AddedRules,
    entries: Vec<Entry>,
}

impl SyncAnswer {
    /// The resulting site, by key, including redirects.
    ///
    /// # Panics
    ///
    /// Two entries have the same key, or an answer has an action or an edit that hosts refuse.
    #[must_use]
    pub fn published(&self) -> BTreeMap<String, Entry> {
        let mut site = BTreeMap::new();
        let mut add = |entry: Entry| {
            let key = entry.key.clone();
            assert!(site.insert(key.clone(), entry).is_none(), "two entries have the key `{key}`");
        };
        for entry in &self.entries {
            match self.decided.get(&entry.key).map(|decided| &decided.action) {
                None => add(entry.clone()),
                Some(Action::Publish(edits)) => add(edited(entry.clone(), edits)),
                Some(Action::Exclude) => {}
                Some(Action::Other(action)) => {
                    assert_eq!(action.name, "", "hosts refuse this action");
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

    /// The value of a header of `key` in the resulting site.
    #[must_use]
    pub fn header(&self, key: &str, name: &str) -> Option<String> {
        self.published().get(key).and_then(|entry| entry.header(name)).map(str::to_owned)
    }

    /// The code and the key of each finding.
    #[must_use]
    pub fn findings(&self) -> Vec<(&str, Option<&str>)> {
        self.summary.findings.iter().map(|finding| (finding.code.as_str(), finding.key.as_deref())).collect()
    }
}

/// Runs a plugin with each of the [`BATCH_SIZES`], and returns its answer, which must always be the same.
///
/// # Panics
///
/// The settings are invalid, or the answer depends on the size of batches.
///
/// # Errors
///
/// The plugin's failure.
pub fn sync<P: SyncPlugin>(settings: &str, artifact: &TestArtifact) -> Result<SyncAnswer, Failure> {
    let [first, others @ ..] = BATCH_SIZES;
    let answer = sync_in_batches::<P>(settings, artifact, first);
    for size in others {
        let other = sync_in_batches::<P>(settings, artifact, size);
        assert_eq!(other, answer, "the answer in batches of {size} differs from the one in batches of {first}");
    }
    answer
}

/// Runs a plugin in batches of `size` entries.
///
/// # Panics
///
/// The settings are invalid, or `size` is 0.
///
/// # Errors
///
/// The plugin's failure.
pub fn sync_in_batches<P: SyncPlugin>(
    settings: &str,
    artifact: &TestArtifact,
    size: usize,
) -> Result<SyncAnswer, Failure> {
    let settings = canonical::<P::Settings>(settings);
    assert!(settings.is_ok(), "invalid settings: {settings:?}");
    let settings = settings.unwrap_or_default();
    let entries = artifact.entries();
    with_content(artifact.content(), || {
        added_rules::start(artifact.dialect().is_some());
        let session = SyncSession::<P>::new();
        session.begin(&run(&settings, entries.len(), artifact.dialect()))?;
        let mut decided = BTreeMap::new();
        for batch in entries.chunks(size) {
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
        let rules = added_rules::take();
        Ok(SyncAnswer { decided, summary, rules, entries: entries.clone() })
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
            Edit::Other(edit) => assert_eq!(edit.name, "", "hosts refuse this edit"),
        }
    }
    entry
}

fn set(attributes: &mut Vec<Attribute>, attribute: &Attribute) {
    attributes.retain(|known| known.name != attribute.name);
    attributes.push(attribute.clone());
    attributes.sort_by(|one, other| one.name.cmp(&other.name));
}
