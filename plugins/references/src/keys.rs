//! Sets and maps of keys by their hashes, so that a site of a million objects fits into the memory of a plugin.
//!
//! Of a million keys, two have the same hash of 64 bits with a probability of one in 37 million.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

/// A set of keys.
pub type KeySet = HashSet<u64, BuildHasherDefault<KeyHasher>>;

/// A map by keys.
pub type KeyMap<T> = HashMap<u64, T, BuildHasherDefault<KeyHasher>>;

/// The hash of a key that consists of these parts: the same on every machine and in every run.
#[must_use]
pub fn key_hash(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.iter().for_each(|part| hasher.write(part.as_bytes()));
    hasher.finish()
}

/// Takes what is a hash already.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
