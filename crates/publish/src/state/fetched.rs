//! Files that were downloaded to be published, such as GitHub artifacts. A file becomes an object only after its last
//! byte was checked, and is deleted after its run.

use bytes::Bytes;
use futures::stream::Stream;
use tidegate_core::key::Key;
use tidegate_core::location::{Location, ObjectLocation};
use tidegate_core::release::fetched;

use super::store::StateStore;
use crate::aws_error::AwsError;
use crate::s3::PutCondition;

impl StateStore {
    fn fetched_location(&self) -> Result<Location, AwsError> {
        let too_long =
            || AwsError::malformed("PutObject", self.location.to_string(), "the prefix of `state` is too long");
        fetched(&self.location).ok_or_else(too_long)
    }

    /// Where a downloaded file is stored.
    pub fn fetched(&self, name: &str) -> Result<ObjectLocation, AwsError> {
        let location = self.fetched_location()?;
        let key = Key::new(&location.prefix.join(name));
        let key = key.map_err(|error| AwsError::malformed("PutObject", name, error.to_string()))?;
        Ok(ObjectLocation { bucket: location.bucket, key })
    }

    /// Whether a file was downloaded completely.
    pub async fn has_fetched(&self, file: &ObjectLocation) -> Result<bool, AwsError> {
        Ok(self.s3.head_if_exists(&file.bucket, file.key.as_str()).await?.is_some())
    }

    /// Stores a file while it is downloaded. If another invocation has stored it in the meantime, the error
    /// [`AwsError::is_condition_failed`].
    pub async fn put_fetched<E: From<AwsError> + Send>(
        &self,
        name: &str,
        bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> Result<(), E> {
        let location = self.fetched_location()?;
        self.s3.put_stream(&location, name, bytes, PutCondition::IfAbsent).await
    }

    /// Deletes a downloaded file.
    pub async fn delete_fetched(&self, file: &ObjectLocation) -> Result<(), AwsError> {
        self.s3.delete_keys(&file.bucket, &[file.key.as_str().to_owned()]).await
    }

    /// Deletes files that were downloaded before an instant, in milliseconds since 1970. Their runs ended long ago.
    pub async fn delete_fetched_before(&self, instant: u64) -> Result<(), AwsError> {
        let location = self.fetched_location()?;
        let files = self.s3.uploads(&location).await?;
        let old = files.into_iter().filter(|object| object.modified.milliseconds() < instant);
        let keys: Vec<String> = old.map(|object| object.key.as_str().to_owned()).collect();
        if keys.is_empty() { Ok(()) } else { self.s3.delete_keys(&location.bucket, &keys).await }
    }
}
