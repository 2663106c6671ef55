//! Reads of the bytes of this run's objects, bounded by the host.
//!
//! Owns the limits of one call and the turning of read errors into failures. Never caches: a plugin that needs bytes
//! twice keeps them. Every function may be called from `begin` on, for every key of the run, also for keys whose entries
//! come later; not while settings are checked.

pub use crate::bindings::imports::tidegate::plugin::content::ReadError;

use crate::Failure;

/// The most keys that one `read-heads` takes; from the contract.
const MOST_KEYS: usize = 1_000;

/// The most bytes that one `read-range` answers; from the contract.
const MOST_BYTES: u32 = 1024 * 1024;

/// The first `len` bytes (at most 64 KiB) of each key, fewer where the object is shorter, in the order of `keys`.
///
/// Ask once for many keys: the host reads them side by side.
#[must_use]
pub fn heads(keys: &[String], len: u32) -> Vec<Result<Vec<u8>, ReadError>> {
    keys.chunks(MOST_KEYS).flat_map(|chunk| source::heads(chunk, len)).collect()
}

/// All bytes of one object, or nothing where the run has no such key.
///
/// # Errors
///
/// Fails if the object has more than `limit` bytes, and if storage or the run's read budget does.
pub fn whole(key: &str, limit: usize) -> Result<Option<Vec<u8>>, Failure> {
    let mut bytes = Vec::new();
    loop {
        let part = match source::range(key, bytes.len() as u64, MOST_BYTES) {
            Ok(part) => part,
            Err(ReadError::NotFound) => return Ok(None),
            Err(error) => return Err(failure(key, &error)),
        };
        let last = part.len() < MOST_BYTES as usize;
        bytes.extend(part);
        if bytes.len() > limit {
            return Err(Failure::new(
                "too-long",
                format!("`{key}` has more than {limit} bytes; make it shorter or leave it out"),
            )
            .on(key));
        }
        if last {
            return Ok(Some(bytes));
        }
    }
}

/// The text of one object without a byte order mark, or nothing where the run has no such key.
///
/// # Errors
///
/// As [`whole`], and if the bytes are not UTF-8.
pub fn text(key: &str, limit: usize) -> Result<Option<String>, Failure> {
    let Some(bytes) = whole(key, limit)? else {
        return Ok(None);
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))),
        Err(_) => Err(Failure::new("not-text", format!("`{key}` is not UTF-8; save it as UTF-8")).on(key)),
    }
}

/// What to answer where bytes of `key` are needed and cannot be read.
#[must_use]
pub fn failure(key: &str, error: &ReadError) -> Failure {
    let (code, message) = match error {
        ReadError::NotFound => ("not-found", format!("`{key}` is not there any more; publish again")),
        ReadError::BudgetExhausted => {
            ("read-budget", format!("the run's read budget was spent before `{key}` could be read"))
        }
        ReadError::Unavailable(reason) => ("unreadable", format!("`{key}` cannot be read: {reason}")),
        ReadError::Other(reason) => ("unreadable", format!("`{key}` cannot be read: {reason}")),
    };
    Failure::new(code, message).on(key)
}

#[cfg(target_family = "wasm")]
mod source {
    //! The host's answers.

    use super::ReadError;
    use crate::bindings::imports::tidegate::plugin::content::{read_heads, read_range};

    pub(super) fn heads(keys: &[String], len: u32) -> Vec<Result<Vec<u8>, ReadError>> {
        read_heads(keys, len)
    }

    pub(super) fn range(key: &str, offset: u64, len: u32) -> Result<Vec<u8>, ReadError> {
        read_range(key, offset, len)
    }
}

#[cfg(not(target_family = "wasm"))]
mod source {
    //! The answers of the test that runs on this thread.

    use super::ReadError;
    use crate::testing::with_content;

    pub(super) fn heads(keys: &[String], len: u32) -> Vec<Result<Vec<u8>, ReadError>> {
        keys.iter().map(|key| range(key, 0, len)).collect()
    }

    pub(super) fn range(key: &str, offset: u64, len: u32) -> Result<Vec<u8>, ReadError> {
        let start = usize::try_from(offset).map_err(|_| ReadError::NotFound)?;
        with_content(|content| {
            let bytes = content.get(key).ok_or(ReadError::NotFound)?;
            Ok(bytes.iter().skip(start).take(len as usize).copied().collect())
        })
    }
}
