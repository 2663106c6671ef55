//! Runs that did not finish: what they planned to write, and what is known to be written. There can be millions of keys, so
//! each has a few numbers.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU128;
use std::sync::Arc;

use thin_vec::ThinVec;

use super::fingerprint::{ObjectFingerprints, etag_digest};
use crate::artifact::Fingerprint;
use crate::desired::DesiredEntry;
use crate::identity::ETag;
use crate::key::StoredKey;
use crate::listing::{ListedObject, PreservedAttributes};
use crate::plan::shards::{ResultLine, ShardLine};
use crate::plan::{Action, ArchiveCopy, ChangeReason, Operation, PlanLine, WritePhase};
use crate::release::id::ReleaseId;

/// What unfinished runs planned to write. Their objects are not drift.
#[derive(Debug, Clone, Default)]
pub struct UnfinishedRuns {
    keys: BTreeMap<StoredKey, TouchedKey>,
    runs: Vec<ReleaseId>,
    /// Attributes of written objects, which are almost always equal.
    attributes: HashSet<Arc<PreservedAttributes>>,
}

/// What unfinished runs planned for one key.
#[derive(Debug, Clone, Default)]
struct TouchedKey {
    write: Option<PlannedWrite>,
    archived: ThinVec<ETag>,
    /// What the last of them wrote, where its result says so.
    written: Option<Box<WrittenKey>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedWrite {
    pub(super) run: ReleaseId,
    pub(super) page: bool,
    /// Whether the object may have the same ETag afterwards.
    keeps_etag: bool,
}

/// An object that a run wrote.
#[derive(Debug, Clone)]
struct WrittenKey {
    etag: NonZeroU128,
    object: ObjectFingerprints,
    attributes: Option<Arc<PreservedAttributes>>,
}

impl UnfinishedRuns {
    /// Adds an unfinished run. The lines of its stored plan follow.
    pub fn begin(&mut self, run: ReleaseId) {
        self.runs.push(run);
    }

    /// Adds a line of the plan of the run that was added last.
    pub fn add(&mut self, line: PlanLine) {
        match line {
            PlanLine::Operation(operation) => drop(self.add_operation(&operation)),
            PlanLine::Archive(ArchiveCopy { key, etag, .. }) => {
                let archived = &mut self.keys.entry(key).or_default().archived;
                if !archived.contains(&etag) {
                    // Almost always the only one.
                    archived.reserve_exact(1);
                    archived.push(etag);
                }
            }
        }
    }

    /// Adds a shard of the plan of the run that was added last. `result` is what it wrote, if that is known, and `artifact`
    /// the source of the run. Both are in the order of keys.
    pub fn add_shard(&mut self, lines: Vec<ShardLine>, result: Vec<ResultLine>, artifact: &Fingerprint) {
        let mut result = result.into_iter().peekable();
        for ShardLine { work, source, .. } in lines {
            let operation = match work {
                PlanLine::Operation(operation) => operation,
                copy @ PlanLine::Archive(_) => {
                    self.add(copy);
                    continue;
                }
            };
            while result.next_if(|written| written.key < operation.key).is_some() {}
            let written = result.next_if(|written| written.key == operation.key);
            let object = ObjectFingerprints::of_operation(&operation, source.as_ref(), artifact);
            let written = written.zip(object).map(|(ResultLine { etag, attributes, .. }, object)| {
                Box::new(WrittenKey { etag: etag_digest(&etag), object, attributes: self.shared(attributes) })
            });
            self.add_operation(&operation).written = written;
        }
    }

    /// Whatever an earlier run wrote under the key is not certain any more.
    fn add_operation(&mut self, operation: &Operation) -> &mut TouchedKey {
        let touched = self.keys.entry(operation.key.clone()).or_default();
        touched.written = None;
        if !matches!(operation.action, Action::Delete { .. })
            && let Some(run) = self.runs.last()
        {
            use ChangeReason::{ContentUnknown, HeadersDiffer, RedirectDiffers};
            let in_place = matches!(operation.reason, ContentUnknown | HeadersDiffer | RedirectDiffers);
            let keeps_etag = in_place || touched.write.is_some_and(|before| before.keeps_etag);
            touched.write = Some(PlannedWrite { run: *run, page: operation.phase() == WritePhase::Pages, keeps_etag });
        }
        touched
    }

    fn shared(&mut self, attributes: PreservedAttributes) -> Option<Arc<PreservedAttributes>> {
        if attributes == PreservedAttributes::default() {
            return None;
        }
        let known = self.attributes.get(&attributes).cloned();
        Some(known.unwrap_or_else(|| {
            let shared = Arc::new(attributes);
            self.attributes.insert(Arc::clone(&shared));
            shared
        }))
    }

    pub(super) fn write(&self, key: &StoredKey) -> Option<PlannedWrite> {
        self.keys.get(key)?.write
    }

    /// Whether a run may have replaced the headers of an object, or its redirect, without a new ETag.
    pub(super) fn may_keep_etag(&self, key: &StoredKey) -> bool {
        self.write(key).is_some_and(|write| write.keeps_etag)
    }

    /// Whether a run wrote this very object, and wrote what is desired.
    pub(super) fn wrote(&self, listed: &ListedObject, entry: &DesiredEntry, artifact: &Fingerprint) -> bool {
        let written = self.keys.get(&listed.key).and_then(|key| key.written.as_ref());
        written.is_some_and(|written| {
            listed.size == entry.body.size()
                && written.etag == etag_digest(&listed.etag)
                && written.object.matches(&ObjectFingerprints::of_entry(entry, artifact))
        })
    }

    /// What a copy of a written object onto itself must preserve.
    #[must_use]
    pub fn attributes(&self, key: &StoredKey) -> PreservedAttributes {
        let written = self.keys.get(key).and_then(|key| key.written.as_ref());
        written.and_then(|written| written.attributes.as_deref()).cloned().unwrap_or_default()
    }

    /// The runs.
    #[must_use]
    pub fn runs(&self) -> &[ReleaseId] {
        &self.runs
    }

    /// Keys whose objects may have changed, so that visitors may have seen another version than the live release.
    pub fn touched(&self) -> impl Iterator<Item = &StoredKey> {
        self.keys.keys()
    }

    pub(super) fn is_touched(&self, key: &StoredKey) -> bool {
        self.keys.contains_key(key)
    }

    /// Whether a run planned to archive this version of a key.
    #[must_use]
    pub fn archived(&self, key: &StoredKey, etag: &ETag) -> bool {
        self.keys.get(key).is_some_and(|touched| touched.archived.contains(etag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{DesiredBody, Trail};
    use crate::headers::{ObjectHeader, ObjectHeaders};
    use crate::identity::ContentIdentity;
    use crate::key::Key;
    use crate::plan::PlannedBody;

    fn headers(kind: &str) -> ObjectHeaders {
        let mut headers = ObjectHeaders::default();
        headers.set(ObjectHeader::ContentType, kind).unwrap();
        headers
    }

    fn put(reason: ChangeReason, identity: ContentIdentity) -> ShardLine {
        let body = PlannedBody::Source(Key::new("from").unwrap());
        let action =
            Action::Put { body, size: 3, identity: identity.into(), headers: headers("text/css"), replaces: None };
        let work = PlanLine::Operation(Operation { key: StoredKey::new("a"), reason, action });
        ShardLine { work, source: None, staged: None }
    }

    fn result() -> ResultLine {
        let attributes =
            PreservedAttributes { encryption: Some("aws:kms".to_owned()), ..PreservedAttributes::default() };
        ResultLine { key: StoredKey::new("a"), etag: ETag::new("e"), attributes }
    }

    fn run(line: ShardLine, result: Vec<ResultLine>) -> UnfinishedRuns {
        let mut unfinished = UnfinishedRuns::default();
        unfinished.begin("r1".parse().unwrap());
        unfinished.add_shard(vec![line], result, &Fingerprint("zip".into()));
        unfinished
    }

    fn entry(source: &str, identity: ContentIdentity, kind: &str) -> DesiredEntry {
        let body = DesiredBody::Object { source: Key::new(source).unwrap(), size: 3, identity: identity.into() };
        DesiredEntry { key: Key::new("a").unwrap(), body, headers: headers(kind), trail: Trail::new() }
    }

    #[test]
    fn an_object_is_as_desired_if_the_run_wrote_it_from_the_same_body_with_the_same_headers() {
        let md5 = |byte| ContentIdentity { md5: Some([byte; 16]), ..ContentIdentity::default() };
        let listed = |etag: &str| ListedObject { key: StoredKey::new("a"), size: 3, etag: ETag::new(etag) };
        let (zip, other) = (Fingerprint("zip".into()), Fingerprint("other".into()));
        let (none, css) = (ContentIdentity::default(), "text/css");
        let unfinished = run(put(ChangeReason::New, md5(1)), vec![result()]);
        let wrote = |etag, source, identity, kind, artifact| {
            unfinished.wrote(&listed(etag), &entry(source, identity, kind), artifact)
        };
        assert!(wrote("e", "from", none.clone(), css, &zip), "the same object of the same source");
        assert!(wrote("e", "else", md5(1), css, &other), "the same content of another source");
        assert!(!wrote("x", "from", md5(1), css, &zip), "replaced since");
        assert!(!wrote("e", "from", none.clone(), "text/html", &zip), "other headers");
        assert!(!wrote("e", "from", none, css, &other), "unknown content of another source");
        assert!(!wrote("e", "else", md5(2), css, &zip), "other content");
        assert_eq!(unfinished.attributes(&StoredKey::new("a")), result().attributes);
        let without = run(put(ChangeReason::New, md5(1)), Vec::new());
        assert!(!without.wrote(&listed("e"), &entry("from", md5(1), css), &zip), "no result");
        // A later run may have written the key.
        let mut later = unfinished.clone();
        later.begin("r2".parse().unwrap());
        later.add(put(ChangeReason::ContentDiffers, md5(1)).work);
        assert!(!later.wrote(&listed("e"), &entry("from", md5(1), css), &zip));
    }

    #[test]
    fn only_changes_of_content_show_in_the_etag() {
        let keeps =
            |reason| run(put(reason, ContentIdentity::default()), Vec::new()).may_keep_etag(&StoredKey::new("a"));
        assert!(!keeps(ChangeReason::New) && !keeps(ChangeReason::ContentDiffers));
        assert!(keeps(ChangeReason::HeadersDiffer) && keeps(ChangeReason::RedirectDiffers));
        assert!(keeps(ChangeReason::ContentUnknown));
    }
}
