//! Runs that did not finish: what they planned to write, and what is known to be written. There can be millions of keys, so
//! they are an automaton, and each has a few numbers.

use fst::{IntoStreamer, Map, Streamer};
use thin_vec::ThinVec;

use super::fingerprint::ObjectFingerprints;
use crate::artifact::Fingerprint;
use crate::desired::{DesiredEntry, DesiredSite};
use crate::identity::ETag;
use crate::key::StoredKey;
use crate::listing::{ListedObject, PreservedAttributes};
use crate::release::id::ReleaseId;

mod builder;

pub use builder::{KeyIndexError, UnfinishedRunsBuilder};

/// What unfinished runs planned to write. Their objects are not drift.
#[derive(Debug, Clone, Default)]
pub struct UnfinishedRuns {
    /// Where the keys are in `touched`.
    keys: Map<Vec<u8>>,
    touched: Vec<TouchedKey>,
    runs: Vec<ReleaseId>,
    /// Attributes of written objects, which are almost always equal.
    attributes: Vec<PreservedAttributes>,
}

/// What unfinished runs planned for one key: 48 bytes.
#[derive(Debug, Clone, Default)]
struct TouchedKey {
    /// What the last of them wrote, where its result says so.
    written: ObjectFingerprints,
    /// What a copy of that must preserve, by its number in [`UnfinishedRuns::attributes`].
    attributes: u32,
    last: LastOperation,
    archived: ThinVec<ETag>,
}

/// The last operation of a key.
#[derive(Debug, Clone, Copy, Default)]
enum LastOperation {
    /// The object was only archived.
    #[default]
    None,
    Delete,
    Write {
        /// The number of its run.
        run: u16,
        page: bool,
        /// Whether the object may have the same ETag afterwards.
        keeps_etag: bool,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedWrite {
    pub(super) run: ReleaseId,
    pub(super) page: bool,
    keeps_etag: bool,
}

impl UnfinishedRuns {
    fn get(&self, key: &StoredKey) -> Option<&TouchedKey> {
        let at = self.keys.get(key.as_str())?;
        self.touched.get(usize::try_from(at).ok()?)
    }

    pub(super) fn write(&self, key: &StoredKey) -> Option<PlannedWrite> {
        let LastOperation::Write { run, page, keeps_etag } = self.get(key)?.last else { return None };
        let run = self.runs.get(usize::from(run)).copied()?;
        Some(PlannedWrite { run, page, keeps_etag })
    }

    /// Whether a run may have replaced the headers of an object, or its redirect, without a new ETag.
    pub(super) fn may_keep_etag(&self, key: &StoredKey) -> bool {
        self.write(key).is_some_and(|write| write.keeps_etag)
    }

    /// Whether a run wrote this very object, and wrote what is desired.
    pub(super) fn wrote(&self, listed: &ListedObject, entry: &DesiredEntry, artifact: &Fingerprint) -> bool {
        self.get(&listed.key).is_some_and(|key| {
            // Without a result, nothing has to be digested.
            listed.size == entry.body.size()
                && key.written.is_known()
                && key.written.matches(&ObjectFingerprints::of_entry(entry, artifact).stored_as(&listed.etag))
        })
    }

    /// What a copy of a written object onto itself must preserve.
    #[must_use]
    pub fn attributes(&self, key: &StoredKey) -> PreservedAttributes {
        let number = self.get(key).and_then(|key| usize::try_from(key.attributes).ok());
        number.and_then(|number| self.attributes.get(number)).cloned().unwrap_or_default()
    }

    /// The runs.
    #[must_use]
    pub fn runs(&self) -> &[ReleaseId] {
        &self.runs
    }

    /// Whether an object may have changed, so that visitors may have seen another version than the live release.
    #[must_use]
    pub fn is_touched(&self, key: &StoredKey) -> bool {
        self.keys.contains_key(key.as_str())
    }

    /// Touched keys that are not desired. The others need no memory of their own.
    #[must_use]
    pub fn touched_without(&self, desired: &DesiredSite) -> Vec<String> {
        let (mut keys, mut others) = (self.keys.keys().into_stream(), Vec::new());
        while let Some(key) = keys.next() {
            // Every key was text.
            let key = String::from_utf8_lossy(key);
            if desired.get(&key).is_none() {
                others.push(key.into_owned());
            }
        }
        others
    }

    /// Whether a run planned to archive this version of a key.
    #[must_use]
    pub fn archived(&self, key: &StoredKey, etag: &ETag) -> bool {
        self.get(key).is_some_and(|touched| touched.archived.contains(etag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{DesiredBody, Trail};
    use crate::headers::{ObjectHeader, ObjectHeaders};
    use crate::identity::ContentIdentity;
    use crate::key::Key;
    use crate::plan::shards::{ResultLine, ShardLine};
    use crate::plan::{Action, ChangeReason, Operation, PlanLine, PlannedBody};

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

    fn begun(line: ShardLine, result: Vec<ResultLine>) -> UnfinishedRunsBuilder {
        let mut unfinished = UnfinishedRunsBuilder::default();
        unfinished.begin("r1".parse().unwrap());
        unfinished.add_shard(vec![line], result, &Fingerprint("zip".into())).unwrap();
        unfinished
    }

    fn run(line: ShardLine, result: Vec<ResultLine>) -> UnfinishedRuns {
        begun(line, result).finish().unwrap()
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
        let mut later = begun(put(ChangeReason::New, md5(1)), vec![result()]);
        later.begin("r2".parse().unwrap());
        later.add(put(ChangeReason::ContentDiffers, md5(1)).work).unwrap();
        let later = later.finish().unwrap();
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
