//! The releases of a site: which are kept, what one holds, how two differ. Only reads.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::TryStreamExt;
use futures::stream::{self, BoxStream, StreamExt};
use serde::Serialize;
use tidegate_core::config::Site;
use tidegate_core::edge::{StoredEdge, is_versioned, versioned_key};
use tidegate_core::identity::Sameness;
use tidegate_core::key::StoredKey;
use tidegate_core::lease::LeaseRecord;
use tidegate_core::manifest::{ManifestRecord, RecordState};
use tidegate_core::release::{ReleaseEntry, ReleaseId, ReleasePointer, ReleaseRecord, SkippedRequest};
use tidegate_core::report::{Outcome, PublishReport};

use super::error::PublishError;
use super::run::{Publisher, Run};
use crate::state::{History, ReleaseFile, StateError, StateStore};

/// The releases of a site, and what is pending.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SiteStatus {
    /// The live release; nothing before the first.
    pub live: Option<ReleaseEntry>,
    /// Releases that are kept, the live one last.
    pub releases: Vec<ReleaseEntry>,
    /// Releases whose invalidations were not all accepted.
    pub pending_invalidations: Vec<ReleaseId>,
    /// Runs that wrote and did not finish. The next publish completes them.
    pub unfinished: Vec<ReleaseId>,
    /// Whether everything that follows the live release is done.
    pub finalized: bool,
    /// The run that publishes right now.
    pub lease: Option<LeaseRecord>,
    /// The latest requests that were skipped.
    pub skipped: Vec<SkippedRequest>,
}

/// How two releases differ.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReleaseComparison {
    /// The first release.
    pub from: ReleaseId,
    /// The second release.
    pub to: ReleaseId,
    /// What differs, by key.
    pub changes: Vec<ReleaseChange>,
    /// Keys that are the same in both.
    pub same: u64,
}

/// One key that differs between two releases.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReleaseChange {
    /// The key.
    pub key: String,
    /// What differs.
    pub kind: ReleaseChangeKind,
    /// Bytes before.
    pub before: Option<u64>,
    /// Bytes after.
    pub after: Option<u64>,
    /// Headers that differ: `name: before → after`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
}

/// What differs of one key between two releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseChangeKind {
    /// Only the second release has it.
    Added,
    /// Only the first release has it.
    Removed,
    /// Its bytes.
    Content,
    /// Its headers.
    Headers,
    /// Its redirect target.
    Redirect,
}

impl fmt::Display for ReleaseChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Content => "content",
            Self::Headers => "headers",
            Self::Redirect => "redirect",
        })
    }
}

/// The releases of a site at the start of the run.
#[derive(Debug, Clone)]
pub(super) struct Releases {
    pub(super) store: StateStore,
    pub(super) history: Arc<History>,
}

impl Releases {
    /// Reads them without the lease; nothing if the site has no releases.
    pub(super) async fn read(run: Run<'_>) -> Result<Option<Self>, PublishError> {
        let Some(store) = run.publisher.state(run.site) else { return Ok(None) };
        let history = Arc::new(store.history().await?);
        Ok(Some(Self { store, history }))
    }

    /// The records of the live release; none before the first.
    pub(super) async fn live_records(
        &self,
    ) -> Result<BoxStream<'static, Result<Vec<ManifestRecord>, StateError>>, StateError> {
        match self.history.manifest() {
            Some(manifest) => self.store.manifest(manifest).await,
            None => Ok(stream::empty().boxed()),
        }
    }

    /// Keys that split the live site into ranges; none for a small site. They only make a listing faster, so a damaged
    /// document is only a warning.
    pub(super) async fn splits(&self) -> Vec<StoredKey> {
        let manifest = self.history.manifest().filter(|id| self.history.has(*id, ReleaseFile::Ranges));
        let Some(manifest) = manifest else { return Vec::new() };
        match self.store.ranges(manifest).await {
            Ok(ranges) => ranges.map(|ranges| ranges.splits).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "cannot read the ranges of the site, so it is listed page by page");
                Vec::new()
            }
        }
    }

    /// The edge of the release with this manifest; nothing if it has none.
    pub(super) async fn edge(&self, manifest: ReleaseId) -> Result<Option<StoredEdge>, StateError> {
        if self.history.has(manifest, ReleaseFile::Edge) { self.store.edge(manifest).await } else { Ok(None) }
    }

    /// The oldest release that is kept after a run; `new_release` says whether the run makes one.
    pub(super) fn oldest_kept(&self, run: Run<'_>, new_release: bool) -> ReleaseId {
        self.history.oldest_kept(run.site.keep, run.request.instant, new_release)
    }

    /// Stores the report beside its release. Nothing depends on it, so a failure is only a warning.
    pub(super) async fn store_report(&self, outcome: Outcome, report: &mut PublishReport) {
        report.outcome = outcome;
        let Some(id) = report.id.filter(|_| outcome != Outcome::Failed) else { return };
        if let Err(error) = self.store.put_report(id, report).await {
            tracing::warn!(%error, "cannot store the report");
        }
    }
}

/// The state of a site that must have releases.
pub(super) fn store(publisher: &Publisher, site: &Site) -> Result<StateStore, PublishError> {
    publisher.state(site).ok_or_else(|| PublishError::NoReleases(site.name.to_string()))
}

/// See [`Publisher::status`].
pub(super) async fn status(store: &StateStore) -> Result<SiteStatus, PublishError> {
    let (history, lease) = tokio::try_join!(store.history(), store.holder())?;
    let unfinished = history.unfinished.runs().to_vec();
    let pointer = history.pointer.map(|(pointer, _)| pointer);
    let live = pointer.as_ref().and_then(ReleasePointer::live).cloned();
    let finalized = pointer.as_ref().is_none_or(|pointer| pointer.finalized);
    let (releases, pending_invalidations, skipped) =
        pointer.map(|pointer| (pointer.releases, pointer.pending_invalidations, pointer.skipped)).unwrap_or_default();
    Ok(SiteStatus { live, releases, pending_invalidations, unfinished, finalized, lease, skipped })
}

/// See [`Publisher::release`].
pub(super) async fn release(store: &StateStore, site: &Site, id: ReleaseId) -> Result<ReleaseRecord, PublishError> {
    store.release(id).await?.ok_or_else(|| PublishError::UnknownRelease(site.name.to_string(), id))
}

/// See [`Publisher::earlier`].
pub(super) async fn earlier(
    store: &StateStore,
    site: &Site,
    id: Option<ReleaseId>,
) -> Result<ReleaseEntry, PublishError> {
    let status = status(store).await?;
    let name = || site.name.to_string();
    let Some(live) = status.live else { return Err(PublishError::NotReleased(name())) };
    let mut kept = status.releases.into_iter().rev().filter(|entry| entry.manifest.is_some());
    match id {
        Some(id) => kept.find(|entry| entry.id == id).ok_or(PublishError::UnknownRelease(name(), id)),
        None => kept.find(|entry| entry.manifest != live.manifest).ok_or_else(|| PublishError::NothingBefore(name())),
    }
}

/// Reads the manifest of the live release. See [`Publisher::retained`].
pub(super) async fn retained(store: &StateStore, key: &str) -> Result<Vec<RecordState>, PublishError> {
    let Some(manifest) = store.history().await?.manifest() else { return Ok(Vec::new()) };
    let mut batches = store.manifest(manifest).await?;
    let mut found = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        let of_key = batch.iter().filter(|record| record.key.as_str() == key);
        found.extend(of_key.map(|record| record.state).filter(|state| *state != RecordState::Live));
    }
    Ok(found)
}

/// Merges the manifests of two releases. See [`Publisher::compare`].
pub(super) async fn compare(
    store: &StateStore,
    site: &Site,
    from: ReleaseId,
    to: ReleaseId,
) -> Result<ReleaseComparison, PublishError> {
    let (first, second) = (earlier(store, site, Some(from)).await?, earlier(store, site, Some(to)).await?);
    let mut before = LiveRecords::open(store, first.manifest.unwrap_or(from)).await?;
    let mut after = LiveRecords::open(store, second.manifest.unwrap_or(to)).await?;
    let (mut changes, mut same) = (Vec::new(), 0);
    let (mut old, mut new) = (before.next().await?, after.next().await?);
    loop {
        let order = match (&old, &new) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.key.cmp(&new.key),
        };
        let pair = (old.as_ref().filter(|_| order.is_le()), new.as_ref().filter(|_| order.is_ge()));
        match change(pair.0, pair.1) {
            Some(change) => changes.push(change),
            None => same += 1,
        }
        if order.is_le() {
            old = before.next().await?;
        }
        if order.is_ge() {
            new = after.next().await?;
        }
    }
    Ok(ReleaseComparison { from, to, changes, same })
}

/// The live records of a manifest, one by one.
struct LiveRecords {
    stream: BoxStream<'static, Result<Vec<ManifestRecord>, StateError>>,
    ready: std::vec::IntoIter<ManifestRecord>,
}

impl LiveRecords {
    /// The records of what the release shows. Those in the folder of a release count under the keys that visitors see.
    async fn open(state: &StateStore, id: ReleaseId) -> Result<Self, StateError> {
        let stream = state.manifest(id).await?;
        let folder = state.edge(id).await?.map(|edge| edge.folder).filter(|folder| !folder.is_empty());
        let Some(folder) = folder else { return Ok(Self { stream, ready: Vec::new().into_iter() }) };
        let prefix = versioned_key(&folder, "");
        let mut shown = BTreeMap::new();
        let mut records = Self { stream, ready: Vec::new().into_iter() };
        while let Some(record) = records.next().await? {
            match record.key.as_str().strip_prefix(&prefix).map(StoredKey::new) {
                Some(key) => drop(shown.insert(key.clone(), ManifestRecord { key, ..record })),
                None if is_versioned(record.key.as_str()) => {}
                None => drop(shown.entry(record.key.clone()).or_insert(record)),
            }
        }
        let ready = shown.into_values().collect::<Vec<_>>().into_iter();
        Ok(Self { stream: stream::empty().boxed(), ready })
    }

    async fn next(&mut self) -> Result<Option<ManifestRecord>, StateError> {
        loop {
            match self.ready.find(|record| record.state == RecordState::Live) {
                Some(record) => return Ok(Some(record)),
                None => match self.stream.try_next().await? {
                    Some(batch) => self.ready = batch.into_iter(),
                    None => return Ok(None),
                },
            }
        }
    }
}

/// How one key differs between two releases; nothing if it does not.
fn change(old: Option<&ManifestRecord>, new: Option<&ManifestRecord>) -> Option<ReleaseChange> {
    let key = old.or(new)?.key.to_string();
    let (before, after) = (old.map(|record| record.size), new.map(|record| record.size));
    let (Some(old), Some(new)) = (old, new) else {
        let kind = if new.is_some() { ReleaseChangeKind::Added } else { ReleaseChangeKind::Removed };
        return Some(ReleaseChange { key, kind, before, after, headers: Vec::new() });
    };
    let differences = old.headers.differences(&new.headers).into_iter();
    let headers: Vec<String> = differences
        .map(|change| {
            format!("{}: {} → {}", change.name, change.current.unwrap_or("none"), change.desired.unwrap_or("none"))
        })
        .collect();
    let same = old.etag == new.etag || old.identity.compare(&new.identity) == Sameness::Same;
    let kind = if old.redirect != new.redirect {
        ReleaseChangeKind::Redirect
    } else if old.size != new.size || !same {
        ReleaseChangeKind::Content
    } else if !headers.is_empty() {
        ReleaseChangeKind::Headers
    } else {
        return None;
    };
    Some(ReleaseChange { key, kind, before, after, headers })
}
