//! The store with its authorizer, on which the operations work.

use s3s::{S3Request, S3Response};

use super::super::access::{Authorizer, Context, bucket_arn};
use super::super::error::S3Failure;
use super::super::store::ObjectStore;

/// The result of an operation.
pub(super) type OperationResult<T> = Result<S3Response<T>, S3Failure>;

/// A store with its authorizer.
pub(super) struct EmulatedS3 {
    pub(super) store: ObjectStore,
    pub(super) authorizer: Authorizer,
}

impl EmulatedS3 {
    /// Replaces `NoSuchKey` by `AccessDenied` for a caller that may not list the bucket, as S3 does.
    pub(super) fn hide_missing<T, I>(
        &self,
        request: &S3Request<I>,
        bucket: &str,
        result: Result<T, S3Failure>,
    ) -> Result<T, S3Failure> {
        if let Err(S3Failure::NoSuchKey) = &result {
            self.authorizer.authorize(
                request.credentials.as_ref(),
                "s3:ListBucket",
                &bucket_arn(bucket),
                &Context::new(),
            )?;
        }
        result
    }
}
