//! Object bodies generated from a size and a seed.

use sha2::{Digest, Sha256};

/// `size` pseudo-random bytes, which do not compress and differ from those of any other seed.
#[must_use]
pub fn pattern(size: u64, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..size)
        .map(|_| {
            // Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        })
        .collect()
}

/// The text `body`, or else `size` bytes generated from `seed`.
#[must_use]
pub fn bytes(body: Option<&str>, size: Option<u64>, seed: u64) -> Vec<u8> {
    match (body, size) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, size) => pattern(size.unwrap_or_default(), seed),
    }
}

/// A short digest: the first 16 hexadecimal digits of the SHA-256.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes)).chars().take(16).collect()
}
