//! The body of one object: a stream with a bounded number of chunks in memory, filled by a blocking reader or from S3.
//! The reader behind it checks the content before it sends the last bytes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use tidegate_core::identity::ContentIdentity;
use tokio::sync::mpsc;

use super::blocking::blocking;
use super::digest::{Algorithms, BodyDigester};
use super::error::SourceError;

/// Most bytes of one chunk (64 KiB). With 64 bodies in flight, of four chunks each, that makes 16 MiB.
pub const CHUNK: usize = 64 * 1024;

/// Chunks that wait for the consumer of a body. With one at the consumer and one at the reader, four chunks are in
/// memory.
const QUEUED_CHUNKS: usize = 2;

/// A stream of exactly [`SourceBody::size`] bytes, or of fewer bytes and an error.
#[derive(Debug)]
pub struct SourceBody {
    size: u64,
    chunks: BodySupply,
}

#[derive(Debug)]
enum BodySupply {
    /// The whole body, read and checked.
    Ready(Bytes),
    /// Chunks from a thread or task.
    Arriving(mpsc::Receiver<Result<Bytes, SourceError>>),
}

/// Reads one object on a thread that may block. Checks all of the content before it returns the last bytes.
pub(super) trait Chunks: Send {
    /// The next bytes, at most [`CHUNK`]; nothing after the last ones.
    fn next(&mut self) -> Result<Option<Bytes>, SourceError>;
}

impl SourceBody {
    /// The size of the object, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A small object that was read and checked already.
    pub(super) fn ready(bytes: Bytes) -> Self {
        Self { size: bytes.len() as u64, chunks: BodySupply::Ready(bytes) }
    }

    /// Reads `chunks` on a thread of its own until the body is dropped.
    pub(super) fn from_blocking(size: u64, mut chunks: impl Chunks + 'static) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUED_CHUNKS);
        // Detached: it ends with the object, or when the body is dropped.
        drop(tokio::task::spawn_blocking(move || {
            while let Some(next) = chunks.next().transpose() {
                let failed = next.is_err();
                if sender.blocking_send(next).is_err() || failed {
                    return;
                }
            }
        }));
        Self { size, chunks: BodySupply::Arriving(receiver) }
    }

    /// A body whose chunks are sent to the returned sender.
    pub(super) fn channel(size: u64) -> (mpsc::Sender<Result<Bytes, SourceError>>, Self) {
        let (sender, chunks) = mpsc::channel(QUEUED_CHUNKS);
        (sender, Self { size, chunks: BodySupply::Arriving(chunks) })
    }

    /// All bytes in memory.
    ///
    /// # Errors
    /// The reader's error.
    pub async fn collect(self) -> Result<Bytes, SourceError> {
        let mut chunks = match self.chunks {
            BodySupply::Ready(bytes) => return Ok(bytes),
            BodySupply::Arriving(chunks) => chunks,
        };
        let mut whole = BytesMut::new();
        while let Some(chunk) = chunks.recv().await {
            let chunk = chunk?;
            if chunk.len() as u64 == self.size {
                return Ok(chunk);
            }
            whole.extend_from_slice(&chunk);
        }
        if whole.len() as u64 == self.size { Ok(whole.freeze()) } else { Err(SourceError::Interrupted) }
    }

    /// Digests all bytes, on a thread of its own.
    ///
    /// # Errors
    /// The reader's error.
    pub async fn digest(self, algorithms: Algorithms) -> Result<ContentIdentity, SourceError> {
        blocking(move || {
            let mut digester = BodyDigester::new(algorithms);
            let mut read = 0;
            match self.chunks {
                BodySupply::Ready(bytes) => {
                    read = bytes.len() as u64;
                    digester.update(&bytes);
                }
                BodySupply::Arriving(mut chunks) => {
                    while let Some(chunk) = chunks.blocking_recv() {
                        let chunk = chunk?;
                        read += chunk.len() as u64;
                        digester.update(&chunk);
                    }
                }
            }
            if read == self.size { Ok(digester.finish()) } else { Err(SourceError::Interrupted) }
        })
        .await
    }
}

impl Stream for SourceBody {
    type Item = Result<Bytes, SourceError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.chunks {
            BodySupply::Ready(bytes) if bytes.is_empty() => Poll::Ready(None),
            BodySupply::Ready(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
            BodySupply::Arriving(chunks) => chunks.poll_recv(context),
        }
    }
}
