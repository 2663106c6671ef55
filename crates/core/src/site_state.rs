//! The actual site: a merge of three sorted streams, the desired site, the bucket's listing and the manifest.
//!
//! Objects that the manifest proves to be as desired are only counted, so memory grows with the differences. Objects that
//! are not as the manifest says have drifted, unless an unfinished run wrote them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::artifact::Fingerprint;
use crate::compare::{Comparison, EntryComparison, compare_entry};
use crate::desired::DesiredSite;
use crate::headers::{HeaderPool, ObjectHeaders};
use crate::identity::Sameness;
use crate::key::StoredKey;
use crate::listing::{ListedObject, Listing, ObservedObject};
use crate::manifest::{ManifestRecord, RecordState};
use crate::plan::{Action, ChangeReason, Operation, is_page};
use crate::release::id::ReleaseId;

mod fingerprint;
mod unfinished;

use unfinished::PlannedWrite;
pub use unfinished::{KeyIndexError, UnfinishedRuns, UnfinishedRunsBuilder};

/// The state of a site, from a complete listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteState {
    listing: Listing,
    unproven: UnprovenObjects,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct UnprovenObjects {
    /// Objects that the manifest does not prove to be as desired, in the order of their keys' bytes.
    objects: Vec<ListedObject>,
    /// Their content and headers, from a HEAD request or the manifest.
    observed: BTreeMap<StoredKey, ObservedObject>,
    /// For each desired entry: what is proven about it without a request.
    proven: Vec<Proof>,
    /// Those of them that earlier releases wrote, in the same order.
    released: Vec<(StoredKey, ReleasedObject)>,
    /// Headers of unproven objects that are as the manifest says: those of the copies in visitors' caches. Only objects with
    /// user metadata are here.
    cached_headers: BTreeMap<StoredKey, ObjectHeaders>,
    /// Changes from outside Tidegate.
    drift: Vec<Drift>,
    /// Whether the desired site certainly differs from the live release.
    differs: bool,
    /// Keys that are desired as in the live release, but may differ on the site.
    repairs: BTreeSet<StoredKey>,
    /// Archived bodies that no release needs.
    expired: u64,
}

/// What is proven about a desired entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Proof {
    /// Nothing.
    #[default]
    None,
    /// The manifest of the live release says that the site has it. The object is only counted.
    Manifest,
    /// An unfinished run wrote it. The object is among those that the manifest does not prove.
    Result,
    /// The manifest says that the site has another object, which a put replaces: nothing else has to be known of it.
    Replaced(ChangeReason),
}

/// An object that Tidegate wrote for a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleasedObject {
    /// The last release that has it.
    pub last: ReleaseId,
    /// Whether it is a page. Pages are deleted with their release, assets stay for cached pages.
    pub page: bool,
    /// Whether it has a body. A redirect has none.
    pub body: bool,
    /// Whether it is unchanged since it was written.
    pub intact: bool,
}

/// A change of a key from outside Tidegate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The key.
    pub key: StoredKey,
    /// The change.
    pub kind: DriftKind,
}

/// A kind of drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// The object was replaced.
    Replaced,
    /// The object was deleted.
    Missing,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DriftKind::Replaced => write!(f, "drift: `{}` was replaced outside Tidegate", self.key),
            DriftKind::Missing => write!(f, "drift: `{}` was deleted outside Tidegate", self.key),
        }
    }
}

/// What a [`SiteMerge`] starts from.
#[derive(Debug, Clone, Copy)]
pub struct SiteMergeInputs<'a> {
    /// The desired site.
    pub desired: &'a DesiredSite,
    /// The source that it was made from.
    pub artifact: &'a Fingerprint,
    /// Unfinished runs.
    pub unfinished: &'a UnfinishedRuns,
    /// The live release, whose manifest is merged.
    pub live: ReleaseId,
    /// The oldest kept release.
    pub oldest_kept: ReleaseId,
    /// Whether to check objects although the manifest proves them: headers can be replaced without a new ETag.
    pub verify: bool,
}

/// Builds a [`SiteState`] key by key.
#[derive(Debug)]
pub struct SiteMerge<'a> {
    inputs: SiteMergeInputs<'a>,
    /// The next desired entry.
    at: usize,
    site: UnprovenObjects,
    pool: HeaderPool,
}

impl<'a> SiteMerge<'a> {
    /// Starts a merge.
    #[must_use]
    pub fn new(inputs: SiteMergeInputs<'a>) -> Self {
        let proven = vec![Proof::None; inputs.desired.entries().len()];
        let site = UnprovenObjects { proven, ..UnprovenObjects::default() };
        Self { inputs, at: 0, site, pool: HeaderPool::default() }
    }

    /// Adds an archived body, which belongs to releases up to `last`.
    pub fn archived(&mut self, last: ReleaseId) {
        self.site.expired += u64::from(last < self.inputs.oldest_kept);
    }

    /// Adds the next key, with what the listing and the manifest have for it. Keys must be in order.
    pub fn push(&mut self, listed: Option<ListedObject>, record: Option<&ManifestRecord>) {
        let Some(key) = listed.as_ref().map(|l| &l.key).or(record.map(|r| &r.key)).cloned() else { return };
        let entries = self.inputs.desired.entries();
        while entries.get(self.at).is_some_and(|entry| entry.key.as_str() < key.as_str()) {
            self.at += 1;
        }
        let entry = entries.get(self.at).filter(|entry| entry.key.as_str() == key.as_str());
        // The object shares the text of the entry: a plan can replace every object.
        let key = entry.map_or(key, |entry| entry.key.stored());
        let listed = listed.map(|listed| ListedObject { key: key.clone(), ..listed });
        let intact = listed.as_ref().zip(record).is_some_and(|(l, r)| l.etag == r.etag && l.size == r.size);
        if record.is_some() && !intact && self.inputs.unfinished.write(&key).is_none() {
            let kind = if listed.is_some() { DriftKind::Replaced } else { DriftKind::Missing };
            self.site.drift.push(Drift { key: key.clone(), kind });
        }
        let mut observed = record.filter(|_| entry.is_some()).map(ManifestRecord::observed).unwrap_or_default();
        let compared = entry
            .zip(record)
            .map(|(entry, record)| compare_entry(entry, &record.listed(), Some(&observed), Comparison::Whole));
        let sameness = compared.as_ref().map(EntryComparison::sameness);
        let live = record.is_some_and(|record| record.state == RecordState::Live);
        // Bytes that are as the manifest says do not prove headers, if an unfinished run may have replaced those.
        let unfinished = self.inputs.unfinished;
        let proves = intact && !self.inputs.verify && !unfinished.may_keep_etag(&key);
        match sameness.filter(|_| live) {
            Some(Sameness::Same) if proves => {}
            Some(Sameness::Same) => {
                self.site.repairs.insert(key.clone());
            }
            // An unfinished run replaced what the live release has.
            Some(Sameness::Unknown) => {
                self.site.differs |= !intact && listed.is_some() && unfinished.write(&key).is_some();
            }
            Some(Sameness::Different) => self.site.differs = true,
            None => self.site.differs |= entry.is_some() || live,
        }
        let Some(listed) = listed else { return };
        if let Some(entry) = entry.filter(|_| !self.inputs.verify)
            && unfinished.wrote(&listed, entry, self.inputs.artifact)
        {
            self.prove(Proof::Result);
            self.site.objects.push(listed);
            return;
        }
        // What was compared with the record holds for the object.
        if proves {
            if sameness == Some(Sameness::Same) {
                self.prove(Proof::Manifest);
                return;
            }
            match compared {
                Some(EntryComparison::Put(reason)) if sameness == Some(Sameness::Different) => {
                    self.prove(Proof::Replaced(reason));
                }
                Some(_) => {
                    self.pool.share(&mut observed.headers);
                    self.site.observed.insert(key.clone(), observed);
                }
                // An object that is not desired is not compared.
                None => {}
            }
        }
        if let Some(record) = record.filter(|_| intact) {
            self.remember_headers(record);
        }
        if let Some(released) = self.released(&key, record, intact) {
            self.site.released.push((key, released));
        }
        self.site.objects.push(listed);
    }

    fn prove(&mut self, proof: Proof) {
        if let Some(proven) = self.site.proven.get_mut(self.at) {
            *proven = proof;
        }
    }

    /// Remembers the headers of cached copies, where they are certain: an unfinished run may have replaced the object, and
    /// responses of redirects have no metadata.
    fn remember_headers(&mut self, record: &ManifestRecord) {
        let certain = record.redirect.is_none() && !self.inputs.unfinished.is_touched(&record.key);
        if certain && record.headers.metadata().next().is_some() {
            let mut headers = record.headers.clone();
            self.pool.share(&mut headers);
            self.site.cached_headers.insert(record.key.clone(), headers);
        }
    }

    fn released(&self, key: &StoredKey, record: Option<&ManifestRecord>, intact: bool) -> Option<ReleasedObject> {
        if let Some(record) = record {
            let last = match record.state {
                RecordState::Live => self.inputs.live,
                RecordState::Retained(last) | RecordState::Archived(last) => last,
            };
            let page = record.redirect.is_some() || is_page(key.as_str(), &record.headers);
            return Some(ReleasedObject { last, page, body: record.redirect.is_none(), intact });
        }
        // There is no rollback to an unfinished run, so its bodies are not archived.
        let PlannedWrite { run, page, .. } = self.inputs.unfinished.write(key)?;
        Some(ReleasedObject { last: run, page, body: false, intact: false })
    }

    /// Finishes the merge with the complete listing.
    #[must_use]
    pub fn finish(self, listing: Listing) -> SiteState {
        SiteState { listing, unproven: self.site }
    }
}

impl SiteState {
    /// The proof that the listing is complete, with its count and digest.
    #[must_use]
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Objects that the manifest does not prove to be as desired, in the order of their keys' bytes.
    #[must_use]
    pub fn objects(&self) -> &[ListedObject] {
        &self.unproven.objects
    }

    /// The object with this key, if the manifest does not prove it to be as desired.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&ListedObject> {
        let at = self.unproven.objects.binary_search_by(|object| object.key.as_str().cmp(key)).ok()?;
        self.unproven.objects.get(at)
    }

    /// Content and headers of an object, where they are known.
    #[must_use]
    pub fn observed(&self, key: &StoredKey) -> Option<&ObservedObject> {
        self.unproven.observed.get(key)
    }

    /// Headers of cached copies of an unproven object. `None` if they are uncertain or have no user metadata.
    #[must_use]
    pub fn cached_headers(&self, key: &str) -> Option<&ObjectHeaders> {
        let headers = self.unproven.cached_headers.get(key)?;
        // A HEAD request can show that the headers were replaced outside Tidegate.
        let replaced = self.unproven.observed.get(key).is_some_and(|observed| observed.headers != *headers);
        if replaced { None } else { Some(headers) }
    }

    /// Headers that cached copies of unproven objects may have, by key. Includes headers that were replaced outside
    /// Tidegate.
    pub fn possible_cached_headers(&self) -> impl Iterator<Item = (&str, &ObjectHeaders)> {
        self.unproven.cached_headers.iter().map(|(key, headers)| (key.as_str(), headers))
    }

    /// Adds responses to HEAD requests.
    pub fn observe(&mut self, responses: impl IntoIterator<Item = (StoredKey, ObservedObject)>) {
        self.unproven.observed.extend(responses);
    }

    /// Whether the site is proven to have the desired entry with this index.
    #[must_use]
    pub fn is_proven(&self, at: usize) -> bool {
        matches!(self.proof(at), Proof::Manifest | Proof::Result)
    }

    /// Whether the manifest is that proof.
    #[must_use]
    pub fn is_in_manifest(&self, at: usize) -> bool {
        self.proof(at) == Proof::Manifest
    }

    /// Why a put replaces the object of the desired entry with this index, if the manifest decides that.
    #[must_use]
    pub fn replaced(&self, at: usize) -> Option<ChangeReason> {
        match self.proof(at) {
            Proof::Replaced(reason) => Some(reason),
            Proof::None | Proof::Manifest | Proof::Result => None,
        }
    }

    fn proof(&self, at: usize) -> Proof {
        self.unproven.proven.get(at).copied().unwrap_or_default()
    }

    /// What earlier releases say of an unproven object. `None` if Tidegate did not write it.
    #[must_use]
    pub fn released(&self, key: &StoredKey) -> Option<ReleasedObject> {
        let released = &self.unproven.released;
        let at = released.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        released.get(at).map(|(_, object)| *object)
    }

    /// Whether `operations` make a release with other content than the live one. They do not if they only repair it or
    /// finish it.
    #[must_use]
    pub fn is_new_release(&self, operations: &[Operation]) -> bool {
        let mut writes = operations.iter().filter(|operation| !matches!(operation.action, Action::Delete { .. }));
        self.unproven.differs || writes.any(|operation| !self.unproven.repairs.contains(&operation.key))
    }

    /// Every key that visitors can request and that is not among `changed`, which must be sorted: keys of `desired`, and
    /// other keys of the site. In the order of their bytes.
    pub fn unchanged_keys<'a>(
        &'a self,
        desired: &'a DesiredSite,
        changed: &'a [&'a str],
    ) -> impl Iterator<Item = &'a str> {
        let mut entries = desired.entries().iter().map(|entry| entry.key.as_str()).peekable();
        let mut objects = self.unproven.objects.iter().map(|object| object.key.as_str()).peekable();
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

    /// Changes from outside Tidegate, by key.
    #[must_use]
    pub fn drift(&self) -> &[Drift] {
        &self.unproven.drift
    }

    /// How many archived bodies no release needs any more.
    #[must_use]
    pub fn expired(&self) -> u64 {
        self.unproven.expired
    }
}
