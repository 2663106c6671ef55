//! Files that were fetched from elsewhere to be published, while their runs last.
//!
//! Owns that such a file is whole or not there: it becomes an object only after its last byte was judged.

use bytes::Bytes;
use futures::stream::Stream;
use tidegate_core::key::Key;
use tidegate_core::location::{Location, ObjectLocation};
use tidegate_core::release::fetched;

use super::StateStore;
use crate::aws_error::AwsError;
use crate::s3::PutCondition;

impl StateStore {
    /// Where fetched files are.
    fn fetched_place(&self) -> Result<Location, AwsError> {
        let refused = || AwsError::malformed("PutObject", self.at.to_string(), "its name is too long for a state");
        fetched(&self.at).ok_or_else(refused)
    }

    /// Where a fetched file is.
    pub fn fetched(&self, name: &str) -> Result<ObjectLocation, AwsError> {
        let place = self.fetched_place()?;
        let key = Key::new(&place.prefix.join(name));
        let key = key.map_err(|error| AwsError::malformed("PutObject", name, error.to_string()))?;
        Ok(ObjectLocation { bucket: place.bucket, key })
    }

    /// Whether a file was fetched, to its end.
    pub async fn has_fetched(&self, file: &ObjectLocation) -> Result<bool, AwsError> {
        Ok(self.s3.head_if_exists(&file.bucket, file.key.as_str()).await?.is_some())
    }

    /// Stores a file as it arrives, if nobody did meanwhile: then [`AwsError::is_condition_failed`].
    pub async fn put_fetched<E: From<AwsError>>(
        &self,
        name: &str,
        bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> Result<(), E> {
        let place = self.fetched_place()?;
        self.s3.put_stream(&place, name, bytes, PutCondition::Absent).await
    }

    /// Removes a fetched file.
    pub async fn forget_fetched(&self, file: &ObjectLocation) -> Result<(), AwsError> {
        self.s3.forget(&file.bucket, &[file.key.as_str().to_owned()]).await
    }

    /// Removes what was fetched before an instant, in milliseconds since 1970: its run is long dead.
    pub async fn forget_fetched_before(&self, instant: u64) -> Result<(), AwsError> {
        let place = self.fetched_place()?;
        let landed = self.s3.uploads(&place).await?;
        let old = landed.into_iter().filter(|object| object.modified.milliseconds() < instant);
        let keys: Vec<String> = old.map(|object| object.key.as_str().to_owned()).collect();
        if keys.is_empty() { Ok(()) } else { self.s3.forget(&place.bucket, &keys).await }
    }
}
