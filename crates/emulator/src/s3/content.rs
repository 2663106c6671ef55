//! Bytes on their way out. Owns reading the pieces of a content one after another; never finds them.

use std::{io::SeekFrom, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::body_file::BodyFile;

/// Bytes read from a file at a time.
const READ_SIZE: usize = 128 * 1024;

/// Bytes that can be read, once, whatever happens to the object meanwhile.
pub struct StagedContent {
    pieces: Vec<ContentPiece>,
    length: u64,
}

/// One stretch of a content.
pub(super) enum ContentPiece {
    /// In memory already.
    Bytes(Bytes),
    /// To be read from a file.
    File { file: Arc<BodyFile>, start: u64, length: u64 },
}

impl StagedContent {
    pub(super) fn new(pieces: Vec<ContentPiece>, length: u64) -> Self {
        Self { pieces, length }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The bytes, piece by piece; memory stays bounded.
    pub fn stream(self) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static {
        stream::iter(self.pieces).then(|piece| async move { Ok::<_, std::io::Error>(piece.stream()) }).try_flatten()
    }

    /// All bytes at once.
    ///
    /// # Errors
    /// A file could not be read.
    pub async fn bytes(self) -> std::io::Result<Bytes> {
        let mut pieces = self.pieces;
        if let (1, Some(ContentPiece::Bytes(bytes))) = (pieces.len(), pieces.first()) {
            return Ok(bytes.clone());
        }
        let all = Self { pieces: std::mem::take(&mut pieces), length: self.length };
        let mut bytes = BytesMut::new();
        let mut stream = std::pin::pin!(all.stream());
        while let Some(chunk) = stream.try_next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }
}

/// Where the reading of a piece stands.
enum StagingProgress {
    Bytes(Bytes),
    Closed { file: Arc<BodyFile>, start: u64, length: u64 },
    Open { file: Arc<BodyFile>, handle: tokio::fs::File, left: u64 },
}

impl ContentPiece {
    fn stream(self) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static {
        let begin = match self {
            Self::Bytes(bytes) => StagingProgress::Bytes(bytes),
            Self::File { file, start, length } => StagingProgress::Closed { file, start, length },
        };
        stream::try_unfold(begin, |progress| async move {
            let (file, mut handle, left) = match progress {
                StagingProgress::Bytes(bytes) if bytes.is_empty() => return Ok(None),
                StagingProgress::Bytes(bytes) => return Ok(Some((bytes, StagingProgress::Bytes(Bytes::new())))),
                StagingProgress::Closed { file, start, length } => {
                    let mut handle = tokio::fs::File::open(&file.path).await?;
                    handle.seek(SeekFrom::Start(start)).await?;
                    (file, handle, length)
                }
                StagingProgress::Open { file, handle, left } => (file, handle, left),
            };
            if left == 0 {
                return Ok(None);
            }
            let size = usize::try_from(left).unwrap_or(READ_SIZE).min(READ_SIZE);
            let mut bytes = BytesMut::zeroed(size);
            let read = handle.read(&mut bytes).await?;
            if read == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
            }
            bytes.truncate(read);
            let left = left - read as u64;
            Ok(Some((bytes.freeze(), StagingProgress::Open { file, handle, left })))
        })
    }
}
