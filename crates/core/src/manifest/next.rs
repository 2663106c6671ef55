//! The manifest of a new release: a merge of the previous manifest with the desired site.
//!
//! Each record becomes live, retained on the site for earlier releases, archived, or is dropped. Memory grows with the
//! changes.

use std::collections::BTreeMap;

use crate::desired::{DesiredBody, DesiredEntry, DesiredSite};
use crate::identity::{ContentIdentity, ETag};
use crate::key::StoredKey;
use crate::listing::{ListedObject, PreservedAttributes};
use crate::plan::{Operation, Plan};
use crate::release::id::ReleaseId;
use crate::site_state::{SiteState, UnfinishedRuns};

use super::written::{WrittenObject, WrittenObjects};
use super::{ManifestRecord, RecordState};

/// Computes the next manifest.
#[derive(Debug)]
pub struct NextManifest<'a> {
    /// The desired site.
    pub desired: &'a DesiredSite,
    /// The executed plan.
    pub plan: &'a Plan,
    /// The state of the site before the run.
    pub site: &'a SiteState,
    /// Unfinished runs.
    pub unfinished: &'a UnfinishedRuns,
    /// What S3 returned for writes.
    pub written: &'a WrittenObjects,
    /// The previous release.
    pub previous: ReleaseId,
    /// The oldest kept release.
    pub oldest_kept: ReleaseId,
}

/// The position of a [`NextManifest`].
#[derive(Debug, Default)]
pub struct NextManifestCursor {
    entry: usize,
    object: usize,
    /// Records of one key.
    group: Vec<ManifestRecord>,
    expired: Vec<String>,
}

impl NextManifest<'_> {
    /// Adds the next record of the previous manifest, and appends new records in order.
    pub fn push(&self, cursor: &mut NextManifestCursor, record: ManifestRecord, records: &mut Vec<ManifestRecord>) {
        if cursor.group.first().is_some_and(|first| first.key != record.key) {
            let group = std::mem::take(&mut cursor.group);
            self.group(cursor, group, records);
        }
        cursor.group.push(record);
    }

    /// Appends the last records, and returns the names of archived bodies that no release needs any more.
    #[must_use]
    pub fn finish(&self, mut cursor: NextManifestCursor, records: &mut Vec<ManifestRecord>) -> Vec<String> {
        let group = std::mem::take(&mut cursor.group);
        if !group.is_empty() {
            self.group(&mut cursor, group, records);
        }
        self.advance(&mut cursor, None, records);
        cursor.expired
    }

    fn group(&self, cursor: &mut NextManifestCursor, group: Vec<ManifestRecord>, records: &mut Vec<ManifestRecord>) {
        let Some(key) = group.first().map(|record| record.key.clone()) else { return };
        self.advance(cursor, Some(&key), records);
        self.key(cursor, &key, group, records);
    }

    /// Handles keys before `limit` that are not in the previous manifest.
    fn advance(&self, cursor: &mut NextManifestCursor, limit: Option<&StoredKey>, records: &mut Vec<ManifestRecord>) {
        loop {
            let entry = self.desired.entries().get(cursor.entry);
            let object = self.site.objects().get(cursor.object);
            let next = match (entry, object) {
                (Some(entry), Some(object)) => entry.key.as_str().min(object.key.as_str()),
                (Some(entry), None) => entry.key.as_str(),
                (None, Some(object)) => object.key.as_str(),
                (None, None) => return,
            };
            if limit.is_some_and(|limit| next >= limit.as_str()) {
                return;
            }
            self.key(cursor, &StoredKey::new(next), Vec::new(), records);
        }
    }

    /// Handles one key with its records in the previous manifest.
    fn key(
        &self,
        cursor: &mut NextManifestCursor,
        key: &StoredKey,
        old: Vec<ManifestRecord>,
        records: &mut Vec<ManifestRecord>,
    ) {
        let at = cursor.entry;
        let entry = self.desired.entries().get(at).filter(|entry| entry.key.as_str() == key.as_str());
        let object = self.site.objects().get(cursor.object).filter(|object| object.key == *key);
        cursor.entry += usize::from(entry.is_some());
        cursor.object += usize::from(object.is_some());
        let (on_site, archived): (Vec<ManifestRecord>, Vec<ManifestRecord>) =
            old.into_iter().partition(|record| record.state.is_on_site());
        let on_site = on_site.into_iter().next();
        let operation = self.operation(key);
        match entry {
            Some(entry) => {
                records.extend(self.live(at, entry, operation, on_site.as_ref(), object));
            }
            None => records.extend(self.retained(key, operation, on_site.as_ref(), object)),
        }
        // The newest record of each archived version.
        let mut versions: BTreeMap<ETag, ManifestRecord> = BTreeMap::new();
        for record in archived.into_iter().chain(on_site.and_then(|record| self.archived(record, object))) {
            let newer = versions.get(&record.etag).is_none_or(|other| other.state < record.state);
            if newer {
                versions.insert(record.etag.clone(), record);
            }
        }
        for record in versions.into_values() {
            match record.state {
                RecordState::Archived(last) if last < self.oldest_kept => cursor.expired.push(record.body_name()),
                RecordState::Live | RecordState::Retained(_) | RecordState::Archived(_) => records.push(record),
            }
        }
    }

    fn operation(&self, key: &StoredKey) -> Option<&Operation> {
        let at = self.plan.operations.binary_search_by(|operation| operation.key.cmp(key)).ok()?;
        self.plan.operations.get(at)
    }

    /// The record of the desired entry at this position, unless its write failed.
    fn live(
        &self,
        at: usize,
        entry: &DesiredEntry,
        operation: Option<&Operation>,
        record: Option<&ManifestRecord>,
        object: Option<&ListedObject>,
    ) -> Option<ManifestRecord> {
        let key = entry.key.stored();
        let proven = record.filter(|_| self.site.is_in_manifest(at));
        let desired = match &entry.body {
            DesiredBody::Object { identity, .. } => identity.get(),
            DesiredBody::Redirect(_) => ContentIdentity::default(),
        };
        let (etag, identity, attributes) = match (operation, proven, object) {
            (Some(_), ..) => {
                let written = self.written.get(&key)?;
                (written.etag.clone(), written_identity(desired, written), written.attributes.clone())
            }
            (None, Some(record), _) => {
                (record.etag.clone(), record.identity.clone().merge(desired), record.attributes.clone())
            }
            (None, None, Some(object)) if self.site.is_proven(at) => {
                let attributes = self.unfinished.attributes(&object.key);
                let written = WrittenObject { etag: object.etag.clone(), attributes };
                (object.etag.clone(), written_identity(desired, &written), written.attributes)
            }
            (None, None, Some(object)) => {
                let observed = self.site.observed(&object.key).cloned().unwrap_or_default();
                (object.etag.clone(), desired.merge(observed.identity), observed.attributes)
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
            attributes,
        })
    }

    /// The record of an object that stays on the site for earlier releases.
    fn retained(
        &self,
        key: &StoredKey,
        operation: Option<&Operation>,
        record: Option<&ManifestRecord>,
        object: Option<&ListedObject>,
    ) -> Option<ManifestRecord> {
        let (object, released) = (object?, self.site.released(key)?);
        if operation.is_some() || released.last < self.oldest_kept {
            return None;
        }
        let intact = record.filter(|_| released.intact).cloned();
        let record = intact.unwrap_or_else(|| ManifestRecord {
            key: key.clone(),
            state: RecordState::Live,
            size: object.size,
            etag: object.etag.clone(),
            identity: object.identity(),
            headers: crate::headers::ObjectHeaders::default(),
            redirect: None,
            attributes: PreservedAttributes::default(),
        });
        Some(ManifestRecord { state: RecordState::Retained(released.last), ..record })
    }

    /// The record of an object whose body was archived, by this run or an unfinished one.
    fn archived(&self, record: ManifestRecord, object: Option<&ListedObject>) -> Option<ManifestRecord> {
        let copy = self.plan.archive.binary_search_by(|copy| copy.key.cmp(&record.key)).ok();
        let copy = copy.and_then(|at| self.plan.archive.get(at)).filter(|copy| copy.etag == record.etag);
        let last = match (copy, record.state) {
            (Some(copy), _) => copy.last,
            (None, state) => {
                let replaced = object.is_some_and(|object| object.etag != record.etag);
                if !replaced || !self.unfinished.archived(&record.key, &record.etag) {
                    return None;
                }
                match state {
                    RecordState::Live => self.previous,
                    RecordState::Retained(last) | RecordState::Archived(last) => last,
                }
            }
        };
        Some(ManifestRecord { state: RecordState::Archived(last), ..record })
    }
}

/// The identity of a written body. With KMS, its ETag is not an MD5 even if it looks like one.
fn written_identity(desired: ContentIdentity, written: &WrittenObject) -> ContentIdentity {
    let kms = written.attributes.encryption.as_deref().is_some_and(|kind| kind.starts_with("aws:"));
    let md5 = written.etag.as_md5().filter(|_| !kms);
    let opaque = md5.is_none().then(|| written.etag.text().into_owned());
    desired.merge(ContentIdentity { md5, opaque, ..ContentIdentity::default() })
}
