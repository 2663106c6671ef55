//! A cache of a few blocks in front of ranged bytes, for many small reads next to each other.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use super::ranged::{Ranged, ReadAhead};

/// Cached blocks. They are the memory of one archive, whatever the number of its readers: four of 4 MiB.
pub(super) const SLOTS: usize = 4;

/// Caches a few blocks. A thread that needs a block that another thread is fetching waits for it. A block is fetched
/// only into a slot, so cached blocks and blocks in flight never exceed [`SLOTS`].
pub(super) struct BlockCache {
    source: Arc<dyn Ranged>,
    read_ahead: ReadAhead,
    /// The least recently used slot comes first.
    slots: Mutex<Vec<Slot>>,
    fetch_ended: Condvar,
}

enum Slot {
    Empty,
    Fetching { start: u64 },
    Ready { start: u64, bytes: Bytes },
}

impl Slot {
    fn is_fetching(&self, block: u64) -> bool {
        matches!(self, Self::Fetching { start } if *start == block)
    }
}

impl BlockCache {
    pub(super) fn new(source: Arc<dyn Ranged>) -> Self {
        let read_ahead = source.read_ahead();
        let slots = Mutex::new((0..SLOTS).map(|_| Slot::Empty).collect());
        Self { source, read_ahead, slots, fetch_ended: Condvar::new() }
    }

    pub(super) fn source(&self) -> &dyn Ranged {
        self.source.as_ref()
    }

    pub(super) fn read_ahead(&self) -> ReadAhead {
        self.read_ahead
    }

    /// Reads `length` bytes at `offset` from blocks, or from the source if it needs no blocks.
    pub(super) fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.source.size());
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        if self.read_ahead.block == 0 {
            return self.source.read_at(offset, length);
        }
        let block_size = self.read_ahead.block as u64;
        let mut bytes = BytesMut::with_capacity(length);
        let mut position = offset;
        while position < end {
            let start = position / block_size * block_size;
            let block = self.block(start)?;
            let from = usize::try_from(position - start).unwrap_or(usize::MAX);
            let to = usize::try_from(end - start).unwrap_or(usize::MAX).min(block.len());
            // Copied, so that no reader keeps a block in memory in addition to the slots.
            let part = block.get(from..to).filter(|part| !part.is_empty()).ok_or(io::ErrorKind::UnexpectedEof)?;
            bytes.extend_from_slice(part);
            position += part.len() as u64;
        }
        Ok(bytes.freeze())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The block that starts at `block`.
    fn block(&self, block: u64) -> io::Result<Bytes> {
        let mut slots = self.lock();
        loop {
            let cached = slots.iter().enumerate().find_map(|(index, slot)| match slot {
                Slot::Ready { start, bytes } if *start == block => Some((index, bytes.clone())),
                Slot::Ready { .. } | Slot::Fetching { .. } | Slot::Empty => None,
            });
            if let Some((index, bytes)) = cached {
                let used = slots.remove(index);
                slots.push(used);
                return Ok(bytes);
            }
            let free = slots.iter().position(|slot| !matches!(slot, Slot::Fetching { .. }));
            if let Some(index) = free.filter(|_| !slots.iter().any(|slot| slot.is_fetching(block))) {
                slots.remove(index);
                slots.push(Slot::Fetching { start: block });
                break;
            }
            slots = self.fetch_ended.wait(slots).unwrap_or_else(PoisonError::into_inner);
        }
        drop(slots);
        let fetch = Fetch { cache: self, block };
        let length = (self.source.size() - block).min(self.read_ahead.block as u64);
        let bytes = self.source.read_at(block, usize::try_from(length).map_err(io::Error::other)?)?;
        fetch.end_with(Slot::Ready { start: block, bytes: bytes.clone() });
        Ok(bytes)
    }
}

/// A slot that is being filled. However the fetch ends, threads that wait for it continue.
struct Fetch<'a> {
    cache: &'a BlockCache,
    block: u64,
}

impl Fetch<'_> {
    fn end_with(&self, result: Slot) {
        let mut slots = self.cache.lock();
        if let Some(slot) = slots.iter_mut().find(|slot| slot.is_fetching(self.block)) {
            *slot = result;
        }
        drop(slots);
        self.cache.fetch_ended.notify_all();
    }
}

impl Drop for Fetch<'_> {
    fn drop(&mut self) {
        self.end_with(Slot::Empty);
    }
}
