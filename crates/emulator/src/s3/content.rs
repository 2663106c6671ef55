//! Reads the content of an object, piece by piece.

use std::{
    io::{Read as _, Seek as _, SeekFrom},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::body_file::BodyFile;

/// Bytes read from a file at a time.
const READ_SIZE: usize = 128 * 1024;

/// The content of an object. It can be read once, even if the object is replaced or deleted in the meantime.
pub struct ObjectContent {
    pieces: Vec<ContentPiece>,
    length: u64,
}

/// A part of the content.
pub(super) enum ContentPiece {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File { file: Arc<BodyFile>, start: u64, length: u64 },
}

impl ObjectContent {
    pub(super) fn new(pieces: Vec<ContentPiece>, length: u64) -> Self {
        Self { pieces, length }
    }

    /// Length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The bytes, piece by piece, in bounded memory.
    pub fn stream(self) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static {
        stream::iter(self.pieces).then(|piece| async move { Ok::<_, std::io::Error>(piece.stream()) }).try_flatten()
    }

    /// All bytes at once.
    ///
    /// # Errors
    /// A file cannot be read.
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

impl ObjectContent {
    /// All bytes of a small object at once. It blocks: handlers of other services are not asynchronous.
    pub(crate) fn read(self) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for piece in self.pieces {
            match piece {
                ContentPiece::Bytes(piece) => bytes.extend_from_slice(&piece),
                ContentPiece::File { file, start, length } => {
                    let mut handle = std::fs::File::open(&file.path)?;
                    handle.seek(SeekFrom::Start(start))?;
                    if handle.take(length).read_to_end(&mut bytes)? as u64 != length {
                        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
                    }
                }
            }
        }
        Ok(bytes)
    }
}

/// The progress of reading a piece.
enum PieceProgress {
    Bytes(Bytes),
    Closed { file: Arc<BodyFile>, start: u64, length: u64 },
    Open { file: Arc<BodyFile>, handle: tokio::fs::File, left: u64 },
}

impl ContentPiece {
    fn stream(self) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static {
        let start = match self {
            Self::Bytes(bytes) => PieceProgress::Bytes(bytes),
            Self::File { file, start, length } => PieceProgress::Closed { file, start, length },
        };
        stream::try_unfold(start, |progress| async move {
            let (file, mut handle, left) = match progress {
                PieceProgress::Bytes(bytes) if bytes.is_empty() => return Ok(None),
                PieceProgress::Bytes(bytes) => return Ok(Some((bytes, PieceProgress::Bytes(Bytes::new())))),
                PieceProgress::Closed { file, start, length } => {
                    let mut handle = tokio::fs::File::open(&file.path).await?;
                    handle.seek(SeekFrom::Start(start)).await?;
                    (file, handle, length)
                }
                PieceProgress::Open { file, handle, left } => (file, handle, left),
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
            Ok(Some((bytes.freeze(), PieceProgress::Open { file, handle, left })))
        })
    }
}
