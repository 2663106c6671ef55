//! The expected owners of the buckets of a site.

use super::error::ConfigError;
use super::owners::BucketOwners;
use super::site::Site;
use crate::location::{Bucket, Source};

impl Site {
    /// The expected owners of the site's buckets.
    #[must_use]
    pub fn bucket_owners(&self) -> BucketOwners {
        self.checked_owners().unwrap_or_default()
    }

    /// The same with the bucket of a source that the configuration does not name.
    #[must_use]
    pub fn bucket_owners_with(&self, source: &Source) -> BucketOwners {
        let mut owners = self.bucket_owners();
        if let (Some(bucket), Some(owner)) = (bucket(source), &self.builds_owner) {
            owners.add_missing(bucket, owner);
        }
        owners
    }

    /// The same; an error if one bucket would have two owners.
    pub(super) fn checked_owners(&self) -> Result<BucketOwners, ConfigError> {
        let mut owners = BucketOwners::default();
        let builds = self.builds_owner.as_ref().or(self.owner.as_ref());
        owners.add(&self.name, &self.target.bucket, self.owner.as_ref())?;
        let staged = self.staged_in_s3().and_then(bucket);
        for bucket in staged.into_iter().chain(self.builds.as_ref().map(|builds| &builds.bucket)) {
            owners.add(&self.name, bucket, builds)?;
        }
        if let Some(state) = &self.state {
            owners.add(&self.name, &state.bucket, self.state_owner.as_ref())?;
        }
        Ok(owners)
    }
}

/// The bucket of a source in S3. That of a release is the state's.
fn bucket(source: &Source) -> Option<&Bucket> {
    match source {
        Source::Prefix(location) => Some(&location.bucket),
        Source::Object(object) => Some(&object.bucket),
        Source::Directory(_) | Source::Archive(_) | Source::Release(_) => None,
    }
}
