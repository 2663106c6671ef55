//! What a run needs to know about earlier runs before it plans. Takes two requests if the last run finished.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_core::identity::ETag;
use tidegate_core::release::{ReleaseId, ReleasePointer, Retention};
use tidegate_core::site_state::{UnfinishedRuns, UnfinishedRunsBuilder};

use super::error::StateError;
use super::store::{ReleaseFile, StateStore};

/// The history of a site.
#[derive(Debug)]
pub struct History {
    /// The pointer and its ETag; nothing before the first release.
    pub pointer: Option<(ReleasePointer, ETag)>,
    /// Runs that wrote and did not finish, with their plans.
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

    /// The release whose manifest describes the live site.
    pub fn manifest(&self) -> Option<ReleaseId> {
        self.pointer.as_ref().and_then(|(pointer, _)| pointer.live()).and_then(|live| live.manifest)
    }

    /// Whether the live release is finalized and all its invalidations were accepted.
    pub fn is_complete(&self) -> bool {
        self.is_finalized()
            && self.pointer.as_ref().is_some_and(|(pointer, _)| pointer.pending_invalidations.is_empty())
    }

    /// The oldest release that is kept after a run at `instant`. `changed` says whether the run makes a new release.
    pub fn oldest_kept(&self, keep: Retention, instant: u64, changed: bool) -> ReleaseId {
        self.pointer.as_ref().map_or(ReleaseId::default(), |(pointer, _)| pointer.oldest_kept(keep, instant, changed))
    }

    /// Whether a release has this file.
    pub fn has(&self, id: ReleaseId, file: ReleaseFile) -> bool {
        self.files.get(&id).is_some_and(|files| files.contains(&file))
    }

    /// Whether shards of an unfinished run have no result, so that workers may still carry them out.
    pub fn has_open_shards(&self) -> bool {
        self.unfinished.runs().iter().filter_map(|run| self.files.get(run)).any(|files| {
            let done: BTreeSet<u32> = files.iter().filter_map(|file| file.shard_with_result()).collect();
            files.iter().any(|file| matches!(file, ReleaseFile::Shard(number) if !done.contains(number)))
        })
    }

    /// Files that `pointer` does not refer to: those of releases that are no longer kept, those of killed runs, and results
    /// and failures of shards, which matter only until the next release.
    pub fn unreferenced_files(&self, pointer: &ReleasePointer) -> Vec<(ReleaseId, ReleaseFile)> {
        let referenced = |id: ReleaseId, file: ReleaseFile| {
            if matches!(file, ReleaseFile::ShardResult(_) | ReleaseFile::ShardFailure(_)) {
                return false;
            }
            let with_manifest = matches!(file, ReleaseFile::Manifest | ReleaseFile::Ranges | ReleaseFile::Edge);
            pointer.releases.iter().any(|entry| entry.id == id || (with_manifest && entry.manifest == Some(id)))
        };
        let files = self.files.iter().flat_map(|(id, files)| files.iter().map(|file| (*id, *file)));
        files.filter(|(id, file)| !referenced(*id, *file)).collect()
    }

    /// Whether the last run finished. Then the manifest describes what the site holds.
    pub fn is_finalized(&self) -> bool {
        self.unfinished.runs().is_empty() && self.pointer.as_ref().is_some_and(|(pointer, _)| pointer.finalized)
    }
}

impl StateStore {
    /// Reads the history.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn history(&self) -> Result<History, StateError> {
        let (pointer, files) = tokio::try_join!(self.pointer(), self.files())?;
        let last = pointer.as_ref().and_then(|(pointer, _)| pointer.releases.last()).map(|entry| entry.id);
        let newest = files.keys().next_back().copied().max(last).unwrap_or_default();
        let mut unfinished = UnfinishedRunsBuilder::default();
        let released = |id: &ReleaseId| last.is_some_and(|last| *id <= last);
        for (id, files) in files.iter().filter(|(id, _)| !released(id)) {
            if files.contains(&ReleaseFile::Shards) {
                self.add_unfinished_shards(*id, files, &mut unfinished).await?;
            } else {
                self.add_unfinished(*id, &mut unfinished).await?;
            }
        }
        Ok(History { pointer, unfinished: unfinished.finish()?, next: newest.next(), files })
    }
}
