//! How plugins read bytes of the artifact: the seam that a source implements.
//!
//! Owns the trait and its errors. Never reads anything itself.

use std::time::Instant;

use crate::key::Key;

/// Why bytes were not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The artifact has no such object.
    #[error("the artifact has no object `{0}`")]
    NotFound(Key),
    /// Storage failed after its retries, or the deadline passed.
    #[error("`{key}` could not be read: {why}")]
    Unavailable {
        /// The artifact's key.
        key: Key,
        /// The cause, for people.
        why: String,
    },
}

/// Reads objects of one artifact by the artifact's own keys. Called from a thread that may block.
pub trait ContentReader: Sync {
    /// The first `length` bytes of each key, in the order of `keys`, read side by side; shorter where an object is.
    /// What is not there by `deadline` is [`ReadError::Unavailable`].
    fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>>;

    /// One range of one object, shorter at its end.
    ///
    /// # Errors
    /// [`ReadError`].
    fn range(&self, key: &Key, offset: u64, length: u32, deadline: Instant) -> Result<Vec<u8>, ReadError>;
}
