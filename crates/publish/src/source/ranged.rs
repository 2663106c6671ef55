//! Bytes that are read by position: what an archive is read from.
//!
//! Owns the seam, its two implementations (a file, an object in S3) and the cache of blocks in front of them. Never knows
//! what the bytes mean.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use rawzip::{FileReader, ReaderAt};
use tokio::runtime::Handle;

use super::storage::read_range;
use crate::s3::{S3, StagedObject};

/// Bytes by position, read on threads that may block, several at once.
pub trait Ranged: Send + Sync {
    /// Bytes of the whole.
    fn size(&self) -> u64;

    /// `length` bytes from `offset` on; a range that is not within the whole is [`io::ErrorKind::UnexpectedEof`].
    ///
    /// # Errors
    /// The storage's own, a change of the content since opening among them.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes>;

    /// How it likes to be read.
    fn pace(&self) -> ReadAhead;

    /// Whether it is still what was opened, as far as that can be told without reading it. Storage that makes every read
    /// conditional has nothing to add.
    ///
    /// # Errors
    /// An error that says what changed.
    fn unchanged(&self) -> io::Result<()> {
        Ok(())
    }
}

/// What reading in small pieces costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadAhead {
    /// Bytes of the blocks in which neighbouring small reads are joined; 0 where a read costs nothing worth joining.
    pub block: usize,
    /// Bytes of one read of a large piece.
    pub window: usize,
    /// Bytes that are cheaper read than skipped by another request.
    pub skip: u64,
    /// Reads that are worth having under way at once.
    pub readers: usize,
}

/// A file of this machine.
#[derive(Debug)]
pub struct RangedFile {
    reader: FileReader,
    file: File,
    size: u64,
    modified: Option<SystemTime>,
}

impl RangedFile {
    /// Opens a file.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        let reader = FileReader::from(file.try_clone()?);
        Ok(Self { reader, file, size: metadata.len(), modified: metadata.modified().ok() })
    }
}

impl Ranged for RangedFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let mut bytes = BytesMut::zeroed(length);
        self.reader.read_exact_at(&mut bytes, offset)?;
        Ok(bytes.freeze())
    }

    fn pace(&self) -> ReadAhead {
        ReadAhead { block: 0, window: 64 * 1024, skip: 0, readers: 1 }
    }

    fn unchanged(&self) -> io::Result<()> {
        let metadata = self.file.metadata()?;
        if metadata.len() == self.size && metadata.modified().ok() == self.modified {
            Ok(())
        } else {
            Err(io::Error::other("it changed since it was opened, publish again"))
        }
    }
}

/// An object in S3, every read of it on condition of its ETag.
pub struct RangedObject {
    s3: S3,
    object: StagedObject,
    runtime: Handle,
}

impl RangedObject {
    /// Reads `object` through `runtime`, whose threads must not be the ones that call [`Ranged::read_at`].
    #[must_use]
    pub fn new(s3: S3, object: StagedObject, runtime: Handle) -> Self {
        Self { s3, object, runtime }
    }
}

impl Ranged for RangedObject {
    fn size(&self) -> u64 {
        self.object.size
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.object.size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.runtime.block_on(read_range(&self.s3, &self.object, offset..end)).map_err(io::Error::other)
    }

    /// One request takes tens of milliseconds to answer and brings some tens of megabytes a second: a skip of half a
    /// megabyte costs what a request does, and blocks of 4 MiB keep the waiting below half of the time. Each large
    /// entry under way holds one window, so windows are smaller: many of them wait side by side.
    fn pace(&self) -> ReadAhead {
        ReadAhead { block: 4 * 1024 * 1024, window: 512 * 1024, skip: 512 * 1024, readers: 8 }
    }
}

/// Blocks that are kept, the memory of one archive: four of 4 MiB, whatever the number of its readers.
pub(super) const SLOTS: usize = 4;

/// A few blocks of something ranged. Whoever wants a block that another thread is fetching waits for it, and a block is
/// fetched only into a slot: what is held and what is on its way never exceed [`SLOTS`] blocks.
pub(super) struct Blocks {
    source: Arc<dyn Ranged>,
    pace: ReadAhead,
    /// From the one that was not used for longest to the one that was used last.
    slots: Mutex<Vec<Slot>>,
    settled: Condvar,
}

enum Slot {
    Empty,
    Fetching(u64),
    Ready(u64, Bytes),
}

impl Blocks {
    pub(super) fn new(source: Arc<dyn Ranged>) -> Self {
        let pace = source.pace();
        let slots = Mutex::new((0..SLOTS).map(|_| Slot::Empty).collect());
        Self { source, pace, slots, settled: Condvar::new() }
    }

    pub(super) fn source(&self) -> &dyn Ranged {
        self.source.as_ref()
    }

    pub(super) fn pace(&self) -> ReadAhead {
        self.pace
    }

    /// Copies `length` bytes from `offset` on, out of the blocks or straight from the source where it wants no blocks.
    pub(super) fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.source.size());
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        if self.pace.block == 0 {
            return self.source.read_at(offset, length);
        }
        let block = self.pace.block as u64;
        let mut bytes = BytesMut::with_capacity(length);
        let mut at = offset;
        while at < end {
            let start = at / block * block;
            let whole = self.block(start)?;
            let from = usize::try_from(at - start).unwrap_or(usize::MAX);
            let to = usize::try_from(end - start).unwrap_or(usize::MAX).min(whole.len());
            // Copied, so that no reader keeps a block in memory beside the slots.
            let part = whole.get(from..to).filter(|part| !part.is_empty()).ok_or(io::ErrorKind::UnexpectedEof)?;
            bytes.extend_from_slice(part);
            at += part.len() as u64;
        }
        Ok(bytes.freeze())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The block that starts at `start`.
    fn block(&self, start: u64) -> io::Result<Bytes> {
        let mut slots = self.lock();
        loop {
            if let Some(at) = slots.iter().position(|slot| matches!(slot, Slot::Ready(s, _) if *s == start)) {
                let slot = slots.remove(at);
                let bytes = if let Slot::Ready(_, bytes) = &slot { bytes.clone() } else { Bytes::new() };
                slots.push(slot);
                return Ok(bytes);
            }
            let fetching = slots.iter().any(|slot| matches!(slot, Slot::Fetching(s) if *s == start));
            if let Some(at) = slots.iter().position(|slot| !matches!(slot, Slot::Fetching(_))).filter(|_| !fetching) {
                slots.remove(at);
                slots.push(Slot::Fetching(start));
                break;
            }
            slots = self.settled.wait(slots).unwrap_or_else(PoisonError::into_inner);
        }
        drop(slots);
        let fetch = Fetch { blocks: self, start };
        let length = (self.source.size() - start).min(self.pace.block as u64);
        let bytes = self.source.read_at(start, usize::try_from(length).map_err(io::Error::other)?)?;
        fetch.settle(|| Slot::Ready(start, bytes.clone()));
        Ok(bytes)
    }
}

/// A slot that is being filled. However fetching ends, others must not wait for it for ever.
struct Fetch<'a> {
    blocks: &'a Blocks,
    start: u64,
}

impl Fetch<'_> {
    fn settle(&self, with: impl FnOnce() -> Slot) {
        let mut slots = self.blocks.lock();
        if let Some(slot) = slots.iter_mut().find(|slot| matches!(slot, Slot::Fetching(start) if *start == self.start))
        {
            *slot = with();
        }
        drop(slots);
        self.blocks.settled.notify_all();
    }
}

impl Drop for Fetch<'_> {
    fn drop(&mut self) {
        self.settle(|| Slot::Empty);
    }
}
