//! How plugins read an opened source: [`ContentReader`] over a [`SourceReader`].
//!
//! Owns deadlines and the reading side by side. Never caches: the host bounds what plugins ask for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::key::Key;
use tokio::runtime::Handle;

use super::SourceReader;
use super::archive::Archive;

/// Entries of an archive that are unpacked side by side for plugins.
const SIDE_BY_SIDE: usize = 8;

/// A reader as plugins see it. Its methods block: call them from a thread that may.
#[derive(Debug, Clone)]
pub struct SourceContent {
    reader: SourceReader,
    runtime: Handle,
}

impl SourceContent {
    /// Reads through `runtime`, on whose own threads the methods must not be called.
    #[must_use]
    pub fn new(reader: SourceReader, runtime: Handle) -> Self {
        Self { reader, runtime }
    }
}

impl ContentReader for SourceContent {
    fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>> {
        match &self.reader {
            // A file's head is there at once, or as soon as its disk is: helpers would only wait for the same disk.
            SourceReader::Directory(directory) => {
                keys.iter().map(|key| directory.range(key, 0, length, deadline)).collect()
            }
            SourceReader::Archive(archive) => heads(&self.runtime, archive, keys, length, deadline),
            SourceReader::Prefix(prefix) => prefix.heads(&self.runtime, keys, length, deadline),
            SourceReader::Released(released) => released.heads(&self.runtime, keys, length, deadline),
        }
    }

    fn range(&self, key: &Key, offset: u64, length: u32, deadline: Instant) -> Result<Vec<u8>, ReadError> {
        match &self.reader {
            SourceReader::Directory(directory) => directory.range(key, offset, length, deadline),
            SourceReader::Archive(archive) => wait(&self.runtime, key, deadline, {
                let (archive, key) = (Arc::clone(archive), key.clone());
                move || archive.range(&key, offset, length, deadline)
            }),
            SourceReader::Prefix(prefix) => prefix.range(&self.runtime, key, offset, length, deadline),
            SourceReader::Released(released) => released.range(&self.runtime, key, offset, length, deadline),
        }
    }
}

fn late(key: &Key) -> ReadError {
    ReadError::Unavailable { key: key.clone(), why: "its deadline passed".to_owned() }
}

/// Runs `work` where it may block for longer than we wait for it.
fn wait(
    runtime: &Handle,
    key: &Key,
    deadline: Instant,
    work: impl FnOnce() -> Result<Vec<u8>, ReadError> + Send + 'static,
) -> Result<Vec<u8>, ReadError> {
    let (sender, receiver) = mpsc::channel();
    // Detached on purpose: nobody waits for an answer that comes too late.
    drop(runtime.spawn_blocking(move || sender.send(work()).ok()));
    receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).unwrap_or_else(|_| Err(late(key)))
}

/// Reads the heads of entries in the order of their places in the archive, a few at a time, until the deadline.
fn heads(
    runtime: &Handle,
    archive: &Arc<Archive>,
    keys: &[Key],
    length: u32,
    deadline: Instant,
) -> Vec<Result<Vec<u8>, ReadError>> {
    let mut order: Vec<(usize, Key)> = keys.iter().cloned().enumerate().collect();
    order.sort_by_cached_key(|(_, key)| archive.position(key));
    let work = Arc::new((order, AtomicUsize::new(0)));
    let (sender, receiver) = mpsc::channel();
    for _ in 0..SIDE_BY_SIDE.min(keys.len()) {
        let (archive, work, sender) = (Arc::clone(archive), Arc::clone(&work), sender.clone());
        // Detached on purpose: after the deadline each ends with the entry that it is at.
        drop(runtime.spawn_blocking(move || {
            while let Some((at, key)) = work.0.get(work.1.fetch_add(1, Ordering::Relaxed)) {
                if sender.send((*at, archive.range(key, 0, length, deadline))).is_err() {
                    return;
                }
            }
        }));
    }
    drop(sender);
    let mut heads: Vec<Result<Vec<u8>, ReadError>> = keys.iter().map(|key| Err(late(key))).collect();
    while let Ok((at, head)) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if let Some(place) = heads.get_mut(at) {
            *place = head;
        }
    }
    heads
}
