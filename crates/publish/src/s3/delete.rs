//! Deleting objects, a thousand a request, with one answer a key.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use tidegate_core::identity::ETag;
use tidegate_core::key::StoredKey;
use tidegate_core::location::Location;

use super::{S3, whole};
use crate::aws_error::AwsError;

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeleteOutcome {
    /// It is gone.
    Deleted,
    /// It was replaced since the plan was made, so it was left alone.
    Replaced,
    /// It is still there.
    Failed(AwsError),
}

impl S3 {
    /// Deletes up to 1,000 objects, each only while it has the ETag that the plan saw. One outcome for each, in order:
    /// S3 answers 200 also where it refused single keys.
    pub(crate) async fn delete(&self, from: &Location, objects: &[(StoredKey, ETag)]) -> Vec<DeleteOutcome> {
        // Some characters cannot be written in XML 1.0; such keys take a request of their own.
        let (plain, odd): (Vec<_>, Vec<_>) = objects.iter().partition(|(key, _)| writable(key.as_str()));
        let mut outcomes: BTreeMap<&StoredKey, DeleteOutcome> = BTreeMap::new();
        match plain.as_slice() {
            [] => {}
            keys => self.delete_batch(from, keys, &mut outcomes).await,
        }
        for (key, etag) in odd {
            outcomes.insert(key, self.delete_one(from, key, etag).await);
        }
        objects
            .iter()
            .map(|(key, _)| {
                outcomes.remove(key).unwrap_or_else(|| {
                    let why = "the answer does not say what became of it";
                    DeleteOutcome::Failed(AwsError::malformed("DeleteObjects", key.as_str(), why))
                })
            })
            .collect()
    }

    async fn delete_batch<'a>(
        &self,
        from: &Location,
        keys: &[&'a (StoredKey, ETag)],
        outcomes: &mut BTreeMap<&'a StoredKey, DeleteOutcome>,
    ) {
        let identifiers: Result<Vec<ObjectIdentifier>, _> = keys
            .iter()
            .map(|(key, etag)| ObjectIdentifier::builder().key(whole(from, key.as_str())).e_tag(etag.quoted()).build())
            .collect();
        let request = identifiers.and_then(|list| Delete::builder().set_objects(Some(list)).build());
        let answer = match request {
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
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                for (key, _) in keys {
                    outcomes.insert(key, DeleteOutcome::Failed(error.clone()));
                }
                return;
            }
        };
        let by_key: BTreeMap<String, &'a StoredKey> =
            keys.iter().map(|(key, _)| (whole(from, key.as_str()), key)).collect();
        for deleted in answer.deleted() {
            if let Some(key) = deleted.key().and_then(|key| by_key.get(key)) {
                outcomes.insert(key, DeleteOutcome::Deleted);
            }
        }
        for refused in answer.errors() {
            let Some(key) = refused.key().and_then(|key| by_key.get(key)) else { continue };
            let code = refused.code().unwrap_or("unknown");
            let outcome = match code {
                "PreconditionFailed" => DeleteOutcome::Replaced,
                "NoSuchKey" => DeleteOutcome::Deleted,
                _ => DeleteOutcome::Failed(AwsError::of_key("DeleteObjects", key.as_str(), code, refused.message())),
            };
            outcomes.insert(key, outcome);
        }
    }

    async fn delete_one(&self, from: &Location, key: &StoredKey, etag: &ETag) -> DeleteOutcome {
        let answer = self
            .client
            .delete_object()
            .bucket(from.bucket.as_str())
            .key(whole(from, key.as_str()))
            .if_match(etag.quoted())
            .send()
            .await;
        match answer.map_err(|error| AwsError::new("DeleteObject", key.as_str(), &error)) {
            Ok(_) => DeleteOutcome::Deleted,
            Err(error) if error.is_condition_failed() => DeleteOutcome::Replaced,
            Err(error) if error.is_not_found() => DeleteOutcome::Deleted,
            Err(error) => DeleteOutcome::Failed(error),
        }
    }
}

/// Whether XML 1.0 can carry a key, and carry it unchanged: a carriage return would come back as a line feed.
fn writable(key: &str) -> bool {
    key.chars().all(|c| matches!(c, '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
}
