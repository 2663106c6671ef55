//! What the edge of a site should be.

use tidegate_core::config::{DistributionId, Site, SiteName, StoreArn};
use tidegate_core::edge::EdgeKeys;
use tidegate_core::location::Bucket;

use super::probe::EdgeProbe;
use crate::cloudfront::{EdgeFunctionSpec, SiteHeaders};

/// The object that answers `/`.
pub(super) const ROOT_OBJECT: &str = "index.html";

/// The errors of the bucket that mean that the site does not have a path: S3 answers 403 to readers who may not list.
pub const NOT_FOUND_ERRORS: [i32; 2] = [403, 404];

/// Which pages visitors get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedPages {
    /// Those at their own keys.
    InPlace,
    /// Those below the prefix of a release, which only the function finds.
    OfRelease,
}

/// What the edge of a site should be.
#[derive(Debug, Clone)]
pub struct EdgeSpec {
    /// The site.
    pub site: SiteName,
    /// The bucket of the site.
    pub bucket: Bucket,
    /// Its distributions, each with the origin path of the configuration.
    pub distributions: Vec<(DistributionId, String)>,
    /// The name of the function, the store and the headers policy.
    pub name: String,
    /// The store of the configuration.
    pub store: Option<StoreArn>,
    /// The code of the function.
    pub code: String,
    /// What the store should hold for the site.
    pub keys: EdgeKeys,
    /// Requests that show that the function works.
    pub probes: Vec<EdgeProbe>,
    /// The path of the page for paths that the site does not have; none to leave error pages alone.
    pub error_page: Option<String>,
    /// Headers of every response.
    pub headers: SiteHeaders,
    /// Which pages visitors get now.
    pub served: ServedPages,
}

impl EdgeSpec {
    /// The edge of a site with this code of the function; `None` if the site has none.
    #[must_use]
    pub fn new(site: &Site, code: String) -> Option<Self> {
        let edge = site.edge.as_ref()?;
        let distribution = |cdn: &tidegate_core::config::DistributionConfig| {
            (cdn.distribution.clone(), String::from(cdn.origin_path.clone()))
        };
        Some(Self {
            site: site.name.clone(),
            bucket: site.target.bucket.clone(),
            distributions: site.cdn.iter().map(distribution).collect(),
            name: edge.function(&site.name),
            store: edge.store.clone(),
            code,
            keys: EdgeKeys::new(),
            probes: super::probe::probes(),
            error_page: Some(format!("/{}", edge.not_found())),
            headers: SiteHeaders::new(),
            served: ServedPages::InPlace,
        })
    }

    /// The comment of what `install` creates, by which it is recognized.
    #[must_use]
    pub fn comment(&self) -> String {
        format!("Tidegate: the edge of {}", self.site)
    }

    /// The function, which reads this store.
    pub(super) fn function(&self, store: &str) -> EdgeFunctionSpec {
        EdgeFunctionSpec { comment: self.comment(), code: self.code.clone(), store: Some(store.to_owned()) }
    }
}
