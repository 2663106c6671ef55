//! Whole objects in memory. Only in builds that compile: nobody else reads components.
//!
//! Never writes, and never streams.

use aws_sdk_s3::primitives::AggregatedBytes;
use bytes::Bytes;
use tidegate_core::location::Bucket;

use super::S3;
use crate::aws_error::AwsError;

impl S3 {
    /// One whole object in memory, for the few that are known to be small, such as a plugin's component.
    ///
    /// # Errors
    /// [`AwsError`], also for an object of more than `most` bytes.
    pub(crate) async fn small(&self, bucket: &Bucket, key: &str, most: u64) -> Result<Bytes, AwsError> {
        let answer = self
            .client
            .get_object()
            .bucket(bucket.as_str())
            .key(key)
            .send()
            .await
            .map_err(|error| AwsError::new("GetObject", key, &error))?;
        let size = u64::try_from(answer.content_length().unwrap_or_default()).unwrap_or_default();
        if size > most {
            return Err(AwsError::malformed("GetObject", key, format!("it has {size} bytes, the most is {most}")));
        }
        let body = answer.body.collect().await;
        body.map(AggregatedBytes::into_bytes)
            .map_err(|error| AwsError::malformed("GetObject", key, format!("the body broke off: {error}")))
    }
}
