//! Listings with upload times: of staged builds, and of downloaded files.

use futures::stream::TryStreamExt;
use tidegate_core::key::StoredKey;
use tidegate_core::location::{Bucket, Location};
use tidegate_core::staged_build::UploadedObject;

use super::client::S3;
use super::list::{BucketObject, ListScope};
use crate::aws_error::AwsError;

impl S3 {
    /// All objects below a location, with their upload times.
    ///
    /// # Errors
    /// [`AwsError`]; a page that fails is an error, never a short listing.
    pub async fn uploads(&self, location: &Location) -> Result<Vec<UploadedObject>, AwsError> {
        let mut pages = std::pin::pin!(self.bucket_pages(ListScope::below(location)));
        let mut uploads = Vec::new();
        while let Some(page) = pages.try_next().await? {
            uploads.extend(page.objects.iter().map(upload));
        }
        Ok(uploads)
    }

    /// One object as a listing shows it, or nothing if it does not exist.
    pub(super) async fn listed(&self, bucket: &Bucket, key: &str) -> Result<Option<BucketObject>, AwsError> {
        // A key sorts before every longer key that starts with it.
        let page = self.bucket_page(ListScope { bucket, prefix: key, after: None, page: 1 }, None).await?;
        Ok(page.objects.into_iter().next().filter(|object| object.key == key))
    }
}

fn upload(object: &BucketObject) -> UploadedObject {
    UploadedObject { key: StoredKey::new(&object.key), size: object.size, modified: object.modified }
}
