//! Where the deployment package is uploaded to.

use tidegate_core::config::Config;
use tidegate_core::location::{Location, LocationError, Prefix};

use crate::stack::{PACKAGES, PackageZip};

/// A prefix for deployment packages. Their keys are digests, so that a new package is a new key, which CloudFormation
/// detects, and nothing is uploaded twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackagePlace {
    pub(super) location: Location,
}

impl PackagePlace {
    /// The prefix that is given, or a folder below the state; `None` without either.
    ///
    /// # Errors
    /// [`LocationError`], if the prefix is too long.
    pub fn new(given: Option<&Location>, config: &Config) -> Result<Option<Self>, LocationError> {
        let location = match (given, &config.state) {
            (Some(given), _) => given.clone(),
            (None, Some(state)) => {
                Location { bucket: state.bucket.clone(), prefix: Prefix::new(&state.prefix.join(PACKAGES))? }
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(Self { location }))
    }

    /// The prefix.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The key of a package.
    #[must_use]
    pub fn key(&self, package: &PackageZip) -> String {
        self.location.prefix.join(&format!("{}.zip", package.digest()))
    }

    /// The key of a template, by its digest.
    pub(super) fn template_key(&self, digest: &str) -> String {
        self.location.prefix.join(&format!("{digest}.template.json"))
    }
}
