//! Reads the objects of a run, within limits of the host.
//!
//! Every function can be called from `begin` on, for every key of the run, including keys whose entries come later; not
//! while settings are validated. Nothing is cached.

pub use crate::bindings::imports::tidegate::plugin::content::ReadError;

use crate::Failure;

/// Limit of keys in one `read-heads`. Source: `wit/plugin.wit`.
const MAX_KEYS: usize = 1_000;

/// Limit of one `read-range`, in bytes. Source: `wit/plugin.wit`.
pub(crate) const MAX_RANGE_BYTES: u32 = 1024 * 1024;

/// The first `max_bytes` bytes (up to 64 KiB) of each key, or all bytes of a shorter object, in the order of `keys`.
///
/// Read many keys in one call: the host reads them concurrently.
#[must_use]
pub fn heads(keys: &[String], max_bytes: u32) -> Vec<Result<Vec<u8>, ReadError>> {
    keys.chunks(MAX_KEYS).flat_map(|chunk| source::heads(chunk, max_bytes)).collect()
}

/// The first `max_bytes` bytes (up to 64 KiB) of each key as text, in the order of `keys`. Bytes that are not UTF-8 become
/// U+FFFD. A byte order mark, and a character that the limit cuts, are left out.
///
/// The host decodes, which costs a script less fuel than decoding [`heads`].
#[must_use]
pub fn texts(keys: &[String], max_bytes: u32) -> Vec<Result<String, ReadError>> {
    keys.chunks(MAX_KEYS).flat_map(|chunk| source::texts(chunk, max_bytes)).collect()
}

/// Up to `len` bytes (up to 1 MiB) of one object from `offset`, fewer at its end.
///
/// # Errors
///
/// The run does not have the key, storage fails, or the read budget of the run is spent.
pub fn range(key: &str, offset: u64, len: u32) -> Result<Vec<u8>, ReadError> {
    source::range(key, offset, len)
}

/// All bytes of an object; `None` if the run does not have the key.
///
/// # Errors
///
/// The object has more than `limit` bytes, storage fails, or the read budget of the run is spent.
pub fn whole(key: &str, limit: usize) -> Result<Option<Vec<u8>>, Failure> {
    let mut bytes = Vec::new();
    loop {
        let part = match source::range(key, bytes.len() as u64, MAX_RANGE_BYTES) {
            Ok(part) => part,
            Err(ReadError::NotFound) => return Ok(None),
            Err(error) => return Err(failure(key, &error)),
        };
        let last = part.len() < MAX_RANGE_BYTES as usize;
        bytes.extend(part);
        if bytes.len() > limit {
            return Err(Failure::new(
                "too-long",
                format!("`{key}` has more than {limit} bytes; shorten it or exclude it"),
            )
            .with_key(key));
        }
        if last {
            return Ok(Some(bytes));
        }
    }
}

/// The text of an object without a byte order mark; `None` if the run does not have the key.
///
/// # Errors
///
/// As for [`whole`], and the bytes are not UTF-8.
pub fn text(key: &str, limit: usize) -> Result<Option<String>, Failure> {
    let Some(bytes) = whole(key, limit)? else {
        return Ok(None);
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))),
        Err(_) => Err(Failure::new("not-text", format!("`{key}` is not UTF-8; save it as UTF-8")).with_key(key)),
    }
}

/// The failure to return if bytes of `key` are needed and cannot be read.
#[must_use]
pub fn failure(key: &str, error: &ReadError) -> Failure {
    let (code, message) = match error {
        ReadError::NotFound => ("not-found", format!("`{key}` no longer exists; publish again")),
        ReadError::BudgetExhausted => {
            ("read-budget", format!("cannot read `{key}`: the read budget of the run is spent"))
        }
        ReadError::Unavailable(reason) | ReadError::Other(reason) => {
            ("unreadable", format!("cannot read `{key}`: {reason}"))
        }
    };
    Failure::new(code, message).with_key(key)
}

#[cfg(target_family = "wasm")]
mod source {
    //! Reads through the host.

    use super::ReadError;
    use crate::bindings::imports::tidegate::plugin::content::{read_heads, read_range, read_texts};

    pub(super) fn heads(keys: &[String], max_bytes: u32) -> Vec<Result<Vec<u8>, ReadError>> {
        read_heads(keys, max_bytes)
    }

    pub(super) fn texts(keys: &[String], max_bytes: u32) -> Vec<Result<String, ReadError>> {
        read_texts(keys, max_bytes)
    }

    pub(super) fn range(key: &str, offset: u64, max_bytes: u32) -> Result<Vec<u8>, ReadError> {
        read_range(key, offset, max_bytes)
    }
}

#[cfg(not(target_family = "wasm"))]
mod source {
    //! Reads from the artifact of the test on this thread.

    use super::ReadError;
    use crate::testing::read_content;

    pub(super) fn heads(keys: &[String], max_bytes: u32) -> Vec<Result<Vec<u8>, ReadError>> {
        keys.iter().map(|key| range(key, 0, max_bytes)).collect()
    }

    /// Decodes as the host does.
    pub(super) fn texts(keys: &[String], max_bytes: u32) -> Vec<Result<String, ReadError>> {
        let text = |bytes: Vec<u8>| {
            let is_cut = |last: &std::str::Utf8Chunk<'_>| {
                bytes.len() >= max_bytes as usize
                    && std::str::from_utf8(last.invalid()).is_err_and(|error| error.error_len().is_none())
            };
            let cut = bytes.utf8_chunks().last().filter(is_cut).map_or(0, |last| last.invalid().len());
            let whole = bytes.get(..bytes.len().saturating_sub(cut)).unwrap_or(&bytes);
            String::from_utf8_lossy(whole.strip_prefix(b"\xef\xbb\xbf").unwrap_or(whole)).into_owned()
        };
        heads(keys, max_bytes).into_iter().map(|head| head.map(text)).collect()
    }

    pub(super) fn range(key: &str, offset: u64, max_bytes: u32) -> Result<Vec<u8>, ReadError> {
        let start = usize::try_from(offset).map_err(|_| ReadError::NotFound)?;
        read_content(|content| {
            let bytes = content.get(key).ok_or(ReadError::NotFound)?;
            Ok(bytes.iter().skip(start).take(max_bytes as usize).copied().collect())
        })
    }
}
