//! Manifests in the state.

use futures::stream::Stream;
use tidegate_core::manifest::{ManifestEncoder, ManifestRecord};
use tidegate_core::release::ReleaseId;

use super::error::StateError;
use super::lines::LineStream;
use super::store::{ReleaseFile, StateStore};

impl StateStore {
    /// The records of a manifest, in order, in batches.
    pub async fn manifest(&self, id: ReleaseId) -> Result<LineStream<ManifestRecord>, StateError> {
        self.lines(id, ReleaseFile::Manifest).await?.ok_or(StateError::ManifestMissing(id))
    }

    /// Stores a manifest while its records are made.
    pub async fn put_manifest(
        &self,
        id: ReleaseId,
        records: impl Stream<Item = Result<Vec<ManifestRecord>, StateError>> + Send + Unpin,
    ) -> Result<(), StateError> {
        let refused = |error| StateError::Unstorable { document: "manifest", id, error };
        self.put_lines(id, ReleaseFile::Manifest, ManifestEncoder::new(&()).map_err(refused)?, records).await
    }
}
