//! Looking at releases: which there are, what one is, how two differ, how a site stands.
//!
//! Owns the answers. Never writes.

use futures::TryStreamExt;
use futures::stream::BoxStream;
use serde::Serialize;
use tidegate_core::config::Site;
use tidegate_core::lease::LeaseRecord;
use tidegate_core::manifest::{ManifestRecord, RecordState as Place};
use tidegate_core::release::{ReleaseEntry, ReleaseId, ReleasePointer, ReleaseRecord};

use super::{PublishError, Publisher};
use crate::state::{StateError, StateStore};

/// How a site stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SiteStatus {
    /// The live release; nothing before the first.
    pub live: Option<ReleaseEntry>,
    /// Releases that are kept, the live one last.
    pub releases: Vec<ReleaseEntry>,
    /// Releases whose distributions were not all told yet.
    pub pending_invalidations: Vec<ReleaseId>,
    /// Runs that wrote and did not finish; the next publish finishes their work.
    pub unfinished: Vec<ReleaseId>,
    /// Whether everything that follows a release was done.
    pub finalized: bool,
    /// Who publishes right now.
    pub lease: Option<LeaseRecord>,
    /// The latest requests that changed nothing.
    pub skipped: Vec<tidegate_core::release::SkippedRequest>,
}

/// How two releases differ.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReleaseComparison {
    /// The one.
    pub from: ReleaseId,
    /// The other.
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
    /// `added`, `removed`, `content`, `headers`, `redirect`.
    pub kind: &'static str,
    /// Bytes before.
    pub before: Option<u64>,
    /// Bytes afterwards.
    pub after: Option<u64>,
    /// Headers that differ, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
}

impl Publisher {
    fn states(&self, site: &Site) -> Result<StateStore, PublishError> {
        self.state(site).ok_or_else(|| PublishError::NoReleases(site.name.to_string()))
    }

    /// How a site stands.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn status(&self, site: &Site) -> Result<SiteStatus, PublishError> {
        let state = self.states(site)?;
        let (history, lease) = tokio::try_join!(state.history(), state.holder())?;
        let pointer = history.pointer.as_ref().map(|(pointer, _)| pointer);
        Ok(SiteStatus {
            live: pointer.and_then(ReleasePointer::live).cloned(),
            releases: pointer.map(|pointer| pointer.releases.clone()).unwrap_or_default(),
            pending_invalidations: pointer.map(|pointer| pointer.pending_invalidations.clone()).unwrap_or_default(),
            unfinished: history.unfinished.runs().to_vec(),
            finalized: pointer.is_none_or(|pointer| pointer.finalized),
            skipped: pointer.map(|pointer| pointer.skipped.clone()).unwrap_or_default(),
            lease,
        })
    }

    /// What is stored of one release.
    ///
    /// # Errors
    /// [`PublishError::UnknownRelease`] where it is not kept.
    pub async fn release(&self, site: &Site, id: ReleaseId) -> Result<ReleaseRecord, PublishError> {
        let found = self.states(site)?.release(id).await?;
        found.ok_or_else(|| PublishError::UnknownRelease(site.name.to_string(), id))
    }

    /// The release that `rollback` goes to: the one that was asked for, or the one before the live one.
    ///
    /// # Errors
    /// [`PublishError`] where it is not kept.
    pub async fn earlier(&self, site: &Site, wanted: Option<ReleaseId>) -> Result<ReleaseEntry, PublishError> {
        let status = self.status(site).await?;
        let name = || site.name.to_string();
        let Some(live) = status.live else { return Err(PublishError::NotReleased(name())) };
        let mut kept = status.releases.iter().rev().filter(|past| past.manifest.is_some());
        match wanted {
            Some(id) => kept.find(|past| past.id == id).ok_or(PublishError::UnknownRelease(name(), id)).cloned(),
            None => {
                let before = kept.find(|past| past.manifest != live.manifest);
                before.cloned().ok_or_else(|| PublishError::NothingBefore(name()))
            }
        }
    }

    /// How two releases differ: one merge of their manifests.
    ///
    /// # Errors
    /// [`PublishError`] where one of them is not kept.
    pub async fn compare(
        &self,
        site: &Site,
        from: ReleaseId,
        to: ReleaseId,
    ) -> Result<ReleaseComparison, PublishError> {
        let state = self.states(site)?;
        let (one, other) = (self.earlier(site, Some(from)).await?, self.earlier(site, Some(to)).await?);
        let mut before = LiveRelease::open(&state, one.manifest.unwrap_or(from)).await?;
        let mut after = LiveRelease::open(&state, other.manifest.unwrap_or(to)).await?;
        let (mut changes, mut same) = (Vec::new(), 0);
        let (mut a, mut b) = (before.next().await?, after.next().await?);
        loop {
            match (&a, &b) {
                (None, None) => break,
                (Some(old), new) if new.as_ref().is_none_or(|new| old.key < new.key) => {
                    changes.push(change(Some(old), None));
                    a = before.next().await?;
                }
                (old, Some(new)) if old.as_ref().is_none_or(|old| new.key < old.key) => {
                    changes.push(change(None, Some(new)));
                    b = after.next().await?;
                }
                (old, new) => {
                    let found = change(old.as_ref(), new.as_ref());
                    if found.kind == "same" {
                        same += 1;
                    } else {
                        changes.push(found);
                    }
                    (a, b) = (before.next().await?, after.next().await?);
                }
            }
        }
        Ok(ReleaseComparison { from, to, changes, same })
    }
}

/// What is live in a manifest, record by record.
struct LiveRelease {
    stream: BoxStream<'static, Result<Vec<ManifestRecord>, StateError>>,
    ready: std::vec::IntoIter<ManifestRecord>,
}

impl LiveRelease {
    async fn open(state: &StateStore, id: ReleaseId) -> Result<Self, StateError> {
        Ok(Self { stream: state.manifest(id).await?, ready: Vec::new().into_iter() })
    }

    async fn next(&mut self) -> Result<Option<ManifestRecord>, StateError> {
        loop {
            match self.ready.find(|record| record.state == Place::Live) {
                Some(record) => return Ok(Some(record)),
                None => match self.stream.try_next().await? {
                    Some(batch) => self.ready = batch.into_iter(),
                    None => return Ok(None),
                },
            }
        }
    }
}

fn change(old: Option<&ManifestRecord>, new: Option<&ManifestRecord>) -> ReleaseChange {
    use tidegate_core::identity::Sameness;
    let key = old.or(new).map(|record| record.key.to_string()).unwrap_or_default();
    let (before, after) = (old.map(|record| record.size), new.map(|record| record.size));
    let (Some(old), Some(new)) = (old, new) else {
        let kind = if new.is_some() { "added" } else { "removed" };
        return ReleaseChange { key, kind, before, after, headers: Vec::new() };
    };
    let differences = old.headers.differences(&new.headers);
    let headers = differences
        .iter()
        .map(|(name, has, wants)| format!("{name}: {} → {}", has.unwrap_or("none"), wants.unwrap_or("none")));
    let headers: Vec<String> = headers.collect();
    let same = old.etag == new.etag || old.identity.compare(&new.identity) == Sameness::Same;
    let kind = match () {
        () if old.redirect != new.redirect => "redirect",
        () if old.size != new.size || !same => "content",
        () if !headers.is_empty() => "headers",
        () => "same",
    };
    ReleaseChange { key, kind, before, after, headers }
}
