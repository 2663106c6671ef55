//! The manifest of a release that was just written, from that of the release before it.
//!
//! Owns what becomes of every record: live, retained on the site for earlier releases, set aside, or forgotten. One merge of
//! the old manifest with what the site should be; memory goes with what changed. Never reads or writes a manifest itself.

use std::collections::BTreeMap;

use crate::desired::{DesiredBody, DesiredEntry, DesiredSite};
use crate::identity::{ContentIdentity, ETag};
use crate::key::StoredKey;
use crate::listing::{ListedObject, PreservedAttributes};
use crate::manifest::{ManifestRecord, RecordState};
use crate::plan::{Operation, Plan};
use crate::release::ReleaseId;
use crate::site_state::{SiteState, UnfinishedRuns};

/// What S3 answered to a write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenObject {
    /// The object's ETag.
    pub etag: ETag,
    /// What a copy of it onto itself must repeat.
    pub attributes: PreservedAttributes,
}

/// Answers to writes, by key.
pub type Outcomes = BTreeMap<StoredKey, WrittenObject>;

/// Makes the next manifest.
#[derive(Debug)]
pub struct NextManifest<'a> {
    /// What the site should be.
    pub desired: &'a DesiredSite,
    /// What was carried out.
    pub plan: &'a Plan,
    /// What the site was.
    pub site: &'a SiteState,
    /// What earlier runs left.
    pub unfinished: &'a UnfinishedRuns,
    /// What S3 answered.
    pub outcomes: &'a Outcomes,
    /// The release before.
    pub before: ReleaseId,
    /// The oldest release that is kept.
    pub horizon: ReleaseId,
}

/// How far a [`NextManifest`] is.
#[derive(Debug, Default)]
pub struct NextManifestCursor {
    entry: usize,
    object: usize,
    group: Vec<ManifestRecord>,
    expired: Vec<String>,
}

impl NextManifest<'_> {
    /// Takes the next record of the old manifest; new records are appended in order.
    pub fn push(&self, progress: &mut NextManifestCursor, record: ManifestRecord, records: &mut Vec<ManifestRecord>) {
        if progress.group.first().is_some_and(|first| first.key != record.key) {
            let group = std::mem::take(&mut progress.group);
            self.group(progress, group, records);
        }
        progress.group.push(record);
    }

    /// The last records, and the names of bodies that no release needs any more.
    #[must_use]
    pub fn finish(&self, mut progress: NextManifestCursor, records: &mut Vec<ManifestRecord>) -> Vec<String> {
        let group = std::mem::take(&mut progress.group);
        if !group.is_empty() {
            self.group(&mut progress, group, records);
        }
        self.advance(&mut progress, None, records);
        progress.expired
    }

    fn group(&self, progress: &mut NextManifestCursor, group: Vec<ManifestRecord>, records: &mut Vec<ManifestRecord>) {
        let Some(key) = group.first().map(|record| record.key.clone()) else { return };
        self.advance(progress, Some(&key), records);
        self.key(progress, &key, group, records);
    }

    /// Everything before `limit` that the old manifest does not name.
    fn advance(&self, progress: &mut NextManifestCursor, limit: Option<&StoredKey>, records: &mut Vec<ManifestRecord>) {
        loop {
            let entry = self.desired.entries().get(progress.entry);
            let object = self.site.objects().get(progress.object);
            let next = match (entry, object) {
                (Some(entry), Some(object)) => entry.key.as_str().min(object.key.as_str()),
                (Some(entry), None) => entry.key.as_str(),
                (None, Some(object)) => object.key.as_str(),
                (None, None) => return,
            };
            if limit.is_some_and(|limit| next >= limit.as_str()) {
                return;
            }
            self.key(progress, &StoredKey::new(next), Vec::new(), records);
        }
    }

    /// One key, with what the old manifest has under it.
    fn key(
        &self,
        progress: &mut NextManifestCursor,
        key: &StoredKey,
        old: Vec<ManifestRecord>,
        records: &mut Vec<ManifestRecord>,
    ) {
        let at = progress.entry;
        let entry = self.desired.entries().get(at).filter(|entry| entry.key.as_str() == key.as_str());
        let object = self.site.objects().get(progress.object).filter(|object| object.key == *key);
        progress.entry += usize::from(entry.is_some());
        progress.object += usize::from(object.is_some());
        let (standing, aside): (Vec<ManifestRecord>, Vec<ManifestRecord>) =
            old.into_iter().partition(|record| record.state.is_on_site());
        let standing = standing.into_iter().next();
        let operation = self.operation(key);
        match entry {
            Some(entry) => {
                let settled = standing.as_ref().filter(|_| self.site.is_proven(at));
                records.extend(self.live(entry, operation, settled, object));
            }
            None => records.extend(self.retained(key, operation, standing.as_ref(), object)),
        }
        let mut preserved: BTreeMap<ETag, ManifestRecord> = BTreeMap::new();
        for record in aside.into_iter().chain(standing.and_then(|record| self.set_aside(record, object))) {
            let newer = preserved.get(&record.etag).is_none_or(|other| other.state < record.state);
            if newer {
                preserved.insert(record.etag.clone(), record);
            }
        }
        for record in preserved.into_values() {
            match record.state {
                RecordState::Archived(last) if last < self.horizon => progress.expired.push(record.body_name()),
                RecordState::Live | RecordState::Retained(_) | RecordState::Archived(_) => records.push(record),
            }
        }
    }

    fn operation(&self, key: &StoredKey) -> Option<&Operation> {
        let at = self.plan.operations.binary_search_by(|operation| operation.key.cmp(key)).ok()?;
        self.plan.operations.get(at)
    }

    fn live(
        &self,
        entry: &DesiredEntry,
        operation: Option<&Operation>,
        settled: Option<&ManifestRecord>,
        object: Option<&ListedObject>,
    ) -> Option<ManifestRecord> {
        let key = entry.key.stored();
        let wanted = match &entry.body {
            DesiredBody::Object { identity, .. } => identity.clone(),
            DesiredBody::Redirect(_) => ContentIdentity::default(),
        };
        let (etag, identity, keeping) = match (operation, settled, object) {
            (Some(_), ..) => {
                let written = self.outcomes.get(&key)?;
                (written.etag.clone(), learned(wanted, written), written.attributes.clone())
            }
            (None, Some(record), _) => {
                (record.etag.clone(), record.identity.clone().merge(wanted), record.attributes.clone())
            }
            (None, None, Some(object)) => {
                let seen = self.site.observed(&object.key).cloned().unwrap_or_default();
                (object.etag.clone(), wanted.merge(seen.identity), seen.attributes)
            }
            (None, None, None) => return None,
        };
        Some(ManifestRecord {
            key,
            state: RecordState::Live,
            size: entry.body.size(),
            etag,
            identity,
            headers: entry.headers.clone(),
            redirect: entry.body.redirect().cloned(),
            attributes: keeping,
        })
    }

    /// An object that stays on the site for earlier releases.
    fn retained(
        &self,
        key: &StoredKey,
        operation: Option<&Operation>,
        standing: Option<&ManifestRecord>,
        object: Option<&ListedObject>,
    ) -> Option<ManifestRecord> {
        let (object, holding) = (object?, self.site.holding(key)?);
        if operation.is_some() || holding.last < self.horizon {
            return None;
        }
        let standing = standing.filter(|_| holding.intact).cloned();
        let record = standing.unwrap_or_else(|| ManifestRecord {
            key: key.clone(),
            state: RecordState::Live,
            size: object.size,
            etag: object.etag.clone(),
            identity: object.identity(),
            headers: crate::headers::ObjectHeaders::default(),
            redirect: None,
            attributes: PreservedAttributes::default(),
        });
        Some(ManifestRecord { state: RecordState::Retained(holding.last), ..record })
    }

    /// What was on the site, where its body was set aside: by this run, or by one that did not finish.
    fn set_aside(&self, record: ManifestRecord, object: Option<&ListedObject>) -> Option<ManifestRecord> {
        let ours = self.plan.archive.binary_search_by(|preserve| preserve.key.cmp(&record.key)).ok();
        let ours = ours.and_then(|at| self.plan.archive.get(at)).filter(|preserve| preserve.etag == record.etag);
        let last = match (ours, record.state) {
            (Some(preserve), _) => preserve.last,
            (None, standing) => {
                let replaced = object.is_some_and(|object| object.etag != record.etag);
                if !replaced || !self.unfinished.preserved(&record.key, &record.etag) {
                    return None;
                }
                match standing {
                    RecordState::Live => self.before,
                    RecordState::Retained(last) | RecordState::Archived(last) => last,
                }
            }
        };
        Some(ManifestRecord { state: RecordState::Archived(last), ..record })
    }
}

/// What is known of a body that S3 took: under KMS its ETag is no MD5, whatever it looks like.
fn learned(wanted: ContentIdentity, written: &WrittenObject) -> ContentIdentity {
    let opaque = written.attributes.encryption.as_deref().is_some_and(|kind| kind.starts_with("aws:"));
    let md5 = written.etag.as_md5().filter(|_| !opaque);
    let tag = md5.is_none().then(|| written.etag.as_str().to_owned());
    wanted.merge(ContentIdentity { md5, opaque: tag, ..ContentIdentity::default() })
}
