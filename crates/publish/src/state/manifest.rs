//! Manifests in the state. They are streamed, since a manifest holds a record for every object of a site.

use bytes::Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use tidegate_core::manifest::{ManifestDecoder, ManifestEncoder, ManifestRecord};
use tidegate_core::release::ReleaseId;

use super::error::StateError;
use super::store::{ReleaseFile, StateStore};
use crate::s3::PutCondition;

impl StateStore {
    /// The records of a manifest, in order, in batches.
    pub async fn manifest(
        &self,
        id: ReleaseId,
    ) -> Result<BoxStream<'static, Result<Vec<ManifestRecord>, StateError>>, StateError> {
        let key = self.key(&ReleaseFile::Manifest.name(id));
        let bytes = self.s3.stream(&self.location.bucket, &key).await?;
        let bytes = bytes.ok_or(StateError::ManifestMissing(id))?.boxed();
        let records = stream::try_unfold(Some((bytes, ManifestDecoder::default())), move |reading| async move {
            let Some((mut bytes, mut decoder)) = reading else { return Ok(None) };
            let invalid = |error| StateError::Manifest(id, error);
            match bytes.try_next().await? {
                Some(chunk) => Ok(Some((decoder.push(&chunk).map_err(invalid)?, Some((bytes, decoder))))),
                None => Ok(Some((decoder.finish().map_err(invalid)?, None))),
            }
        });
        Ok(records.boxed())
    }

    /// Stores a manifest while its records are made.
    pub async fn put_manifest(
        &self,
        id: ReleaseId,
        records: impl Stream<Item = Result<Vec<ManifestRecord>, StateError>> + Send + Unpin,
    ) -> Result<(), StateError> {
        let encoder = ManifestEncoder::new().map_err(|error| StateError::Manifest(id, error))?;
        let bytes = stream::try_unfold(Some((records, encoder)), move |writing| async move {
            let Some((records, encoder)) = writing else { return Ok::<_, StateError>(None) };
            encode(id, records, encoder).await.map(Some)
        });
        let name = ReleaseFile::Manifest.name(id);
        self.s3.put_stream(&self.location, &name, Box::pin(bytes), PutCondition::Always).await
    }
}

/// Encodes records until there are bytes to write. Returns the bytes, and the rest unless it was encoded to its end.
async fn encode<S>(
    id: ReleaseId,
    mut records: S,
    mut encoder: ManifestEncoder,
) -> Result<(Bytes, Option<(S, ManifestEncoder)>), StateError>
where
    S: Stream<Item = Result<Vec<ManifestRecord>, StateError>> + Unpin,
{
    let invalid = |error| StateError::Manifest(id, error);
    while let Some(batch) = records.try_next().await? {
        batch.iter().try_for_each(|record| encoder.push(record)).map_err(invalid)?;
        if let Some(bytes) = encoder.take() {
            return Ok((bytes.into(), Some((records, encoder))));
        }
    }
    Ok((encoder.finish().map_err(invalid)?.into(), None))
}
