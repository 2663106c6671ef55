//! The bodies of PUT requests, which can be sent again when a request is retried.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use http_body::Frame;
use http_body_util::StreamBody;
use tidegate_core::sanitize::{LOG_BYTES, sanitize};

use crate::aws_error::AwsError;

/// Opens a body from its start; called again for each attempt.
pub(crate) type Opener = Arc<dyn Fn() -> BoxStream<'static, io::Result<Bytes>> + Send + Sync>;

/// The bytes of a body.
#[derive(Clone)]
pub(crate) enum BodyBytes {
    /// In memory.
    Whole(Bytes),
    /// Read again for each attempt.
    Streamed(Opener),
}

/// The error that ended a streamed body. S3 only sees that bytes are missing.
#[derive(Clone, Default)]
pub(super) struct BodyFailure(Arc<Mutex<Option<String>>>);

impl BodyFailure {
    /// Returns the same body, and keeps the error that ends its latest attempt.
    pub(super) fn watch(&self, body: BodyBytes) -> BodyBytes {
        let BodyBytes::Streamed(open) = body else { return body };
        let failure = self.clone();
        BodyBytes::Streamed(Arc::new(move || {
            // A new attempt: the error of the last one does not count.
            failure.replace(None);
            let failure = failure.clone();
            open().inspect_err(move |error| drop(failure.replace(Some(error.to_string())))).boxed()
        }))
    }

    /// Puts the error of the body in place of S3's. A body with an error never ends, so nothing was written, whether S3
    /// answered or not.
    pub(super) fn explain(&self, error: AwsError) -> AwsError {
        match self.replace(None) {
            Some(why) => {
                let code = error.code.or_else(|| Some("IncompleteBody".to_owned()));
                AwsError { code, why: sanitize(&why, LOG_BYTES), ..error }
            }
            None => error,
        }
    }

    fn replace(&self, failure: Option<String>) -> Option<String> {
        std::mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), failure)
    }
}

/// A body for the SDK.
pub(super) fn byte_stream(body: BodyBytes) -> ByteStream {
    match body {
        BodyBytes::Whole(bytes) => ByteStream::from(bytes),
        BodyBytes::Streamed(open) => ByteStream::new(SdkBody::retryable(move || {
            let frames = open().map_ok(Frame::data).map_err(Box::<dyn std::error::Error + Send + Sync>::from);
            SdkBody::from_body_1_x(StreamBody::new(sync(frames)))
        })),
    }
}

/// Makes a stream `Sync`, which bodies of the SDK must be. The lock never waits, because one task polls the stream.
fn sync<T: Send + 'static>(
    stream: impl futures::Stream<Item = T> + Send + 'static,
) -> impl futures::Stream<Item = T> + Send + Sync + 'static {
    let stream = Mutex::new(stream.boxed());
    futures::stream::poll_fn(move |context| match stream.lock() {
        Ok(mut stream) => stream.poll_next_unpin(context),
        Err(poisoned) => poisoned.into_inner().poll_next_unpin(context),
    })
}
