//! What a run has to know of earlier ones before it plans.
//!
//! Owns reading it, in two requests where the last run ended well. Never writes.

use std::collections::BTreeMap;

use tidegate_core::identity::ETag;
use tidegate_core::release::{ReleaseId, ReleasePointer, Retention};
use tidegate_core::site_state::UnfinishedRuns;

use super::{ReleaseFile, StateError, StateStore};

/// The past of a site.
#[derive(Debug)]
pub struct History {
    /// The pointer and its state; nothing before the first release.
    pub pointer: Option<(ReleasePointer, ETag)>,
    /// Runs that wrote and did not finish, with what they meant to do.
    pub unfinished: UnfinishedRuns,
    /// The number of the next release.
    pub next: ReleaseId,
    /// Files of releases, whether they are kept or not.
    files: BTreeMap<ReleaseId, Vec<ReleaseFile>>,
}

impl History {
    /// The live release.
    pub fn live(&self) -> Option<ReleaseId> {
        self.pointer.as_ref().and_then(|(pointer, _)| pointer.live()).map(|live| live.id)
    }

    /// The release whose manifest says what is live.
    pub fn manifest(&self) -> Option<ReleaseId> {
        self.pointer.as_ref().and_then(|(pointer, _)| pointer.live()).and_then(|live| live.manifest)
    }

    /// Whether nothing of what is live is left to do.
    pub fn is_done(&self) -> bool {
        self.is_finalized()
            && self.pointer.as_ref().is_some_and(|(pointer, _)| pointer.pending_invalidations.is_empty())
    }

    /// The oldest release that is kept when another is published at `instant`.
    pub fn oldest_kept(&self, keep: Retention, instant: u64, changed: bool) -> ReleaseId {
        self.pointer.as_ref().map_or(ReleaseId::default(), |(pointer, _)| pointer.oldest_kept(keep, instant, changed))
    }

    /// Files that a pointer does not name any more: what it let go, and what a run that died left behind.
    pub fn strays(&self, now: &ReleasePointer) -> Vec<(ReleaseId, ReleaseFile)> {
        let named = |id: ReleaseId, file: ReleaseFile| {
            now.releases
                .iter()
                .any(|past| past.id == id || (file == ReleaseFile::Manifest && past.manifest == Some(id)))
        };
        let files = self.files.iter().flat_map(|(id, files)| files.iter().map(|file| (*id, *file)));
        files.filter(|(id, file)| !named(*id, *file)).collect()
    }

    /// Whether the last run ended well: then the manifest tells what the site holds.
    pub fn is_finalized(&self) -> bool {
        self.unfinished.runs().is_empty() && self.pointer.as_ref().is_some_and(|(pointer, _)| pointer.finalized)
    }
}

impl StateStore {
    /// Reads the past.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn history(&self) -> Result<History, StateError> {
        let (pointer, files) = tokio::try_join!(self.pointer(), self.files())?;
        let last = pointer.as_ref().and_then(|(pointer, _)| pointer.releases.last()).map(|past| past.id);
        let newest = files.keys().next_back().copied().max(last).unwrap_or_default();
        let mut unfinished = UnfinishedRuns::default();
        let known = |id: &ReleaseId| last.is_some_and(|last| *id <= last);
        for id in files.keys().filter(|id| !known(id)) {
            // A run that was killed before its plan was there has written nothing.
            if let Some(plan) = self.plan(*id).await? {
                unfinished.add(*id, &plan);
            }
        }
        Ok(History { pointer, unfinished, next: newest.next(), files })
    }
}
