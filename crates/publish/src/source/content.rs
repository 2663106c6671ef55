//! How plugins read an opened source, within a deadline. Nothing is cached, because the host limits what plugins
//! request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use futures::stream::{self, StreamExt};
use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::key::Key;
use tokio::runtime::Handle;

use super::archive::Archive;
use super::reader::SourceReader;

/// Entries of an archive that are unpacked at the same time.
const ENTRIES_AT_ONCE: usize = 8;

/// Objects in S3 that are read at the same time.
const OBJECTS_AT_ONCE: usize = 32;

/// A source that plugins read. Its methods block.
#[derive(Debug, Clone)]
pub struct SourceContent {
    reader: SourceReader,
    runtime: Handle,
}

impl SourceContent {
    /// Reads through `runtime`. Its worker threads must not call the methods.
    #[must_use]
    pub fn new(reader: SourceReader, runtime: Handle) -> Self {
        Self { reader, runtime }
    }

    /// Reads the first bytes of objects in S3, with bounded concurrency.
    fn heads_in_s3<'a, F>(&self, keys: &'a [Key], part: impl Fn(&'a Key) -> F) -> Vec<Result<Vec<u8>, ReadError>>
    where
        F: Future<Output = Result<Vec<u8>, ReadError>>,
    {
        self.runtime.block_on(stream::iter(keys).map(part).buffered(OBJECTS_AT_ONCE).collect())
    }
}

impl ContentReader for SourceContent {
    fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>> {
        match &self.reader {
            // More threads would wait for the same disk.
            SourceReader::Directory(directory) => {
                keys.iter().map(|key| directory.range(key, 0, length, deadline)).collect()
            }
            SourceReader::Archive(archive) => heads_in_archive(&self.runtime, archive, keys, length, deadline),
            SourceReader::Prefix(prefix) => self.heads_in_s3(keys, |key| prefix.part(key, 0, length, deadline)),
            SourceReader::Release(release) => self.heads_in_s3(keys, |key| release.part(key, 0, length, deadline)),
        }
    }

    fn range(&self, key: &Key, offset: u64, length: u32, deadline: Instant) -> Result<Vec<u8>, ReadError> {
        match &self.reader {
            SourceReader::Directory(directory) => directory.range(key, offset, length, deadline),
            SourceReader::Archive(archive) => within(&self.runtime, key, deadline, {
                let (archive, key) = (Arc::clone(archive), key.clone());
                move || archive.range(&key, offset, length, deadline)
            }),
            SourceReader::Prefix(prefix) => self.runtime.block_on(prefix.part(key, offset, length, deadline)),
            SourceReader::Release(release) => self.runtime.block_on(release.part(key, offset, length, deadline)),
        }
    }
}

fn too_late(key: &Key) -> ReadError {
    ReadError::Unavailable { key: key.clone(), why: "its deadline passed".to_owned() }
}

/// Runs work that may block for longer than the deadline, and gives up on it then.
fn within(
    runtime: &Handle,
    key: &Key,
    deadline: Instant,
    work: impl FnOnce() -> Result<Vec<u8>, ReadError> + Send + 'static,
) -> Result<Vec<u8>, ReadError> {
    let (sender, receiver) = mpsc::channel();
    // Detached: an answer after the deadline is dropped.
    drop(runtime.spawn_blocking(move || sender.send(work()).ok()));
    receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).unwrap_or_else(|_| Err(too_late(key)))
}

/// Entries that threads take one by one, with their indices in the result.
struct HeadQueue {
    entries: Vec<(usize, Key)>,
    next: AtomicUsize,
}

impl HeadQueue {
    fn take(&self) -> Option<&(usize, Key)> {
        self.entries.get(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// Reads the first bytes of entries in the order of their positions in the archive, a few at a time, until the
/// deadline.
fn heads_in_archive(
    runtime: &Handle,
    archive: &Arc<Archive>,
    keys: &[Key],
    length: u32,
    deadline: Instant,
) -> Vec<Result<Vec<u8>, ReadError>> {
    let mut order: Vec<(usize, Key)> = keys.iter().cloned().enumerate().collect();
    order.sort_by_cached_key(|(_, key)| archive.position(key));
    let queue = Arc::new(HeadQueue { entries: order, next: AtomicUsize::new(0) });
    let (sender, receiver) = mpsc::channel();
    for _ in 0..ENTRIES_AT_ONCE.min(keys.len()) {
        let (archive, queue, sender) = (Arc::clone(archive), Arc::clone(&queue), sender.clone());
        // Detached: after the deadline, each ends with its current entry.
        drop(runtime.spawn_blocking(move || {
            while let Some((index, key)) = queue.take() {
                if sender.send((*index, archive.range(key, 0, length, deadline))).is_err() {
                    return;
                }
            }
        }));
    }
    drop(sender);
    let mut heads: Vec<Result<Vec<u8>, ReadError>> = keys.iter().map(|key| Err(too_late(key))).collect();
    while let Ok((index, head)) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if let Some(slot) = heads.get_mut(index) {
            *slot = head;
        }
    }
    heads
}
