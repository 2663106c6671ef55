//! What the edge holds: answers of the origin by path, within a bound of memory, the least recently
//! used given up first. It owns storing and forgetting; what may be held, and until when, is
//! decided by `freshness` and by invalidations.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use lru::LruCache;

use crate::cloudfront::ViewerPath;

/// Bytes of bodies that a cache holds at the most.
pub(super) const CAPACITY: u64 = 256 << 20;
/// Largest body that is held; larger ones come from the origin every time.
pub(super) const LARGEST: u64 = 16 << 20;

/// An answer that is held. Cloning it copies no body.
#[derive(Debug, Clone)]
pub(super) struct CachedObject {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// When the origin last gave or confirmed it.
    pub(super) since: Timestamp,
    /// Until when it is given without asking the origin.
    pub(super) fresh_until: Timestamp,
    /// How many invalidations had completed before the origin was asked; only later ones clear it.
    pub(super) seen: u64,
    /// The cache tags that it was answered with.
    pub(super) tags: Vec<String>,
}

/// Answers by path.
pub(super) struct PreviewCache {
    held: LruCache<ViewerPath, CachedObject>,
    bytes: u64,
    capacity: u64,
}

impl PreviewCache {
    pub(super) fn new(capacity: u64) -> Self {
        Self { held: LruCache::unbounded(), bytes: 0, capacity }
    }

    pub(super) fn get(&mut self, path: &ViewerPath) -> Option<&mut CachedObject> {
        self.held.get_mut(path)
    }

    pub(super) fn put(&mut self, path: ViewerPath, held: CachedObject) {
        self.bytes += size(&held);
        if let Some((_, old)) = self.held.push(path, held) {
            self.bytes = self.bytes.saturating_sub(size(&old));
        }
        while self.bytes > self.capacity {
            let Some((_, old)) = self.held.pop_lru() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(size(&old));
        }
    }

    pub(super) fn remove(&mut self, path: &ViewerPath) {
        if let Some(old) = self.held.pop(path) {
            self.bytes = self.bytes.saturating_sub(size(&old));
        }
    }
}

/// Bytes that an answer is counted with; an empty one isn't free.
fn size(held: &CachedObject) -> u64 {
    const OVERHEAD: u64 = 512;
    u64::try_from(held.body.len()).unwrap_or(u64::MAX).saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(length: usize) -> CachedObject {
        CachedObject {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from(vec![0; length]),
            since: Timestamp::UNIX_EPOCH,
            fresh_until: Timestamp::UNIX_EPOCH,
            seen: 0,
            tags: Vec::new(),
        }
    }

    #[test]
    fn the_least_recently_used_goes_first_and_the_bound_is_kept() {
        let path = ViewerPath::new;
        let mut cache = PreviewCache::new(5_000);
        cache.put(path("/a"), held(1_500));
        cache.put(path("/b"), held(1_500));
        assert!(cache.get(&path("/a")).is_some());
        cache.put(path("/c"), held(1_500));
        assert!(cache.get(&path("/b")).is_none(), "nobody asked for it since");
        assert!(cache.get(&path("/a")).is_some());
        cache.put(path("/a"), held(10));
        cache.remove(&path("/c"));
        assert_eq!(cache.bytes, 10 + 512);
        cache.put(path("/d"), held(6_000));
        assert_eq!(cache.bytes, 0, "what can't fit empties the cache and isn't held");
    }
}
