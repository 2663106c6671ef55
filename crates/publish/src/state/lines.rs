//! Documents of the state with a line for each object. They are streamed, since a site can have millions of objects.

use bytes::Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use tidegate_core::release::ReleaseId;
use tidegate_core::stored_lines::{LineDecoder, LineEncoder, LineError, StoredLine};

use super::error::StateError;
use super::store::{ReleaseFile, StateStore};
use crate::s3::PutCondition;

/// The lines of a document, in order, in batches.
pub type LineStream<T> = BoxStream<'static, Result<Vec<T>, StateError>>;

impl StateStore {
    /// Reads a document of a release; nothing if it does not exist.
    pub(super) async fn lines<T>(&self, id: ReleaseId, file: ReleaseFile) -> Result<Option<LineStream<T>>, StateError>
    where
        T: StoredLine + Send + 'static,
    {
        self.read_document(&file.name(id), move |error| StateError::Unreadable { document: T::DOCUMENT, id, error })
            .await
    }

    /// Reads the document with this name in the state; nothing if it does not exist. `invalid` is the error if it is damaged.
    pub(super) async fn read_document<T>(
        &self,
        name: &str,
        invalid: impl Fn(LineError) -> StateError + Clone + Send + 'static,
    ) -> Result<Option<LineStream<T>>, StateError>
    where
        T: StoredLine + Send + 'static,
    {
        let Some(bytes) = self.s3.stream(&self.location.bucket, &self.key(name)).await? else { return Ok(None) };
        let start = Some((bytes.boxed(), LineDecoder::<T>::default()));
        let lines = stream::try_unfold(start, move |reading| {
            let invalid = invalid.clone();
            async move {
                let Some((mut bytes, mut decoder)) = reading else { return Ok(None) };
                match bytes.try_next().await? {
                    Some(chunk) => Ok(Some((decoder.push(&chunk).map_err(invalid)?, Some((bytes, decoder))))),
                    None => Ok(Some((decoder.finish().map_err(invalid)?, None))),
                }
            }
        });
        Ok(Some(lines.boxed()))
    }

    /// Stores a document of a release while its lines are made. It exists only after its last line.
    pub(super) async fn put_lines<T>(
        &self,
        id: ReleaseId,
        file: ReleaseFile,
        encoder: LineEncoder<T>,
        lines: impl Stream<Item = Result<Vec<T>, StateError>> + Send + Unpin,
    ) -> Result<(), StateError>
    where
        T: StoredLine + Send,
    {
        self.put_document(id, &file.name(id), encoder, lines).await
    }

    /// Stores a document in which the release `id` is written, under its name in the state.
    pub(super) async fn put_document<T>(
        &self,
        id: ReleaseId,
        name: &str,
        encoder: LineEncoder<T>,
        lines: impl Stream<Item = Result<Vec<T>, StateError>> + Send + Unpin,
    ) -> Result<(), StateError>
    where
        T: StoredLine + Send,
    {
        let bytes = stream::try_unfold(Some((lines, encoder)), move |writing| async move {
            let Some((lines, encoder)) = writing else { return Ok::<_, StateError>(None) };
            encode(id, lines, encoder).await.map(Some)
        });
        self.s3.put_stream(&self.location, name, Box::pin(bytes), PutCondition::Always).await
    }
}

/// Encodes lines until there are bytes to write. Returns the bytes, and the rest unless it was encoded to its end.
async fn encode<T, S>(
    id: ReleaseId,
    mut lines: S,
    mut encoder: LineEncoder<T>,
) -> Result<(Bytes, Option<(S, LineEncoder<T>)>), StateError>
where
    T: StoredLine,
    S: Stream<Item = Result<Vec<T>, StateError>> + Unpin,
{
    let refused = |error| StateError::Unstorable { document: T::DOCUMENT, id, error };
    while let Some(batch) = lines.try_next().await? {
        batch.iter().try_for_each(|line| encoder.push(line)).map_err(refused)?;
        if let Some(bytes) = encoder.take() {
            return Ok((bytes.into(), Some((lines, encoder))));
        }
    }
    Ok((encoder.finish().map_err(refused)?.into(), None))
}
