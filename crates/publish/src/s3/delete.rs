//! Deletes of site objects: up to 1,000 per request, with one outcome per key.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use tidegate_core::identity::ETag;
use tidegate_core::key::StoredKey;
use tidegate_core::location::Location;

use super::client::S3;
use crate::aws_error::AwsError;

/// An object to delete, only if it still has the ETag that the plan saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeleteTarget {
    pub(crate) key: StoredKey,
    pub(crate) etag: ETag,
}

/// The outcome for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeleteOutcome {
    /// It is gone.
    Deleted,
    /// It was replaced after the plan was made, so it was kept.
    Replaced,
    /// It still exists.
    Failed(AwsError),
}

impl S3 {
    /// Deletes up to 1,000 objects. Returns one outcome for each, in order: S3 answers 200 even if it refused some
    /// keys.
    pub(crate) async fn delete(&self, from: &Location, targets: &[DeleteTarget]) -> Vec<DeleteOutcome> {
        // Some characters cannot be written in XML 1.0. Keys with such characters need a request of their own.
        let (batch, single): (Vec<_>, Vec<_>) = targets.iter().partition(|target| fits_xml(target.key.as_str()));
        let mut outcomes: BTreeMap<&StoredKey, DeleteOutcome> = BTreeMap::new();
        if !batch.is_empty() {
            self.delete_batch(from, &batch, &mut outcomes).await;
        }
        for target in single {
            outcomes.insert(&target.key, self.delete_one(from, target).await);
        }
        let outcome = |target: &DeleteTarget| {
            outcomes.remove(&target.key).unwrap_or_else(|| {
                let why = "the response does not mention the key";
                DeleteOutcome::Failed(AwsError::malformed("DeleteObjects", target.key.as_str(), why))
            })
        };
        targets.iter().map(outcome).collect()
    }

    async fn delete_batch<'a>(
        &self,
        from: &Location,
        targets: &[&'a DeleteTarget],
        outcomes: &mut BTreeMap<&'a StoredKey, DeleteOutcome>,
    ) {
        let full_key = |target: &DeleteTarget| from.prefix.join(target.key.as_str());
        let identifiers: Result<Vec<ObjectIdentifier>, _> = targets
            .iter()
            .map(|target| ObjectIdentifier::builder().key(full_key(target)).e_tag(target.etag.quoted()).build())
            .collect();
        let request = identifiers.and_then(|list| Delete::builder().set_objects(Some(list)).build());
        let output = match request {
            Ok(request) => self
                .client
                .delete_objects()
                .bucket(from.bucket.as_str())
                .delete(request)
                .send()
                .await
                .map_err(|error| AwsError::new("DeleteObjects", from.to_string(), &error)),
            Err(error) => Err(AwsError::malformed("DeleteObjects", from.to_string(), error.to_string())),
        };
        let output = match output {
            Ok(output) => output,
            Err(error) => {
                outcomes.extend(targets.iter().map(|target| (&target.key, DeleteOutcome::Failed(error.clone()))));
                return;
            }
        };
        let by_key: BTreeMap<String, &'a StoredKey> =
            targets.iter().map(|target| (full_key(target), &target.key)).collect();
        for deleted in output.deleted() {
            if let Some(key) = deleted.key().and_then(|key| by_key.get(key)) {
                outcomes.insert(key, DeleteOutcome::Deleted);
            }
        }
        for error in output.errors() {
            let Some(key) = error.key().and_then(|key| by_key.get(key)) else { continue };
            let code = error.code().unwrap_or("unknown");
            let outcome = match code {
                "PreconditionFailed" => DeleteOutcome::Replaced,
                "NoSuchKey" => DeleteOutcome::Deleted,
                _ => DeleteOutcome::Failed(AwsError::for_key("DeleteObjects", key.as_str(), code, error.message())),
            };
            outcomes.insert(key, outcome);
        }
    }

    async fn delete_one(&self, from: &Location, target: &DeleteTarget) -> DeleteOutcome {
        let result = self
            .client
            .delete_object()
            .bucket(from.bucket.as_str())
            .key(from.prefix.join(target.key.as_str()))
            .if_match(target.etag.quoted())
            .send()
            .await;
        match result.map_err(|error| AwsError::new("DeleteObject", target.key.as_str(), &error)) {
            Ok(_) => DeleteOutcome::Deleted,
            Err(error) if error.is_condition_failed() => DeleteOutcome::Replaced,
            Err(error) if error.is_not_found() => DeleteOutcome::Deleted,
            Err(error) => DeleteOutcome::Failed(error),
        }
    }
}

/// Whether XML 1.0 can carry a key unchanged. A carriage return, for example, would come back as a line feed.
fn fits_xml(key: &str) -> bool {
    key.chars().all(|c| matches!(c, '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
}
