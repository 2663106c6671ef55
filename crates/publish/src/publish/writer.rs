//! Writes single objects of a plan: puts, copies within S3, and archived bodies.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use tidegate_core::headers::ObjectHeaders;
use tidegate_core::identity::{ContentIdentity, ETag, Sameness};
use tidegate_core::key::Key;
use tidegate_core::listing::PreservedAttributes;
use tidegate_core::location::Location;
use tidegate_core::manifest::body_name;
use tidegate_core::manifest::written::WrittenObject;
use tidegate_core::plan::{Action, ArchiveCopy, Operation, PlannedBody, ReplacedObject};
use tidegate_core::put_options::ObjectSettings;

use super::copy_condition::{CopyConditions, is_changed, is_refused};
use crate::aws_error::AwsError;
use crate::s3::{
    BodyBytes, CopySource, DeleteOutcome, DeleteTarget, ObservedCopy, Opener, PutCondition, PutOptions, S3,
};
use crate::source::{SourceError, SourceReader};
use crate::state::{Fence, LeaseLost};

/// Bodies up to this size, in bytes (256 KiB), are read whole before they are sent: one buffer is cheaper than a
/// stream. With 32 writes in flight, they take at most 8 MiB.
const SMALL: u64 = 256 * 1024;

/// Why one operation failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum OperationError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
    #[error("it was changed after the plan was made; run the same command again to plan anew")]
    Changed,
    #[error("the write was interrupted; run the same command again")]
    Interrupted,
    #[error("a delete is not a write, which is a bug in Tidegate")]
    NotAWrite,
}

/// What operations are carried out with.
pub(super) struct PlanWriter {
    pub(super) s3: S3,
    pub(super) target: Location,
    pub(super) settings: ObjectSettings,
    /// How archived bodies are written.
    pub(super) archive_settings: ObjectSettings,
    pub(super) reader: SourceReader,
    /// Largest object that one request copies, in bytes.
    pub(super) copy_limit: u64,
    /// Whether copies are conditional on what they replace.
    pub(super) conditions: CopyConditions,
    /// Ends the work when the site's lease is lost.
    pub(super) fence: Option<Fence>,
}

/// An object as it will be on the site.
#[derive(Clone, Copy)]
struct NewObject<'a> {
    key: &'a str,
    size: u64,
    identity: &'a ContentIdentity,
    headers: &'a ObjectHeaders,
}

impl PlanWriter {
    /// Carries out one operation that is not a delete.
    pub(super) async fn write(&self, operation: &Operation) -> Result<WrittenObject, OperationError> {
        self.guard(self.write_unguarded(operation)).await?
    }

    /// Deletes up to 1,000 objects, each only if it still has its ETag.
    pub(super) async fn delete(&self, batch: &[DeleteTarget]) -> Result<Vec<DeleteOutcome>, LeaseLost> {
        self.guard(self.s3.delete(&self.target, batch)).await
    }

    /// Copies a body of the site into the archive.
    pub(super) async fn archive(&self, copy: &ArchiveCopy, archive: &Location) -> Result<(), OperationError> {
        let key = self.target.prefix.join(copy.key.as_str());
        let from = self.site_object(&key, &copy.etag, copy.size);
        let headers = ObjectHeaders::default();
        let options = PutOptions { headers: &headers, redirect: None, settings: &self.archive_settings };
        let name = body_name(&copy.key, &copy.etag);
        let identity = ContentIdentity::default();
        let condition = PutCondition::Always;
        self.guard(self.s3.copy(from, archive, &name, &identity, options, condition)).await??;
        Ok(())
    }

    /// Does `work` while the lease is held, if the site has one.
    async fn guard<T>(&self, work: impl Future<Output = T>) -> Result<T, LeaseLost> {
        match &self.fence {
            None => Ok(work.await),
            Some(fence) => fence.guard(work).await,
        }
    }

    async fn write_unguarded(&self, operation: &Operation) -> Result<WrittenObject, OperationError> {
        let key = operation.key.as_str();
        match &operation.action {
            Action::Put { body, size, identity, headers, replaces } => {
                let object = NewObject { key, size: *size, identity: &identity.get(), headers };
                self.put(object, body, replaces.as_deref()).await
            }
            Action::Headers { headers, size, etag, identity, attributes, .. } => {
                let object = NewObject { key, size: *size, identity: &identity.get(), headers };
                self.replace_headers(object, etag, attributes).await
            }
            Action::Delete { .. } => Err(OperationError::NotAWrite),
        }
    }

    async fn put(
        &self,
        object: NewObject<'_>,
        body: &PlannedBody,
        replaces: Option<&ReplacedObject>,
    ) -> Result<WrittenObject, OperationError> {
        let NewObject { key, size, identity, headers } = object;
        let options = PutOptions { headers, redirect: None, settings: &self.settings };
        let body = match body {
            PlannedBody::Redirect(target) => {
                let options = PutOptions { redirect: Some(target), ..options };
                let (empty, identity) = (BodyBytes::Whole(bytes::Bytes::new()), ContentIdentity::default());
                return Ok(self.s3.put(&self.target, key, empty, 0, &identity, options).await?);
            }
            PlannedBody::Site { key: other, etag } => {
                let other = self.target.prefix.join(other.as_str());
                let from = self.site_object(&other, etag, size);
                return self.copy_over(replaces, object, from, options).await;
            }
            PlannedBody::Source(source) => source,
        };
        if let Some(staged) = self.reader.staged(body) {
            let from = CopySource {
                bucket: &staged.bucket,
                key: staged.key.as_str(),
                etag: &staged.etag,
                conditional: self.reader.is_conditional(),
                size,
                limit: self.copy_limit,
                tags: false,
            };
            return self.copy_over(replaces, object, from, options).await;
        }
        let body = if size <= SMALL {
            BodyBytes::Whole(self.reader.whole(body).await?)
        } else {
            BodyBytes::Streamed(opener(&self.reader, body))
        };
        Ok(self.s3.put(&self.target, key, body, size, identity, options).await?)
    }

    /// Copies an object over the one that the plan saw, or over none.
    async fn copy_over(
        &self,
        replaces: Option<&ReplacedObject>,
        object: NewObject<'_>,
        from: CopySource<'_>,
        options: PutOptions<'_>,
    ) -> Result<WrittenObject, OperationError> {
        let NewObject { key, identity, .. } = object;
        let copy = async |condition: PutCondition<'_>| {
            self.s3.copy(from, &self.target, key, identity, options, condition).await
        };
        let condition = self.conditions.over(replaces);
        let error = match copy(condition).await {
            Ok(written) if condition == PutCondition::Always || from.size > from.limit => return Ok(written),
            Ok(written) => return Ok(self.conditions.ask(copy).await.unwrap_or(written)),
            Err(error) if is_changed(&error, condition) => error,
            Err(error) if is_refused(&error, condition) => {
                let written = copy(PutCondition::Always).await?;
                self.conditions.note(&error);
                return Ok(written);
            }
            Err(error) => return Err(error.into()),
        };
        // The request may have been repeated after its response was lost, or the source may have been replaced.
        let key = self.target.prefix.join(key);
        let found = match self.s3.observe_copy(&self.target.bucket, &key).await {
            Err(denied) if denied.is_denied() => return Err(OperationError::Changed),
            found => found?,
        };
        match found {
            Some(found) if is_written(&found, object, &from) => {
                Ok(WrittenObject { etag: found.etag, attributes: found.observed.attributes })
            }
            Some(found) if replaces.is_some_and(|replaced| replaced.etag == found.etag) => Err(error.into()),
            None if replaces.is_none() => Err(error.into()),
            Some(_) | None => Err(OperationError::Changed),
        }
    }

    /// Copies an object onto itself with other headers. Attributes that the configuration does not set are preserved.
    async fn replace_headers(
        &self,
        object: NewObject<'_>,
        etag: &ETag,
        attributes: &PreservedAttributes,
    ) -> Result<WrittenObject, OperationError> {
        let own = &self.settings;
        let settings = ObjectSettings {
            acl: own.acl.clone(),
            encryption: own.encryption.clone().or_else(|| attributes.encryption.clone()),
            kms_key: own.kms_key.clone().or_else(|| attributes.kms_key.as_deref()?.parse().ok()),
            storage_class: own.storage_class.clone().or_else(|| attributes.storage_class.clone()),
        };
        let key = self.target.prefix.join(object.key);
        let from = CopySource { tags: true, ..self.site_object(&key, etag, object.size) };
        let options = PutOptions { headers: object.headers, redirect: None, settings: &settings };
        // The condition on the source is one on the destination here.
        let condition = PutCondition::Always;
        let error = match self.s3.copy(from, &self.target, object.key, object.identity, options, condition).await {
            Err(error) if error.is_condition_failed() => error,
            copied => return Ok(copied?),
        };
        // The copy has another ETag if the object is encrypted, and it may have been made before.
        match self.s3.observe_copy(&self.target.bucket, &key).await? {
            Some(found) if is_written(&found, object, &from) => {
                Ok(WrittenObject { etag: found.etag, attributes: found.observed.attributes })
            }
            Some(_) | None => Err(error.into()),
        }
    }

    /// An object of the site as the source of a copy, in the state that the plan saw.
    fn site_object<'a>(&'a self, key: &'a str, etag: &'a ETag, size: u64) -> CopySource<'a> {
        let bucket = &self.target.bucket;
        CopySource { bucket, key, etag, conditional: true, size, limit: self.copy_limit, tags: false }
    }
}

/// Whether an object is what a copy of `from` makes.
fn is_written(found: &ObservedCopy, object: NewObject<'_>, from: &CopySource<'_>) -> bool {
    let observed = &found.observed;
    let same_body = found.etag == *from.etag || object.identity.compare(&observed.identity) == Sameness::Same;
    same_body && observed.redirect.is_none() && observed.headers.differences(object.headers).is_empty()
}

/// Reads an object from its start for every attempt of a request.
fn opener(reader: &SourceReader, key: &Key) -> Opener {
    let (reader, key) = (reader.clone(), key.clone());
    Arc::new(move || {
        let (reader, key) = (reader.clone(), key.clone());
        stream::once(async move { reader.stream(&key).await }).try_flatten().map_err(std::io::Error::other).boxed()
    })
}
