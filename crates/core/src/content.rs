//! The trait through which plugins read the content of an artifact. Sources implement it.

use std::time::Instant;

use crate::key::Key;

/// Why content is unavailable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The artifact has no such object.
    #[error("the artifact has no object `{0}`")]
    NotFound(Key),
    /// Storage failed after its retries, or the deadline passed.
    #[error("cannot read `{key}`: {why}")]
    Unavailable {
        /// The key in the artifact.
        key: Key,
        /// The cause, for people.
        why: String,
    },
}

/// Reads objects of one artifact by their keys in the artifact. Called from threads that may block.
pub trait ContentReader: Sync {
    /// The first `length` bytes of each object, or fewer if it is shorter, in the order of `keys`. Reads concurrently.
    /// A result that is not there by `deadline` is [`ReadError::Unavailable`].
    fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>>;

    /// A range of one object. Shorter at the end of the object.
    ///
    /// # Errors
    /// [`ReadError`].
    fn range(&self, key: &Key, offset: u64, length: u32, deadline: Instant) -> Result<Vec<u8>, ReadError>;
}
