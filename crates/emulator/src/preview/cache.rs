//! The cache of the preview: answers of the origin by path, limited in size, least recently used first out. `freshness`
//! and invalidations decide what may be cached and until when.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use lru::LruCache;

use crate::cloudfront::ViewerPath;

/// Capacity of a cache, in bytes.
pub(super) const CAPACITY: u64 = 256 << 20;
/// Largest body that is cached, in bytes. A larger body is read from the origin every time.
pub(super) const MAX_OBJECT_SIZE: u64 = 16 << 20;

/// A cached answer. Cloning it copies no body.
#[derive(Debug, Clone)]
pub(super) struct CachedObject {
    pub(super) status: StatusCode,
    /// The status of the origin, if a custom error response replaced it.
    pub(super) origin_status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// When the origin last sent or confirmed it.
    pub(super) since: Timestamp,
    /// Until when it is served without asking the origin.
    pub(super) fresh_until: Timestamp,
    /// The number of invalidations that had completed before the origin was asked. Only later ones clear it.
    pub(super) seen: u64,
    /// Its cache tags.
    pub(super) tags: Vec<String>,
}

/// Answers by path.
pub(super) struct PreviewCache {
    objects: LruCache<ViewerPath, CachedObject>,
    bytes: u64,
    capacity: u64,
}

impl PreviewCache {
    pub(super) fn new(capacity: u64) -> Self {
        Self { objects: LruCache::unbounded(), bytes: 0, capacity }
    }

    pub(super) fn get(&mut self, path: &ViewerPath) -> Option<&mut CachedObject> {
        self.objects.get_mut(path)
    }

    pub(super) fn put(&mut self, path: ViewerPath, object: CachedObject) {
        self.bytes += size(&object);
        if let Some((_, old)) = self.objects.push(path, object) {
            self.bytes = self.bytes.saturating_sub(size(&old));
        }
        while self.bytes > self.capacity {
            let Some((_, old)) = self.objects.pop_lru() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(size(&old));
        }
    }

    pub(super) fn remove(&mut self, path: &ViewerPath) {
        if let Some(old) = self.objects.pop(path) {
            self.bytes = self.bytes.saturating_sub(size(&old));
        }
    }
}

/// The size of an answer in the cache, in bytes. An empty body also costs memory.
fn size(object: &CachedObject) -> u64 {
    const OVERHEAD: u64 = 512;
    u64::try_from(object.body.len()).unwrap_or(u64::MAX).saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(length: usize) -> CachedObject {
        CachedObject {
            status: StatusCode::OK,
            origin_status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from(vec![0; length]),
            since: Timestamp::UNIX_EPOCH,
            fresh_until: Timestamp::UNIX_EPOCH,
            seen: 0,
            tags: Vec::new(),
        }
    }

    #[test]
    fn evicts_the_least_recently_used_beyond_the_capacity() {
        let path = ViewerPath::new;
        let mut cache = PreviewCache::new(5_000);
        cache.put(path("/a"), object(1_500));
        cache.put(path("/b"), object(1_500));
        assert!(cache.get(&path("/a")).is_some());
        cache.put(path("/c"), object(1_500));
        assert!(cache.get(&path("/b")).is_none(), "the least recently used");
        assert!(cache.get(&path("/a")).is_some());
        cache.put(path("/a"), object(10));
        cache.remove(&path("/c"));
        assert_eq!(cache.bytes, 10 + 512);
        cache.put(path("/d"), object(6_000));
        assert_eq!(cache.bytes, 0, "an object larger than the cache is not kept");
    }
}
