//! S3 as sources read it: the seam of `source::storage`, fulfilled.

use std::ops::Range;

use async_trait::async_trait;
use futures::StreamExt;
use tidegate_core::key::StoredKey;
use tidegate_core::location::{Bucket, Location};

use super::{S3, whole};
use crate::aws_error::AwsError;
use crate::source::storage::{Head, Listed, ObjectBytes, Objects, Page, StagedObject, StorageError};

#[async_trait]
impl Objects for S3 {
    async fn list_page(&self, location: &Location, token: Option<&str>) -> Result<Page, StorageError> {
        let page = self
            .page(location, token.map(str::to_owned))
            .await
            .map_err(|error| list_error(location.to_string(), error))?;
        let objects = page.objects.into_iter().map(|object| Listed {
            key: StoredKey::new(&whole(location, object.key.as_str())),
            size: object.size,
            etag: object.etag,
        });
        Ok(Page { objects: objects.collect(), next: page.next })
    }

    async fn head(&self, bucket: &Bucket, key: &StoredKey) -> Result<Head, StorageError> {
        let place = format!("s3://{bucket}/{key}");
        let head = S3::head(self, bucket, key.as_str()).await.map_err(|error| list_error(place, error))?;
        Ok(Head { size: head.size, etag: head.etag, version: head.version })
    }

    async fn get(&self, object: &StagedObject, range: Option<Range<u64>>) -> Result<ObjectBytes, StorageError> {
        let answer = self
            .client
            .get_object()
            .bucket(object.bucket.as_str())
            .key(object.key.as_str())
            .if_match(object.etag.quoted())
            .set_range(range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1))))
            .send()
            .await
            .map_err(|error| list_error(object.place(), AwsError::new("GetObject", object.key.as_str(), &error)))?;
        let place = object.place();
        let chunks = futures::stream::unfold((answer.body, place), |(mut body, place)| async move {
            let chunk = body.next().await?;
            let chunk = chunk.map_err(|error| StorageError::Failed { what: place.clone(), why: error.to_string() });
            Some((chunk, (body, place)))
        });
        Ok(chunks.boxed())
    }
}

fn list_error(what: String, error: AwsError) -> StorageError {
    if error.is_not_found() {
        StorageError::Missing { what }
    } else if error.is_condition_failed() {
        StorageError::Changed { what }
    } else if error.is_denied() {
        StorageError::Denied { what, why: error.why }
    } else {
        StorageError::Failed { what, why: error.to_string() }
    }
}
