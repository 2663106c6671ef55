//! Key value stores of CloudFront: the stores themselves. [`crate::key_values`] reads and writes their keys.

use super::CloudFront;
use crate::aws_error::{AwsError, if_exists};

/// The status of a store that can be used. Source: CloudFront API reference, `KeyValueStore`.
const READY: &str = "READY";

/// A key value store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeStore {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its comment.
    pub comment: String,
    /// Whether it can be used.
    pub ready: bool,
}

impl From<aws_sdk_cloudfront::types::KeyValueStore> for EdgeStore {
    fn from(store: aws_sdk_cloudfront::types::KeyValueStore) -> Self {
        Self { ready: store.status.as_deref() == Some(READY), name: store.name, arn: store.arn, comment: store.comment }
    }
}

impl CloudFront {
    /// The stores of the account.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn stores(&self) -> Result<Vec<EdgeStore>, AwsError> {
        let mut stores = Vec::new();
        let mut marker = None;
        loop {
            let request = self.client.list_key_value_stores().set_marker(marker);
            let list = send!("ListKeyValueStores", "the account", request)?.key_value_store_list;
            let Some(list) = list else { return Ok(stores) };
            stores.extend(list.items.unwrap_or_default().into_iter().map(EdgeStore::from));
            marker = list.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(stores);
            }
        }
    }

    /// A store and its version, for `If-Match`; `None` where it does not exist. The version of its keys is another one.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn store(&self, name: &str) -> Result<Option<(EdgeStore, String)>, AwsError> {
        let request = self.client.describe_key_value_store().name(name);
        let Some(output) = if_exists(send!("DescribeKeyValueStore", name, request))? else { return Ok(None) };
        let etag = output.e_tag.unwrap_or_default();
        Ok(output.key_value_store.map(|store| (store.into(), etag)))
    }

    /// Creates a store, which can be used once it is [ready](EdgeStore::ready).
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn create_store(&self, name: &str, comment: &str) -> Result<(), AwsError> {
        let request = self.client.create_key_value_store().name(name).comment(comment);
        send!("CreateKeyValueStore", name, request).map(drop)
    }

    /// Deletes a store with its keys.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn delete_store(&self, name: &str, etag: &str) -> Result<(), AwsError> {
        send!("DeleteKeyValueStore", name, self.client.delete_key_value_store().name(name).if_match(etag)).map(drop)
    }
}
