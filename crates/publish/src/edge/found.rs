//! What exists of the edge of a site.

use std::collections::BTreeMap;

use tidegate_core::config::{DistributionId, StoreArn};
use tidegate_core::edge::{EdgeKeys, pointer_key};

use super::spec::EdgeSpec;
use crate::aws_error::AwsError;
use crate::cloudfront::{CloudFront, EdgeDistribution, EdgeStage, EdgeStore, FoundEdgeFunction, FoundHeadersPolicy};
use crate::connection::Connection;
use crate::key_values::KeyValues;

/// Which keys of a store are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreReading {
    /// The pointer.
    Pointer,
    /// All of them, 50 with each request.
    All,
}

impl EdgeStore {
    /// The client of its keys.
    pub(super) fn values(&self, connection: &Connection) -> Result<KeyValues, AwsError> {
        let malformed = |error: tidegate_core::config::ValueError| {
            AwsError::malformed("ListKeyValueStores", &self.name, error.to_string())
        };
        Ok(KeyValues::new(connection, &StoreArn::try_from(self.arn.clone()).map_err(malformed)?))
    }
}

/// What exists of the edge of a site.
#[derive(Debug, Clone, Default)]
pub struct FoundEdge {
    /// The store: that of the configuration, or the one with the name of the edge.
    pub store: Option<EdgeStore>,
    /// The version of its keys, before they were read.
    pub version: Option<String>,
    /// The pointer in it.
    pub pointer: Option<String>,
    /// All keys in it, if they were read.
    pub held: Option<EdgeKeys>,
    /// The function after its last change.
    pub development: Option<FoundEdgeFunction>,
    /// The function as visitors get it.
    pub live: Option<FoundEdgeFunction>,
    /// The response headers policy.
    pub headers_policy: Option<FoundHeadersPolicy>,
    /// The distributions.
    pub distributions: BTreeMap<DistributionId, EdgeDistribution>,
}

/// A new store is known to the servers of its keys a little later.
fn not_yet(error: AwsError) -> Result<Option<String>, AwsError> {
    if error.is_not_found() { Ok(None) } else { Err(error) }
}

/// The store of an edge. One that the configuration names may have any name.
pub(super) async fn find_store(cloudfront: &CloudFront, spec: &EdgeSpec) -> Result<Option<EdgeStore>, AwsError> {
    let stores = cloudfront.stores().await?;
    let configured = spec.store.as_ref().and_then(|arn| stores.iter().find(|store| store.arn == arn.as_str()));
    Ok(configured.or_else(|| stores.iter().find(|store| store.name == spec.name)).cloned())
}

impl FoundEdge {
    /// Reads it.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn read(
        connection: &Connection,
        cloudfront: &CloudFront,
        spec: &EdgeSpec,
        keys: StoreReading,
    ) -> Result<Self, AwsError> {
        let mut found = Self { store: find_store(cloudfront, spec).await?, ..Self::default() };
        if let Some(store) = found.store.as_ref().filter(|store| store.ready) {
            let values = store.values(connection)?;
            found.version = values.version().await.map(Some).or_else(not_yet)?;
            found.pointer = values.value(&pointer_key(&spec.site)).await?;
            if keys == StoreReading::All {
                found.held = Some(values.keys().await?);
            }
        }
        found.development = cloudfront.function(&spec.name, EdgeStage::Development).await?;
        found.live = cloudfront.function(&spec.name, EdgeStage::Live).await?;
        found.headers_policy = cloudfront.headers_policy(&spec.name).await?;
        for (id, _) in &spec.distributions {
            found.distributions.insert(id.clone(), cloudfront.distribution(id, &spec.bucket).await?);
        }
        Ok(found)
    }

    /// Whether anything of the edge exists.
    #[must_use]
    pub fn is_installed(&self) -> bool {
        self.store.is_some() || self.development.is_some()
    }
}
