//! Looking at single objects and at what landed where: for those who choose what is published.

use tidegate_core::identity::ETag;
use tidegate_core::key::StoredKey;
use tidegate_core::location::{Bucket, Location};
use tidegate_core::staged_build::UploadedObject;
use tidegate_core::timestamp::Timestamp;

use super::S3;
use crate::aws_error::AwsError;

/// The state of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectState {
    /// Its ETag.
    pub etag: ETag,
    /// Its version, in a bucket that keeps versions.
    pub version: Option<String>,
}

impl S3 {
    /// The state of an object; nothing where there is none.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn state_of(&self, bucket: &Bucket, key: &str) -> Result<Option<ObjectState>, AwsError> {
        let answer = self.client.head_object().bucket(bucket.as_str()).key(key).send().await;
        match answer.map_err(|error| AwsError::new("HeadObject", key, &error)) {
            Ok(answer) => Ok(Some(ObjectState {
                etag: ETag::new(answer.e_tag().unwrap_or_default()),
                version: answer.version_id,
            })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => self.unless_absent(bucket, key, error).await,
        }
    }

    /// Everything below a place, with when it landed.
    ///
    /// # Errors
    /// [`AwsError`]; a page that fails is an error, never a short listing.
    pub async fn uploads(&self, place: &Location) -> Result<Vec<UploadedObject>, AwsError> {
        let prefix = Some(place.prefix.as_str().to_owned()).filter(|prefix| !prefix.is_empty());
        let request = self.client.list_objects_v2().bucket(place.bucket.as_str()).set_prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut landed = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new("ListObjectsV2", place.to_string(), &error))?;
            for object in page.contents() {
                let moment = object.last_modified().and_then(|moment| moment.to_millis().ok()).unwrap_or_default();
                landed.push(UploadedObject {
                    key: StoredKey::new(object.key().unwrap_or_default()),
                    size: u64::try_from(object.size().unwrap_or_default()).unwrap_or_default(),
                    modified: Timestamp::from_milliseconds(u64::try_from(moment).unwrap_or_default()),
                });
            }
        }
        Ok(landed)
    }
}
