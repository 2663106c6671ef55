//! The import source of a new store: keys and values of a file in S3.
//!
//! Source: CloudFront Developer Guide, "Create a key value store" (permissions) and "File format for key-value pairs"
//! (format and limits); CloudFront API Reference, "CreateKeyValueStore" (errors). The guide counts keys and values in
//! characters, its quotas in bytes: bytes are the smaller limit.
//!
//! The references do not say whether AWS reads the file before it answers, nor which error a file gets. Here the request
//! fails and creates nothing: with `AccessDenied` without a permission, with `EntitySizeLimitExceeded` if the file is too
//! large, and otherwise with `InvalidArgument`. Members of the JSON beside those of the guide are refused.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::error::{CloudFrontError, RefusalCode};
use super::super::{CloudFrontService, storage};
use super::{MAX_STORE, check_entry};
use crate::iam::{ACCOUNT_ID, Caller};
use crate::s3::{Authorizer, S3Failure};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportFile {
    data: Vec<ImportEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportEntry {
    key: String,
    value: String,
}

impl CloudFrontService {
    /// Reads the file with this ARN, as the caller.
    pub(in super::super) fn import(
        &self,
        caller: &Caller,
        arn: &str,
    ) -> Result<BTreeMap<String, String>, CloudFrontError> {
        let object = arn.strip_prefix("arn:aws:s3:::").and_then(|object| object.split_once('/'));
        let Some((bucket, key)) = object.filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()) else {
            return Err(invalid(&format!("`{arn}` is not the ARN of an object in S3")));
        };
        let denied = |message: String| CloudFrontError::refused(RefusalCode::AccessDenied, message);
        let authorizer = Authorizer::new(self.objects.clone(), self.iam.clone());
        authorizer
            .caller_may_read(&caller.access_key_id, bucket, key)
            .map_err(|refused| denied(refused.to_string()))?;
        let unreadable = |failure: S3Failure| match failure {
            S3Failure::NoSuchBucket | S3Failure::NoSuchKey => invalid(&format!("`{arn}` does not exist")),
            failure => storage(failure),
        };
        let owner = self.objects.bucket(bucket).map_err(unreadable)?.owner;
        if owner.is_some_and(|owner| owner != ACCOUNT_ID) {
            return Err(denied(format!("The bucket `{bucket}` belongs to another account.")));
        }
        let content = self.objects.get(bucket, key).map_err(unreadable)?.content;
        // Keys and values are never longer than the file, so the store is not too large either.
        if content.length() > MAX_STORE as u64 {
            let message = format!("The import source has {} bytes, more than {MAX_STORE}.", content.length());
            return Err(CloudFrontError::refused(RefusalCode::EntitySizeLimitExceeded, message));
        }
        parse(&content.read().map_err(storage)?)
    }
}

fn parse(file: &[u8]) -> Result<BTreeMap<String, String>, CloudFrontError> {
    let file: ImportFile = serde_json::from_slice(file).map_err(|error| invalid(&error.to_string()))?;
    let mut entries = BTreeMap::new();
    for ImportEntry { key, value } in file.data {
        check_entry(&key, &value).map_err(|error| invalid(&error.to_string()))?;
        if entries.contains_key(&key) {
            return Err(invalid(&format!("the key `{key}` occurs twice")));
        }
        entries.insert(key, value);
    }
    Ok(entries)
}

fn invalid(problem: &str) -> CloudFrontError {
    CloudFrontError::refused(RefusalCode::InvalidArgument, format!("The import source is invalid: {problem}"))
}
