//! What a site holds beside what it should be: one merge of three sorted streams (desired, listing, manifest).
//!
//! Owns what the manifest settles without a question, and what counts as drift. Objects that are as they should be are
//! counted and forgotten, so that memory goes with what differs. Never reads a stream itself: it is handed both, key by key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::compare::sameness;
use crate::desired::{DesiredEntry, DesiredSite};
use crate::headers::{HeaderPool, ObjectHeaders};
use crate::identity::{ETag, Sameness};
use crate::key::StoredKey;
use crate::listing::{ListedObject, Listing, ObservedObject};
use crate::manifest::{ManifestRecord, RecordState};
use crate::plan::{Action, Operation, Plan, WritePhase, is_page};
use crate::release::ReleaseId;

/// All that is known of a site, which was listed to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteState {
    listing: Listing,
    found: UnprovenObjects,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct UnprovenObjects {
    /// Objects that are not settled, in the order of their keys' bytes.
    objects: Vec<ListedObject>,
    /// What is known of them besides: by a HEAD, or from the manifest.
    observed: BTreeMap<StoredKey, ObservedObject>,
    /// For each entry of what the site should be: whether the manifest proves that it is.
    proven: Vec<bool>,
    /// What earlier releases name of the objects that are not settled.
    holdings: BTreeMap<StoredKey, ReleasedObject>,
    /// User metadata, with the other headers, of objects that are not settled and are what the manifest says: what visitors'
    /// caches have of them. Objects without metadata are not here.
    before: BTreeMap<StoredKey, ObjectHeaders>,
    /// What somebody else changed.
    drift: Vec<Drift>,
    /// Whether what the site should be is certainly not what the live release is.
    differs: bool,
    /// Keys that should be as the live release has them, and may not be so on the site.
    repairs: BTreeSet<StoredKey>,
    /// Bodies that were set aside and that no release needs any more.
    expired: u64,
}

/// An object that Tidegate wrote for a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleasedObject {
    /// The last release that named it.
    pub last: ReleaseId,
    /// Whether it is a page, which goes when its release does; assets stay for cached pages.
    pub page: bool,
    /// Whether it has a body of its own, which a redirect lacks.
    pub body: bool,
    /// Whether it still is what was written.
    pub intact: bool,
}

/// A key that is not what the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The key.
    pub key: StoredKey,
    /// What happened to it.
    pub kind: DriftKind,
}

/// What happened to a key since its release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// Somebody wrote it anew.
    Replaced,
    /// Somebody deleted it.
    Missing,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DriftKind::Replaced => write!(f, "`{}` was written by somebody else", self.key),
            DriftKind::Missing => write!(f, "`{}` was deleted by somebody else", self.key),
        }
    }
}

/// What runs that did not finish meant to write: what is found of it is theirs, not a stranger's.
#[derive(Debug, Clone, Default)]
pub struct UnfinishedRuns {
    /// Keys that were to be written, by which run, and whether they are pages.
    meant: BTreeMap<StoredKey, (ReleaseId, bool)>,
    /// States that were set aside before that.
    preserved: BTreeSet<(StoredKey, ETag)>,
    /// Every key whose object may have changed.
    touched: BTreeSet<StoredKey>,
    runs: Vec<ReleaseId>,
}

impl UnfinishedRuns {
    /// Adds the plan of such a run.
    pub fn add(&mut self, id: ReleaseId, plan: &Plan) {
        self.runs.push(id);
        self.preserved.extend(plan.archive.iter().map(|preserve| (preserve.key.clone(), preserve.etag.clone())));
        for operation in &plan.operations {
            self.touched.insert(operation.key.clone());
            if !matches!(operation.action, Action::Delete { .. }) {
                self.meant.insert(operation.key.clone(), (id, operation.phase() == WritePhase::Pages));
            }
        }
    }

    /// The runs.
    #[must_use]
    pub fn runs(&self) -> &[ReleaseId] {
        &self.runs
    }

    /// Keys that visitors may have seen in another state than the live release's.
    pub fn touched(&self) -> impl Iterator<Item = &StoredKey> {
        self.touched.iter()
    }

    /// Whether the state `etag` of `key` was to be set aside.
    #[must_use]
    pub fn preserved(&self, key: &StoredKey, etag: &ETag) -> bool {
        self.preserved.contains(&(key.clone(), etag.clone()))
    }
}

/// Puts a [`SiteState`] together.
#[derive(Debug)]
pub struct SiteMerge<'a> {
    desired: &'a DesiredSite,
    unfinished: &'a UnfinishedRuns,
    current: ReleaseId,
    horizon: ReleaseId,
    verify: bool,
    at: usize,
    site: UnprovenObjects,
    shared: HeaderPool,
}

impl<'a> SiteMerge<'a> {
    /// Begins. `current` is the live release, whose manifest is merged, and `horizon` the oldest one that is kept. With
    /// `verify`, nothing is settled by a record: headers can be replaced so that an object's ETag stays.
    #[must_use]
    pub fn new(
        desired: &'a DesiredSite,
        unfinished: &'a UnfinishedRuns,
        current: ReleaseId,
        horizon: ReleaseId,
        verify: bool,
    ) -> Self {
        let site = UnprovenObjects { proven: vec![false; desired.entries().len()], ..UnprovenObjects::default() };
        Self { desired, unfinished, current, horizon, verify, at: 0, site, shared: HeaderPool::default() }
    }

    /// A body that was set aside.
    pub fn preserved(&mut self, last: ReleaseId) {
        self.site.expired += u64::from(last < self.horizon);
    }

    /// The next key, with what the listing and what the manifest has under it. Keys come in order.
    pub fn push(&mut self, listed: Option<ListedObject>, record: Option<&ManifestRecord>) {
        let Some(key) = listed.as_ref().map(|l| &l.key).or(record.map(|r| &r.key)).cloned() else { return };
        while self.desired.entries().get(self.at).is_some_and(|entry| entry.key.as_str() < key.as_str()) {
            self.at += 1;
        }
        let entry = self.desired.entries().get(self.at).filter(|entry| entry.key.as_str() == key.as_str());
        let intact = listed.as_ref().zip(record).is_some_and(|(l, r)| l.etag == r.etag && l.size == r.size);
        // What an unfinished run wrote is no stranger's work.
        if record.is_some() && !intact && !self.unfinished.meant.contains_key(&key) {
            let kind = if listed.is_some() { DriftKind::Replaced } else { DriftKind::Missing };
            self.site.drift.push(Drift { key: key.clone(), kind });
        }
        let observed = record.filter(|_| entry.is_some()).map(ManifestRecord::observed).unwrap_or_default();
        let relation = entry.zip(record).map(|(entry, record)| sameness(entry, &record.listed(), &observed));
        self.relate(&key, entry, record, relation, intact);
        let Some(listed) = listed else { return };
        // The object is what its record says, so the relation to the one is that to the other.
        if intact && !self.verify {
            if relation == Some(Sameness::Same) {
                if let Some(settled) = self.site.proven.get_mut(self.at) {
                    *settled = true;
                }
                return;
            }
            // Of an object that goes, nothing needs to be known.
            if entry.is_some() {
                self.site.observed.insert(key.clone(), observed);
            }
        }
        if let Some(record) = record.filter(|_| intact) {
            self.remember(record);
        }
        if let Some(holding) = self.holding(&key, record, intact) {
            self.site.holdings.insert(key, holding);
        }
        self.site.objects.push(listed);
    }

    /// What a run that did not finish may have written is not sure to be what caches have; and a redirect is answered
    /// without its metadata.
    fn remember(&mut self, record: &ManifestRecord) {
        let sure = record.redirect.is_none() && !self.unfinished.touched.contains(&record.key);
        if sure && record.headers.metadata().next().is_some() {
            let mut headers = record.headers.clone();
            self.shared.share(&mut headers);
            self.site.before.insert(record.key.clone(), headers);
        }
    }

    /// Compares what the site should be with what the live release is, whatever the site holds.
    fn relate(
        &mut self,
        key: &StoredKey,
        entry: Option<&DesiredEntry>,
        record: Option<&ManifestRecord>,
        relation: Option<Sameness>,
        intact: bool,
    ) {
        let live = record.is_some_and(|record| record.state == RecordState::Live);
        match relation.filter(|_| live) {
            Some(Sameness::Same) if intact && !self.verify => {}
            Some(Sameness::Same) => {
                self.site.repairs.insert(key.clone());
            }
            // Whoever learns more decides.
            Some(Sameness::Unknown) => {}
            Some(Sameness::Different) => self.site.differs = true,
            None => self.site.differs |= entry.is_some() || live,
        }
    }

    fn holding(&self, key: &StoredKey, record: Option<&ManifestRecord>, intact: bool) -> Option<ReleasedObject> {
        if let Some(record) = record {
            let last = match record.state {
                RecordState::Live => self.current,
                RecordState::Retained(last) | RecordState::Archived(last) => last,
            };
            let page = record.redirect.is_some() || is_page(key.as_str(), &record.headers);
            return Some(ReleasedObject { last, page, body: record.redirect.is_none(), intact });
        }
        let (last, page) = *self.unfinished.meant.get(key)?;
        // What such a run replaced cannot be had any more, and nobody can go back to the run itself.
        Some(ReleasedObject { last, page, body: false, intact: false })
    }

    /// The site, once its listing is whole.
    #[must_use]
    pub fn finish(self, listing: Listing) -> SiteState {
        SiteState { listing, found: self.site }
    }
}

impl SiteState {
    /// How many objects there are, and in which state.
    #[must_use]
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Objects that are not settled, in the order of their keys' bytes.
    #[must_use]
    pub fn objects(&self) -> &[ListedObject] {
        &self.found.objects
    }

    /// The object under `key`, where it is not settled.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&ListedObject> {
        let at = self.found.objects.binary_search_by(|object| object.key.as_str().cmp(key)).ok()?;
        self.found.objects.get(at)
    }

    /// What is known of an object besides its listing.
    #[must_use]
    pub fn observed(&self, key: &StoredKey) -> Option<&ObservedObject> {
        self.found.observed.get(key)
    }

    /// The headers that caches have of an object which is not settled, where they are known for certain and hold metadata.
    #[must_use]
    pub fn before(&self, key: &str) -> Option<&ObjectHeaders> {
        let headers = self.found.before.get(key)?;
        // A HEAD may have shown that somebody replaced them.
        let replaced = self.found.observed.get(key).is_some_and(|observed| observed.headers != *headers);
        if replaced { None } else { Some(headers) }
    }

    /// The same for every such object, whether or not somebody replaced them.
    pub fn all_before(&self) -> impl Iterator<Item = (&str, &ObjectHeaders)> {
        self.found.before.iter().map(|(key, headers)| (key.as_str(), headers))
    }

    /// Adds answers to HEADs.
    pub fn observe(&mut self, answers: impl IntoIterator<Item = (StoredKey, ObservedObject)>) {
        self.found.observed.extend(answers);
    }

    /// Whether the manifest proves that the entry at this place is on the site as it should be.
    #[must_use]
    pub fn is_proven(&self, at: usize) -> bool {
        self.found.proven.get(at).copied().unwrap_or_default()
    }

    /// What an earlier release has to do with an object that is not settled.
    #[must_use]
    pub fn holding(&self, key: &StoredKey) -> Option<ReleasedObject> {
        self.found.holdings.get(key).copied()
    }

    /// Whether `operations` make another release of the site than the live one: not where they only repair it, or finish
    /// what was begun.
    #[must_use]
    pub fn is_another(&self, operations: &[Operation]) -> bool {
        let mut writes = operations.iter().filter(|operation| !matches!(operation.action, Action::Delete { .. }));
        self.found.differs || writes.any(|operation| !self.found.repairs.contains(&operation.key))
    }

    /// Every key that visitors can ask for and that is not among `changed`, which is sorted: what stays of `desired`, and
    /// what is on the site besides. In the order of their bytes.
    pub fn others<'a>(&'a self, desired: &'a DesiredSite, changed: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
        let mut entries = desired.entries().iter().map(|entry| entry.key.as_str()).peekable();
        let mut objects = self.found.objects.iter().map(|object| object.key.as_str()).peekable();
        std::iter::from_fn(move || {
            let next = match (entries.peek(), objects.peek()) {
                (Some(entry), Some(object)) => *entry.min(object),
                (Some(next), None) | (None, Some(next)) => *next,
                (None, None) => return None,
            };
            entries.next_if_eq(&next);
            objects.next_if_eq(&next);
            Some(next)
        })
        .filter(|key| changed.binary_search(key).is_err())
    }

    /// What somebody else changed, by key.
    #[must_use]
    pub fn drift(&self) -> &[Drift] {
        &self.found.drift
    }

    /// How many bodies that were set aside no release needs any more.
    #[must_use]
    pub fn expired(&self) -> u64 {
        self.found.expired
    }
}
