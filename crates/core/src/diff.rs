//! The difference between what a site should be and what it is: one merge of two sorted streams.
//!
//! Owns what counts as a change. Never by date, never by a bare ETag that is not an MD5. Asks for what it must know
//! ([`open_questions`]) and computes the operations once it knows ([`operations`]). Never reads anything itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::compare::{EntryComparison, compare_entry};
use crate::config::ProtectedKeys;
use crate::desired::{DesiredBody, DesiredEntry, DesiredSite};
use crate::identity::{ContentIdentity, ETag, Sameness};
use crate::key::{Key, StoredKey};
use crate::listing::{ListedObject, PreservedAttributes};
use crate::plan::{
    Action, ArchiveCopy, ChangeReason, HeaderDifference, Operation, PlanTotals, PlannedBody, ReplacedObject,
};
use crate::release::ReleaseId;
use crate::site_state::SiteState;

pub use crate::compare::Comparison;

/// What happens to objects that the site has and the artifact lacks.
#[derive(Debug, Clone)]
pub struct DeletePolicy {
    /// Whether they are deleted at all.
    pub delete: bool,
    /// Keys that are never deleted.
    pub protect: ProtectedKeys,
    /// The oldest release that is kept: what it and later ones name is neither deleted nor lost.
    pub oldest_kept: ReleaseId,
}

/// What must be known before operations can be computed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenQuestions {
    /// Objects of the site that need a HEAD, sorted.
    pub heads: Vec<StoredKey>,
    /// Objects of the artifact whose content must be read, sorted, and the digests that would help.
    pub digests: BTreeMap<Key, DigestAlgorithms>,
}

/// Digests to compute in one pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DigestAlgorithms {
    /// SHA-256.
    pub sha256: bool,
    /// MD5.
    pub md5: bool,
    /// CRC-64/NVME.
    pub crc64nvme: bool,
}

impl OpenQuestions {
    /// Whether everything is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty() && self.digests.is_empty()
    }
}

/// What is not known yet. Answer the questions (into [`SiteState::observe`] and [`DesiredSite::learn`]) and ask again until
/// nothing is left: three rounds at the most, since every answer removes its question.
#[must_use]
pub fn open_questions(desired: &DesiredSite, site: &SiteState, comparison: Comparison) -> OpenQuestions {
    let mut found = OpenQuestions::default();
    let mut heads = BTreeSet::new();
    for (entry, listed) in both(desired, site) {
        let observed = site.observed(&listed.key);
        let DesiredBody::Object { source, size, identity } = &entry.body else {
            // A redirect is an empty object; where the site has a larger one there is nothing to ask.
            if observed.is_none() && listed.size == 0 {
                heads.insert(listed.key.clone());
            }
            continue;
        };
        if *size != listed.size {
            continue;
        }
        // An empty body may be a redirect, which only a HEAD shows.
        if observed.is_none() && (comparison == Comparison::Whole || *size == 0) {
            heads.insert(listed.key.clone());
            continue;
        }
        let has = observed.map_or_else(|| listed.identity(), |seen| seen.identity.clone());
        match identity.compare(&has) {
            Sameness::Same => {}
            Sameness::Different if observed.is_some() => {}
            Sameness::Different => {
                heads.insert(listed.key.clone());
            }
            Sameness::Unknown => {
                let helpful = missing(identity, &has);
                if helpful != DigestAlgorithms::default() {
                    found.digests.insert(source.clone(), helpful);
                } else if observed.is_none() {
                    heads.insert(listed.key.clone());
                }
            }
        }
    }
    for (entry, candidates) in renames(desired, site) {
        if let DesiredBody::Object { source, identity, .. } = &entry.body {
            let unknown = candidates.iter().any(|listed| {
                identity.compare(&listed.identity()) == Sameness::Unknown && listed.etag.as_md5().is_some()
            });
            if unknown && identity.md5.is_none() {
                found.digests.entry(source.clone()).or_default().md5 = true;
            }
        }
    }
    found.heads = heads.into_iter().collect();
    found
}

/// The strongest digest that `has` knows and `wants` lacks.
fn missing(wants: &ContentIdentity, has: &ContentIdentity) -> DigestAlgorithms {
    let mut helpful = DigestAlgorithms::default();
    if has.sha256.is_some() && wants.sha256.is_none() {
        helpful.sha256 = true;
    } else if has.md5.is_some() && wants.md5.is_none() {
        helpful.md5 = true;
    } else if has.crc64nvme.is_some() && wants.crc64nvme.is_none() {
        helpful.crc64nvme = true;
    }
    helpful
}

/// Entries that the site has under the same key.
fn both<'a>(
    desired: &'a DesiredSite,
    site: &'a SiteState,
) -> impl Iterator<Item = (&'a DesiredEntry, &'a ListedObject)> {
    let mut listed = site.objects().iter().peekable();
    desired.entries().iter().filter_map(move |entry| {
        while listed.next_if(|object| object.key.as_str() < entry.key.as_str()).is_some() {}
        listed.next_if(|object| object.key.as_str() == entry.key.as_str()).map(|object| (entry, object))
    })
}

/// Smallest body, in bytes, for which copying a renamed object within S3 is worth asking for its digest.
const SMALLEST_RENAME: u64 = 4096;

/// New entries, with the objects of the site that the artifact lacks and that have the same size: a file that was
/// renamed need not be sent again.
fn renames<'a>(desired: &'a DesiredSite, site: &'a SiteState) -> Vec<(&'a DesiredEntry, Vec<&'a ListedObject>)> {
    let mut gone: BTreeMap<u64, Vec<&ListedObject>> = BTreeMap::new();
    for object in site.objects() {
        if object.size >= SMALLEST_RENAME && desired.get(object.key.as_str()).is_none() {
            gone.entry(object.size).or_default().push(object);
        }
    }
    if gone.is_empty() {
        return Vec::new();
    }
    desired
        .entries()
        .iter()
        .enumerate()
        .filter(|(at, entry)| !site.is_proven(*at) && site.get(entry.key.as_str()).is_none())
        .filter_map(|(_, entry)| match &entry.body {
            DesiredBody::Object { size, .. } => gone.get(size).map(|candidates| (entry, candidates.clone())),
            DesiredBody::Redirect(_) => None,
        })
        .collect()
}

/// What the comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Operations in the order of their keys.
    pub operations: Vec<Operation>,
    /// Bodies that are set aside before they are replaced or removed, in the order of their keys.
    pub archive: Vec<ArchiveCopy>,
    /// Counts, without those of the source.
    pub totals: PlanTotals,
}

/// Computes the operations. Pure: same inputs, same answer. Call it once [`open_questions`] has nothing left to ask; what is
/// still unknown then counts as different.
#[must_use]
pub fn operations(desired: &DesiredSite, site: &SiteState, comparison: Comparison, removal: &DeletePolicy) -> Changes {
    let mut changes = Changes { operations: Vec::new(), archive: Vec::new(), totals: PlanTotals::default() };
    let renamed: BTreeMap<&Key, (StoredKey, ETag)> = renames(desired, site)
        .into_iter()
        .filter_map(|(entry, candidates)| {
            let DesiredBody::Object { identity, .. } = &entry.body else { return None };
            let same = candidates.into_iter().find(|listed| identity.compare(&listed.identity()) == Sameness::Same)?;
            Some((&entry.key, (same.key.clone(), same.etag.clone())))
        })
        .collect();

    let mut listed = site.objects().iter().peekable();
    for (at, entry) in desired.entries().iter().enumerate() {
        while let Some(object) = listed.next_if(|object| object.key.as_str() < entry.key.as_str()) {
            changes.surplus(object, site, removal);
        }
        if site.is_proven(at) {
            changes.keep(entry);
            continue;
        }
        let object = listed.next_if(|object| object.key.as_str() == entry.key.as_str());
        match object.map(|object| (object, compare_entry(entry, object, site.observed(&object.key), comparison))) {
            None => changes.put(entry, ChangeReason::New, renamed.get(&entry.key), None),
            Some((object, EntryComparison::Put(reason))) => {
                changes.put(entry, reason, None, Some(object));
                changes.set_aside(object, site, removal);
            }
            Some((object, EntryComparison::Headers(differences, keeping))) => {
                changes.headers(entry, object, differences, keeping);
            }
            Some((_, EntryComparison::Same)) => changes.keep(entry),
        }
    }
    for object in listed {
        changes.surplus(object, site, removal);
    }
    changes.totals.site_objects = site.listing().count();
    changes.totals.drifted = site.drift().len() as u64;
    changes
}

impl Changes {
    fn put(
        &mut self,
        entry: &DesiredEntry,
        reason: ChangeReason,
        renamed: Option<&(StoredKey, ETag)>,
        old: Option<&ListedObject>,
    ) {
        let size = entry.body.size();
        let (body, identity) = match (&entry.body, renamed) {
            (DesiredBody::Redirect(target), _) => (PlannedBody::Redirect(target.clone()), ContentIdentity::default()),
            (DesiredBody::Object { identity, .. }, Some((key, etag))) => {
                (PlannedBody::Site { key: key.clone(), etag: etag.clone() }, identity.clone())
            }
            (DesiredBody::Object { source, identity, .. }, None) => {
                (PlannedBody::Source(source.clone()), identity.clone())
            }
        };
        match &body {
            PlannedBody::Site { .. } => self.totals.bytes_to_copy += size,
            PlannedBody::Source(_) | PlannedBody::Redirect(_) => self.totals.bytes_to_write += size,
        }
        if reason == ChangeReason::New {
            self.totals.create += 1;
        } else {
            self.totals.update += 1;
        }
        self.published(size);
        let replaces = old.map(|object| ReplacedObject { size: object.size, etag: object.etag.clone() });
        let action = Action::Put { body, size, identity, headers: entry.headers.clone(), replaces };
        self.operations.push(Operation { key: entry.key.stored(), reason, action });
    }

    fn headers(
        &mut self,
        entry: &DesiredEntry,
        object: &ListedObject,
        differences: Vec<HeaderDifference>,
        keeping: PreservedAttributes,
    ) {
        let DesiredBody::Object { size, identity, .. } = &entry.body else { return };
        self.totals.headers += 1;
        self.published(*size);
        let action = Action::Headers {
            headers: entry.headers.clone(),
            size: *size,
            etag: object.etag.clone(),
            identity: identity.clone(),
            attributes: keeping,
            differences,
        };
        self.operations.push(Operation { key: entry.key.stored(), reason: ChangeReason::HeadersDiffer, action });
    }

    fn keep(&mut self, entry: &DesiredEntry) {
        self.totals.keep += 1;
        self.published(entry.body.size());
    }

    fn published(&mut self, size: u64) {
        self.totals.published_objects += 1;
        self.totals.published_bytes += size;
    }

    /// An object that the artifact lacks. Directory markers are neither published nor deleted: other tools made them.
    /// What a kept release names stays for pages that visitors have cached; pages themselves go with their release.
    fn surplus(&mut self, object: &ListedObject, site: &SiteState, removal: &DeletePolicy) {
        if !removal.delete || object.key.is_marker() || removal.protect.covers(&object.key) {
            self.totals.untracked += 1;
            return;
        }
        let asset = site.holding(&object.key).filter(|holding| !holding.page);
        if asset.is_some_and(|holding| holding.last >= removal.oldest_kept) {
            self.totals.retained += 1;
            return;
        }
        self.totals.delete += 1;
        let reason = if asset.is_some() { ChangeReason::Expired } else { ChangeReason::Stale };
        let action = Action::Delete { size: object.size, etag: object.etag.clone() };
        self.operations.push(Operation { key: object.key.clone(), reason, action });
        self.set_aside(object, site, removal);
    }

    /// The body of a kept release is about to be replaced or removed: without a copy nobody could go back.
    fn set_aside(&mut self, object: &ListedObject, site: &SiteState, removal: &DeletePolicy) {
        let Some(holding) = site.holding(&object.key) else { return };
        if holding.intact && holding.body && holding.last >= removal.oldest_kept {
            let (key, etag) = (object.key.clone(), object.etag.clone());
            self.archive.push(ArchiveCopy { key, etag, size: object.size, last: holding.last });
        }
    }
}
