//! CloudFront key value stores. Nothing else in this crate names their SDK. `tidegate_core::edge` says what they hold, and
//! `publish::switch` writes it.

use aws_sdk_cloudfrontkeyvaluestore::Client;
use aws_sdk_cloudfrontkeyvaluestore::config::Builder;
use aws_sdk_cloudfrontkeyvaluestore::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
use aws_sdk_cloudfrontkeyvaluestore::types::{DeleteKeyRequestListItem, PutKeyRequestListItem};
use aws_smithy_types::endpoint::EndpointAuthScheme;
use tidegate_core::config::StoreArn;
use tidegate_core::edge::{EdgeKeys, KeyBatch};

use crate::aws_error::{AwsError, if_exists};
use crate::connection::Connection;

/// A key value store.
#[derive(Debug, Clone)]
pub struct KeyValues {
    client: Client,
    store: StoreArn,
}

/// Sends requests to the endpoint of the connection. The SDK would put the account before its host.
#[derive(Debug)]
struct FixedEndpoint(String);

impl ResolveEndpoint for FixedEndpoint {
    fn resolve_endpoint(&self, _: &Params) -> EndpointFuture<'_> {
        let scheme = EndpointAuthScheme::with_capacity("sigv4a", 2)
            .put("signingName", "cloudfront-keyvaluestore".to_owned())
            .put("signingRegionSet", vec!["*".to_owned().into()]);
        EndpointFuture::ready(Ok(Endpoint::builder().url(self.0.clone()).auth_scheme(scheme).build()))
    }
}

impl KeyValues {
    /// A client of a store.
    #[must_use]
    pub fn new(connection: &Connection, store: &StoreArn) -> Self {
        let mut config = Builder::from(connection.config());
        if let Some(endpoint) = connection.config().endpoint_url() {
            config = config.endpoint_resolver(FixedEndpoint(endpoint.to_owned()));
        }
        Self { client: Client::from_conf(config.build()), store: store.clone() }
    }

    /// Its version: the ETag of the whole store, which every write must name. This is another ETag than the one of `cloudfront:DescribeKeyValueStore`.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn version(&self) -> Result<String, AwsError> {
        let output = self.client.describe_key_value_store().kvs_arn(self.store.as_str()).send().await;
        Ok(output.map_err(|error| self.error("DescribeKeyValueStore", &error))?.e_tag)
    }

    /// The value of a key, if there is one.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn value(&self, key: &str) -> Result<Option<String>, AwsError> {
        let output = self.client.get_key().kvs_arn(self.store.as_str()).key(key).send().await;
        let output = if_exists(output.map_err(|error| self.error("GetKey", &error)))?;
        Ok(output.map(|output| output.value))
    }

    /// All keys, in pages of 50.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn keys(&self) -> Result<EdgeKeys, AwsError> {
        let mut keys = EdgeKeys::new();
        let mut pages = self.client.list_keys().kvs_arn(self.store.as_str()).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.error("ListKeys", &error))?;
            keys.extend(page.items.unwrap_or_default().into_iter().map(|item| (item.key, item.value)));
        }
        Ok(keys)
    }

    /// Applies a batch as a whole, if the store still has this ETag. Returns the new one.
    ///
    /// # Errors
    /// [`AwsError`]; see [`is_conflict`] and [`is_too_large`].
    pub async fn update(&self, etag: &str, batch: &KeyBatch) -> Result<String, AwsError> {
        let malformed = |error: aws_sdk_cloudfrontkeyvaluestore::error::BuildError| {
            AwsError::malformed("UpdateKeys", self.store.as_str(), error.to_string())
        };
        let puts = batch.puts.iter().map(|(key, value)| PutKeyRequestListItem::builder().key(key).value(value).build());
        let puts = puts.collect::<Result<Vec<_>, _>>().map_err(malformed)?;
        let deletes = batch.deletes.iter().map(|key| DeleteKeyRequestListItem::builder().key(key).build());
        let deletes = deletes.collect::<Result<Vec<_>, _>>().map_err(malformed)?;
        let output = self
            .client
            .update_keys()
            .kvs_arn(self.store.as_str())
            .if_match(etag)
            .set_puts((!puts.is_empty()).then_some(puts))
            .set_deletes((!deletes.is_empty()).then_some(deletes))
            .send()
            .await
            .map_err(|error| self.error("UpdateKeys", &error))?;
        Ok(output.e_tag)
    }

    fn error<E>(
        &self,
        call: &'static str,
        error: &aws_smithy_runtime_api::client::result::SdkError<
            E,
            aws_smithy_runtime_api::client::orchestrator::HttpResponse,
        >,
    ) -> AwsError
    where
        E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
    {
        AwsError::new(call, self.store.as_str(), error)
    }
}

/// Whether another writer changed the store. AWS answers `ValidationException` with "Pre-Condition failed", other servers
/// with 409 or 412; the API's model has all three.
#[must_use]
pub fn is_conflict(error: &AwsError) -> bool {
    matches!(error.status, Some(409 | 412))
        || (error.code.as_deref() == Some("ValidationException")
            && error.why.to_ascii_lowercase().replace(['-', ' '], "").contains("preconditionfailed"))
}

/// Whether the batch was too large. AWS documents 50 keys, and others met a limit at 32.
#[must_use]
pub fn is_too_large(error: &AwsError) -> bool {
    error.status == Some(402) || error.code.as_deref() == Some("ServiceQuotaExceededException")
}
