//! The difference between the desired site and the actual one: a merge of two sorted streams.
//!
//! First [`open_questions`] returns what has to be asked of S3 and of the source. Then [`differences`] compares, and
//! [`Differences::decide`] says what becomes of objects that are not desired.

use std::collections::{BTreeMap, BTreeSet};

use crate::compare::{EntryComparison, compare_entry};
use crate::config::ProtectedKeys;
use crate::desired::{DesiredBody, DesiredEntry, DesiredSite};
use crate::edge::{is_versioned, shown_key, versioned_key};
use crate::identity::{ContentIdentity, PackedIdentity, Sameness};
use crate::key::{Key, StoredKey};
use crate::listing::{ListedObject, PreservedAttributes};
use crate::plan::{
    Action, ArchiveCopy, ChangeReason, HeaderDifference, Operation, PlanTotals, PlannedBody, ReplacedObject,
};
use crate::release::id::ReleaseId;
use crate::renames::{RenameIndex, new_entries};
use crate::site_state::SiteState;

pub use crate::compare::Comparison;

/// Which objects of the site are deleted when they are not desired.
#[derive(Debug, Clone)]
pub struct DeletePolicy {
    /// Whether objects are deleted at all.
    pub delete: bool,
    /// Keys that are never deleted.
    pub protect: ProtectedKeys,
    /// The oldest kept release. Its objects and those of later releases are not lost.
    pub oldest_kept: ReleaseId,
    /// The folder of the live release, if it has one. What it holds needs no archive.
    pub live_folder: Option<String>,
}

/// What must be known before [`differences`] can be computed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenQuestions {
    /// Objects of the site that need a HEAD request, sorted.
    pub heads: Vec<StoredKey>,
    /// Objects of the artifact whose content must be digested, sorted.
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

/// Returns what is not known yet. Pass the answers to [`SiteState::observe`] and [`DesiredSite::learn`] and call it again
/// until it returns nothing. That takes at most three rounds, since no question is repeated.
#[must_use]
pub fn open_questions(desired: &DesiredSite, site: &SiteState, comparison: Comparison) -> OpenQuestions {
    let mut questions = OpenQuestions::default();
    let mut heads = BTreeSet::new();
    for (entry, listed) in common_keys(desired, site) {
        let observed = site.observed(&listed.key);
        let DesiredBody::Object { source, size, identity } = &entry.body else {
            // A redirect is an empty object; a larger object is not one.
            if observed.is_none() && listed.size == 0 {
                heads.insert(listed.key.clone());
            }
            continue;
        };
        if *size != listed.size {
            continue;
        }
        // An empty object can be a redirect, which only a HEAD request shows.
        if observed.is_none() && (comparison == Comparison::Whole || *size == 0) {
            heads.insert(listed.key.clone());
            continue;
        }
        let current = observed.map_or_else(|| listed.identity(), |observed| observed.identity.clone());
        let identity = identity.get();
        match identity.compare(&current) {
            Sameness::Same => {}
            Sameness::Different if observed.is_some() => {}
            Sameness::Different => {
                heads.insert(listed.key.clone());
            }
            Sameness::Unknown => {
                let missing = missing_digest(&identity, &current);
                if missing != DigestAlgorithms::default() {
                    questions.digests.insert(source.clone(), missing);
                } else if observed.is_none() {
                    heads.insert(listed.key.clone());
                }
            }
        }
    }
    let renames = RenameIndex::new(desired, site);
    if !renames.is_empty() {
        for entry in new_entries(desired, site).filter(|entry| renames.needs_md5(entry)) {
            if let DesiredBody::Object { source, .. } = &entry.body {
                questions.digests.entry(source.clone()).or_default().md5 = true;
            }
        }
    }
    questions.heads = heads.into_iter().collect();
    questions
}

/// The strongest digest that is known of the current object and not of the desired one.
fn missing_digest(desired: &ContentIdentity, current: &ContentIdentity) -> DigestAlgorithms {
    let mut missing = DigestAlgorithms::default();
    if current.sha256.is_some() && desired.sha256.is_none() {
        missing.sha256 = true;
    } else if current.md5.is_some() && desired.md5.is_none() {
        missing.md5 = true;
    } else if current.crc64nvme.is_some() && desired.crc64nvme.is_none() {
        missing.crc64nvme = true;
    }
    missing
}

/// Entries and objects with the same key, where nothing proves that they are equal.
fn common_keys<'a>(
    desired: &'a DesiredSite,
    site: &'a SiteState,
) -> impl Iterator<Item = (&'a DesiredEntry, &'a ListedObject)> {
    let mut listed = site.objects().iter().peekable();
    let is_open = |at: usize| !site.is_proven(at) && site.replaced(at).is_none();
    desired.entries().iter().enumerate().filter(move |(at, _)| is_open(*at)).filter_map(move |(_, entry)| {
        while listed.next_if(|object| object.key.as_str() < entry.key.as_str()).is_some() {}
        listed.next_if(|object| object.key.as_str() == entry.key.as_str()).map(|object| (entry, object))
    })
}

/// The object in the folder of a release that is the body of an entry.
fn folder_copy<'a>(entry: &DesiredEntry, site: &'a SiteState) -> Option<&'a ListedObject> {
    site.get(entry.body.source().filter(|source| is_versioned(source.as_str()))?.as_str())
}

/// The result of [`Differences::decide`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Operations in the order of their keys.
    pub operations: Vec<Operation>,
    /// Bodies to archive before they are replaced or deleted, in the order of their keys.
    pub archive: Vec<ArchiveCopy>,
    /// Counts, without those of the source.
    pub totals: PlanTotals,
}

/// How a site differs, before it is decided what becomes of objects that are not desired. That depends on the releases that
/// are kept, which depend on what is written.
#[derive(Debug)]
pub struct Differences<'a> {
    site: &'a SiteState,
    changes: Changes,
    /// Objects whose bodies are replaced.
    replaced: Vec<&'a ListedObject>,
    /// Objects that are not desired.
    obsolete: Vec<&'a ListedObject>,
}

/// Compares every object. Equal inputs give equal results. Call it when [`open_questions`] returns nothing; content that is
/// still unknown counts as different.
#[must_use]
pub fn differences<'a>(desired: &DesiredSite, site: &'a SiteState, comparison: Comparison) -> Differences<'a> {
    let changes = Changes { operations: Vec::new(), archive: Vec::new(), totals: PlanTotals::default() };
    let mut differences = Differences { site, changes, replaced: Vec::new(), obsolete: Vec::new() };
    let Differences { changes, replaced, obsolete, .. } = &mut differences;
    let renames = RenameIndex::new(desired, site);
    let mut listed = site.objects().iter().peekable();
    for (at, entry) in desired.entries().iter().enumerate() {
        while let Some(object) = listed.next_if(|object| object.key.as_str() < entry.key.as_str()) {
            obsolete.push(object);
        }
        let is_shown = shown_key(desired, entry.key.as_str()).is_some();
        let object = listed.next_if(|object| object.key.as_str() == entry.key.as_str());
        if site.is_proven(at) {
            changes.keep(entry, is_shown);
            continue;
        }
        let compared = object.map(|object| match site.replaced(at) {
            Some(reason) => (object, EntryComparison::Put(reason)),
            None => (object, compare_entry(entry, object, site.observed(&object.key), comparison)),
        });
        match compared {
            None => {
                let copied = renames.find(entry).or_else(|| folder_copy(entry, site));
                changes.put(entry, ChangeReason::New, copied, None, is_shown);
            }
            Some((object, EntryComparison::Put(reason))) => {
                changes.put(entry, reason, folder_copy(entry, site), Some(object), is_shown);
                replaced.push(object);
            }
            Some((object, EntryComparison::Headers(differences, attributes))) => {
                changes.headers(entry, object, differences, attributes, is_shown);
            }
            Some((_, EntryComparison::Same)) => changes.keep(entry, is_shown),
        }
    }
    obsolete.extend(listed);
    changes.totals.site_objects = site.listing().count();
    changes.totals.drifted = site.drift().len() as u64;
    differences
}

impl Differences<'_> {
    /// What is written, in the order of keys.
    #[must_use]
    pub fn writes(&self) -> &[Operation] {
        &self.changes.operations
    }

    /// Decides what is deleted, kept and archived.
    #[must_use]
    pub fn decide(self, policy: &DeletePolicy) -> Changes {
        let Self { site, mut changes, replaced, obsolete } = self;
        for object in replaced {
            changes.archive_body(object, site, policy);
        }
        for object in obsolete {
            changes.obsolete(object, site, policy);
        }
        // Two sorted runs each, which a stable sort merges.
        changes.operations.sort_by(|a, b| a.key.cmp(&b.key));
        changes.archive.sort_by(|a, b| a.key.cmp(&b.key));
        changes
    }
}

impl Changes {
    fn put(
        &mut self,
        entry: &DesiredEntry,
        reason: ChangeReason,
        renamed: Option<&ListedObject>,
        old: Option<&ListedObject>,
        is_shown: bool,
    ) {
        let size = entry.body.size();
        let (body, identity) = match (&entry.body, renamed) {
            (DesiredBody::Redirect(target), _) => (PlannedBody::Redirect(target.clone()), PackedIdentity::default()),
            (DesiredBody::Object { identity, .. }, Some(ListedObject { key, etag, .. })) => {
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
        if !is_shown {
            self.totals.versioned += 1;
        } else if reason == ChangeReason::New {
            self.totals.create += 1;
        } else {
            self.totals.update += 1;
        }
        self.count_published(size, is_shown);
        let replaces = old.map(|object| Box::new(ReplacedObject { size: object.size, etag: object.etag.clone() }));
        let action = Action::Put { body, size, identity, headers: entry.headers.clone(), replaces };
        self.operations.push(Operation { key: entry.key.stored(), reason, action });
    }

    fn headers(
        &mut self,
        entry: &DesiredEntry,
        object: &ListedObject,
        differences: Vec<HeaderDifference>,
        attributes: PreservedAttributes,
        is_shown: bool,
    ) {
        let DesiredBody::Object { size, identity, .. } = &entry.body else { return };
        self.totals.headers += u64::from(is_shown);
        self.count_published(*size, is_shown);
        let action = Action::Headers {
            headers: entry.headers.clone(),
            size: *size,
            etag: object.etag.clone(),
            identity: identity.clone(),
            attributes: attributes.into(),
            differences: differences.into(),
        };
        self.operations.push(Operation { key: entry.key.stored(), reason: ChangeReason::HeadersDiffer, action });
    }

    fn keep(&mut self, entry: &DesiredEntry, is_shown: bool) {
        self.totals.keep += u64::from(is_shown);
        self.count_published(entry.body.size(), is_shown);
    }

    /// Counts an object, unless it is the copy of one in the folder of its release.
    fn count_published(&mut self, size: u64, is_shown: bool) {
        if is_shown {
            self.totals.published_objects += 1;
            self.totals.published_bytes += size;
        }
    }

    /// Handles an object that is not desired. Directory markers come from other tools and stay. Assets of kept releases
    /// stay for pages in visitors' caches. Pages are deleted with their release.
    fn obsolete(&mut self, object: &ListedObject, site: &SiteState, policy: &DeletePolicy) {
        if !policy.delete || object.key.is_marker() || policy.protect.covers(&object.key) {
            self.totals.untracked += 1;
            return;
        }
        // The folder of a release is deleted with the last release that shows it.
        let versioned = is_versioned(object.key.as_str());
        let asset = site.released(&object.key).filter(|released| !released.page || versioned);
        if asset.is_some_and(|released| released.last >= policy.oldest_kept) {
            self.totals.retained += 1;
            return;
        }
        if !versioned {
            self.totals.delete += 1;
        }
        let reason = if asset.is_some() { ChangeReason::Expired } else { ChangeReason::Stale };
        let action = Action::Delete { size: object.size, etag: object.etag.clone() };
        self.operations.push(Operation { key: object.key.clone(), reason, action });
        self.archive_body(object, site, policy);
    }

    /// Archives the body of a kept release before it is replaced or deleted, so that a rollback can restore it.
    fn archive_body(&mut self, object: &ListedObject, site: &SiteState, policy: &DeletePolicy) {
        let Some(released) = site.released(&object.key) else { return };
        let in_folder = policy.live_folder.as_ref().is_some_and(|folder| {
            let copy = site.get(&versioned_key(folder, object.key.as_str()));
            copy.is_some_and(|copy| copy.size == object.size && copy.etag == object.etag)
        });
        if released.intact && released.body && released.last >= policy.oldest_kept && !in_folder {
            let (key, etag) = (object.key.clone(), object.etag.clone());
            self.archive.push(ArchiveCopy { key, etag, size: object.size, last: released.last });
        }
    }
}
