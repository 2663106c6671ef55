//! What the live release of a site says about its edge.

use tidegate_core::config::Site;
use tidegate_core::edge::{EdgeKeys, EdgeSizeError, edge_keys};

use super::spec::{EdgeSpec, ServedPages};
use crate::connection::Connection;
use crate::publish::kept_edges;
use crate::s3::S3;
use crate::state::{StateError, StateStore};

/// Why the state does not say what the edge should be.
#[derive(Debug, thiserror::Error)]
pub enum LiveEdgeError {
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The rules do not fit into the store.
    #[error(transparent)]
    Size(#[from] EdgeSizeError),
}

impl EdgeSpec {
    /// With the keys and headers of the site's releases. Nothing changes for a site without a release.
    ///
    /// # Errors
    /// [`LiveEdgeError`].
    pub async fn with_releases(mut self, connection: &Connection, site: &Site) -> Result<Self, LiveEdgeError> {
        let Some(location) = &site.state else { return Ok(self) };
        let connection = connection.with_owners(site.bucket_owners());
        let state = StateStore::new(S3::new(&connection), location.clone());
        let Some((pointer, _)) = state.pointer().await? else { return Ok(self) };
        let Some(live) = pointer.live().and_then(|live| live.manifest) else { return Ok(self) };
        let oldest = pointer.releases.first().map(|entry| entry.id).unwrap_or_default();
        let kept = kept_edges(&state, Some(&pointer), oldest).await?;
        self.keys = edge_keys(&site.name, &kept, live, &EdgeKeys::new())?;
        let Some(stored) = kept.into_iter().find(|release| release.id == live).map(|release| release.stored) else {
            return Ok(self);
        };
        self.headers = stored.rules.headers.policy.iter().cloned().collect();
        self.served = if stored.folder.is_empty() { ServedPages::InPlace } else { ServedPages::OfRelease };
        Ok(self)
    }
}
