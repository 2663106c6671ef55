//! Plans in the state. A plan is stored before the first of its operations, so that a later run knows what this one may
//! have changed.

use futures::stream::{self, TryStreamExt};
use tidegate_core::plan::{Plan, PlanLine};
use tidegate_core::release::ReleaseId;
use tidegate_core::site_state::UnfinishedRunsBuilder;

use super::error::StateError;
use super::store::{ReleaseFile, StateStore};

/// Lines that are encoded at a time.
const BATCH: usize = 1_000;

impl StateStore {
    /// Stores the plan of a release.
    pub async fn put_plan(&self, id: ReleaseId, plan: &Plan) -> Result<(), StateError> {
        let encoder = plan.encoder().map_err(|error| StateError::Unstorable { document: "plan", id, error })?;
        let mut lines = plan.lines();
        let batches = std::iter::from_fn(|| {
            Some(lines.by_ref().take(BATCH).collect()).filter(|batch: &Vec<_>| !batch.is_empty())
        });
        self.put_lines(id, ReleaseFile::Plan, encoder, stream::iter(batches.map(Ok))).await
    }

    /// Adds a run that did not finish. A run that was killed before it stored its plan has written nothing.
    pub(super) async fn add_unfinished(
        &self,
        id: ReleaseId,
        unfinished: &mut UnfinishedRunsBuilder,
    ) -> Result<(), StateError> {
        let Some(mut lines) = self.lines::<PlanLine>(id, ReleaseFile::Plan).await? else { return Ok(()) };
        unfinished.begin(id);
        while let Some(batch) = lines.try_next().await? {
            batch.into_iter().try_for_each(|line| unfinished.add(line))?;
        }
        Ok(())
    }
}
