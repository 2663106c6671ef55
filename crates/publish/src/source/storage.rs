//! Reading objects in S3 for sources, with errors that name the object by its URL.

use std::ops::Range;
use std::pin::pin;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tidegate_core::content::ReadError;
use tidegate_core::key::Key;
use tokio::time::timeout_at;

use crate::aws_error::AwsError;
use crate::s3::{S3, StagedObject};

/// Why an object or a prefix in S3 could not be read. `what` is its `s3://` URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// There is no such object or bucket.
    #[error("`{what}` does not exist; check its name, and that it was staged")]
    Missing {
        /// The URL.
        what: String,
    },
    /// The object no longer has the ETag that was listed.
    #[error("`{what}` changed since it was read; publish again")]
    Changed {
        /// The URL.
        what: String,
    },
    /// The credentials do not allow it.
    #[error("access denied reading `{what}`: {why}")]
    Denied {
        /// The URL.
        what: String,
        /// S3's message.
        why: String,
    },
    /// Anything else, after the client's retries.
    #[error("cannot read `{what}`: {why}")]
    Failed {
        /// The URL.
        what: String,
        /// The cause.
        why: String,
    },
}

impl StorageError {
    pub(super) fn new(what: String, error: AwsError) -> Self {
        if error.is_not_found() {
            Self::Missing { what }
        } else if error.is_condition_failed() {
            Self::Changed { what }
        } else if error.is_denied() {
            Self::Denied { what, why: error.why }
        } else {
            Self::Failed { what, why: error.why }
        }
    }
}

/// Reads part of an object for a plugin: from `offset` on, at most `length` bytes, at most to the object's end.
/// `object` resolves to the object, in the state to read.
pub(super) async fn read_part(
    s3: &S3,
    key: &Key,
    object: impl Future<Output = Result<StagedObject, StorageError>>,
    offset: u64,
    length: u32,
    deadline: Instant,
) -> Result<Vec<u8>, ReadError> {
    let read = async {
        let object = object.await?;
        let end = object.size.min(offset.saturating_add(u64::from(length)));
        read_range(s3, &object, offset.min(end)..end).await
    };
    let unavailable = |why: String| ReadError::Unavailable { key: key.clone(), why };
    match timeout_at(deadline.into(), read).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(error)) => Err(unavailable(error.to_string())),
        Err(_) => Err(unavailable("its deadline passed".to_owned())),
    }
}

/// Reads one range that lies within `object`. A response of another length is an error.
pub(super) async fn read_range(s3: &S3, object: &StagedObject, range: Range<u64>) -> Result<Bytes, StorageError> {
    let failed = |why: &str| StorageError::Failed { what: object.url(), why: why.to_owned() };
    let error = |error| StorageError::new(object.url(), error);
    let length =
        usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| failed("the range is too large"))?;
    if length == 0 {
        return Ok(Bytes::new());
    }
    let mut chunks = pin!(s3.read_staged(object, Some(range)).await.map_err(error)?);
    let mut bytes = BytesMut::with_capacity(length);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(error)?;
        if chunk.len() > length.saturating_sub(bytes.len()) {
            return Err(failed("the response is longer than the range"));
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.len() < length { Err(failed("the response is shorter than the range")) } else { Ok(bytes.freeze()) }
}
