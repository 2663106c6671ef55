//! Invalidations of earlier releases that were not all accepted.

use tidegate_core::invalidation::InvalidationRequest;
use tidegate_core::release::{ReleaseId, ReleasePointer};

use super::error::StateError;
use super::store::StateStore;

/// The invalidations of one release that were not all accepted.
#[derive(Debug)]
pub(crate) struct PendingInvalidation {
    pub(crate) id: ReleaseId,
    pub(crate) requests: Vec<InvalidationRequest>,
    /// Whether they still clear everything that the release changed: a run that died sent them, if at all, only after
    /// its last delete.
    pub(crate) complete: bool,
}

impl StateStore {
    /// The pending invalidations of the releases that the pointer names.
    pub(crate) async fn pending_invalidations(
        &self,
        pointer: Option<&ReleasePointer>,
    ) -> Result<Vec<PendingInvalidation>, StateError> {
        let mut pending = Vec::new();
        for id in pointer.map(|pointer| pointer.pending_invalidations.clone()).unwrap_or_default() {
            if let Some(record) = self.release(id).await? {
                let complete = record.outcome.is_none();
                pending.push(PendingInvalidation { id, requests: record.invalidations, complete });
            }
        }
        Ok(pending)
    }
}
