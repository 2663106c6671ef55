//! One object's bytes on their way to whoever sends them.
//!
//! Owns the bridge from a blocking reader, or from a stream of S3, to an asynchronous one with a bounded number of chunks in
//! flight. Never reads a source itself and never judges content: the reader behind it does, before its last bytes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use tidegate_core::identity::ContentIdentity;
use tokio::sync::mpsc;

use super::SourceError;
use super::digest::{Algorithms, BodyDigester};

/// Bytes of one chunk at the most. With 64 bodies under way, four chunks each, that makes 16 MiB.
pub const CHUNK: usize = 64 * 1024;

/// Chunks that wait for the reader of a body; with the one in its hands and the one being made, four chunks are in memory.
const WAITING: usize = 2;

/// A stream of exactly [`SourceBody::size`] bytes, or of fewer and an error.
#[derive(Debug)]
pub struct SourceBody {
    size: u64,
    chunks: BodySupply,
}

#[derive(Debug)]
enum BodySupply {
    /// All of it, read and checked.
    Ready(Bytes),
    /// Chunks that somebody else makes.
    Arriving(mpsc::Receiver<Result<Bytes, SourceError>>),
}

/// One object read on a thread that may block. It checks all of the content before it hands out the last bytes.
pub(super) trait Chunks: Send {
    /// The next bytes, [`CHUNK`] at the most; nothing after the last ones.
    fn next(&mut self) -> Result<Option<Bytes>, SourceError>;
}

impl SourceBody {
    /// Bytes of the whole object.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A small object that was read and checked already.
    pub(super) fn ready(bytes: Bytes) -> Self {
        Self { size: bytes.len() as u64, chunks: BodySupply::Ready(bytes) }
    }

    /// Reads `chunks` on a thread of its own for as long as somebody takes them.
    pub(super) fn from_blocking(size: u64, mut chunks: impl Chunks + 'static) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        // Detached on purpose: it ends by itself once the object or its reader's interest does.
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

    /// A body that something asynchronous fills.
    pub(super) fn channel(size: u64) -> (mpsc::Sender<Result<Bytes, SourceError>>, Self) {
        let (sender, chunks) = mpsc::channel(WAITING);
        (sender, Self { size, chunks: BodySupply::Arriving(chunks) })
    }

    /// All bytes in memory.
    ///
    /// # Errors
    /// The reader's.
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
    /// The reader's.
    pub async fn digest(self, algorithms: Algorithms) -> Result<ContentIdentity, SourceError> {
        super::blocking(move || {
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
